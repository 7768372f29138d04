//! `deploy/` on a real API server, and the daemon with exactly the rights that it gives.

use crate::support::control_plane::{control_plane, kubectl_ok, kubectl_ok_with};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::local::ControlPlane;
use portolan::model::event::What;
use serde_json::{Value, json};
use std::process::Command;

/// Builds a variant with the pinned kustomize.
fn build(control_plane: &ControlPlane, variant: &str) -> String {
    let folder = format!("{}/{variant}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(&control_plane.programs().kustomize).args(["build", &folder]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A kubeconfig that holds the daemon's ServiceAccount's token and nothing else.
async fn kubeconfig_of_the_account(
    control_plane: &ControlPlane,
    folder: &std::path::Path,
) -> std::path::PathBuf {
    let token = kubectl_ok(control_plane, &["-n", "portolan-system", "create", "token", "portolan"]).await;
    let authority = std::fs::read_to_string(&control_plane.instance().certificate_authority).unwrap();
    let file = folder.join("kubeconfig");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority).unwrap();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": control_plane.instance().endpoint, "certificate-authority": ca}}],
        "users": [{"name": "a", "user": {"token": token.trim()}}],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_does_its_work_with_exactly_the_rights_that_deploy_gives() {
    let control_plane = control_plane().await;
    kubectl_ok_with(&control_plane, &["apply", "--server-side", "-f", "-"], &build(&control_plane, "deploy"))
        .await;
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    let kubeconfig = kubeconfig_of_the_account(&control_plane, folder.path()).await;
    daemon.settings = json!({
        "kubeconfigs": [{"name": "local", "file": kubeconfig}],
        "state": {"namespace": "portolan-system"},
    });
    daemon.start().await;
    daemon.settled("a", "").await;

    // Drift is mended, and told as a Kubernetes Event.
    let moment = daemon.now();
    daemon.kubectl(&["patch", "configmap", "one", "--patch", r#"{"data":{"k":"x"}}"#]).await;
    daemon.mended(moment, "one").await;
    let begun = std::time::Instant::now();
    loop {
        let events: Value =
            serde_json::from_str(&daemon.kubectl(&["get", "events", "-o", "json"]).await).unwrap();
        let told =
            |event: &Value| event["reason"] == "DriftMended" && event["involvedObject"]["name"] == "one";
        if events["items"].as_array().unwrap().iter().any(told) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "no Event: {events:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    // A commit prunes; the record and the pruned manifest are in the namespace.
    let commit = daemon.commit(&[("apps/a/two.yaml", "")]);
    daemon.settled("a", &commit).await;
    assert!(daemon.object("configmap", "two").await.is_none());
    daemon.stop().await;
    let state =
        kubectl_ok(&control_plane, &["-n", "portolan-system", "get", "configmaps", "-o", "name"]).await;
    assert!(state.contains("portolan-state"), "{state}");
    let secrets =
        kubectl_ok(&control_plane, &["-n", "portolan-system", "get", "secrets", "-o", "name"]).await;
    assert!(secrets.contains("portolan-pruned"), "{secrets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_daemon_writes_nothing_and_says_so() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settings = json!({"readOnly": true});
    daemon.start().await;
    let record = daemon.until("a", "held by read-only", |record| record.message.contains("read-only")).await;
    assert_eq!(record.sync.to_string(), "OutOfSync");
    assert!(daemon.object("configmap", "one").await.is_none());
    let wrote = |event: &portolan::model::event::Event| {
        matches!(event.what, What::Changed { .. } | What::Mended { .. })
    };
    assert!(!daemon.since(0).iter().any(wrote), "a read-only daemon wrote");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_variant_is_accepted_by_the_server() {
    let control_plane = control_plane().await;
    for variant in ["deploy", "deploy/read-only", "deploy/impersonating"] {
        let manifests = build(&control_plane, variant);
        // The namespace of a dry run is not there for the objects in it: it is made first.
        kubectl_ok_with(
            &control_plane,
            &["apply", "--server-side", "-f", "-"],
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: portolan-system}\n",
        )
        .await;
        kubectl_ok_with(
            &control_plane,
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                "-",
            ],
            &manifests,
        )
        .await;
    }
}
