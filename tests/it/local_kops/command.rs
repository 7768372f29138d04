//! `portolan local kops`.

use std::process::{Output, Stdio};

use portolan::local::Places;
use serde_json::Value;

use crate::support::control_plane::places;

async fn portolan(places: &Places, arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(arguments)
        .env("PORTOLAN_CACHE", &places.cache)
        .env("PORTOLAN_LOCAL_DIR", &places.instances)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_until_it_is_taken_down() {
    if !super::runs("1.28.5") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let exports = text(&portolan(&places, &["local", "kops", "up", "--name", "one"]).await);
    for part in [
        "export KUBECONFIG=",
        "export KOPS_STATE_STORE=s3://",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:",
        "kops 1.28.5",
    ] {
        assert!(exports.contains(part), "{part}: {exports}");
    }
    let again = portolan(&places, &["local", "kops", "up", "--name", "one"]).await;
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    let listed = text(&portolan(&places, &["local", "kops", "list", "--output", "json"]).await);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["cluster"], "old.shop.example.com");
    let planes = text(&portolan(&places, &["local", "list"]).await);
    assert!(planes.contains("v1.24.17") && planes.contains("kops-one"), "{planes}");

    text(&portolan(&places, &["local", "kops", "down", "--name", "one"]).await);
    assert_eq!(text(&portolan(&places, &["local", "kops", "list"]).await), "");
    assert!(!text(&portolan(&places, &["local", "list"]).await).contains("kops-one"));
    let down = portolan(&places, &["local", "kops", "down", "--name", "one"]).await;
    assert!(String::from_utf8_lossy(&down.stderr).contains("none is running"));
}

#[tokio::test]
async fn what_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let spec = folder.path().join("cluster.yaml");
    std::fs::write(
        &spec,
        "kind: Cluster\nmetadata: {name: a.example.com}\nspec: {kubernetesVersion: 1.19.0}\n",
    )
    .unwrap();
    let spec = spec.display().to_string();
    let output = portolan(&places, &["local", "kops", "up", "--spec", &spec]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("1.19.0") && told.contains("1.23 to 1.28"), "{told}");
    let left = std::fs::read_dir(places.instances.join(".kops")).map_or(0, |entries| entries.count());
    assert_eq!(left, 0);
}
