//! The two stories of a whole move, by the program itself: minutes each, so they are asked for.

use crate::local_kops::runs;
use crate::support::control_plane::places;
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};

/// Whether these run. Says so where they do not.
fn asked() -> bool {
    let asked = std::env::var_os("PORTOLAN_TEST_REHEARSALS").is_some();
    if !asked {
        println!("PORTOLAN_TEST_REHEARSALS=1 runs this: some minutes");
    }
    asked && runs("1.28.5")
}

async fn portolan(folder: &tempfile::TempDir, variables: &[(String, String)], arguments: &[&str]) -> Output {
    let places = places(folder);
    tokio::process::Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(arguments)
        .env("PORTOLAN_CACHE", &places.cache)
        .env("PORTOLAN_LOCAL_DIR", &places.instances)
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn json(output: &Output) -> Value {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}\n{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

/// What both stories end with.
fn whole(told: &Value, stages: &[&str]) {
    assert_eq!(told["held"], true, "{told:#}");
    let (equal, expected) = (&told["proof"]["equal"], &told["proof"]["expected"]);
    assert!(equal == expected && expected.as_u64().unwrap() > 40, "{equal} of {expected}");
    let seen: Vec<&str> =
        told["stages"].as_array().unwrap().iter().map(|stay| stay["stage"].as_str().unwrap()).collect();
    for stage in stages {
        assert!(seen.contains(stage), "{stage}: {seen:?}");
    }
    let surprises = told["surprises"].as_array().unwrap();
    assert!(!surprises.is_empty());
    let text = told.to_string();
    for secret in ["only-for-the-demo", "b25seS1mb3ItdGhlLWRlbW8"] {
        assert!(!text.contains(secret), "a secret value is told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_moves_a_kops_cluster_half_way_back_and_then_for_good() {
    if !asked() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = json(&portolan(&folder, &[], &["demo", "--migration", "--output", "json"]).await);
    whole(&told, &["Inventory", "Provision", "Verify", "HandOver", "Soak"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_another_cluster_is_rehearsed() {
    if !asked() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let up = ["local", "kops", "up", "--name", "real", "--workloads", "--output", "json"];
    let real = json(&portolan(&folder, &[], &up).await);
    let real = &real[0];
    let text = |pointer: &str| real.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let variables: Vec<(String, String)> = [
        ("AWS_ENDPOINT_URL", "/access/endpoint"),
        ("AWS_REGION", "/access/region"),
        ("AWS_ACCESS_KEY_ID", "/access/accessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "/access/secretAccessKey"),
        ("KUBECONFIG", "/kubeconfig"),
    ]
    .map(|(name, pointer)| (name.to_owned(), text(pointer)))
    .into();
    let out = folder.path().join("out");
    let out: &str = out.to_str().unwrap();
    let (store, kubeconfig) = (text("/stateStore"), text("/kubeconfig"));
    let dump =
        ["migrate", "dump", out, "--state", &store, "--kubeconfig", &kubeconfig, "--aws", "--output", "json"];
    json(&portolan(&folder, &variables, &dump).await);
    assert!(portolan(&folder, &[], &["local", "kops", "down", "--name", "real"]).await.status.success());
    assert!(Path::new(out).join("objects").is_dir());

    // Nothing of it is there any more: only the dump.
    let told =
        json(&portolan(&folder, &[], &["migrate", "rehearse", "--dump", out, "--output", "json"]).await);
    whole(&told, &["Inventory", "Verify", "HandOver", "Soak"]);
}
