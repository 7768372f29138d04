//! A daemon's part for one migration between two API servers, that can die and be started again.

use super::fake_account::{FakeAccount, Volume};
use super::fake_server::FakeServer;
use super::wire::Wire;
use crate::support::memory_store::MemoryStore;
use async_trait::async_trait;
use portolan::engine::clusters::Pace;
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Context, Mover, PassEnd, Sides, Target, Wanted};
use portolan::host::SystemClock;
use portolan::model::Interval;
use portolan::model::cluster_config::ClusterConfig;
use portolan::model::event::Event;
use portolan::model::migration::{Gate, Side, Stage};
use portolan::model::migration_document::{
    KopsRef, MigrationSource, MigrationSpec, MigrationTarget, RecordSpec, RecordType, TrafficStep, WaveSpec,
};
use portolan::ports::{
    Approval, Clock, Cloud, Cluster, Files, FilesFailure, Images, MigrationRecord, Names, Sink, StateStore,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
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

/// Two API servers, and the account of both where the document names it.
pub struct Two {
    pub source: Arc<dyn Cluster>,
    pub target: Arc<dyn Cluster>,
    pub account: Option<Arc<dyn Cloud>>,
}

/// The same, and what a test says of what is around them.
struct Around {
    two: Two,
    images: Option<Arc<dyn Images>>,
    unmade: Arc<Mutex<Option<String>>>,
    names: Resolver,
    planned: Arc<Mutex<Option<ClusterConfig>>>,
}

/// What names of hosts lead to, as a test says.
#[derive(Clone, Default)]
pub struct Resolver(pub Arc<Mutex<BTreeMap<String, Vec<&'static str>>>>);

#[async_trait]
impl Names for Resolver {
    async fn look_up(&self, name: &str) -> Result<BTreeSet<IpAddr>, String> {
        let known =
            self.0.lock().unwrap().get(name).cloned().ok_or_else(|| format!("{name} is not found"))?;
        Ok(known.into_iter().map(|address| address.parse().unwrap()).collect())
    }
}

#[async_trait]
impl Sides for Around {
    async fn source(&self, migration: &str, spec: &MigrationSpec) -> Result<Arc<dyn Cluster>, String> {
        self.two.source(migration, spec).await
    }

    async fn target(&self, spec: &MigrationSpec) -> Result<Target, Gate> {
        self.two.target(spec).await
    }

    fn unmade(&self, _: &MigrationSpec) -> Option<String> {
        self.unmade.lock().unwrap().clone()
    }

    fn applications(&self, spec: &MigrationSpec) -> BTreeMap<String, Vec<String>> {
        self.two.applications(spec)
    }

    async fn account(&self, side: Side, spec: &MigrationSpec) -> Result<Option<Arc<dyn Cloud>>, String> {
        self.two.account(side, spec).await
    }

    fn images(&self) -> Option<Arc<dyn Images>> {
        self.images.clone()
    }

    fn names(&self) -> Option<Arc<dyn Names>> {
        Some(Arc::new(self.names.clone()))
    }

    fn planned(&self, _: &MigrationSpec) -> Option<ClusterConfig> {
        self.planned.lock().unwrap().clone()
    }

    async fn state_store(&self, spec: &MigrationSpec) -> Result<Option<Box<dyn Files>>, String> {
        self.two.state_store(spec).await
    }
}

/// The state store of a small kops cluster.
struct Store;

const STORED: [(&str, &str); 3] = [
    (
        "old.example.com/config",
        "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: old.example.com\nspec:\n  cloudProvider: aws\n  \
         kubernetesVersion: 1.24.17\n",
    ),
    ("old.example.com/kops-version.txt", "1.28.5"),
    (
        "old.example.com/addons/bootstrap-channel.yaml",
        "kind: Addons\nmetadata:\n  name: bootstrap\nspec:\n  addons: []\n",
    ),
];

#[async_trait]
impl Files for Store {
    fn place(&self) -> &str {
        "s3://state"
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, FilesFailure> {
        let keys = STORED.iter().map(|(key, _)| *key).filter(|key| key.starts_with(prefix));
        Ok(keys.map(str::to_owned).collect())
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, FilesFailure> {
        let found = STORED.iter().find(|(own, _)| *own == key).map(|(_, text)| text.as_bytes().to_vec());
        found.ok_or_else(|| FilesFailure { place: key.into(), reason: "not there".into() })
    }
}

/// A clock that goes on when a test says so.
#[derive(Clone, Default)]
pub struct Tick(Arc<AtomicI64>);

impl Tick {
    pub fn wait(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Tick {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_800_000_000 + self.0.load(Ordering::Relaxed)).unwrap()
    }
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

    async fn account(&self, _: Side, spec: &MigrationSpec) -> Result<Option<Arc<dyn Cloud>>, String> {
        Ok(self.account.clone().filter(|_| spec.source.kops.is_some()))
    }

    async fn state_store(&self, spec: &MigrationSpec) -> Result<Option<Box<dyn Files>>, String> {
        Ok(spec.source.kops.is_some().then(|| Box::new(Store) as Box<dyn Files>))
    }
}

/// A daemon that starts now.
pub fn daemon(store: Arc<dyn StateStore>, sides: Two, told: Arc<Told>) -> Arc<Mover> {
    daemon_at(Arc::new(SystemClock), store, sides, told)
}

/// A daemon that starts now, with a clock of the test's.
pub fn daemon_at(
    clock: Arc<dyn Clock>,
    store: Arc<dyn StateStore>,
    sides: impl Sides,
    told: Arc<Told>,
) -> Arc<Mover> {
    let context = Context {
        store,
        sink: told,
        clock,
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

/// A person agrees to what is asked for; false where nothing is, or it was agreed to before.
pub fn approve(store: &MemoryStore, mover: &Mover) -> bool {
    let Some(waiting) = mover.record().waiting else { return false };
    let mut approvals = store.approvals.lock().unwrap();
    if approvals.iter().any(|known| known.digest == waiting.digest) {
        return false;
    }
    approvals.push(Approval {
        application: String::new(),
        destination: "move".into(),
        digest: waiting.digest,
        by: "test".into(),
    });
    true
}

/// The document of a wave with volumes and a record, up to a stage.
pub fn stateful_document(stage: Stage) -> MigrationSpec {
    let mut spec = document(stage);
    spec.source.kops = Some(KopsRef {
        state_store: "s3://state".into(),
        cluster_name: "old.example.com".into(),
        region: "eu-central-1".into(),
        role_arn: None,
    });
    spec.traffic.zone = Some("Z1".into());
    spec.traffic.records = vec![RecordSpec {
        name: "shop.example.com".into(),
        kind: RecordType::Cname,
        wave: "shop".into(),
        target: "Service shop/front".into(),
        ..RecordSpec::default()
    }];
    spec.traffic.steps =
        [10, 100].map(|weight| TrafficStep { weight, hold: Interval::from_secs(120) }).to_vec();
    spec
}

/// Two servers in memory and a store, all on one wire.
pub struct Scene {
    pub wire: Wire,
    pub source: FakeServer,
    pub target: FakeServer,
    pub store: Arc<MemoryStore>,
    pub told: Arc<Told>,
    pub account: FakeAccount,
    pub tick: Tick,
    /// What is not there yet of the target's cluster.
    pub unmade: Arc<Mutex<Option<String>>>,
    /// What the target is made from.
    pub planned: Arc<Mutex<Option<ClusterConfig>>>,
    /// Who is asked for images.
    pub images: Arc<Mutex<Option<Arc<dyn Images>>>>,
    /// What names of hosts lead to.
    pub names: Resolver,
    /// What the document says up to a stage.
    pub of: fn(Stage) -> MigrationSpec,
}

impl Scene {
    /// A source with a shop on it, and an empty target.
    pub fn new() -> Self {
        Self::new_of(shop())
    }

    /// One of each that is treated in its own way: enough where a run is made for every write.
    pub fn small() -> Self {
        let more =
            [("ConfigMap", "settings"), ("Role", "reader"), ("RoleBinding", "web"), ("Deployment", "api")];
        let is_more = |object: &Value| {
            more.iter().any(|(kind, name)| object["kind"] == *kind && object["metadata"]["name"] == *name)
        };
        Self::new_of(shop().into_iter().filter(|object| !is_more(object)).collect())
    }

    /// A database with two volumes and a front with a load balancer and a record, in one account. The target has who makes
    /// load balancers.
    pub fn stateful() -> Self {
        let scene = Self::new_of(Vec::new());
        scene.target.seed(controller());
        for (server, zone) in [(&scene.source, "eu-central-1a"), (&scene.target, "eu-central-1a")] {
            server.state().account = Some(scene.account.clone());
            server.seed(json!({"apiVersion": "v1", "kind": "Node", "metadata": {
                "name": format!("{}-node", server.side), "labels": {"topology.kubernetes.io/zone": zone}}}));
        }
        for number in 0..2 {
            let tags = [
                ("KubernetesCluster", "old.example.com"),
                ("kubernetes.io/cluster/old.example.com", "owned"),
            ];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let volume = Volume { zone: "eu-central-1a".into(), tags, ..Volume::default() };
            scene.account.state().volumes.insert(format!("vol-{number}"), volume);
        }
        scene.account.state().records =
            vec![json!({"Name": "shop.example.com.", "Type": "CNAME", "TTL": 300,
            "ResourceRecords": [{"Value": "source-front.elb.example.net"}]})];
        shop_with_state().into_iter().for_each(|object| scene.source.seed(object));
        Self { of: stateful_document, ..scene }
    }

    /// A source with some objects, and an empty target.
    pub fn new_of(objects: Vec<Value>) -> Self {
        let wire = Wire::default();
        let source = FakeServer::new("source", "v1.24.17", wire.clone());
        let target = FakeServer::new("target", "v1.36.3", wire.clone());
        objects.into_iter().for_each(|object| source.seed(object));
        let store = Arc::new(MemoryStore::under(Arc::new(wire.clone())));
        let account = FakeAccount::new(wire.clone());
        let told: Arc<Told> = Arc::default();
        wire.state().told = Some(told.clone());
        Self {
            wire,
            source,
            target,
            store,
            told,
            account,
            tick: Tick::default(),
            unmade: Arc::default(),
            planned: Arc::default(),
            images: Arc::default(),
            names: Resolver::default(),
            of: document,
        }
    }

    /// The same on a wire of its own, on which nothing was written yet.
    pub fn fork(&self) -> Self {
        let wire = Wire::default();
        let (source, target) = (self.source.fork(wire.clone()), self.target.fork(wire.clone()));
        let store = Arc::new(self.store.fork(Arc::new(wire.clone())));
        let account = self.account.fork(wire.clone());
        for server in [&source, &target] {
            let known = server.state().account.is_some();
            server.state().account = known.then(|| account.clone());
        }
        let tick = Tick(Arc::new(AtomicI64::new(self.tick.0.load(Ordering::Relaxed))));
        let told = Arc::new(Told(Mutex::new(self.told.0.lock().unwrap().clone())));
        wire.state().told = Some(told.clone());
        Self {
            wire,
            source,
            target,
            store,
            told,
            account,
            tick,
            unmade: self.unmade.clone(),
            planned: self.planned.clone(),
            images: self.images.clone(),
            names: self.names.clone(),
            of: self.of,
        }
    }

    pub fn start(&self) -> Arc<Mover> {
        self.wire.revive();
        let sides = Two {
            source: Arc::new(self.source.clone()),
            target: Arc::new(self.target.clone()),
            account: Some(Arc::new(self.account.clone())),
        };
        let images = self.images.lock().unwrap().clone();
        let (unmade, planned, names) = (self.unmade.clone(), self.planned.clone(), self.names.clone());
        let sides = Around { two: sides, images, unmade, names, planned };
        daemon_at(Arc::new(self.tick.clone()), self.store.clone(), sides, self.told.clone())
    }

    /// A person agrees to whatever is asked for.
    pub fn approve(&self, mover: &Mover) -> bool {
        approve(&self.store, mover)
    }

    /// Passes until nothing is left to do, or a person has to do more than agree; time passes while it waits.
    pub async fn settle(&self, mover: &Arc<Mover>) -> PassEnd {
        for _ in 0..400 {
            match pass(mover).await {
                PassEnd::Blocked if self.approve(mover) => {}
                end @ (PassEnd::Done | PassEnd::Blocked) => return end,
                PassEnd::Waits => self.tick.wait(30),
                _ => tokio::task::yield_now().await,
            }
        }
        let record = mover.record();
        panic!("no end after 400 passes: {}\n{:#?}\n{:#?}", record.message, record.parts, record.problems);
    }

    /// Brings the migration to a stage, with a daemon that starts now.
    pub async fn go(&self, stage: Stage) -> MigrationRecord {
        let mover = self.start();
        mover.supersede(wanted((self.of)(stage)));
        let end = self.settle(&mover).await;
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

/// The AWS Load Balancer Controller, as its chart makes it.
pub fn controller() -> Value {
    let labels = json!({"app.kubernetes.io/name": "aws-load-balancer-controller"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "aws-load-balancer-controller", "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "controller",
                "image": "registry.example.com/eks/aws-load-balancer-controller:v2.14.1"}]}}}})
}

/// A namespace with a database on volumes, and a front with a load balancer.
pub fn shop_with_state() -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "namespace": "shop"});
    let template = |name: &str| {
        json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "main", "image": format!("registry.example.com/{name}:1")}]}})
    };
    let access = json!(["ReadWriteOnce"]);
    let size = json!({"requests": {"storage": "1Gi"}});
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("front"), "spec": {"type": "LoadBalancer",
            "selector": {"app": "front"}, "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("front"), "spec": {"replicas": 1,
            "selector": {"matchLabels": {"app": "front"}}, "template": template("front")}}),
    ];
    for number in 0..2 {
        let (claim, volume) = (format!("data-db-{number}"), format!("pv-{number}"));
        let source = if number == 0 {
            json!({"awsElasticBlockStore": {"volumeID": "aws://eu-central-1a/vol-0", "fsType": "ext4"}})
        } else {
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1", "fsType": "ext4"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["eu-central-1a"]}]}]}}})
        };
        let mut spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": access, "storageClassName": "gp2",
            "persistentVolumeReclaimPolicy": "Delete", "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "name": claim, "namespace": "shop"}});
        spec.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        let labels = json!({"failure-domain.beta.kubernetes.io/zone": "eu-central-1a"});
        objects.push(json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": volume, "labels": if number == 0 { labels } else { json!({}) }}, "spec": spec}));
        objects.push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(&claim),
            "spec": {"accessModes": access, "resources": size, "storageClassName": "gp2", "volumeName": volume}}));
    }
    objects.push(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata("db"), "spec": {
        "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template("db"),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": access, "resources": size, "storageClassName": "gp2"}}]}}));
    objects
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
