//! The report as one HTML page that loads nothing: verdicts, nodes, objects, owners, calls, what lies outside.

use super::Overview;
use crate::migrate::assess::report::{escaped, html_with};
use crate::migrate::calls::{Evidence, How};
use crate::migrate::own::{Class, Classified, Whose};
use crate::migrate::owner::{Declaration, OwnerClass};
use crate::model::ResourceId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The page.
#[must_use]
pub fn page(overview: &Overview) -> String {
    let mut sections = String::new();
    // Writing into a String cannot fail.
    let _ = all(overview, &mut sections);
    html_with(&overview.assessment, overview.packing.as_ref(), &sections)
}

fn all(overview: &Overview, out: &mut String) -> std::fmt::Result {
    objects(overview, out)?;
    declarations(overview, out)?;
    calls(overview, out)?;
    outside(overview, out)?;
    drift(overview, out)
}

/// Classes in the order in which people want to see them.
const CLASSES: [(&str, &str); 4] = [
    ("ask", "to be decided"),
    ("replace", "replaced by something else"),
    ("drop", "left behind"),
    ("port", "carried over"),
];

fn objects(overview: &Overview, out: &mut String) -> std::fmt::Result {
    if overview.objects.is_empty() {
        return Ok(());
    }
    out.push_str("<h2 id=\"objects\">Objects</h2>");
    let owners: BTreeMap<&ResourceId, &OwnerClass> =
        overview.owned.iter().map(|owned| (&owned.id, &owned.class)).collect();
    for (class, words) in CLASSES {
        let mut of_class: Vec<&Classified> =
            overview.objects.iter().filter(|one| one.class.name() == class).collect();
        if of_class.is_empty() {
            continue;
        }
        // What is a user's comes first: that is what one must not lose.
        of_class.sort_by_key(|one| (one.whose != Whose::User, &one.id));
        write!(
            out,
            "<details><summary><b>{}</b> {words}</summary><table><tr><th>Object</th><th>Whose</th><th>Why</th><th>Declared by</th><th>Rule</th></tr>",
            of_class.len()
        )?;
        for one in of_class {
            let owner = owners.get(&one.id).map(|class| declared_by(class)).unwrap_or_default();
            write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code><br><small>{}</small></td></tr>",
                escaped(&one.id.to_string()),
                whose(&one.whose),
                escaped(&why(one)),
                escaped(&owner),
                escaped(&one.rule),
                escaped(&one.source)
            )?;
        }
        out.push_str("</table></details>");
    }
    Ok(())
}

fn whose(whose: &Whose) -> String {
    match whose {
        Whose::Kops { addon: Some(addon) } => format!("kops, <code>{}</code>", escaped(addon)),
        Whose::Kops { addon: None } => "kops".into(),
        Whose::Kubernetes => "Kubernetes".into(),
        Whose::Eks => "EKS".into(),
        Whose::User => "yours".into(),
    }
}

fn why(one: &Classified) -> String {
    let reason = match &one.class {
        Class::Port => String::new(),
        Class::Replace { by } => format!("{by} takes its place"),
        Class::Drop { why } | Class::Ask { why } => why.clone(),
    };
    match (reason.is_empty(), one.says.is_empty()) {
        (true, _) => one.says.clone(),
        (false, true) => reason,
        (false, false) => format!("{reason}; {}", one.says),
    }
}

fn declared_by(class: &OwnerClass) -> String {
    match class {
        OwnerClass::Declared(declaration) => named(declaration),
        OwnerClass::LiveOnly { .. } => "nobody: it is exported".into(),
    }
}

fn named(declaration: &Declaration) -> String {
    let part =
        if declaration.part_of.is_empty() { String::new() } else { format!(" {}", declaration.part_of) };
    format!("{}{part}", declaration.by.name())
}

