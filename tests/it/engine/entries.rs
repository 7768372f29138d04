//! Our entry in `managedFields`: kept the only one that applies, whatever others do to the list.

use super::policies::at;
use super::seen::stays;
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use serde_json::{Value, json};

/// What is done to `managedFields` behind our back.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// All of it is emptied.
    Wiped,
    /// Our entry is cut out.
    Cut,
}

async fn lose(daemon: &Daemon, name: &str, loss: Loss) {
    let live = daemon.object("configmap", name).await.unwrap();
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    let rest: Vec<&Value> = entries.iter().filter(|entry| entry["manager"] != "portolan").collect();
    let value = match loss {
        Loss::Wiped => json!([{}]),
        Loss::Cut => json!(rest),
    };
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": value}]);
    daemon.kubectl(&["patch", "configmap", name, "--type=json", "-p", &patch.to_string()]).await;
}

/// The managers that apply, sorted.
fn appliers(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let mut names: Vec<&str> = entries
        .iter()
        .filter(|entry| entry["operation"] == "Apply" || entry["manager"] == "before-first-apply")
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_leaves_the_repository_goes_although_our_entry_was_taken_away_while_the_daemon_was_down()
{
    let annotated = |data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: NAME, labels: {{tier: front}}}}\ndata: {{{data}}}\n"
        )
    };
    let file = |name: &str, data: &str| annotated(data).replace("NAME", name);
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/wiped.yaml", &file("wiped", "k: v, leaves: v")),
        ("apps/a/cut.yaml", &file("cut", "k: v, leaves: v")),
        ("apps/a/same.yaml", &file("same", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    for name in ["wiped", "cut", "same"] {
        daemon.kubectl(&["annotate", "configmap", name, "example.com/foreign=stays"]).await;
        let theirs = r#"{"data": {"theirs": "stays"}}"#;
        daemon.kubectl(&["patch", "configmap", name, "--type=merge", "-p", theirs]).await;
    }
    daemon.stop().await;
    lose(&daemon, "wiped", Loss::Wiped).await;
    lose(&daemon, "cut", Loss::Cut).await;
    lose(&daemon, "same", Loss::Wiped).await;
    let commit = daemon.commit(&[
        ("apps/a/wiped.yaml", &config_map("wiped", "k: w")),
        ("apps/a/cut.yaml", &config_map("cut", "k: w")),
    ]);
    daemon.start().await;
    daemon.settled("a", &commit).await;
    for (name, value) in [("wiped", "w"), ("cut", "w"), ("same", "v")] {
        let live = daemon.object("configmap", name).await.unwrap();
        assert_eq!(appliers(&live), ["portolan"], "{name}: {live:#}");
        assert_eq!(live["data"], json!({"k": value, "theirs": "stays"}), "{name}: {live:#}");
        assert_eq!(live["metadata"]["annotations"], json!({"example.com/foreign": "stays"}), "{name}");
        let tier = &live["metadata"]["labels"]["tier"];
        assert_eq!(tier.is_null(), name != "same", "{name}: {live:#}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_controller_puts_into_a_mapping_that_is_declared_empty_is_no_drift() {
    let empty =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, annotations: {}, finalizers: []}\ndata: {}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", empty),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let moment = daemon.now();
    let theirs = r#"{"metadata": {"annotations": {"example.com/theirs": "v"}}, "data": {"theirs": "v"}}"#;
    daemon.kubectl(&["patch", "configmap", "one", "--type=merge", "-p", theirs]).await;
    let hold = r#"{"metadata": {"finalizers": ["example.com/hold"]}}"#;
    daemon.kubectl(&["patch", "configmap", "one", "--type=merge", "-p", hold]).await;
    // What comes later has been decided on by the time that this is mended.
    daemon.kubectl(&["patch", "configmap", "two", "--type=merge", "-p", r#"{"data": {"k": "x"}}"#]).await;
    daemon.mended(moment, "two").await;
    let drifted = |event: &portolan::model::event::Event| matches!(&event.what, What::Drifted { id, .. } if id.name == "one");
    stays("it is told as drift", async || {
        let told: Vec<_> = daemon.since(moment).into_iter().filter(drifted).collect();
        assert!(told.is_empty(), "{told:#?}\n{:#}", daemon.object("configmap", "one").await.unwrap());
        true
    })
    .await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/theirs").await, "v");
    let version = at(&daemon, "configmap", "one", "/metadata/resourceVersion").await;

    // Nor after a start.
    daemon.stop().await;
    daemon.start().await;
    daemon.settled("a", "").await;
    assert!(!daemon.since(moment).iter().any(drifted), "{:#?}", daemon.since(moment));
    assert_eq!(at(&daemon, "configmap", "one", "/metadata/resourceVersion").await, version);
    daemon.stop().await;
    daemon
        .kubectl(&[
            "patch",
            "configmap",
            "one",
            "--type=merge",
            "-p",
            r#"{"metadata": {"finalizers": null}}"#,
        ])
        .await;
}
