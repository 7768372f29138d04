//! A daemon's part for one migration between two API servers, that can die and be started again.

use super::fake_server::FakeServer;
use super::memory_store::MemoryStore;
use super::wire::Wire;
use async_trait::async_trait;
use portolan::engine::clusters::Pace;
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Context, Mover, PassEnd, Sides, Target, Wanted};
use portolan::host::SystemClock;
use portolan::model::Interval;
use portolan::model::event::Event;
use portolan::model::migration::{Gate, Stage};
use portolan::model::migration_document::{MigrationSource, MigrationSpec, MigrationTarget, WaveSpec};
use portolan::ports::{Cluster, MigrationRecord, Sink, StateStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Events, in order.
#[derive(Default)]
pub struct Told(pub Mutex<Vec<Event>>);

impl Sink for Told {
    fn take(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Two API servers.
pub struct Two {
    pub source: Arc<dyn Cluster>,
    pub target: Arc<dyn Cluster>,
}

#[async_trait]
impl Sides for Two {
    async fn source(&self, _: &str, _: &MigrationSpec) -> Result<Arc<dyn Cluster>, String> {
        Ok(self.source.clone())
    }

    async fn target(&self, _: &MigrationSpec) -> Result<Target, Gate> {
        Ok(Target { cluster: self.target.clone(), eks_name: "new".into() })
    }

    fn applications(&self, _: &MigrationSpec) -> BTreeMap<String, Vec<String>> {
        BTreeMap::new()
    }
}

/// A daemon that starts now.
pub fn daemon(store: Arc<dyn StateStore>, sides: Two, told: Arc<Told>) -> Arc<Mover> {
    let context = Context {
        store,
        sink: told,
        clock: Arc::new(SystemClock),
        pace: Pace {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(4),
            backoff: (Duration::from_millis(1), Duration::from_millis(4)),
            settle: Duration::ZERO,
            at_once: 4,
        },
        read_only: false,
        salt: [7; 32],
        namespace: "portolan".into(),
        sides: Arc::new(sides),
    };
    Mover::new("move", Arc::new(context))
}

/// The document, up to a stage.
pub fn document(stage: Stage) -> MigrationSpec {
    let mut spec = MigrationSpec {
        source: MigrationSource { cluster: Some("old".into()), ..MigrationSource::default() },
        target: MigrationTarget { cluster: "new".into() },
        stage,
        waves: vec![WaveSpec { name: "shop".into(), namespaces: vec!["shop".into()], stage: None }],
        ..MigrationSpec::default()
    };
    spec.limits.soak = Some(Interval::from_secs(0));
    spec
}

pub fn wanted(spec: MigrationSpec) -> Wanted {
    Wanted { spec, revision: "main@1".into(), declared_in: "fleet".into(), removed: false }
}

/// Two servers in memory and a store, all on one wire.
pub struct Scene {
    pub wire: Wire,
    pub source: FakeServer,
    pub target: FakeServer,
    pub store: Arc<MemoryStore>,
    pub told: Arc<Told>,
}

impl Scene {
    /// A source with a shop on it, and an empty target.
    pub fn new() -> Self {
        Self::of(shop())
    }

    /// One of each that is treated in its own way: enough where a run is made for every write.
    pub fn small() -> Self {
        let more =
            [("ConfigMap", "settings"), ("Role", "reader"), ("RoleBinding", "web"), ("Deployment", "api")];
        let is_more = |object: &Value| {
            more.iter().any(|(kind, name)| object["kind"] == *kind && object["metadata"]["name"] == *name)
        };
        Self::of(shop().into_iter().filter(|object| !is_more(object)).collect())
    }

    fn of(objects: Vec<Value>) -> Self {
        let wire = Wire::default();
        let source = FakeServer::new("source", "v1.24.17", wire.clone());
        let target = FakeServer::new("target", "v1.36.3", wire.clone());
        objects.into_iter().for_each(|object| source.seed(object));
        let store = Arc::new(MemoryStore { wire: wire.clone(), ..MemoryStore::default() });
        Self { wire, source, target, store, told: Arc::default() }
    }

    /// The same on a wire of its own, on which nothing was written yet.
    pub fn fork(&self) -> Self {
        let wire = Wire::default();
        let (source, target) = (self.source.fork(wire.clone()), self.target.fork(wire.clone()));
        let migrations = Mutex::new(self.store.migrations.lock().unwrap().clone());
        let store = Arc::new(MemoryStore { wire: wire.clone(), migrations, ..MemoryStore::default() });
        Self { wire, source, target, store, told: Arc::default() }
    }

    pub fn start(&self) -> Arc<Mover> {
        self.wire.state().dead = false;
        let sides = Two { source: Arc::new(self.source.clone()), target: Arc::new(self.target.clone()) };
        daemon(self.store.clone(), sides, self.told.clone())
    }

    /// Brings the migration to a stage, with a daemon that starts now.
    pub async fn go(&self, stage: Stage) -> MigrationRecord {
        let mover = self.start();
        mover.supersede(wanted(document(stage)));
        let end = settle(&mover).await;
        let record = mover.record();
        assert_eq!(end, PassEnd::Done, "{stage}: {}\n{:#?}", record.message, record.parts);
        record
    }
}

/// Passes until nothing is left to do, or a person has to.
pub async fn settle(mover: &Arc<Mover>) -> PassEnd {
    for _ in 0..400 {
        match pass(mover).await {
            end @ (PassEnd::Done | PassEnd::Blocked) => return end,
            PassEnd::Waits => tokio::time::sleep(Duration::from_millis(2)).await,
            _ => tokio::task::yield_now().await,
        }
    }
    let record = mover.record();
    panic!("no end after 400 passes: {}\n{:#?}\n{:#?}", record.message, record.parts, record.problems);
}

/// A stateless namespace with something of most kinds.
pub fn shop() -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "namespace": "shop"});
    let template = |name: &str| {
        json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "main", "image": format!("registry.example.com/{name}:1")}]}})
    };
    let deployment = |name: &str, replicas: u32| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name), "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name)}})
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"a": "1"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("password"), "type": "Opaque",
            "data": {"password": "aHVudGVyMg=="}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("web")}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata("reader"),
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata("web"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "shop-nodes"},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("web"), "spec": {
            "type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]}}),
        deployment("web", 3),
        deployment("api", 2),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata("agent"), "spec": {
            "selector": {"matchLabels": {"app": "agent"}}, "template": template("agent")}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata("nightly"), "spec": {
            "schedule": "0 3 * * *", "startingDeadlineSeconds": 600, "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example.com/nightly:1"}]}}}}}}),
    ]
}
