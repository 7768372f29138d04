//! `status.conditions` in an order of our own.

use super::fields::{explain, list, text};
use serde_json::Value;

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    /// The generation that the condition speaks of, where its controller says so.
    pub(super) observed_generation: Option<i64>,
}

impl Condition<'_> {
    /// Whether the status is `True`.
    pub(super) fn holds(&self) -> bool {
        self.status == "True"
    }

    /// Reason and message as one line.
    pub(super) fn explain(&self) -> String {
        explain(self.reason, self.message)
    }
}

/// The conditions of one object, sorted: the API server merges them as a map by `type`, so their order says nothing,
/// and a controller that writes one type twice must not make the verdict depend on it.
pub(super) struct Conditions<'a>(Vec<Condition<'a>>);

impl<'a> Conditions<'a> {
    /// Reads `status.conditions`; entries without a `type` are left out.
    pub(super) fn of(body: &'a Value) -> Self {
        Self::from_list(list(body, "/status/conditions"))
    }

    /// Reads a list of conditions.
    pub(super) fn from_list(entries: &'a [Value]) -> Self {
        let mut conditions: Vec<Condition<'a>> = entries
            .iter()
            .map(|entry| Condition {
                kind: text(entry, "/type"),
                status: text(entry, "/status"),
                reason: text(entry, "/reason"),
                message: text(entry, "/message"),
                observed_generation: entry.get("observedGeneration").and_then(Value::as_i64),
            })
            .filter(|condition| !condition.kind.is_empty())
            .collect();
        conditions.sort();
        Self(conditions)
    }

    /// The condition of that type.
    pub(super) fn get(&self, kind: &str) -> Option<&Condition<'a>> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    /// The condition of that type, when its status is the given one.
    pub(super) fn with_status(&self, kind: &str, status: &str) -> Option<&Condition<'a>> {
        self.0.iter().find(|condition| condition.kind == kind && condition.status == status)
    }

    /// Whether there is a condition of that type with status `True`.
    pub(super) fn is_true(&self, kind: &str) -> bool {
        self.with_status(kind, "True").is_some()
    }

    /// All conditions, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Condition<'a>> {
        self.0.iter()
    }
}
