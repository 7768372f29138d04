//! [`ApiServer`]: the port's methods, each in a module of its own.

use super::discovery::Discoverer;
use super::read::{self, Selection};
use super::watch::{self, Watched};
use super::wire::Wire;
use super::{apply, events, evict, evidence, write};
use crate::model::ownership::FIELD_MANAGER;
use crate::model::{GroupKind, Object, ResourceId};
use crate::ports::{
    Announcement, ApiFailure, Applied, ApplyRequest, Cluster, DeleteRequest, Discovery, Evidence,
    Impersonation, ServedKind, WatchEvent, WatchGuard,
};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

/// One API server. Cheap to clone; clones share connections and the last complete discovery.
#[derive(Clone)]
pub struct ApiServer {
    pub(super) wire: Wire,
    namespace: Arc<str>,
    discoverer: Arc<Discoverer>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiServer({})", self.wire.address)
    }
}

impl ApiServer {
    pub(super) fn new(wire: Wire, namespace: String) -> Self {
        Self { wire, namespace: namespace.into(), discoverer: Arc::default() }
    }

    /// The server's address, `https://host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.wire.address
    }

    /// The namespace of the kubeconfig's context, or the pod's own; `default` when neither says.
    #[must_use]
    pub fn default_namespace(&self) -> &str {
        &self.namespace
    }
}

#[async_trait]
impl Cluster for ApiServer {
    async fn announce(&self, announcement: &Announcement) -> Result<(), ApiFailure> {
        events::announce(&self.wire, announcement).await
    }

    async fn discover(&self) -> Result<Discovery, ApiFailure> {
        self.discoverer.discover(&self.wire).await
    }

    async fn get(&self, kind: &ServedKind, id: &ResourceId) -> Result<Option<Object>, ApiFailure> {
        read::get(&self.wire, kind, id).await
    }

    async fn list(
        &self,
        kind: &ServedKind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Object>, ApiFailure> {
        read::list(&self.wire, kind, &Selection::labels(namespace, selector)).await
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<Applied, ApiFailure> {
        apply::apply(&self.wire, request, FIELD_MANAGER).await
    }

    async fn apply_as(&self, request: &ApplyRequest, manager: &str) -> Result<Applied, ApiFailure> {
        apply::apply(&self.wire, request, manager).await
    }

    async fn may(&self, spec: &Value) -> Result<bool, ApiFailure> {
        write::review(&self.wire, spec).await
    }

    async fn delete(&self, request: &DeleteRequest) -> Result<(), ApiFailure> {
        write::delete(&self.wire, request).await
    }

    async fn json_patch(
        &self,
        kind: &ServedKind,
        id: &ResourceId,
        patch: &Value,
        impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        write::json_patch(&self.wire, kind, id, patch, impersonate).await
    }

    async fn create(
        &self,
        kind: &ServedKind,
        body: &Value,
        impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        write::create(&self.wire, kind, body, impersonate).await
    }

    fn watch(
        &self,
        kind: &ServedKind,
        selector: &str,
        events: mpsc::Sender<(GroupKind, WatchEvent)>,
    ) -> WatchGuard {
        let watched = Watched { kind: kind.clone(), which: Selection::labels(None, selector) };
        let task = tokio::spawn(watch::run(self.wire.clone(), watched, events));
        WatchGuard::new(move || task.abort())
    }

    async fn evidence(&self, id: &ResourceId) -> Result<Evidence, ApiFailure> {
        evidence::gather(&self.wire, id).await
    }

    async fn evict(&self, pod: &ResourceId, uid: &str) -> Result<(), ApiFailure> {
        evict::evict(&self.wire, pod, uid).await
    }
}
