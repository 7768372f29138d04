//! A finding: one field that left its declared value, with who did it and when.

use super::managed::{Operation, Owner};
use super::shown::Shown;
use crate::model::event::FieldDrift;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of a declared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingKind {
    /// It has another value.
    Changed,
    /// It is gone.
    Missing,
    /// It has its value, but another manager took it: the next foreign write would not be a conflict.
    Unowned,
    /// Somebody applied more fields in our name than we declared.
    Extra,
    /// The items of a list are all there, in another order.
    Order,
    /// Our Apply entry is gone from `managedFields`.
    Entry,
}

/// One field that left its declared value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which field, such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// What became of it.
    pub kind: FindingKind,
    /// What the server held right after our apply.
    pub declared: Shown,
    /// What it holds now.
    pub live: Shown,
    /// Field manager that owns it now. Unknown for what was removed: the server keeps no trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// How that manager wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// When that manager last wrote, RFC 3339 in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

impl Finding {
    pub(super) fn new(
        path: String,
        kind: FindingKind,
        declared: Shown,
        live: Shown,
        owner: Option<Owner>,
    ) -> Self {
        let (manager, operation, time) = match owner {
            Some(owner) => (Some(owner.manager), Some(owner.operation), owner.time),
            None => (None, None, None),
        };
        Self { path, kind, declared, live, manager, operation, time }
    }
}

/// `spec.replicas: 3 -> 5 (by kubectl-edit at 2026-11-21T10:00:00Z)`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match self.kind {
            FindingKind::Unowned => write!(f, "{}, no longer owned by portolan", self.live)?,
            FindingKind::Extra => write!(f, "{}, applied in portolan's name but not declared", self.live)?,
            FindingKind::Entry => f.write_str("portolan's entry was removed")?,
            _ if self.declared == self.live => write!(f, "{}", self.live)?,
            _ => write!(f, "{} -> {}", self.declared, self.live)?,
        }
        match (&self.manager, &self.time) {
            (Some(manager), Some(time)) => write!(f, " (by {manager} at {time})"),
            (Some(manager), None) => write!(f, " (by {manager})"),
            (None, _) => Ok(()),
        }
    }
}

/// The form in which events carry it.
impl From<Finding> for FieldDrift {
    fn from(finding: Finding) -> Self {
        Self {
            path: finding.path,
            declared: finding.declared.to_string(),
            live: finding.live.to_string(),
            manager: finding.manager,
            time: finding.time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finding_reads_as_a_sentence_and_survives_json() {
        let owner = Owner {
            manager: "kubectl-edit".into(),
            operation: Operation::Update,
            subresource: None,
            time: Some("2026-11-21T10:00:00Z".into()),
        };
        let shown = |n: i32| Shown::value(&json!(n));
        let finding =
            Finding::new("spec.replicas".into(), FindingKind::Changed, shown(3), shown(5), Some(owner));
        assert_eq!(finding.to_string(), "spec.replicas: 3 -> 5 (by kubectl-edit at 2026-11-21T10:00:00Z)");
        let json = serde_json::to_string(&finding).unwrap();
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);

        let hidden = Shown::sensitive("changed");
        let secret = Finding::new("data.k".into(), FindingKind::Changed, hidden.clone(), hidden, None);
        assert_eq!(secret.to_string(), "data.k: (sensitive, changed)");
    }
}
