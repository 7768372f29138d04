//! Values as they are shown to people: short, and never a secret.

use super::path::PathElement;
use super::trail::{Step, Trail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// Longest text shown of one value, in characters. Two of them and a path fit a terminal line or two.
pub const SHOWN_CHARS: usize = 96;

/// A value made fit for logs, events, plans and comments. It has no way back to the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shown(String);

impl Shown {
    /// A value that may be seen. Text is shown bare, the rest as JSON; several lines or a long value as their
    /// beginning and their size.
    #[must_use]
    pub fn value(value: &Value) -> Self {
        Self::text(&text_of(value))
    }

    /// Text that may be seen, shortened as [`value`](Self::value) does.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::window(text, 0, text.len())
    }

    /// Two values side by side. Long ones are shown from shortly before the place where they part: a list that
    /// differs in its last item would else look the same twice.
    #[must_use]
    pub(super) fn pair(before: &Value, after: &Value) -> (Self, Self) {
        let text = text_of(before);
        Self::pair_of_start(&text, text.len(), after)
    }

    /// As [`pair`](Self::pair), of a text of which only the start is at hand; `bytes` is its whole length.
    #[must_use]
    pub(super) fn pair_of_start(start: &str, bytes: usize, after: &Value) -> (Self, Self) {
        let after = text_of(after);
        let part = start.char_indices().zip(after.chars()).find(|((_, a), b)| a != b);
        let common = part.map_or(start.len().min(after.len()), |((place, _), _)| place);
        let lead = start[..common].char_indices().rev().take(LEAD).last().map_or(common, |(place, _)| place);
        let line = start[..common].rfind('\n').map_or(0, |place| place + 1);
        // What lies beyond the start that is at hand cannot be shown.
        let seen = common < start.len() || start.len() == bytes;
        let from = if seen && (common > SHOWN_CHARS / 2 || line > 0) { lead.max(line) } else { 0 };
        (Self::window(start, from, bytes), Self::window(&after, from, after.len()))
    }

    fn window(text: &str, from: usize, bytes: usize) -> Self {
        let line = text[from..].lines().next().unwrap_or_default();
        let head: String = line.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
        match (from, head.len() == bytes) {
            (0, true) if head.is_empty() => Self("\"\"".into()),
            (0, true) => Self(head),
            (0, false) => Self(format!("{head}… ({bytes} bytes)")),
            _ => Self(format!("…{head}… ({bytes} bytes)")),
        }
    }

    /// Nothing there.
    #[must_use]
    pub fn absent() -> Self {
        Self("(absent)".into())
    }

    /// A value that must not be seen, and what became of it: `changed`, `added`, `removed`.
    #[must_use]
    pub fn sensitive(what: &str) -> Self {
        Self(format!("(sensitive, {what})"))
    }

    /// Words of ours in place of a value.
    #[must_use]
    pub(super) fn note(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much of what two long values have in common is shown before they part, in characters.
const LEAD: usize = 24;

/// Text bare, the rest as JSON. Text that reads like a number or `true` is quoted, or `80 -> "80"` would not be seen.
fn text_of(value: &Value) -> Cow<'_, str> {
    let misleading = |text: &str| {
        text.len() < 32 && serde_json::from_str::<Value>(text).is_ok_and(|v| !v.is_array() && !v.is_object())
    };
    match value {
        Value::String(text) if !misleading(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fields of a Secret that may be seen beside its identity and labels. Annotations may not: the last-applied
/// configuration of `kubectl apply` is one, and holds all of `data`.
const PUBLIC: [&str; 4] = ["apiVersion", "kind", "type", "immutable"];
const PUBLIC_METADATA: [&str; 6] =
    ["name", "namespace", "labels", "finalizers", "ownerReferences", "generateName"];

/// Whether a field of an object must not be seen: everything in a Secret but its identity, labels and type.
pub(super) fn is_sensitive(secret: bool, trail: &Trail<'_>) -> bool {
    if !secret {
        return false;
    }
    let names: Vec<&str> = trail.steps().into_iter().take(2).map_while(name).collect();
    !match names.as_slice() {
        ["metadata", field] => PUBLIC_METADATA.contains(field),
        [field, ..] => PUBLIC.contains(field),
        [] => false,
    }
}

fn name(step: Step<'_>) -> Option<&str> {
    match step {
        Step::Field(name) => Some(name),
        Step::Element(PathElement::Field(name)) => Some(name),
        Step::Element(_) | Step::Index(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_and_many_lined_values_are_cut() {
        assert_eq!(Shown::value(&json!(3)).as_str(), "3");
        assert_eq!(Shown::value(&json!("3")).as_str(), "\"3\"");
        assert_eq!(Shown::value(&json!("")).as_str(), "\"\"");
        assert_eq!(Shown::value(&json!("nginx:1")).as_str(), "nginx:1");
        assert_eq!(Shown::value(&json!("a\nb")).as_str(), "a… (3 bytes)");
        let long = Shown::value(&json!("é".repeat(500)));
        assert_eq!(long.as_str(), format!("{}… (1000 bytes)", "é".repeat(96)));
        assert_eq!(Shown::value(&json!("\u{1b}[31mred")).as_str(), "[31mred… (8 bytes)");
    }

    #[test]
    fn two_long_values_are_shown_where_they_part() {
        let list = |host: &str| json!([{"filler": "x".repeat(100), "host": host, "more": "y".repeat(100)}]);
        let (before, after) = Shown::pair(&list("a.example"), &list("b.example"));
        assert!(
            before.as_str().starts_with("…") && before.as_str().contains(r#""host":"a.example""#),
            "{before}"
        );
        assert!(after.as_str().contains(r#""host":"b.example""#), "{after}");
        let (before, after) = Shown::pair(&json!("one\ntwo\nthree\n"), &json!("one\ntwO\nthree\n"));
        assert_eq!((before.as_str(), after.as_str()), ("…two… (14 bytes)", "…twO… (14 bytes)"));
        let (before, after) = Shown::pair(&json!("nginx:1"), &json!("nginx:2"));
        assert_eq!((before.as_str(), after.as_str()), ("nginx:1", "nginx:2"));
        let (before, after) = Shown::pair(&json!("é".repeat(200)), &json!("é".repeat(201)));
        assert!(before != after, "{before} {after}");
        // Only the start is at hand.
        let (before, _) = Shown::pair_of_start("xxxx", 4000, &json!("x".repeat(4001)));
        assert_eq!(before.as_str(), "xxxx… (4000 bytes)");
    }

    #[test]
    fn of_a_secret_only_identity_labels_and_type_are_seen() {
        let root = Trail::root();
        let see = |names: &[&str]| {
            fn go(trail: &Trail<'_>, names: &[&str]) -> bool {
                match names.split_first() {
                    Some((name, rest)) => go(&trail.then(Step::Field(name)), rest),
                    None => !is_sensitive(true, trail),
                }
            }
            go(&root, names)
        };
        assert!(see(&["type"]) && see(&["metadata", "labels", "app"]) && see(&["metadata", "name"]));
        assert!(!see(&["data"]) && !see(&["data", "type"]) && !see(&["stringData", "k"]) && !see(&["spec"]));
        assert!(!see(&["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]));
        assert!(!see(&["metadata"]) && !see(&[]));
    }
}
