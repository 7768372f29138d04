//! An API server in memory: server-side apply with managers, JSON patches, preconditions, and the controllers that
//! matter here (pods of Deployments and DaemonSets, quotas, namespaces).

use super::fake_account::FakeAccount;
use super::wire::{Trouble, Wire};
use async_trait::async_trait;
use portolan::model::{GroupKind, Gvk, Object, ResourceId};
use portolan::ports::{
    ApiFailure, ApiFailureKind, Applied, ApplyRequest, Cluster, DeleteRequest, Discovery, Impersonation,
    ServedKind, WatchEvent, WatchGuard,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc;

/// `apiVersion kind plural namespaced`.
const KINDS: [(&str, &str, &str, bool); 22] = [
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Service", "services", true),
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("v1", "ResourceQuota", "resourcequotas", true),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    ("argoproj.io/v1alpha1", "Application", "applications", true),
    ("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", false),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
];

#[derive(Clone, Default)]
pub struct State {
    pub objects: BTreeMap<ResourceId, Value>,
    next: u64,
    /// Deployments that somebody scales up after every write.
    pub scaled_up: BTreeSet<ResourceId>,
    /// Workloads whose pods a quota refused, with the generation that they had: their controller tries again much later, or
    /// once they change.
    pub refused: BTreeMap<ResourceId, Value>,
    pub side: &'static str,
    /// Where volumes and load balancers are; controllers need it.
    pub account: Option<FakeAccount>,
}

#[derive(Clone)]
pub struct FakeServer {
    pub side: &'static str,
    version: &'static str,
    pub wire: Wire,
    state: Arc<Mutex<State>>,
}

impl FakeServer {
    pub fn new(side: &'static str, version: &'static str, wire: Wire) -> Self {
        let state = State { side, ..State::default() };
        let server = Self { side, version, wire, state: Arc::new(Mutex::new(state)) };
        for namespace in ["default", "kube-system"] {
            server.seed(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        }
        server
    }

    /// Another server that holds the same.
    pub fn fork(&self, wire: Wire) -> Self {
        let state = Arc::new(Mutex::new(self.state().clone()));
        let fork = Self { side: self.side, version: self.version, wire, state };
        fork.report();
        fork
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts an object there as its author applied it.
    pub fn seed(&self, object: Value) {
        let id = portolan::transform::identity(&object).unwrap();
        let mut state = self.state();
        state.put(id, object);
        state.settle();
        drop(state);
        self.report();
    }

    /// Objects as their authors see them: without what servers write.
    pub fn snapshot(&self) -> BTreeMap<String, Value> {
        let state = self.state();
        let made = ["Pod", "EndpointSlice", "VolumeAttachment"];
        let objects = state.objects.iter().filter(|(id, _)| !made.contains(&id.kind.as_str()));
        objects
            .map(|(id, object)| {
                let mut object = object.clone();
                let metadata = object["metadata"].as_object_mut().unwrap();
                for field in ["resourceVersion", "managedFields", "generation", "uid"] {
                    metadata.remove(field);
                }
                object.as_object_mut().unwrap().remove("status");
                (id.to_string(), object)
            })
            .collect()
    }

    pub fn get(&self, id: &ResourceId) -> Option<Value> {
        self.state().objects.get(id).cloned()
    }

    pub fn pods(&self, namespace: &str) -> usize {
        self.state().pods(namespace)
    }

    fn report(&self) {
        let namespaces = {
            let state = self.state();
            let pods = state.objects.keys().filter(|id| id.kind == "Pod");
            pods.filter_map(|id| id.namespace.clone()).collect::<BTreeSet<_>>()
        };
        self.wire.runs(self.side, namespaces.into_iter().collect());
    }

    async fn write<T>(
        &self,
        what: String,
        effect: impl FnOnce(&mut State) -> Result<T, ApiFailure>,
    ) -> Result<T, ApiFailure> {
        let trouble = self.wire.write(format!("{} {what}", self.side)).await;
        if trouble == Some(Trouble::Fails) {
            return Err(ApiFailure::new(ApiFailureKind::Server, "500"));
        }
        let answer = {
            let mut state = self.state();
            let answer = effect(&mut state);
            state.settle();
            answer
        };
        self.report();
        self.wire.written(trouble).await;
        if trouble == Some(Trouble::Unanswered) {
            return Err(ApiFailure::new(ApiFailureKind::Timeout, "no answer"));
        }
        answer
    }
}

fn failure(kind: ApiFailureKind, message: &str) -> ApiFailure {
    ApiFailure::new(kind, message)
}

impl State {
    pub fn put(&mut self, id: ResourceId, mut object: Value) -> Value {
        self.next += 1;
        let before = self.objects.get(&id);
        let generation = before.and_then(|old| old["metadata"]["generation"].as_u64()).unwrap_or_default();
        let changed = before.is_none_or(|old| old["spec"] != object["spec"]);
        let uid = before.map_or_else(
            || json!(format!("00000000-0000-4000-8000-{:012}", self.next)),
            |old| old["metadata"]["uid"].clone(),
        );
        object["metadata"]["uid"] = uid;
        // The core group counts no generations of what has no controller.
        if matches!(id.group.as_str(), "apps" | "batch" | "networking.k8s.io") {
            object["metadata"]["generation"] = (generation + u64::from(changed)).into();
        }
        object["metadata"]["resourceVersion"] = (self.next + 1000).to_string().into();
        self.objects.insert(id, object.clone());
        object
    }

    fn pods(&self, namespace: &str) -> usize {
        let pods = self.objects.keys().filter(|id| id.kind == "Pod");
        pods.filter(|id| id.namespace.as_deref() == Some(namespace)).count()
    }

    pub fn is_fenced(&self, namespace: &str) -> bool {
        self.objects.iter().any(|(id, object)| {
            id.kind == "ResourceQuota"
                && id.namespace.as_deref() == Some(namespace)
                && object.pointer("/status/hard/pods") == Some(&json!("0"))
        })
    }

    fn apply(&mut self, id: &ResourceId, body: &Value, manager: &str) -> Result<(Value, bool), ApiFailure> {
        let mut desired = body.clone();
        let metadata = desired["metadata"].as_object_mut().unwrap();
        let (uid, version) = (metadata.remove("uid"), metadata.remove("resourceVersion"));
        let live = self.objects.get(id).cloned();
        if live.is_none() {
            if uid.as_ref().is_some_and(|uid| !uid.is_null()) {
                return Err(failure(ApiFailureKind::Conflict, "uid mismatch"));
            }
            if id.kind == "Pod" && self.is_fenced(id.namespace.as_deref().unwrap_or_default()) {
                return Err(failure(ApiFailureKind::Forbidden, "exceeded quota"));
            }
            if let Some(namespace) = &id.namespace
                && !self.objects.contains_key(&ResourceId::new("", "Namespace", "", namespace))
            {
                return Err(failure(ApiFailureKind::NotFound, "no such namespace"));
            }
        }
        if let Some(live) = &live {
            if uid.as_ref().is_some_and(|uid| *uid != live["metadata"]["uid"]) {
                return Err(failure(ApiFailureKind::Conflict, "uid mismatch"));
            }
            if version.as_ref().is_some_and(|version| *version != live["metadata"]["resourceVersion"]) {
                return Err(failure(ApiFailureKind::Conflict, "the object has been modified"));
            }
        }
        let created = live.is_none();
        let mut object = live.unwrap_or_else(
            || json!({"apiVersion": desired["apiVersion"], "kind": desired["kind"], "metadata": {}}),
        );
        let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let (ours, mut others): (Vec<Value>, Vec<Value>) =
            entries.into_iter().partition(|entry| entry["manager"] == manager);
        if let Some(before) = ours.first() {
            prune(&mut object, &desired, &before["fieldsV1"]);
        }
        merge(&mut object, &desired);
        let fields = fields(&desired, true);
        if fields.as_object().is_some_and(|fields| !fields.is_empty()) {
            others.push(json!({"manager": manager, "operation": "Apply", "apiVersion": desired["apiVersion"], "fieldsV1": fields}));
        }
        object["metadata"]["managedFields"] = others.into();
        Ok((self.put(id.clone(), object), created))
    }

    fn patch(&mut self, id: &ResourceId, operations: &Value) -> Result<Value, ApiFailure> {
        let mut object =
            self.objects.get(id).cloned().ok_or_else(|| failure(ApiFailureKind::NotFound, "not there"))?;
        for operation in operations.as_array().unwrap() {
            let path = operation["path"].as_str().unwrap();
            let (above, key) = path.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            if operation["op"] == "test" {
                if object.pointer(path) != operation.get("value") {
                    return Err(failure(ApiFailureKind::Conflict, "test failed"));
                }
                continue;
            }
            let absent = object.pointer(path).is_none();
            let missing = || failure(ApiFailureKind::Invalid, &format!("{path} is not there"));
            if operation["op"] != "add" && absent {
                return Err(missing());
            }
            match (operation["op"].as_str().unwrap(), object.pointer_mut(above).ok_or_else(missing)?) {
                ("remove", Value::Object(map)) => drop(map.remove(&key)),
                ("remove", Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
                (_, Value::Object(map)) => drop(map.insert(key, operation["value"].clone())),
                (_, Value::Array(items)) => items[key.parse::<usize>().unwrap()] = operation["value"].clone(),
                _ => return Err(missing()),
            }
        }
        Ok(self.put(id.clone(), object))
    }
}

/// Takes out what a manager applied before and applies no longer.
fn prune(live: &mut Value, desired: &Value, fields: &Value) {
    for (key, below) in fields.as_object().into_iter().flatten() {
        let Some(name) = key.strip_prefix("f:") else { continue };
        let is_leaf = below.as_object().is_none_or(Map::is_empty);
        let Some(child) = live.get_mut(name) else { continue };
        if !is_leaf {
            prune(child, desired.get(name).unwrap_or(&Value::Null), below);
        }
        if desired.get(name).is_none() && (is_leaf || *child == json!({})) {
            live.as_object_mut().unwrap().remove(name);
        }
    }
}

fn merge(live: &mut Value, desired: &Value) {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            for (key, value) in desired {
                merge(live.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (live, desired) => *live = desired.clone(),
    }
}

/// `fieldsV1` of maps alone; identity is nobody's field.
fn fields(desired: &Value, top: bool) -> Value {
    let mut all = Map::new();
    for (key, value) in desired.as_object().into_iter().flatten() {
        if top && matches!(key.as_str(), "apiVersion" | "kind") {
            continue;
        }
        let below = if top && key == "metadata" {
            let mut metadata = value.clone();
            ["name", "namespace"].iter().for_each(|own| drop(metadata.as_object_mut().unwrap().remove(*own)));
            fields(&metadata, false)
        } else {
            fields(value, false)
        };
        if !(top && key == "metadata" && below == json!({})) {
            all.insert(format!("f:{key}"), below);
        }
    }
    Value::Object(all)
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

#[async_trait]
impl Cluster for FakeServer {
    async fn discover(&self) -> Result<Discovery, ApiFailure> {
        let mut discovery = Discovery { version: self.version.into(), ..Discovery::default() };
        for (version, kind, plural, namespaced) in KINDS {
            let gvk = Gvk::from_api_version(version, kind);
            let verbs = ["get", "list", "patch", "delete"].map(String::from).into();
            let served = ServedKind { gvk: gvk.clone(), plural: plural.into(), namespaced, verbs };
            discovery.preferred.insert(gvk.group_kind(), gvk.clone());
            discovery.kinds.insert(gvk, served);
        }
        Ok(discovery)
    }

    async fn get(&self, _kind: &ServedKind, id: &ResourceId) -> Result<Option<Object>, ApiFailure> {
        Ok(FakeServer::get(self, id).map(object))
    }

    async fn list(
        &self,
        kind: &ServedKind,
        _namespace: Option<&str>,
        _selector: &str,
    ) -> Result<Vec<Object>, ApiFailure> {
        let state = self.state();
        let of_kind = state.objects.iter().filter(|(id, _)| id.group_kind() == kind.gvk.group_kind());
        Ok(of_kind.map(|(_, value)| object(value.clone())).collect())
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<Applied, ApiFailure> {
        self.apply_as(request, "portolan").await
    }

    async fn apply_as(&self, request: &ApplyRequest, manager: &str) -> Result<Applied, ApiFailure> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let what = format!("apply {}", request.id);
        let (value, created) = self.write(what, |state| state.apply(&request.id, &body, manager)).await?;
        Ok(Applied { object: object(value), created, warnings: Vec::new() })
    }

    async fn may(&self, spec: &Value) -> Result<bool, ApiFailure> {
        Ok(spec["resourceAttributes"]["verb"] != "escalate")
    }

    async fn delete(&self, request: &DeleteRequest) -> Result<(), ApiFailure> {
        let id = request.id.clone();
        self.write(format!("delete {id}"), |state| {
            let Some(live) = state.objects.get(&id) else { return Ok(()) };
            for (wanted, field) in [(&request.uid, "uid"), (&request.resource_version, "resourceVersion")] {
                if !wanted.is_empty() && live["metadata"][field] != **wanted {
                    return Err(failure(ApiFailureKind::Conflict, "precondition"));
                }
            }
            state.objects.remove(&id);
            Ok(())
        })
        .await
    }

    async fn json_patch(
        &self,
        _kind: &ServedKind,
        id: &ResourceId,
        patch: &Value,
        _impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        self.write(format!("patch {id}"), |state| state.patch(id, patch)).await.map(object)
    }

    async fn create(
        &self,
        _kind: &ServedKind,
        body: &Value,
        _impersonate: Option<&Impersonation>,
    ) -> Result<Object, ApiFailure> {
        let id = portolan::transform::identity(body).unwrap();
        self.write(format!("create {id}"), |state| {
            if state.objects.contains_key(&id) {
                return Err(failure(ApiFailureKind::AlreadyExists, "already exists"));
            }
            let namespace = id.namespace.as_ref().map(|name| ResourceId::new("", "Namespace", "", name));
            if namespace.is_some_and(|namespace| !state.objects.contains_key(&namespace)) {
                return Err(failure(ApiFailureKind::NotFound, "no such namespace"));
            }
            Ok(state.put(id.clone(), body.clone()))
        })
        .await
        .map(object)
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
