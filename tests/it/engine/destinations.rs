//! Several destinations: one that does not answer keeps nobody from the others.

use super::policies::at;
use crate::support::daemon::{Daemon, application, config_map};
use crate::support::gate::{Gate, Way};
use crate::support::git_repo::TestRepo;
use portolan::model::event::What;
use portolan::ports::state::ApplicationRecord;
use serde_json::json;

const CLUSTERS: &str = "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: local, labels: {in: fleet}}\n\
    spec: {kubeconfig: {name: near}}\n---\n\
    apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: remote, labels: {in: fleet}}\n\
    spec: {kubeconfig: {name: far}}\n";

/// A daemon that keeps `a` on two destinations and `b` on the second one. (Both are the same API server; the way to the
/// second one leads through a gate.)
async fn two_destinations(gate: &Gate) -> Daemon {
    let mut daemon = Daemon::new(&[
        ("portolan/cluster.yaml", CLUSTERS),
        ("portolan/a.yaml", &application("a", "destination: {selector: {in: fleet}}")),
        ("portolan/b.yaml", &application("b", "destination: {cluster: remote}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settings = json!({"kubeconfigs": [
        {"name": "near", "file": daemon.control_plane.kubeconfig()},
        {"name": "far", "file": gate.kubeconfig()},
    ]});
    daemon
}

fn is_settled(record: &ApplicationRecord) -> bool {
    record.sync.to_string() == "Synced" && record.health.to_string() == "Healthy"
}

/// A commit, an edit and a prune on the first destination while the second one is not to be reached.
async fn the_first_is_kept(daemon: &Daemon, value: &str) {
    let data = format!("k: {value}");
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", &data))]);
    daemon
        .until_on("a", "local", "at the commit", |record| {
            is_settled(record) && record.revision.contains(&commit[..12])
        })
        .await;
    assert_eq!(at(daemon, "configmap", "one", "/data/k").await, value);
    let moment = daemon.now();
    daemon.kubectl(&["patch", "configmap", "two", "--type=merge", "-p", r#"{"data": {"k": "x"}}"#]).await;
    let mended = daemon
        .event(moment, "two is not mended", |event| match &event.what {
            What::Mended { id, .. } if id.name == "two" => Some(event.subject.destination.clone()),
            _ => None,
        })
        .await;
    assert_eq!(mended, "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_never_answers_holds_nobody_up_and_is_kept_once_it_does() {
    let gate = Gate::new(Way::Silent).await;
    let mut daemon = two_destinations(&gate).await;
    daemon.start().await;
    the_first_is_kept(&daemon, "w").await;
    // Objects that left the repository go from the one, whatever is known of the other.
    let commit = daemon.commit(&[("apps/a/three.yaml", "")]);
    daemon
        .until_on("a", "local", "pruned", |record| {
            is_settled(record) && record.revision.contains(&commit[..12])
        })
        .await;
    assert!(daemon.object("configmap", "three").await.is_none());
    for name in ["a", "b"] {
        let record = daemon.record_on(name, "remote").expect("it is declared");
        assert_eq!(
            (record.sync.to_string().as_str(), record.revision.as_str()),
            ("Unknown", ""),
            "{record:#?}"
        );
        assert!(record.message.contains("what it serves"), "{record:#?}");
    }
    assert!(daemon.object("configmap", "other").await.is_none());

    gate.set(Way::Open);
    for name in ["a", "b"] {
        daemon.until_on(name, "remote", "kept", is_settled).await;
    }
    assert!(daemon.object("configmap", "other").await.is_some());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_lost_holds_nobody_up_and_is_made_up_for_when_it_is_back() {
    let gate = Gate::new(Way::Open).await;
    let mut daemon = two_destinations(&gate).await;
    daemon.start().await;
    for (name, destination) in [("a", "local"), ("a", "remote"), ("b", "remote")] {
        daemon.until_on(name, destination, "settled", is_settled).await;
    }
    gate.set(Way::Silent);
    the_first_is_kept(&daemon, "w").await;
    daemon.commit(&[("apps/b/other.yaml", &config_map("other", "k: w"))]);
    the_first_is_kept(&daemon, "x").await;
    assert_eq!(at(&daemon, "configmap", "other", "/data/k").await, "v");
    gate.set(Way::Open);
    daemon
        .object_until("configmap", "other", "made up for", |other| other.unwrap()["data"]["k"] == "w")
        .await;
    daemon.until_on("b", "remote", "settled", is_settled).await;
    daemon.stop().await;
}

/// Waits until an application's document is refused with these words.
async fn refused(daemon: &Daemon, moment: usize, words: &str) {
    daemon
        .event(moment, &format!("nothing is refused with `{words}`"), |event| match &event.what {
            What::DocumentRefused { message, .. } if message.contains(words) => Some(()),
            _ => None,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_application_goes_is_not_guessed_while_documents_are_missing() {
    let second = TestRepo::with(&[("README.md", "it has no documents")]);
    let mut daemon = Daemon::new(&[
        ("portolan/old.yaml", &application("old", "")),
        ("apps/old/one.yaml", &config_map("one", "k: v")),
        ("apps/new/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.start().await;
    daemon.settled("old", "").await;
    daemon.stop().await;

    // A Cluster document in the second repository would change where both go: the one that was there before stays.
    daemon.repositories.push(json!({"name": "second", "url": second.path(), "interval": "5s"}));
    daemon.commit(&[
        ("portolan/new.yaml", &application("new", "")),
        ("apps/old/one.yaml", &config_map("one", "k: w")),
    ]);
    let moment = daemon.now();
    daemon.start().await;
    daemon.object_until("configmap", "one", "at w", |one| one.unwrap()["data"]["k"] == "w").await;
    refused(&daemon, moment, "documents of repository second").await;
    assert!(daemon.record("new").is_none() && daemon.object("configmap", "two").await.is_none());

    // Named, there is nothing to guess.
    let commit =
        daemon.commit(&[("portolan/new.yaml", &application("new", "destination: {cluster: local}"))]);
    daemon.settled("new", &commit).await;
    // And what is known later counts then.
    daemon.commit(&[
        ("portolan/new.yaml", &application("new", "")),
        ("apps/new/two.yaml", &config_map("two", "k: w")),
    ]);
    second.commit("main", &[("portolan/notes.yaml", "# no document yet\n")]);
    daemon.object_until("configmap", "two", "at w", |two| two.unwrap()["data"]["k"] == "w").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_document_leads_elsewhere_is_connected_anew() {
    let gate = Gate::new(Way::Open).await;
    let cluster = |kubeconfig: &str| {
        format!(
            "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: local}}\nspec: {{kubeconfig: {{name: {kubeconfig}}}}}\n"
        )
    };
    let mut daemon = Daemon::new(&[
        ("portolan/cluster.yaml", &cluster("far")),
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settings = json!({"kubeconfigs": [
        {"name": "near", "file": daemon.control_plane.kubeconfig()},
        {"name": "far", "file": gate.kubeconfig()},
    ]});
    daemon.start().await;
    daemon.settled("a", "").await;
    gate.set(Way::Silent);
    let commit = daemon.commit(&[
        ("portolan/cluster.yaml", &cluster("near")),
        ("apps/a/one.yaml", &config_map("one", "k: w")),
    ]);
    daemon.settled("a", &commit).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");
    daemon.stop().await;
}
