//! One Kubernetes API server, as the engine sees it.

use crate::model::{GroupKind, Gvk, Object, Propagation, ResourceId};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// A kind that the API server serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServedKind {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Resource name in the URL, such as `deployments`.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Verbs the server offers (`get`, `list`, `watch`, `patch`, `delete`…).
    pub verbs: BTreeSet<String>,
}

/// What an API server serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// `gitVersion` of the server, such as `v1.36.3`.
    pub version: String,
    /// Every kind in every served version.
    pub kinds: BTreeMap<Gvk, ServedKind>,
    /// The version the server prefers, for each kind.
    pub preferred: BTreeMap<GroupKind, Gvk>,
    /// Groups that could not be asked now (an aggregated API without its pods); their kinds come from the last
    /// complete answer, and nothing of theirs may be pruned.
    pub unavailable: BTreeSet<String>,
}

impl Discovery {
    /// The kind exactly as asked for, when it is served.
    #[must_use]
    pub fn kind(&self, gvk: &Gvk) -> Option<&ServedKind> {
        self.kinds.get(gvk)
    }

    /// The kind in the version that the server prefers.
    #[must_use]
    pub fn preferred(&self, kind: &GroupKind) -> Option<&ServedKind> {
        self.preferred.get(kind).and_then(|gvk| self.kinds.get(gvk))
    }

    /// `group/version` and `group/version/Kind` of all that is served, as `helm template --api-versions` takes them.
    #[must_use]
    pub fn api_versions(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for gvk in self.kinds.keys() {
            names.insert(gvk.api_version());
            names.insert(format!("{}/{}", gvk.api_version(), gvk.kind));
        }
        names.into_iter().collect()
    }
}

/// Whom a request is made as, by impersonation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Impersonation {
    /// Namespace of the ServiceAccount.
    pub namespace: String,
    /// Name of the ServiceAccount.
    pub name: String,
}

/// A server-side apply.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// Kind, for the URL.
    pub kind: ServedKind,
    /// Identity, for the URL and for messages.
    pub id: ResourceId,
    /// The JSON body as sent; its metadata carries the precondition (`uid`, `resourceVersion`), if any.
    pub body: std::sync::Arc<[u8]>,
    /// Take fields that another manager owns.
    pub force: bool,
    /// Ask what would happen, change nothing.
    pub dry_run: bool,
    /// Make the request as this ServiceAccount.
    pub impersonate: Option<Impersonation>,
}

/// The server's answer to an apply.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object as it is now, `managedFields` included.
    pub object: Object,
    /// Whether it was created by this request (201).
    pub created: bool,
    /// `Warning` headers (deprecated APIs and the like).
    pub warnings: Vec<String>,
}

/// A deletion with its precondition.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// Kind, for the URL.
    pub kind: ServedKind,
    /// Identity.
    pub id: ResourceId,
    /// Refused by the server when the object is another by now.
    pub uid: String,
    /// Refused by the server when the object has changed since it was judged.
    pub resource_version: String,
    /// How dependants go.
    pub propagation: Propagation,
    /// Make the request as this ServiceAccount.
    pub impersonate: Option<Impersonation>,
    /// Ask what would happen, change nothing.
    pub dry_run: bool,
}

/// What a watch says. A stream starts with `Restarted`, the objects there are, `Listed`; the same again after
/// every loss of the server's history.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A list begins: what is not named before the next [`WatchEvent::Listed`] does not exist.
    Restarted,
    /// An object, in the course of a list.
    Initial(Object),
    /// The list is complete.
    Listed,
    /// An object was added or changed.
    Changed(Object),
    /// An object is gone, or no longer matches the selector: the two look alike here.
    Gone(Object),
    /// The watch does not work at the moment and is being tried again. Said once per outage; `Restarted` to `Listed`
    /// follow when it works again.
    Failed(ApiFailure),
}

/// What a workload's trouble looks like from the outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Pods that are not ready, each as `{"metadata": {"name"}, "status": {…}}` of the Pod API.
    pub pods: Vec<Value>,
    /// The last Events of type `Warning` of the workload and of these pods, the newest last (`v1 Event`).
    pub events: Vec<Value>,
}

/// A Kubernetes Event about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Identity of the object.
    pub id: ResourceId,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its uid, when known: `kubectl describe` shows only Events with the object's uid.
    pub uid: String,
    /// Whether it needs a person.
    pub warning: bool,
    /// One word in UpperCamelCase, such as `DriftMended`.
    pub reason: String,
    /// What was done, one word, such as `Apply`.
    pub action: String,
    /// A sentence without a secret value; the adapter cuts it to what the API takes.
    pub note: String,
    /// When it happened.
    pub time: jiff::Timestamp,
}

/// Ends its watch when dropped.
pub struct WatchGuard(Option<Box<dyn FnOnce() + Send + Sync>>);

