//! What differs between two bodies of an object, for people: the diff of a plan.
//!
//! List items are paired by what names them (`name`, `containerPort`, `key`…), so that an item that came or moved
//! does not make all others look changed. Values of a Secret are never shown.

use super::path::PathElement;
use super::scalar::same;
use super::shown::{Shown, is_sensitive};
use super::trail::{Step, Trail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Which field, such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// What it was; absent for a field that is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Shown>,
    /// What it becomes; absent for a field that is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Shown>,
    /// Unified diff, for text of several lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `spec.replicas: 3 -> 5`, `+ data.key: value`, `- data.key: value`; the text diff below, indented.
impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => write!(f, "~ {}: {after}", self.path)?,
            (Some(before), Some(after)) => write!(f, "~ {}: {before} -> {after}", self.path)?,
            (None, Some(after)) => write!(f, "+ {}: {after}", self.path)?,
            (Some(before), None) => write!(f, "- {}: {before}", self.path)?,
            (None, None) => write!(f, "  {}", self.path)?,
        }
        self.text.iter().flat_map(|text| text.lines()).try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Metadata that the server keeps; it says nothing about a change.
const NOISE: [&str; 7] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
];

/// What names the items of a list, the best first. A list is paired by the first of these that all its items have and
/// that tells them apart. `protocol` may be left out: it has a default.
const NAMES: [&[&str]; 14] = [
    &["name"],
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["key"],
    &["ip"],
    &["mountPath"],
    &["devicePath"],
    &["topologyKey"],
    &["uid"],
    &["host"],
    &["path"],
    &["secretName"],
    &["resourceName"],
    &["type"],
];

/// Text diffs of more lines than this are cut.
const DIFF_LINES: usize = 60;
/// Lines of a text diff longer than this are cut: a minified file is one line.
const DIFF_CHARS: usize = 200;
/// Text of more lines than this, both sides together, is not compared line by line: the cost of that grows with the
/// square in the worst case, and there is no clock here to stop it.
const COMPARED_LINES: usize = 8_000;

/// What differs from one body to the next, in order of paths. `before` is `None` for an object that is created.
/// `secret` says that the object is a Secret. Status and the server's own metadata are left out.
#[must_use]
pub fn changes(before: Option<&Value>, after: &Value, secret: bool) -> Vec<FieldChange> {
    let mut diff = Diff { secret, found: Vec::new() };
    let empty = Map::new();
    let before = before.and_then(Value::as_object).unwrap_or(&empty);
    let after = after.as_object().unwrap_or(&empty);
    diff.maps(before, after, &Trail::root());
    diff.found
}

struct Diff {
    secret: bool,
    found: Vec<FieldChange>,
}

impl Diff {
    fn maps(&mut self, before: &Map<String, Value>, after: &Map<String, Value>, trail: &Trail<'_>) {
        let depth = trail.steps().len();
        let in_metadata = depth == 1 && trail.last_field() == Some("metadata");
        let noise = |key: &str| (in_metadata && NOISE.contains(&key)) || (depth == 0 && key == "status");
        let added = after.keys().filter(|key| !before.contains_key(*key));
        let mut keys: Vec<&String> = before.keys().chain(added).filter(|key| !noise(key)).collect();
        keys.sort_unstable();
        for key in keys {
            self.values(before.get(key), after.get(key), &trail.then(Step::Field(key)));
        }
    }

