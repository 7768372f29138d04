//! The main job: applied, mended, changed, pruned.

use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::model::plan::Action;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_applied_a_second_pass_has_nothing_to_do_and_a_restart_writes_nothing() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        (
            "apps/a/two.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: two}\nstringData: {password: hunter2}\n",
        ),
    ])
    .await;
    let record = daemon.settled("a", "").await;
    assert_eq!(record.objects, 2);
    let one = daemon.object("configmap", "one").await.unwrap();
    assert_eq!(one["data"], json!({"k": "v"}));
    assert_eq!(one["metadata"]["labels"]["portolan.dev/application"], "a");
    assert_eq!(daemon.object("secret", "two").await.unwrap()["data"], json!({"password": "aHVudGVyMg=="}));

    daemon.stop().await;
    let before = daemon.object("configmap", "one").await.unwrap()["metadata"]["resourceVersion"].clone();
    let moment = daemon.now();
    daemon.start().await;
    daemon.settled("a", "").await;
    let written: Vec<_> =
        daemon.since(moment).into_iter().filter(|e| matches!(e.what, What::Changed { .. })).collect();
    assert!(written.is_empty(), "{written:#?}");
    assert_eq!(daemon.object("configmap", "one").await.unwrap()["metadata"]["resourceVersion"], before);

    // No secret value in anything that was said.
    let said = format!("{:?}", daemon.since(0));
    assert!(!said.contains("hunter2") && !said.contains("aHVudGVyMg"), "a secret was told");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_changes_adds_and_removes() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let moment = daemon.now();
    let commit = daemon.commit(&[
        ("apps/a/one.yaml", &config_map("one", "k: w")),
        ("apps/a/two.yaml", ""),
        ("apps/a/four.yaml", &config_map("four", "k: v")),
    ]);
    daemon.settled("a", &commit).await;
    assert_eq!(daemon.object("configmap", "one").await.unwrap()["data"], json!({"k": "w"}));
    assert!(daemon.object("configmap", "two").await.is_none());
    assert!(daemon.object("configmap", "three").await.is_some());
    assert!(daemon.object("configmap", "four").await.is_some());
    let mut changed: Vec<(Action, String)> = daemon
        .since(moment)
        .into_iter()
        .filter_map(|event| match event.what {
            What::Changed { action, id, .. } => Some((action, id.name)),
            _ => None,
        })
        .collect();
    changed.sort();
    let names = |action: Action, name: &str| (action, name.to_owned());
    assert_eq!(
        changed,
        [names(Action::Create, "four"), names(Action::Update, "one"), names(Action::Delete, "two")]
    );
    daemon.stop().await;
}
