//! Another release over the same data: what an upgrade of a control plane does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use portolan::local::{Options, Places};

use crate::support::control_plane::{is_empty, kubectl, kubectl_ok, options, places, progress, start};

#[tokio::test]
async fn another_release_serves_the_same_data_and_one_that_fails_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let mut cp = start(&places, Options { version: "1.35".into(), nodes: 1, ..options() }).await;
    kubectl_ok(&cp, &["create", "namespace", "survivor"]).await;
    let before = cp.instance().clone();

    // A release whose API server does not even start.
    let assets = folder.path().join("assets");
    fs::create_dir_all(&assets).unwrap();
    let broken = assets.join("kube-apiserver");
    let script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo Kubernetes v1.36.9; exit; fi\necho out of order >&2; exit 1\n";
    fs::write(&broken, script).unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let bad = Places { assets: Some(assets), ..places.clone() };
    let told = cp.replace(&bad, "1.36", &mut progress()).await.unwrap_err().to_string();
    assert!(told.contains("out of order") && told.contains("programs of v1.35.4 run again"), "{told}");
    assert_eq!(cp.instance(), &before);
    kubectl_ok(&cp, &["get", "namespace", "survivor"]).await;

    cp.replace(&places, "1.36", &mut progress()).await.unwrap();
    assert_eq!(cp.instance().version, "v1.36.3");
    assert_eq!(cp.instance().endpoint, before.endpoint);
    kubectl_ok(&cp, &["get", "namespace", "survivor"]).await;
    let version = kubectl_ok(&cp, &["version", "--output=json"]).await;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["serverVersion"]["gitVersion"], "v1.36.3");
    let nodes = kubectl_ok(&cp, &["get", "nodes", "--output=name"]).await;
    assert_eq!(nodes.lines().count(), 1, "the nodes are in the data");
    assert!(!kubectl(&cp, &["get", "namespace", "other"]).await.status.success());
    cp.stop().await.unwrap();
    assert!(is_empty(&places.instances));
}
