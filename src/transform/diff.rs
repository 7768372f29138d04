//! What `portolan migrate diff NS/KIND/NAME` prints: what the rules do, one by one, and source and target as they may be
//! shown.

use super::context::Context;
use super::edit::{Edit, SENSITIVE, Transformed};
use super::pointer::{at, put};
use super::run::transform;
use super::survey::identity;
use super::work::is_hidden;
use serde_json::Value;
use std::fmt::Write as _;

/// The whole object once more, in one line.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The rules' changes and remarks.
    #[default]
    Rules,
    /// The same, between the whole source and the whole target.
    Whole,
}

/// Text for a terminal. Values of Secrets are not in it.
#[must_use]
pub fn diff(object: &Value, context: &Context, shape: Shape) -> String {
    let done = transform(object, context);
    let mut text = String::new();
    let name = identity(object).map_or_else(|| "object".to_owned(), |id| id.to_string());
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    line(&mut text, format_args!("{name} ({version})"));
    if shape == Shape::Whole {
        line(&mut text, format_args!("\n--- source"));
        line(&mut text, format_args!("{}", printed(object)));
    }
    rules(&mut text, &done.edits);
    remarks(&mut text, &done);
    if shape == Shape::Whole && done.dropped.is_none() {
        for target in &done.objects {
            line(&mut text, format_args!("\n+++ target"));
            line(&mut text, format_args!("{}", printed(target)));
        }
    }
    text
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("text can be written to a String");
}

fn rules(text: &mut String, edits: &[Edit]) {
    let mut last = "";
    for edit in edits {
        if edit.rule != last {
            line(text, format_args!("\n{}", edit.rule));
            last = &edit.rule;
        }
        line(text, format_args!("  {}  # {}", edit.pointer, edit.reason));
        if let Some(old) = &edit.old {
            line(text, format_args!("    - {}", short(old)));
        }
        if let Some(new) = &edit.new {
            line(text, format_args!("    + {}", short(new)));
        }
    }
    if edits.is_empty() {
        line(text, format_args!("\nno rule changes it"));
    }
}

fn remarks(text: &mut String, done: &Transformed) {
    for remark in &done.remarks {
        let place = if remark.pointer.is_empty() { "the object" } else { &remark.pointer };
        line(text, format_args!("\n{} {} ({})\n  {}", remark.weight, place, remark.rule, remark.says));
        for (place, (id, says)) in remark.offers.iter().enumerate() {
            let proposed = if place == 0 { " (proposed)" } else { "" };
            line(text, format_args!("    {id}{proposed}: {says}"));
        }
    }
    if let Some(dropped) = &done.dropped {
        line(text, format_args!("\nstays behind ({}): {}", dropped.rule, dropped.reason));
    }
    for relink in &done.relinks {
        line(text, format_args!("\nlinked again to {}", relink.owner));
    }
}

/// One line of a value.
fn short(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = match value {
        Value::String(text) => text.replace(['\n', '\r'], "⏎"),
        other => other.to_string(),
    };
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    if clean.chars().count() <= LONGEST {
        return clean;
    }
    let head: String = clean.chars().take(LONGEST).collect();
    format!("{head}… ({} bytes)", text.len())
}

/// The whole object as JSON, without what a server notes down and without a Secret's values.
fn printed(object: &Value) -> String {
    serde_json::to_string_pretty(&shown(object)).unwrap_or_default()
}

/// An object as it may be shown: without what a server notes down and without a Secret's values.
#[must_use]
pub fn shown(object: &Value) -> Value {
    let mut shown = object.clone();
    if let Some(metadata) = shown.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        let noted = metadata.get_mut("annotations").and_then(|all| all.get_mut(LAST_APPLIED));
        if let Some(noted) = noted {
            *noted = Value::from("(not shown)");
        }
    }
    if shown["apiVersion"] == "v1" && shown["kind"] == "Secret" {
        redact(&mut shown);
    }
    shown
}

fn redact(secret: &mut Value) {
    let mut hidden = Vec::new();
    for (key, value) in secret.as_object().into_iter().flatten() {
        let pointer = at("", key);
        if key == "metadata" {
            let fields = value.as_object().into_iter().flatten();
            hidden.extend(fields.map(|(field, _)| at(&pointer, field)).filter(|field| is_hidden(field)));
        } else if is_hidden(&pointer) {
            hidden.push(pointer);
        }
    }
    for pointer in hidden {
        let value = secret.pointer(&pointer);
        let new = match value.and_then(Value::as_object) {
            Some(map) => map
                .keys()
                .map(|key| (key.clone(), Value::from(SENSITIVE)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            None => Value::from(SENSITIVE),
        };
        put(secret, &pointer, new);
    }
}
