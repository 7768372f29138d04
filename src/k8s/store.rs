//! [`ClusterStateStore`]: the daemon's memory as ConfigMaps and Secrets of one namespace, its own.
//!
//! | what | object | label |
//! |---|---|---|
//! | records | ConfigMaps `portolan-state-0` to `-15` | `portolan.dev/state=records` |
//! | requests and approvals | a ConfigMap each, `portolan-request-…` | `portolan.dev/request=sync`, `approve`, `restore` |
//! | clusters | a ConfigMap each, `portolan-cluster-…` | `portolan.dev/state=clusters` |
//! | migrations | a Secret each, `portolan-migration-…` | `portolan.dev/state=migrations` |
//! | pruned manifests | Secrets `portolan-pruned-…` | `portolan.dev/pruned=true` |

use super::cluster_records::ClusterRecords;
use super::migration_records;
use super::pruned;
use super::records::Records;
use super::requests::Requests;
use super::server::ApiServer;
use super::wire::Wire;
use crate::model::ResourceId;
use crate::ports::{
    ApiFailure, ApiFailureKind, ApplicationRecord, Approval, Asked, ClusterRecord, MigrationRecord, Pruned,
    StateFailure, StateStore, StateUpdate, Stored, UserRequest,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Where the store lives.
pub(super) struct Place {
    pub(super) wire: Wire,
    pub(super) namespace: String,
}

impl Place {
    pub(super) fn id(&self, kind: &str, name: &str) -> ResourceId {
        ResourceId::new("", kind, &self.namespace, name)
    }

    /// A failure in the store's words, with the way out.
    pub(super) fn failed(&self, doing: &str, failure: &ApiFailure) -> StateFailure {
        let namespace = &self.namespace;
        let hint = match failure.kind {
            ApiFailureKind::Forbidden => {
                format!(
                    "; it takes get, list, watch, create, patch and delete on configmaps and secrets in the namespace {namespace}"
                )
            }
            ApiFailureKind::NotFound => format!("; does the namespace {namespace} exist?"),
            _ => String::new(),
        };
        let transient = failure.is_transient() || failure.kind == ApiFailureKind::Conflict;
        StateFailure { message: format!("{doing} in the namespace {namespace}: {failure}{hint}"), transient }
    }
}

/// The daemon's memory in the cluster. One per process: it remembers what it has written.
pub struct ClusterStateStore {
    place: Place,
    records: Records,
    requests: Requests,
    clusters: ClusterRecords,
}

impl std::fmt::Debug for ClusterStateStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClusterStateStore({} {})", self.place.wire.address, self.place.namespace)
    }
}

impl ClusterStateStore {
    /// The store in a namespace, which has to exist.
    #[must_use]
    pub fn new(server: &ApiServer, namespace: impl Into<String>) -> Self {
        let place = Place { wire: server.wire.clone(), namespace: namespace.into() };
        Self {
            place,
            records: Records::default(),
            requests: Requests::default(),
            clusters: ClusterRecords::default(),
        }
    }
}

#[async_trait]
impl StateStore for ClusterStateStore {
    async fn load(&self) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
        self.records.load(&self.place).await
    }

    async fn save(&self, update: &StateUpdate) -> Result<(), StateFailure> {
        self.records.save(&self.place, update).await
    }

    async fn approvals(&self) -> Result<Vec<Approval>, StateFailure> {
        Ok(self.requests.approvals(&self.place).await?.into_values().collect())
    }

    async fn use_up(&self, approval: &Approval) -> Result<(), StateFailure> {
        self.requests.use_up(&self.place, approval).await
    }

    async fn ask(&self, request: &UserRequest) -> Result<String, StateFailure> {
        self.requests.ask(&self.place, request).await
    }

    async fn requests(&self, sink: mpsc::Sender<Asked>) -> Result<(), StateFailure> {
        self.requests.deliver(&self.place, sink).await
    }

    async fn answer(&self, key: &str, answer: &str) -> Result<(), StateFailure> {
        self.requests.answer(&self.place, key, answer).await
    }

    async fn await_answer(&self, key: &str, limit: Duration) -> Result<Option<String>, StateFailure> {
        self.requests.await_answer(&self.place, key, limit).await
    }

    async fn keep(&self, pruned: &[Pruned]) -> Result<(), StateFailure> {
        pruned::keep(&self.place, pruned).await
    }

    async fn kept(&self) -> Result<Vec<(String, Pruned)>, StateFailure> {
        pruned::kept(&self.place).await
    }

    async fn clusters(&self) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
        self.clusters.load(&self.place).await
    }

    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        self.clusters.save(&self.place, name, record).await
    }

    async fn migrations(&self) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
        migration_records::load(&self.place).await
    }

    async fn save_migration(
        &self,
        name: &str,
        record: Option<&MigrationRecord>,
        expected: Option<&str>,
    ) -> Result<String, StateFailure> {
        migration_records::save(&self.place, name, record, expected).await
    }
}
