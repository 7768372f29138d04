//! The whole daemon: a merged commit advances a migration, a revert takes it back, and the command line shows where it is.

use crate::support::control_plane::{kubectl, kubectl_ok, kubectl_ok_with, options, places, start};
use crate::support::daemon::{Daemon, LIMIT};
use portolan::local::{ControlPlane, Options};
use portolan::model::migration::Stage;
use portolan::ports::MigrationRecord;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(super) const CLUSTER: &str = "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: old}\nspec: {kubeconfig: {name: old}}\n";

pub(super) fn migration(name: &str, stage: Stage) -> String {
    json!({
        "apiVersion": "portolan.dev/v1alpha1", "kind": "Migration", "metadata": {"name": name},
        "spec": {
            "source": {"cluster": "old"}, "target": {"cluster": "local"}, "stage": stage,
            "waves": [{"name": "shop", "namespaces": [name]}], "limits": {"soak": "1s"}, "checks": {"images": false},
        },
    })
    .to_string()
}

pub(super) fn workloads(namespace: &str) -> String {
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    let items: Vec<Value> = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"a": "1"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("key"), "stringData": {"a": "hunter2"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web"), "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]}}}}),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

pub(super) async fn pods(control_plane: &ControlPlane, namespace: &str, wanted: usize) {
    let begun = Instant::now();
    loop {
        let arguments =
            ["get", "pods", "-n", namespace, "--field-selector=status.phase=Running", "-o", "name"];
        let output = kubectl(control_plane, &arguments).await;
        let seen = String::from_utf8_lossy(&output.stdout).lines().count();
        if seen == wanted {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{seen} pods in {namespace}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until every part is where a commit wants it.
pub(super) async fn reached(daemon: &Daemon, name: &str, stage: Stage, commit: &str) -> MigrationRecord {
    let begun = Instant::now();
    loop {
        let record = daemon.store().await.migrations().await.unwrap().remove(name).map(|stored| stored.value);
        let there = record.as_ref().is_some_and(|record| {
            let settled = record.parts.iter().all(|part| part.complete && part.stage == part.goal);
            record.stage == stage
                && record.revision.contains(&commit[..12])
                && settled
                && record.parts.len() == 2
        });
        match record {
            Some(record) if there => return record,
            record => assert!(begun.elapsed() < LIMIT, "not at {stage}: {record:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_advances_a_revert_goes_back_and_the_status_tells() {
    let folder = tempfile::tempdir().unwrap();
    let old = start(&places(&folder), Options { nodes: 1, ..options() }).await;
    let mut daemon = Daemon::new(&[("portolan/old.yaml", CLUSTER)]).await;
    let name = format!("shop-{}", daemon.namespace);
    let file = "portolan/move.yaml";
    // Daemons of other tests live in it too: the migration must not be the one that made it.
    kubectl(&daemon.control_plane, &["create", "namespace", portolan::app::NAMESPACE]).await;
    kubectl_ok_with(&old, &["apply", "-f", "-"], &workloads(&name)).await;
    pods(&old, &name, 2).await;
    daemon.settings = json!({"kubeconfigs": [
        {"name": "local", "file": daemon.control_plane.kubeconfig()}, {"name": "old", "file": old.kubeconfig()},
    ]});
    let first = daemon.commit(&[(file, &migration(&name, Stage::Inventory))]);
    daemon.start().await;
    reached(&daemon, &name, Stage::Inventory, &first).await;

    let verify = daemon.commit(&[(file, &migration(&name, Stage::Verify))]);
    let record = reached(&daemon, &name, Stage::Verify, &verify).await;
    let (equal, of) = record.parts[1].proof.split_once(" of ").unwrap();
    assert!(of.starts_with(equal) && equal.parse::<usize>().unwrap() >= 4, "{:?}", record.parts);
    pods(&daemon.control_plane, &name, 0).await;
    pods(&old, &name, 2).await;

    let moved = daemon.commit(&[(file, &migration(&name, Stage::Soak))]);
    reached(&daemon, &name, Stage::Soak, &moved).await;
    pods(&daemon.control_plane, &name, 2).await;
    pods(&old, &name, 0).await;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_portolan"))
        .arg("--config")
        .arg(daemon.config_file())
        .arg("status")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("MIGRATION")).collect();
    assert!(lines[1].starts_with(&name) && lines[1].contains("Soak"), "{text}");
    assert!(lines[2].contains("shop") && lines[2].contains(&format!("{equal} of {equal}")), "{text}");

    // A revert, seen by another daemon that knows only what is stored.
    daemon.kill().await;
    let back = daemon.commit(&[(file, &migration(&name, Stage::Inventory))]);
    daemon.start().await;
    reached(&daemon, &name, Stage::Inventory, &back).await;
    pods(&old, &name, 2).await;
    let begun = Instant::now();
    while kubectl(&daemon.control_plane, &["get", "namespace", &name]).await.status.success() {
        assert!(begun.elapsed() < LIMIT, "the namespace is left on the target");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let left =
        kubectl_ok(&daemon.control_plane, &["get", "secrets", "-n", portolan::app::NAMESPACE, "-o", "name"])
            .await;
    assert!(!left.contains(&name), "{left}");
    daemon.stop().await;
    old.stop().await.unwrap();
}
