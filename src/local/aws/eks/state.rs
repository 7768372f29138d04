//! What the server knows: clusters with all that belongs to them, as they would be described.

use super::error::ApiError;
use super::updates::Update;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    /// By name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Answers to calls with a token, by operation and token.
    pub tokens: BTreeMap<(String, String), Remembered>,
    serial: u64,
}

/// The answer that a token got.
#[derive(Debug)]
pub struct Remembered {
    /// The input, without the token.
    pub input: Value,
    /// The answer.
    pub answer: Value,
    /// When.
    pub at: Timestamp,
}

/// A cluster. The values are what DescribeX would give.
#[derive(Debug)]
pub struct Cluster {
    /// The cluster.
    pub view: Value,
    /// Principal that made it, as an access entry names it.
    pub creator: String,
    /// Whether the creator is an administrator.
    pub creator_is_admin: bool,
    /// By ARN of the principal.
    pub entries: BTreeMap<String, Entry>,
    /// By name.
    pub nodegroups: BTreeMap<String, Value>,
    /// By name.
    pub fargate_profiles: BTreeMap<String, Value>,
    /// By name.
    pub addons: BTreeMap<String, Value>,
    /// By id.
    pub associations: BTreeMap<String, Value>,
    /// OIDC identity providers, by name.
    pub providers: BTreeMap<String, Value>,
    /// In the order of their beginning.
    pub updates: Vec<Update>,
    /// The last upgrade, while it can be rolled back.
    pub upgraded: Option<Upgrade>,
    /// Set by tests.
    pub insights: Vec<Value>,
    /// The last refresh of the insights.
    pub refresh: Option<Value>,
    /// Held by whoever calls the world for this cluster.
    pub turn: Turn,
}

/// Held by whoever calls the world for a cluster.
pub type Turn = Arc<tokio::sync::Mutex<()>>;

/// An upgrade that was completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Minor before.
    pub from: String,
    /// When it was completed.
    pub at: Timestamp,
}

/// An access entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The entry.
    pub view: Value,
    /// Associated policies by ARN.
    pub policies: BTreeMap<String, Value>,
    /// Made by the service for the role of node groups or Fargate profiles; it goes with the last of them.
    pub of_service: bool,
}

impl State {
    /// An identifier that was not given before, in the form of a UUID.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
    }

    /// Hexadecimal digits that were not given before.
    pub fn hex(&mut self) -> String {
        self.serial += 1;
        Sha256::digest(self.serial.to_be_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A cluster.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn cluster(&self, name: &str) -> Result<&Cluster, ApiError> {
        self.clusters.get(name).ok_or_else(|| no_cluster(name))
    }

    /// A cluster, to change.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn cluster_mut(&mut self, name: &str) -> Result<&mut Cluster, ApiError> {
        self.clusters.get_mut(name).ok_or_else(|| no_cluster(name))
    }

    /// How many there are of each kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let sum = |count: fn(&Cluster) -> usize| self.clusters.values().map(count).sum();
        [
            ("clusters", self.clusters.len()),
            ("nodegroups", sum(|cluster| cluster.nodegroups.len())),
            ("fargateProfiles", sum(|cluster| cluster.fargate_profiles.len())),
            ("addons", sum(|cluster| cluster.addons.len())),
            ("accessEntries", sum(|cluster| cluster.entries.len())),
            (
                "associatedAccessPolicies",
                sum(|cluster| cluster.entries.values().map(|entry| entry.policies.len()).sum()),
            ),
            ("podIdentityAssociations", sum(|cluster| cluster.associations.len())),
            ("identityProviderConfigs", sum(|cluster| cluster.providers.len())),
        ]
        .map(|(kind, count)| (kind.to_owned(), count))
        .into()
    }
}

fn no_cluster(name: &str) -> ApiError {
    ApiError::not_found(format!("No cluster found for name: {name}.")).cluster(name)
}

impl Cluster {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        text(&self.view, "name")
    }

    /// Its minor.
    #[must_use]
    pub fn version(&self) -> &str {
        text(&self.view, "version")
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> &str {
        text(&self.view, "status")
    }

    /// Refuses unless it is ACTIVE.
    ///
    /// # Errors
    /// `InvalidRequestException`, or the code that the operation documents instead.
    pub fn require_active(&self, code: &str) -> Result<(), ApiError> {
        if self.status() == "ACTIVE" {
            return Ok(());
        }
        let message = format!("Cluster {} is not ACTIVE but {}", self.name(), self.status());
        Err(ApiError::new(code, message).cluster(self.name()))
    }

    /// Refuses while it is not there yet or no more: CREATING, DELETING, FAILED.
    ///
    /// # Errors
    /// `InvalidRequestException`.
    pub fn require_usable(&self) -> Result<(), ApiError> {
        if matches!(self.status(), "ACTIVE" | "UPDATING") {
            Ok(())
        } else {
            self.require_active("InvalidRequestException")
        }
    }

    /// Whether access entries are in force.
    #[must_use]
    pub fn has_access_entries(&self) -> bool {
        text(&self.view["accessConfig"], "authenticationMode") != "CONFIG_MAP"
    }

    /// Access entries and their policies, as the world is given them.
    #[must_use]
    pub fn access(&self) -> Vec<Value> {
        self.entries
            .values()
            .map(|entry| {
                let policies: Vec<&Value> = entry.policies.values().collect();
                json!({"accessEntry": entry.view, "associatedAccessPolicies": policies})
            })
            .collect()
    }
}

/// A member that is a string; empty where it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// The strings of a member that is a list.
#[must_use]
pub fn texts(value: &Value, member: &str) -> Vec<String> {
    let items = value[member].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(String::from).collect()
}

/// Copies members from one object into another, where they are there.
pub fn copy(from: &Value, members: &[&str], into: &mut Value) {
    for member in members {
        if !from[member].is_null() {
            into[*member] = from[member].clone();
        }
    }
}
