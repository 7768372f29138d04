//! An API server in memory, as far as a ClusterConfig has to do with one: ServiceAccounts by server-side apply, Namespaces.

use async_trait::async_trait;
use portolan::model::cloud::{Call, Service};
use portolan::model::{GroupKind, Object, ResourceId};
use portolan::ports::{
    ApiFailure, ApiFailureKind, Applied, ApplyRequest, CallObserver, Cluster, DeleteRequest, Discovery,
    Impersonation, ServedKind, WatchEvent, WatchGuard,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Objects by kind, namespace and name.
#[derive(Default)]
pub struct FakeApi {
    objects: Mutex<BTreeMap<ResourceId, Value>>,
    /// Counts writes: resourceVersions and uids.
    writes: Mutex<u64>,
    /// Makes calls go wrong, as it does those to AWS.
    pub observer: Mutex<Option<Arc<dyn CallObserver>>>,
}

fn failure(kind: ApiFailureKind, words: &str) -> ApiFailure {
    ApiFailure::new(kind, words)
}

pub fn account(namespace: &str, name: &str) -> ResourceId {
    ResourceId::new("", "ServiceAccount", namespace, name)
}

impl FakeApi {
    /// All of one kind, as `namespace/name`.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let of_kind = objects.keys().filter(|id| id.kind == kind);
        of_kind.map(|id| format!("{}/{}", id.namespace.as_deref().unwrap_or_default(), id.name)).collect()
    }

    pub fn object(&self, id: &ResourceId) -> Option<Value> {
        self.objects.lock().unwrap().get(id).cloned()
    }

    pub fn annotation(&self, id: &ResourceId, name: &str) -> Option<String> {
        self.object(id)?["metadata"]["annotations"][name].as_str().map(str::to_owned)
    }

    /// A person with kubectl: makes the object where there is none, and changes it.
    pub fn edit(&self, id: &ResourceId, change: impl FnOnce(&mut Value)) {
        let (uid, _) = self.count();
        let mut objects = self.objects.lock().unwrap();
        let object = objects.entry(id.clone()).or_insert_with(|| {
            json!({
                "apiVersion": "v1", "kind": id.kind,
                "metadata": {
                    "namespace": id.namespace, "name": id.name, "uid": uid, "labels": {}, "annotations": {},
                    "creationTimestamp": "2026-11-21T00:00:00Z", "managedFields": [],
                },
            })
        });
        change(object);
        object["metadata"]["resourceVersion"] = json!(uid);
    }

    pub fn remove(&self, id: &ResourceId) {
        self.objects.lock().unwrap().remove(id);
    }

    /// The cluster is gone, and all that was in it.
    pub fn clear(&self) {
        self.objects.lock().unwrap().clear();
    }

    fn count(&self) -> (String, u64) {
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        (format!("{}", 100 + *writes), *writes)
    }

    /// A write with what may go wrong about it.
    async fn observed<T>(
        &self,
        operation: &str,
        make: impl FnOnce() -> Result<T, ApiFailure> + Send,
    ) -> Result<T, ApiFailure> {
        let observer = self.observer.lock().unwrap().clone();
        let Some(observer) = observer else { return make() };
        let call = Call::new(Service::Kubernetes, operation, json!({}));
        let lost = || failure(ApiFailureKind::Timeout, "no answer");
        if observer.before(&call).await.is_some() {
            return Err(lost());
        }
        let made = make();
        let thrown_away = observer.after(&call, None).await.is_some();
        observer.answered(&call, None).await;
        if thrown_away { Err(lost()) } else { made }
    }

    fn applied(&self, request: &ApplyRequest) -> Result<Applied, ApiFailure> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let namespace = request.id.namespace.clone().unwrap();
        let is_there = self.object(&ResourceId::new("", "Namespace", "", &namespace)).is_some();
        if !is_there {
            let words = format!("namespaces \"{namespace}\" not found");
            return Err(failure(ApiFailureKind::NotFound, &words));
        }
        let before = self.object(&request.id);
        let created = before.is_none();
        if let (Some(_), Some("1")) = (&before, body["metadata"]["resourceVersion"].as_str()) {
            return Err(failure(ApiFailureKind::Conflict, "the object has been modified"));
        }
        assert!(request.force && !request.dry_run);
        self.edit(&request.id, |object| {
            let metadata = &mut object["metadata"];
            let entries = metadata["managedFields"].as_array().cloned().unwrap_or_default();
            let (ours, others): (Vec<_>, Vec<_>) = entries
                .into_iter()
                .partition(|entry| entry["manager"] == "portolan" && entry["operation"] == "Apply");
            let mut fields = Map::new();
            for section in ["labels", "annotations"] {
                let wanted = body["metadata"][section].as_object().cloned().unwrap_or_default();
                let owned = ours
                    .iter()
                    .filter_map(|entry| entry["fieldsV1"]["f:metadata"][format!("f:{section}")].as_object());
                for name in owned.flat_map(Map::keys).filter_map(|name| name.strip_prefix("f:")) {
                    if !wanted.contains_key(name) {
                        metadata[section].as_object_mut().unwrap().remove(name);
                    }
                }
                let names = wanted.keys().map(|name| (format!("f:{name}"), json!({}))).collect::<Map<_, _>>();
                fields.insert(format!("f:{section}"), Value::Object(names));
                metadata[section].as_object_mut().unwrap().extend(wanted);
            }
            let ours = json!({
                "manager": "portolan", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": fields},
            });
            metadata["managedFields"] = others.into_iter().chain([ours]).collect();
        });
        let object = Object::new(self.object(&request.id).unwrap()).unwrap();
        Ok(Applied { object, created, warnings: Vec::new() })
    }
}

