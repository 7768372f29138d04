//! Values as they are shown to people: short, and never a secret.

use super::path::PathElement;
use super::trail::{Step, Trail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
        match value {
            Value::String(text) if text.is_empty() => Self("\"\"".into()),
            Value::String(text) => Self::text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self(value.to_string()),
            Value::Array(_) | Value::Object(_) => Self::text(&value.to_string()),
        }
    }

    /// Text that may be seen, shortened as [`value`](Self::value) does.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::shortened(text, text.len())
    }

    /// The beginning of a text of which only that much is at hand; `bytes` is its whole length.
    #[must_use]
    pub(super) fn shortened(start: &str, bytes: usize) -> Self {
        let line = start.lines().next().unwrap_or_default();
        let head: String = line
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN_CHARS)
            .collect();
        if head.len() == bytes {
            return Self(head);
        }
        Self(format!("{head}… ({bytes} bytes)"))
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

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fields of a Secret that may be seen beside its identity and labels. Annotations may not: the last-applied
/// configuration of `kubectl apply` is one, and holds all of `data`.
const PUBLIC: [&str; 4] = ["apiVersion", "kind", "type", "immutable"];
const PUBLIC_METADATA: [&str; 6] = [
    "name",
    "namespace",
    "labels",
    "finalizers",
    "ownerReferences",
    "generateName",
];

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
        assert_eq!(Shown::value(&json!("nginx:1")).as_str(), "nginx:1");
        assert_eq!(Shown::value(&json!("a\nb")).as_str(), "a… (3 bytes)");
        let long = Shown::value(&json!("é".repeat(500)));
        assert_eq!(long.as_str(), format!("{}… (1000 bytes)", "é".repeat(96)));
        assert_eq!(
            Shown::value(&json!("\u{1b}[31mred")).as_str(),
            "[31mred… (8 bytes)"
        );
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
        assert!(!see(&[
            "metadata",
            "annotations",
            "kubectl.kubernetes.io/last-applied-configuration"
        ]));
        assert!(!see(&["metadata"]) && !see(&[]));
    }
}
