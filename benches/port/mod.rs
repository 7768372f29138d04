//! The port stage between two real API servers, beside the floor: a bare server-side apply of the same objects to the
//! same target. Ingresses are left out on both: the stage holds them back until the traffic comes.

use super::stage::{NAMESPACE, control_plane, kubectl, manifests, unit_name};
use async_trait::async_trait;
use futures::StreamExt as _;
use portolan::engine::clusters::Pace;
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Context, Mover, PassEnd, Sides, Target, Wanted};
use portolan::host::{FolderStore, SystemClock};
use portolan::k8s::{ConnectOptions, Source, connect};
use portolan::local::ControlPlane;
use portolan::model::Gvk;
use portolan::model::ResourceId;
use portolan::model::event::Event;
use portolan::model::migration::{Gate, Stage};
use portolan::model::migration_document::{MigrationSource, MigrationSpec, MigrationTarget, WaveSpec};
use portolan::ports::{ApplyRequest, Cluster, Sink};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Requests at once, for both.
const AT_ONCE: usize = 16;
/// Where the floor's objects go.
const FLOOR: &str = "floor";

/// The two sides.
struct Two {
    source: Arc<dyn Cluster>,
    target: Arc<dyn Cluster>,
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

struct Silent;

impl Sink for Silent {
    fn take(&self, _: &Event) {}
}

async fn api(control_plane: &ControlPlane) -> Arc<dyn Cluster> {
    let source = Source::KubeconfigFile { path: control_plane.kubeconfig().to_owned(), context: None };
    Arc::new(connect(&source, ConnectOptions::default()).await.expect("a connection"))
}

fn objects(units: usize, namespace: &str) -> Vec<Value> {
    let limits = portolan::model::yaml::Limits::default();
    let texts = (0..units).map(|unit| manifests(&unit_name(unit)));
    let documents =
        texts.flat_map(|text| portolan::model::yaml::read_stream(text.as_bytes(), &limits)).map(|document| {
            let mut object = document.expect("a document").into_value();
            object["metadata"]["namespace"] = json!(namespace);
            object
        });
    documents.filter(|object| object["kind"] != "Ingress").collect()
}

/// Applies objects without any thought; seconds.
async fn applied(cluster: &Arc<dyn Cluster>, objects: &[Value]) -> f64 {
    let kinds = cluster.discover().await.expect("what the server serves").kinds;
    let begun = Instant::now();
    futures::stream::iter(objects)
        .for_each_concurrent(AT_ONCE, |object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let gvk = Gvk::from_api_version(text("/apiVersion"), text("/kind"));
            let kind = kinds.get(&gvk).expect("a served kind").clone();
            let id = ResourceId {
                group: gvk.group.clone(),
                kind: gvk.kind.clone(),
                namespace: Some(text("/metadata/namespace").to_owned()),
                name: text("/metadata/name").to_owned(),
            };
            let body = object.to_string().into_bytes().into();
            let request = ApplyRequest { kind, id, body, force: true, dry_run: false, impersonate: None };
            async move { drop(cluster.apply_as(&request, "floor").await.expect("an apply")) }
        })
        .await;
    begun.elapsed().as_secs_f64()
}

/// Objects a second of the floor and of the port stage, and how they compare.
pub async fn measured(units: usize) -> Value {
    let (old, new) = (control_plane().await, control_plane().await);
    let (source, target) = (api(&old).await, api(&new).await);
    applied(&source, &objects(units, NAMESPACE)).await;
    kubectl(&new, &["delete", "namespace", NAMESPACE]);
    kubectl(&new, &["create", "namespace", FLOOR]);
    let bare = objects(units, FLOOR);
    let count = bare.len();
    let floor = applied(&target, &bare).await;
    // The stage reads everything that is there.
    kubectl(&new, &["delete", "namespace", FLOOR]);

    let folder = tempfile::tempdir().expect("a folder");
    let context = Context {
        store: Arc::new(FolderStore::open(folder.path()).expect("a store")),
        sink: Arc::new(Silent),
        clock: Arc::new(SystemClock),
        pace: Pace { at_once: AT_ONCE, ..Pace::default() },
        read_only: false,
        salt: [7; 32],
        namespace: "portolan".into(),
        sides: Arc::new(Two { source, target }),
    };
    let mover = Mover::new("move", Arc::new(context));
    let spec = MigrationSpec {
        source: MigrationSource { cluster: Some("old".into()), ..MigrationSource::default() },
        target: MigrationTarget { cluster: "new".into() },
        stage: Stage::Sync,
        waves: vec![WaveSpec { name: "bench".into(), namespaces: vec![NAMESPACE.into()], stage: None }],
        ..MigrationSpec::default()
    };
    let begun = Instant::now();
    mover.supersede(Wanted { spec, revision: "main@1".into(), declared_in: "bench".into(), removed: false });
    let mut passes: Vec<f64> = Vec::new();
    loop {
        let started = Instant::now();
        let end = pass(&mover).await;
        passes.push((started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
        match end {
            PassEnd::Done => break,
            PassEnd::Blocked => panic!("{}\n{:#?}", mover.record().message, mover.record().parts),
            PassEnd::Acted => {}
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        let record = mover.record();
        let is_late = begun.elapsed() > Duration::from_secs(900);
        assert!(!is_late, "{}\n{:#?}\n{:#?}", record.message, record.parts, record.problems);
    }
    let ported = begun.elapsed().as_secs_f64();
    let there =
        kubectl(&new, &["get", "serviceaccounts,services,deployments", "-n", NAMESPACE, "-o", "name"]);
    assert!(there.lines().count() >= count, "{} objects arrived", there.lines().count());
    old.stop().await.expect("the source's end");
    new.stop().await.expect("the target's end");
    let rate = |seconds: f64| (count as f64 / seconds).round();
    json!({
        "objects": count,
        "passes": passes.len(),
        "passSeconds": passes,
        "floorSeconds": (floor * 1000.0).round() / 1000.0,
        "portSeconds": (ported * 1000.0).round() / 1000.0,
        "floorPerSecond": rate(floor),
        "portPerSecond": rate(ported),
        "ofFloor": (floor / ported * 1000.0).round() / 1000.0,
    })
}