impl WatchGuard {
    /// A guard that ends its watch by this.
    #[must_use]
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// An API server.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// What the server serves. What cannot be asked now is taken from the last answer and named.
    async fn discover(&self) -> Result<Discovery, ApiFailure>;
    /// Reads one object, `managedFields` included; `None` when there is none. A kind that is not served is a failure.
    async fn get(&self, kind: &ServedKind, id: &ResourceId) -> Result<Option<Object>, ApiFailure>;
    /// Lists objects by label selector (all namespaces), following pages to the end.
    async fn list(
        &self,
        kind: &ServedKind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Object>, ApiFailure>;
    /// Server-side apply.
    async fn apply(&self, request: &ApplyRequest) -> Result<Applied, ApiFailure>;
    /// Server-side apply by another field manager than the daemon's own.
    async fn apply_as(&self, request: &ApplyRequest, manager: &str) -> Result<Applied, ApiFailure>;
    /// Asks who may do what: a `SubjectAccessReview` (authorization.k8s.io/v1) by its `spec`. True: it is allowed.
    async fn may(&self, spec: &Value) -> Result<bool, ApiFailure>;
    /// Deletes with precondition. An object that is already gone is a success.
    async fn delete(&self, request: &DeleteRequest) -> Result<(), ApiFailure>;
    /// JSON patch (RFC 6902) of the whole object; the patch carries its own `test` operations.
    async fn json_patch(
        &self,
        kind: &ServedKind,
        id: &ResourceId,
        patch: &Value,
        impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure>;
    /// Creates an object as it stands (hooks with `generateName`, Kubernetes Events).
    async fn create(
        &self,
        kind: &ServedKind,
        body: &Value,
        impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure>;
    /// Watches a kind in all namespaces by label selector. Events arrive in order; the channel's bound is the
    /// back-pressure. Losses of history are repaired by listing again.
    fn watch(
        &self,
        kind: &ServedKind,
        selector: &str,
        events: mpsc::Sender<(GroupKind, WatchEvent)>,
    ) -> WatchGuard;
    /// Writes a Kubernetes Event.
    async fn announce(&self, _announcement: &Announcement) -> Result<(), ApiFailure> {
        Ok(())
    }
    /// Pods that are not ready and the last Events of a workload, for a person who asks why it is not healthy.
    async fn evidence(&self, _id: &ResourceId) -> Result<Evidence, ApiFailure> {
        Ok(Evidence::default())
    }
    /// Asks for the eviction of exactly this pod. One that is gone is a success; while a PodDisruptionBudget does not let
    /// it go, the failure is [`ApiFailureKind::Throttled`].
    async fn evict(&self, pod: &ResourceId, uid: &str) -> Result<(), ApiFailure>;
}

/// What a refused or failed request means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiFailureKind {
    /// 404: no such object, namespace or kind.
    NotFound,
    /// 409 `AlreadyExists`.
    AlreadyExists,
    /// 409: a precondition (uid, resourceVersion) does not hold.
    Conflict,
    /// 409 on apply: other managers own fields that we declare.
    FieldConflict,
    /// 422, 400: the object is not valid.
    Invalid,
    /// 401, 403.
    Forbidden,
    /// 429, 503 with `Retry-After`.
    Throttled,
    /// 413 or a body over the server's limit.
    TooLarge,
    /// 410: the server's history does not reach back so far.
    Expired,
    /// 500 and other failures of the server or of an admission webhook.
    Server,
    /// No answer in time: the request may have had its effect.
    Timeout,
    /// No connection, or one cut half-way: the request may have had its effect.
    Unreachable,
}

/// One field named in a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCause {
    /// Field path as the server writes it, such as `.spec.replicas` or `spec.selector`.
    pub field: String,
    /// The server's words; for a field conflict: `conflict with "kubectl-edit"`.
    pub message: String,
    /// The server's reason, such as `FieldManagerConflict` or `FieldValueForbidden`.
    pub reason: String,
}

/// A request that did not succeed. Its texts never hold a Secret's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiFailure {
    /// What it means.
    pub kind: ApiFailureKind,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The server's words, or ours when there was no answer.
    pub message: String,
    /// Fields the server named.
    pub causes: Vec<ApiCause>,
    /// When the server asked to come back.
    pub retry_after: Option<Duration>,
}

impl ApiFailure {
    /// A failure without an answer from the server.
    #[must_use]
    pub fn new(kind: ApiFailureKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: message.into(), causes: Vec::new(), retry_after: None }
    }

    /// Whether the same request may succeed later without a change of ours.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ApiFailureKind::Throttled
                | ApiFailureKind::Server
                | ApiFailureKind::Timeout
                | ApiFailureKind::Unreachable
                | ApiFailureKind::Expired
        )
    }
}