    fn values(&mut self, before: Option<&Value>, after: Option<&Value>, trail: &Trail<'_>) {
        let (before, after) = (before.filter(|v| !v.is_null()), after.filter(|v| !v.is_null()));
        match (before, after) {
            (None, None) => {}
            (Some(before), Some(after)) if same(before, after) => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.maps(before, after, trail),
            (None, Some(Value::Object(after))) if !after.is_empty() => self.maps(&Map::new(), after, trail),
            (Some(Value::Object(before)), None) if !before.is_empty() => {
                self.maps(before, &Map::new(), trail)
            }
            // Arguments, finalizers, hosts: best seen whole.
            (Some(Value::Array(before)), Some(Value::Array(after)))
                if has_maps(before) || has_maps(after) =>
            {
                self.lists(before, after, trail);
            }
            (None, Some(Value::Array(after))) if has_maps(after) => self.lists(&[], after, trail),
            (Some(Value::Array(before)), None) if has_maps(before) => self.lists(before, &[], trail),
            (before, after) if is_sensitive(self.secret, trail) => {
                let what = match (before, after) {
                    (Some(_), Some(_)) => "changed",
                    (None, _) => "added",
                    (_, None) => "removed",
                };
                let hidden = Shown::sensitive(what);
                self.push(trail, before.map(|_| hidden.clone()), after.map(|_| hidden.clone()), None);
            }
            (Some(before), Some(after)) => {
                let text = match (before, after) {
                    (Value::String(a), Value::String(b)) if a.contains('\n') || b.contains('\n') => {
                        Some(unified(a, b))
                    }
                    _ => None,
                };
                let (before, after) = Shown::pair(before, after);
                self.push(trail, Some(before), Some(after), text);
            }
            (before, after) => self.push(trail, before.map(Shown::value), after.map(Shown::value), None),
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value], trail: &Trail<'_>) {
        let Some(names) = NAMES.iter().find(|names| tells_apart(names, before) && tells_apart(names, after))
        else {
            for place in 0..before.len().max(after.len()) {
                self.values(before.get(place), after.get(place), &trail.then(Step::Index(place)));
            }
            return;
        };
        let key = |item: &Value| {
            PathElement::key(names.iter().filter_map(|name| item.get(name).map(|value| (*name, value))))
        };
        let old: Vec<(PathElement, &Value)> = before.iter().map(|item| (key(item), item)).collect();
        let new: Vec<(PathElement, &Value)> = after.iter().map(|item| (key(item), item)).collect();
        let get = |list: &[(PathElement, &Value)], key: &PathElement| list.iter().position(|(k, _)| k == key);
        for (element, item) in &old {
            let now = get(&new, element).map(|place| new[place].1);
            self.values(Some(item), now, &trail.then(Step::Element(element)));
        }
        for (element, item) in new.iter().filter(|(element, _)| get(&old, element).is_none()) {
            self.values(None, Some(item), &trail.then(Step::Element(element)));
        }
        let places: Vec<usize> = new.iter().filter_map(|(element, _)| get(&old, element)).collect();
        if !places.is_sorted() {
            let row = |list: &[(PathElement, &Value)]| {
                let names: Vec<String> = list.iter().map(|(element, _)| bare(element)).collect();
                Shown::text(&format!("order {}", names.join(", ")))
            };
            let hidden = is_sensitive(self.secret, trail).then(|| Shown::sensitive("changed"));
            let shown = |list| Some(hidden.clone().unwrap_or_else(|| row(list)));
            self.push(trail, shown(&old), shown(&new), None);
        }
    }

    fn push(&mut self, trail: &Trail<'_>, before: Option<Shown>, after: Option<Shown>, text: Option<String>) {
        self.found.push(FieldChange { path: trail.path().to_string(), before, after, text });
    }
}

fn has_maps(list: &[Value]) -> bool {
    list.iter().any(Value::is_object)
}

/// Whether every item has the naming fields, each with another value.
fn tells_apart(names: &[&str], list: &[Value]) -> bool {
    let name = |item: &Value| -> Option<Vec<String>> {
        let read = |field: &&str| match item.get(field) {
            Some(value @ (Value::String(_) | Value::Number(_))) => Some(value.to_string()),
            None if *field == "protocol" => Some("\"TCP\"".into()),
            _ => None,
        };
        names.iter().map(read).collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    list.iter().all(|item| name(item).is_some_and(|name| seen.insert(name)))
}

fn bare(element: &PathElement) -> String {
    match element {
        PathElement::Key(fields) => fields.iter().map(|(_, v)| v.to_string()).collect::<Vec<_>>().join("/"),
        other => other.to_text(),
    }
}

fn unified(before: &str, after: &str) -> String {
    let (old, new) = (before.lines().count(), after.lines().count());
    if old + new > COMPARED_LINES {
        return format!("{old} lines -> {new} lines");
    }
    let diff = similar::TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(2).missing_newline_hint(false).to_string();
    let cut = |line: &str| line.chars().take(DIFF_CHARS).collect::<String>();
    let mut lines: Vec<String> = text.lines().take(DIFF_LINES).map(cut).collect();
    let more = text.lines().count().saturating_sub(DIFF_LINES);
    if more > 0 {
        lines.push(format!("… {more} more lines"));
    }
    lines.join("\n")
}
