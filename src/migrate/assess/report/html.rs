//! One page with nothing beside it: no script, no font, no image from anywhere.

use super::{Assessment, Level, by_subject, field};
use crate::migrate::verdict::Verdict;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c1e21}\
h1{font-size:1.5rem}h2{margin-top:2rem;border-bottom:2px solid currentColor}h3{margin:1.2rem 0 .3rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}\
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}small{color:#666}.Blocker{color:#b00020}.Choice{color:#8a5a00}\
.Warning{color:#6b5b00}.Mapped{color:#0b6b2e}.Irrelevant{color:#666}.tiles{display:flex;gap:1rem;flex-wrap:wrap}\
.tile{border:1px solid #ccc;border-radius:.5rem;padding:.5rem 1rem}.tile b{display:block;font-size:1.6rem}\
ul{margin:.3rem 0;padding-left:1.2rem}@media(prefers-color-scheme:dark){body{background:#16181b;color:#e4e6e9}\
td,th{border-color:#333}small,.Irrelevant{color:#9aa0a6}.Blocker{color:#ff7a85}.Choice{color:#ffc15e}.Warning{color:#e6d36a}.Mapped{color:#6fd08c}}";

pub(super) fn write(assessment: &Assessment) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = page(assessment, &mut out);
    out
}

fn page(assessment: &Assessment, out: &mut String) -> std::fmt::Result {
    let title = format!("{} to EKS", escaped(&assessment.cluster));
    write!(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>")?;
    write!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><h1>{title}</h1>"
    )?;
    let counts = assessment.counts();
    out.push_str("<div class=\"tiles\">");
    for level in Level::ALL {
        let count = counts.get(&level).copied().unwrap_or_default();
        write!(out, "<a class=\"tile {level}\" href=\"#{level}\"><b>{count}</b>{level}</a>")?;
    }
    out.push_str("</div>");
    for level in Level::ALL {
        let groups = by_subject(assessment, level);
        if groups.is_empty() {
            continue;
        }
        let open = if level == Level::Irrelevant { "" } else { " open" };
        write!(out, "<details{open}><summary><h2 id=\"{level}\" class=\"{level}\">{level}</h2></summary>")?;
        for (subject, verdicts) in groups {
            write!(
                out,
                "<h3>{}</h3><table><tr><th>Field</th><th>What becomes of it</th><th>Rule</th></tr>",
                escaped(subject)
            )?;
            for verdict in verdicts {
                row(verdict, out)?;
            }
            out.push_str("</table>");
        }
        out.push_str("</details>");
    }
    if !assessment.notes.is_empty() {
        out.push_str("<h2>Notes</h2><ul>");
        for note in &assessment.notes {
            write!(out, "<li>{}</li>", escaped(note))?;
        }
        out.push_str("</ul>");
    }
    out.push_str("</body></html>\n");
    Ok(())
}

fn row(verdict: &Verdict, out: &mut String) -> std::fmt::Result {
    write!(out, "<tr><td><code>{}</code></td><td>{}", escaped(field(verdict)), escaped(&verdict.says))?;
    if let Some(becomes) = &verdict.becomes {
        write!(out, "<br>→ <code>{}</code>", escaped(becomes))?;
    }
    if !verdict.choices.is_empty() {
        out.push_str("<ul>");
        for offer in &verdict.choices {
            let proposed = if offer.proposed { " (proposed)" } else { "" };
            write!(out, "<li><code>{}</code>{proposed}: {}</li>", escaped(&offer.id), escaped(&offer.says))?;
        }
        out.push_str("</ul>");
    }
    write!(
        out,
        "</td><td><code>{}</code><br><small>{}</small></td></tr>",
        escaped(&verdict.rule),
        escaped(&verdict.source)
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
