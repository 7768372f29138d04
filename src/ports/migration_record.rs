//! What is remembered and shown of a migration.

use super::state::Waiting;
use crate::model::Health;
use crate::model::migration::Stage;
use crate::model::migration_journal::Journal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something in the store with the version that the next write has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// What is stored.
    pub value: T,
    /// Its version.
    pub version: String,
}

/// What is remembered and shown of a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationRecord {
    /// Name of the `Migration` document.
    pub name: String,
    /// The source: the name of its `Cluster` document, or of its kubeconfig's context.
    #[serde(default)]
    pub source: String,
    /// The target's `Cluster` document.
    #[serde(default)]
    pub target: String,
    /// Repository whose documents declare it.
    #[serde(default)]
    pub declared_in: String,
    /// The revision that is in force: `main@1a2b…`.
    #[serde(default)]
    pub revision: String,
    /// How far the document says it goes.
    #[serde(default)]
    pub stage: Stage,
    /// The move as a whole first (its name is empty), then its waves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
    /// How it is: Progressing while anything is under way or waited for, Degraded where a person is needed.
    pub health: Health,
    /// What a person should know now; empty when all is well.
    #[serde(default)]
    pub message: String,
    /// When something was last written for it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<String>,
    /// Steps without a way back that wait for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Problems, by part or object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub problems: BTreeMap<String, String>,
    /// What the engine needs to go on where it was, while the target does not keep it. Never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
}

/// How far a part of a migration is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartRecord {
    /// The wave; empty for the move as a whole.
    pub name: String,
    /// The stage that it is at.
    pub stage: Stage,
    /// Whether that is complete.
    pub complete: bool,
    /// Where it goes.
    pub goal: Stage,
    /// Since when it is there, in seconds since 1970.
    pub since: i64,
    /// What holds it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// What was proven: `57 of 57 objects equal`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proof: String,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl MigrationRecord {
    /// A record of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            source: String::new(),
            target: String::new(),
            declared_in: String::new(),
            revision: String::new(),
            stage: Stage::Inventory,
            parts: Vec::new(),
            health: Health::Unknown,
            message: String::new(),
            last_change: None,
            waiting: None,
            problems: BTreeMap::new(),
            journal: None,
        }
    }
}
