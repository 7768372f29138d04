//! The proof as a page that needs nothing beside it.

use super::prove::{Difference, Proof};
use super::report::{shown, verdict};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;\
vertical-align:top;overflow-wrap:anywhere}code{font:13px ui-monospace,monospace}.yes{color:#0a6b2d}.no{color:#a8071a}\
@media(prefers-color-scheme:dark){body{background:#16181d;color:#e6e6e6}td,th{border-color:#444}.yes{color:#5fd38d}\
.no{color:#ff7b86}}@media print{details{display:block}}";

/// A self-contained page: result, failures, facts, what explains the rest, and room for a signature.
#[must_use]
pub fn html(proof: &Proof, title: &str) -> String {
    let counts = &proof.counts;
    let class = if proof.equal { "yes" } else { "no" };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>\
         <p class=\"{class}\"><strong>{} of {} objects equal.</strong> {}</p>",
        counts.equal,
        counts.expected,
        escape(&verdict(proof)),
        title = escape(title),
    );
    let failures: Vec<&Difference> = proof.failures().collect();
    if !failures.is_empty() {
        page.push_str("<h2 class=\"no\">Not explained</h2>");
        table(&mut page, &failures);
    }
    page.push_str("<h2>Facts</h2><table><tr><th>what</th><th>expected</th><th>found</th></tr>");
    for fact in &proof.facts {
        let class = if fact.equal { "yes" } else { "no" };
        row(&mut page, class, &[&fact.what, &fact.expected, &fact.actual]);
    }
    page.push_str("</table><h2>What explains the differences</h2><table><tr><th>times</th><th>by</th></tr>");
    for (line, count) in &counts.explained {
        row(&mut page, "", &[&count.to_string(), line]);
    }
    page.push_str("</table>");
    let explained: Vec<&Difference> = proof.differences.iter().filter(|d| d.explained_by.is_some()).collect();
    if !explained.is_empty() {
        page.push_str(&format!("<details><summary>All {} explained differences</summary>", explained.len()));
        table(&mut page, &explained);
        page.push_str("</details>");
    }
    page.push_str("<p>Date, name, signature: ______________________________</p></body></html>");
    page
}

fn table(page: &mut String, differences: &[&Difference]) {
    page.push_str(
        "<table><tr><th>object</th><th>field</th><th>expected</th><th>found</th><th>explained by</th></tr>",
    );
    for difference in differences {
        let (expected, actual) = (shown(difference.expected.as_ref()), shown(difference.actual.as_ref()));
        let by = difference.explained_by.as_deref().unwrap_or("nothing");
        row(page, "", &[&difference.object, &difference.pointer, &expected, &actual, by]);
    }
    page.push_str("</table>");
}

fn row(page: &mut String, class: &str, cells: &[&str]) {
    page.push_str(&format!("<tr class=\"{class}\">"));
    for cell in cells {
        page.push_str(&format!("<td><code>{}</code></td>", escape(cell)));
    }
    page.push_str("</tr>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