/// Declarations with what tells them of the new cluster.
fn declarations(overview: &Overview, out: &mut String) -> std::fmt::Result {
    let mut found: BTreeMap<(String, String, String), BTreeSet<&ResourceId>> = BTreeMap::new();
    for owned in &overview.owned {
        let OwnerClass::Declared(declaration) = &owned.class else { continue };
        let place = declaration.place.as_ref().map(|place| {
            let revision =
                place.revision.as_deref().map(|revision| format!(" at {revision}")).unwrap_or_default();
            format!("{} {}{revision}", place.repository, place.path)
        });
        let key = (named(declaration), place.unwrap_or_default(), declaration.retarget.says.clone());
        found.entry(key).or_default().insert(&owned.id);
    }
    if found.is_empty() {
        return Ok(());
    }
    out.push_str(
        "<h2 id=\"declarations\">Declarations to be retargeted</h2><table><tr><th>By</th><th>Where</th><th>Objects</th><th>Change</th></tr>",
    );
    for ((by, place, change), ids) in found {
        write!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escaped(&by),
            escaped(&place),
            ids.len(),
            escaped(&change)
        )?;
    }
    out.push_str("</table>");
    Ok(())
}

/// Waves, and the calls that they were made of.
fn calls(overview: &Overview, out: &mut String) -> std::fmt::Result {
    if overview.waves.is_empty() {
        return Ok(());
    }
    out.push_str("<h2 id=\"waves\">Namespaces that can move one after the other</h2><ol>");
    for wave in &overview.waves {
        let names: Vec<String> = wave.namespaces.iter().map(|name| escaped(name)).collect();
        write!(out, "<li>{}</li>", names.join(" + "))?;
    }
    out.push_str("</ol>");
    if overview.calls.edges.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "<details><summary><b>{}</b> calls that objects show</summary><table><tr><th>From</th><th>To</th><th>Seen in</th></tr>",
        overview.calls.edges.len()
    )?;
    for (edge, evidence) in &overview.calls.edges {
        let seen: Vec<String> = evidence.iter().map(|one| escaped(&seen(one))).collect();
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&edge.from.to_string()),
            escaped(&edge.to.to_string()),
            seen.join("<br>")
        )?;
    }
    out.push_str("</table></details>");
    Ok(())
}

/// Where a call was seen, in words.
fn seen(evidence: &Evidence) -> String {
    let how = match evidence.how {
        How::Environment => "environment",
        How::Argument => "argument",
        How::Configuration => "configuration",
        How::Secret => "a key of a Secret",
        How::Ingress => "Ingress",
        How::Route => "route",
        How::NetworkPolicy => "NetworkPolicy",
        How::Webhook => "webhook",
        How::ExternalName => "ExternalName",
        How::Declared => "declared",
    };
    let object = evidence.object.as_ref().map(|id| format!(": {id}")).unwrap_or_default();
    format!("{how}{object} {}", evidence.pointer).trim_end().to_owned()
}

fn outside(overview: &Overview, out: &mut String) -> std::fmt::Result {
    if overview.outside.is_empty() {
        return Ok(());
    }
    out.push_str(
        "<h2 id=\"outside\">What lies outside and names the cluster</h2><table><tr><th>Thing</th><th>Names the cluster's</th><th>To be added</th><th>Owned by</th></tr>",
    );
    for reference in &overview.outside {
        let call = reference.addition.as_ref().map(|addition| {
            format!(
                "<br><code>{}:{} {}</code>",
                escaped(&addition.service),
                escaped(&addition.operation),
                escaped(&addition.input.to_string())
            )
        });
        write!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}{}</td><td>{}</td></tr>",
            escaped(&reference.thing),
            escaped(&reference.names),
            escaped(&reference.says),
            call.unwrap_or_default(),
            escaped(reference.declared_by.as_deref().unwrap_or_default())
        )?;
    }
    out.push_str("</table>");
    Ok(())
}

fn drift(overview: &Overview, out: &mut String) -> std::fmt::Result {
    if overview.drift.is_empty() {
        return Ok(());
    }
    out.push_str("<h2 id=\"drift\">Where files, state store and what is live differ</h2><table><tr><th>Document</th><th>Field</th><th>Difference</th></tr>");
    for drifted in &overview.drift {
        write!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            escaped(&drifted.subject),
            escaped(&drifted.field),
            escaped(&drifted.says())
        )?;
    }
    out.push_str("</table>");
    Ok(())
}