#[async_trait]
impl Cluster for FakeApi {
    async fn discover(&self) -> Result<Discovery, ApiFailure> {
        Ok(Discovery::default())
    }

    async fn get(&self, _kind: &ServedKind, id: &ResourceId) -> Result<Option<Object>, ApiFailure> {
        self.observed("GetServiceAccount", || Ok(self.object(id).map(|object| Object::new(object).unwrap())))
            .await
    }

    async fn list(
        &self,
        kind: &ServedKind,
        _namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Object>, ApiFailure> {
        let objects = self.objects.lock().unwrap().clone().into_iter();
        let of_kind = objects.filter(|(id, _)| id.kind == kind.gvk.kind);
        let fits = |object: &Value| {
            let label = selector.split_once('=');
            label.is_none_or(|(name, value)| object["metadata"]["labels"][name] == value)
        };
        let fitting = of_kind.filter(|(_, object)| fits(object));
        Ok(fitting.map(|(_, object)| Object::new(object).unwrap()).collect())
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<Applied, ApiFailure> {
        self.observed("ApplyServiceAccount", || self.applied(request)).await
    }

    async fn apply_as(&self, _request: &ApplyRequest, _manager: &str) -> Result<Applied, ApiFailure> {
        Err(failure(ApiFailureKind::Invalid, "nobody applies as somebody else here"))
    }

    async fn may(&self, _spec: &Value) -> Result<bool, ApiFailure> {
        Err(failure(ApiFailureKind::Invalid, "nobody asks for rights here"))
    }

    async fn delete(&self, request: &DeleteRequest) -> Result<(), ApiFailure> {
        self.observed("DeleteServiceAccount", || {
            let Some(object) = self.object(&request.id) else { return Ok(()) };
            let metadata = &object["metadata"];
            let same = metadata["uid"] == request.uid.as_str()
                && metadata["resourceVersion"] == request.resource_version.as_str();
            if !same {
                return Err(failure(ApiFailureKind::Conflict, "the precondition does not hold"));
            }
            self.remove(&request.id);
            Ok(())
        })
        .await
    }

    async fn json_patch(
        &self,
        _kind: &ServedKind,
        _id: &ResourceId,
        _patch: &Value,
        _impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        Err(failure(ApiFailureKind::Invalid, "nobody patches here"))
    }

    async fn create(
        &self,
        _kind: &ServedKind,
        body: &Value,
        _impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        let object = Object::new(body.clone()).unwrap();
        if self.object(&object.id()).is_some() {
            return Err(failure(ApiFailureKind::AlreadyExists, "it is there"));
        }
        self.observed("CreateNamespace", || {
            self.edit(&object.id(), |_| {});
            Ok(object.clone())
        })
        .await
    }

    fn watch(
        &self,
        _kind: &ServedKind,
        _selector: &str,
        _events: mpsc::Sender<(GroupKind, WatchEvent)>,
    ) -> WatchGuard {
        WatchGuard::new(|| {})
    }

    async fn evict(&self, _pod: &ResourceId, _uid: &str) -> Result<(), ApiFailure> {
        Ok(())
    }
}
