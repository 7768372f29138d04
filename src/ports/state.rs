//! What the daemon remembers, and how people reach it.

use super::cluster_record::ClusterRecord;
use super::migration_record::{MigrationRecord, Stored};
use crate::model::{Deletion, Health, Object, ResourceId, SyncStatus};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

/// What is remembered and shown of one application on one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationRecord {
    /// Application name.
    pub name: String,
    /// Destination name.
    pub destination: String,
    /// Where it comes from: `repository path`.
    #[serde(default)]
    pub source: String,
    /// The last revision that was applied whole: `main@1a2b…`.
    #[serde(default)]
    pub revision: String,
    /// The revision that is wanted, when it differs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_revision: String,
    /// Digest of the desired objects that were applied whole.
    #[serde(default)]
    pub render_digest: String,
    /// Sync status.
    pub sync: SyncStatus,
    /// Health.
    pub health: Health,
    /// What a person should know now; empty when all is well.
    #[serde(default)]
    pub message: String,
    /// Number of objects declared.
    #[serde(default)]
    pub objects: usize,
    /// When something was last written to the destination for it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<String>,
    /// Hooks that are done for `hooks_digest`, by identity.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hooks_done: BTreeSet<String>,
    /// Render digest that `hooks_done` belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hooks_digest: String,
    /// What becomes of its objects when its document is removed, also while the daemon is down.
    #[serde(default)]
    pub deletion: Deletion,
    /// Repository whose documents declare it.
    #[serde(default)]
    pub declared_in: String,
    /// A plan that waits for an approval: its digest and what it would delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Problems of single objects and documents, by object or place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub problems: BTreeMap<String, String>,
}

impl ApplicationRecord {
    /// A record of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str, destination: &str) -> Self {
        Self {
            name: name.into(),
            destination: destination.into(),
            source: String::new(),
            revision: String::new(),
            target_revision: String::new(),
            render_digest: String::new(),
            sync: SyncStatus::Unknown,
            health: Health::Unknown,
            message: String::new(),
            objects: 0,
            last_change: None,
            hooks_done: BTreeSet::new(),
            hooks_digest: String::new(),
            deletion: Deletion::default(),
            declared_in: String::new(),
            waiting: None,
            problems: BTreeMap::new(),
        }
    }
}

/// A plan held for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The plan's digest, to be given to `portolan approve`.
    pub digest: String,
    /// Why it waits.
    pub reason: String,
    /// What it would delete, replace or take over.
    pub objects: Vec<String>,
}

/// An approval of one plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Application.
    pub application: String,
    /// Destination.
    pub destination: String,
    /// The digest that was approved. It holds for that plan and no other.
    pub digest: String,
    /// Who, as the store knows them.
    #[serde(default)]
    pub by: String,
}

/// What a person asked for through the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "camelCase")]
pub enum UserRequest {
    /// Sync now: fetch, and apply what is wanted even when the application does not do so by itself.
    #[serde(rename_all = "camelCase")]
    Sync {
        /// Application; `None` for all.
        application: Option<String>,
    },
    /// Approve a plan.
    Approve(Approval),
    /// Put pruned objects back.
    #[serde(rename_all = "camelCase")]
    Restore {
        /// Destination.
        destination: String,
        /// Which kept manifest, as `portolan restore` lists them.
        key: String,
    },
}

/// A request with its place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Key in the store, for [`StateStore::answer`].
    pub key: String,
    /// What is asked.
    pub request: UserRequest,
}

/// A manifest that was pruned and can be restored.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// Application it belonged to.
    pub application: String,
    /// Destination it was on.
    pub destination: String,
    /// When it was deleted, RFC 3339.
    pub at: String,
    /// Identity.
    pub id: ResourceId,
    /// The live object as it was, without what only the server sets.
    pub manifest: Object,
}

/// Changes to the store, written together.
#[derive(Clone, Debug, Default)]
pub struct StateUpdate {
    /// Records to write, by `destination/application`; `None` removes.
    pub records: BTreeMap<String, Option<ApplicationRecord>>,
}

/// Why the store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StateFailure {
    /// A sentence with the way out.
    pub message: String,
    /// Whether it may go away by itself.
    pub transient: bool,
}

/// The daemon's memory: Secrets and ConfigMaps in its namespace, or a folder.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// All records, by `destination/application`.
    async fn load(&self) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure>;
    /// Writes changes, batched: few writes however many records.
    async fn save(&self, update: &StateUpdate) -> Result<(), StateFailure>;
    /// Approvals given and not yet used up.
    async fn approvals(&self) -> Result<Vec<Approval>, StateFailure>;
    /// Forgets an approval after its plan was executed.
    async fn use_up(&self, approval: &Approval) -> Result<(), StateFailure>;
    /// Writes a request (the command line's side).
    async fn ask(&self, request: &UserRequest) -> Result<String, StateFailure>;
    /// Delivers requests as they arrive, those already there first (the daemon's side). Ends when the receiver goes.
    async fn requests(&self, sink: mpsc::Sender<Asked>) -> Result<(), StateFailure>;
    /// Answers a request and removes it.
    async fn answer(&self, key: &str, answer: &str) -> Result<(), StateFailure>;
    /// Waits for the answer to a request (the command line's side).
    async fn await_answer(
        &self,
        key: &str,
        limit: std::time::Duration,
    ) -> Result<Option<String>, StateFailure>;
    /// Keeps pruned manifests, bounded in number and age.
    async fn keep(&self, pruned: &[Pruned]) -> Result<(), StateFailure>;
    /// Lists kept manifests: key, what it is, when it went.
    async fn kept(&self) -> Result<Vec<(String, Pruned)>, StateFailure>;
    /// Records of the clusters that are kept in the cloud, by the names of their documents.
    async fn clusters(&self) -> Result<BTreeMap<String, ClusterRecord>, StateFailure>;
    /// Writes a cluster's record, `None` removes it; it is stored when this returns.
    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure>;
    /// Records of migrations, by the names of their documents.
    async fn migrations(&self) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
        Ok(BTreeMap::new())
    }
    /// Writes a migration's record by compare-and-swap: `expected` is the version that was read or written last, `None`
    /// where there was none. Gives the new version; `None` as a record removes it. It is stored when this returns.
    async fn save_migration(
        &self,
        name: &str,
        record: Option<&MigrationRecord>,
        expected: Option<&str>,
    ) -> Result<String, StateFailure> {
        let _ = (record, expected);
        Err(StateFailure {
            message: format!("this store keeps no migrations: {name} cannot begin"),
            transient: false,
        })
    }
}
