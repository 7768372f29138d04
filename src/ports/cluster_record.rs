//! What is remembered and shown of a cluster that is kept in the cloud.

use super::state::Waiting;
use crate::model::{Health, SyncStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What is remembered and shown of a cluster that a `Cluster` document and its ClusterConfig describe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRecord {
    /// Name of the `Cluster` document, which is the destination's name.
    pub name: String,
    /// Name in EKS.
    #[serde(default)]
    pub cluster: String,
    /// Region.
    #[serde(default)]
    pub region: String,
    /// Where it is described: `repository path`.
    #[serde(default)]
    pub source: String,
    /// Repository whose documents declare it.
    #[serde(default)]
    pub declared_in: String,
    /// The last revision that was in place whole: `main@1a2b…`.
    #[serde(default)]
    pub revision: String,
    /// The revision that is wanted, when it differs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_revision: String,
    /// Kubernetes version of the control plane, such as `1.36`; empty while there is none.
    #[serde(default)]
    pub version: String,
    /// The control plane's state in EKS's own word, such as `ACTIVE` or `CREATING`; empty while there is none.
    #[serde(default)]
    pub state: String,
    /// Whether everything is as declared.
    pub sync: SyncStatus,
    /// Health.
    pub health: Health,
    /// What a person should know now; empty when all is well.
    #[serde(default)]
    pub message: String,
    /// Number of resources declared.
    #[serde(default)]
    pub resources: usize,
    /// What is on its way in AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under_way: Vec<UnderWay>,
    /// What applications wait for before they come up for the first time: `FargateProfile/batch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before_pods: Vec<String>,
    /// Fields that left their declared value in AWS and are not mended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftedField>,
    /// When something was last changed in AWS for it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<String>,
    /// A plan that waits for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Problems, by resource or place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub problems: BTreeMap<String, String>,
    /// What the engine needs to go on where it was: a store keeps it as it is. Never shown.
    #[serde(default, skip_serializing_if = "ClusterMemory::is_empty")]
    pub memory: ClusterMemory,
}

impl ClusterRecord {
    /// A record of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            cluster: String::new(),
            region: String::new(),
            source: String::new(),
            declared_in: String::new(),
            revision: String::new(),
            target_revision: String::new(),
            version: String::new(),
            state: String::new(),
            sync: SyncStatus::Unknown,
            health: Health::Unknown,
            message: String::new(),
            resources: 0,
            under_way: Vec::new(),
            before_pods: Vec::new(),
            drift: Vec::new(),
            last_change: None,
            waiting: None,
            problems: BTreeMap::new(),
            memory: ClusterMemory::default(),
        }
    }
}

/// What the engine remembers of a cluster, part by part. Declarations are in it, so it is never shown.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterMemory(pub BTreeMap<String, Value>);

impl ClusterMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for ClusterMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterMemory({} parts)", self.0.len())
    }
}

/// Something that is on its way in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnderWay {
    /// `Nodegroup/ng-1`.
    pub resource: String,
    /// `create`, `update`, `replace`, `delete`; `wait` when somebody else does it.
    pub action: String,
    /// The service's own word: `CREATING`.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// A field that left its declared value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftedField {
    /// `Nodegroup/ng-1`.
    pub resource: String,
    /// JSON pointer into the declaration; empty when the whole resource went.
    pub field: String,
    /// As declared, shortened.
    pub declared: String,
    /// As found, shortened.
    pub live: String,
    /// Who changed it, once the audit log tells: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When that was, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}
