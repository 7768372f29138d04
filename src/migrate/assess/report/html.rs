//! One page with nothing beside it: no script, no font, no image from anywhere.

use super::{Assessment, Level, by_subject, field};
use crate::migrate::assess::packing::Packing;
use crate::migrate::verdict::Verdict;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c1e21}\
h1{font-size:1.5rem}h2{margin-top:2rem;border-bottom:2px solid currentColor}h3{margin:1.2rem 0 .3rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}\
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}small{color:#666}.Blocker{color:#b00020}.Choice{color:#8a5a00}\
.Warning{color:#6b5b00}.Mapped{color:#0b6b2e}.Irrelevant{color:#666}.tiles{display:flex;gap:1rem;flex-wrap:wrap}\
.tile{border:1px solid #ccc;border-radius:.5rem;padding:.5rem 1rem}.tile b{display:block;font-size:1.6rem}\
.bar{background:#8884;border-radius:.2rem;height:.7rem;min-width:8rem}.bar div{background:#3478c6;height:100%;border-radius:.2rem}\
ul{margin:.3rem 0;padding-left:1.2rem}@media(prefers-color-scheme:dark){body{background:#16181b;color:#e4e6e9}\
td,th{border-color:#333}small,.Irrelevant{color:#9aa0a6}.Blocker{color:#ff7a85}.Choice{color:#ffc15e}.Warning{color:#e6d36a}.Mapped{color:#6fd08c}}";

pub(super) fn write(assessment: &Assessment, packing: Option<&Packing>, sections: &str) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = page(assessment, packing, sections, &mut out);
    out
}

fn page(
    assessment: &Assessment,
    packing: Option<&Packing>,
    sections: &str,
    out: &mut String,
) -> std::fmt::Result {
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
    if let Some(packing) = packing {
        nodes(packing, out)?;
    }
    out.push_str(sections);
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

/// Every planned node as three bars, and what has no place.
fn nodes(packing: &Packing, out: &mut String) -> std::fmt::Result {
    out.push_str("<h2 id=\"nodes\">Planned nodes</h2>");
    for (index, group) in packing.groups.iter().enumerate() {
        let of_group = packing.nodes.iter().filter(|node| node.group_index == index);
        let count = of_group.clone().count();
        write!(
            out,
            "<h3>{} <small>{}, {count} of {} nodes</small></h3><table><tr><th>Zone</th><th>CPU</th><th>Memory</th><th>Pods</th></tr>",
            escaped(&group.name),
            escaped(&group.instance_type),
            group.max
        )?;
        let holds = group.allocatable;
        for node in of_group {
            write!(
                out,
                "<tr title=\"{}\"><td>{}</td>",
                escaped(&node.placed.join(", ")),
                escaped(&node.zone)
            )?;
            bar(node.cpu, holds.cpu, &format!("{} of {} m", node.cpu, holds.cpu), out)?;
            let mebibytes = |bytes: u64| bytes >> 20;
            let told = format!("{} of {} MiB", mebibytes(node.memory), mebibytes(holds.memory));
            bar(node.memory, holds.memory, &told, out)?;
            bar(node.pods.into(), holds.pods.into(), &format!("{} of {}", node.pods, holds.pods), out)?;
            out.push_str("</tr>");
        }
        out.push_str("</table>");
    }
    out.push_str("<ul>");
    for (zone, addresses) in &packing.addresses {
        let class = if addresses.needed > addresses.free { "Blocker" } else { "Mapped" };
        write!(
            out,
            "<li class=\"{class}\">{}: {} addresses needed of {} free</li>",
            escaped(zone),
            addresses.needed,
            addresses.free
        )?;
    }
    for pod in &packing.unplaced {
        write!(
            out,
            "<li class=\"Blocker\"><code>{}</code> has no place: {}; {}</li>",
            escaped(&pod.pod),
            escaped(&pod.says),
            escaped(&pod.change)
        )?;
    }
    for (name, needed) in &packing.grown {
        write!(out, "<li class=\"Blocker\">{} needs {needed} nodes</li>", escaped(name))?;
    }
    out.push_str("</ul>");
    Ok(())
}

/// A cell with a bar of how much is taken.
fn bar(taken: u64, of: u64, told: &str, out: &mut String) -> std::fmt::Result {
    let percent = (u128::from(taken) * 100 / u128::from(of.max(1))).min(100);
    write!(
        out,
        "<td><div class=\"bar\"><div style=\"width:{percent}%\"></div></div><small>{}</small></td>",
        escaped(told)
    )
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

/// A text as HTML shows it.
#[must_use]
pub fn escaped(text: &str) -> String {
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
