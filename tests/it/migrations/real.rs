//! The whole pass over two real API servers: kops' v1.24.17 and EKS' v1.36.3.

use super::scene::{Told, Two, daemon, document, wanted};
use crate::support::control_plane::{kubectl, kubectl_ok, kubectl_ok_with, options, places, start};
use crate::support::memory_store::MemoryStore;
use portolan::engine::migrations::PassEnd;
use portolan::k8s::{ConnectOptions, Source, connect};
use portolan::local::{ControlPlane, Options};
use portolan::model::migration::Stage;
use portolan::ports::Cluster;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub async fn api(control_plane: &ControlPlane) -> Arc<dyn Cluster> {
    let source = Source::KubeconfigFile { path: control_plane.kubeconfig().to_owned(), context: None };
    Arc::new(connect(&source, ConnectOptions::default()).await.unwrap())
}

/// Objects of the namespace as their authors see them.
pub(super) async fn snapshot(control_plane: &ControlPlane) -> Vec<Value> {
    let kinds = "configmaps,secrets,serviceaccounts,roles,rolebindings,services,deployments,daemonsets,cronjobs,resourcequotas";
    objects(control_plane, "shop", kinds).await
}

/// Objects of some kinds, in one namespace where they live in some, as their authors see them.
pub(super) async fn objects(control_plane: &ControlPlane, namespace: &str, kinds: &str) -> Vec<Value> {
    let text = kubectl_ok(control_plane, &["get", kinds, "-n", namespace, "-o", "json"]).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    let mut objects = list["items"].as_array().unwrap().clone();
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        for field in ["resourceVersion", "managedFields", "generation"] {
            metadata.remove(field);
        }
        // Controllers count their own passes here.
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("deprecated.daemonset.template.generation");
        }
        object.as_object_mut().unwrap().remove("status");
    }
    objects
}

pub(super) async fn pods(control_plane: &ControlPlane) -> usize {
    let arguments = ["get", "pods", "-n", "shop", "--field-selector=status.phase=Running", "-o", "name"];
    let output = kubectl(control_plane, &arguments).await;
    String::from_utf8_lossy(&output.stdout).lines().count()
}

pub(super) async fn has_pods(control_plane: &ControlPlane, wanted: usize) {
    let begun = std::time::Instant::now();
    while pods(control_plane).await != wanted {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{} pods, not {wanted}",
            pods(control_plane).await
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wave_moves_from_1_24_to_1_36_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let old = start(&places, Options { version: "1.24".into(), nodes: 1, ..options() }).await;
    let new = start(&places, Options { nodes: 1, ..options() }).await;
    let mut objects = super::scene::shop();
    objects.push(json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    kubectl_ok_with(&old, &["apply", "-f", "-"], &list).await;
    has_pods(&old, 6).await;
    let before = snapshot(&old).await;

    let store: Arc<MemoryStore> = Arc::default();
    let told: Arc<Told> = Arc::default();
    let sides = Two { source: api(&old).await, target: api(&new).await, account: None };
    let mover = daemon(store.clone(), sides, told);
    for stage in [Stage::Verify, Stage::Soak] {
        mover.supersede(wanted(document(stage)));
        let end = until_settled(&mover).await;
        let record = mover.record();
        assert_eq!(end, PassEnd::Done, "{stage}: {}\n{:#?}", record.message, record.problems);
        println!("{stage}: {:#?}", record.parts);
    }
    assert_eq!(pods(&old).await, 0);
    has_pods(&new, 6).await;

    // A revert, by another daemon that knows only what is stored.
    let sides = Two { source: api(&old).await, target: api(&new).await, account: None };
    let mover = daemon(store, sides, Arc::default());
    mover.supersede(wanted(document(Stage::Inventory)));
    let end = until_settled(&mover).await;
    assert_eq!(end, PassEnd::Done, "{}\n{:#?}", mover.record().message, mover.record().parts);
    assert_eq!(snapshot(&old).await, before);
    has_pods(&old, 6).await;
    // The namespace of the journal goes last, and in its own time.
    let begun = std::time::Instant::now();
    loop {
        let left = kubectl_ok(&new, &["get", "namespaces,clusterroles", "-o", "name"]).await;
        if !left.contains("shop") && !left.contains("namespace/portolan\n") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{left}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    old.stop().await.unwrap();
    new.stop().await.unwrap();
}

/// Real servers need their time: passes with a pause while something is waited for.
pub(super) async fn until_settled(mover: &Arc<portolan::engine::migrations::Mover>) -> PassEnd {
    let begun = std::time::Instant::now();
    loop {
        match portolan::engine::migrations::pass::pass(mover).await {
            end @ (PassEnd::Done | PassEnd::Blocked) => return end,
            PassEnd::Acted => {}
            _ => tokio::time::sleep(Duration::from_millis(300)).await,
        }
        let record = mover.record();
        assert!(begun.elapsed() < Duration::from_secs(180), "{}\n{:#?}", record.message, record.parts);
    }
}
