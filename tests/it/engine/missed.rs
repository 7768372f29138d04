//! What no event told is found by the full pass.

use super::policies::at;
use super::seen::{changes, stays, uid};
use crate::support::daemon::{Daemon, application, config_map};
use async_trait::async_trait;
use portolan::k8s::{ObservedRequest, RequestObserver};
use portolan::model::event::What;
use portolan::ports::ApiFailure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets ConfigMaps be listed, and never watched: whatever happens after a list is not heard of.
#[derive(Default)]
struct Deaf {
    held: AtomicUsize,
    opened: AtomicUsize,
}

#[async_trait]
impl RequestObserver for Deaf {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        if request.path.ends_with("/configmaps") && request.has("watch=true") {
            self.held.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        None
    }

    async fn after(&self, request: &ObservedRequest<'_>, _status: u16) -> Option<ApiFailure> {
        if request.path.ends_with("/configmaps") && request.has("watch=true") {
            self.opened.fetch_add(1, Ordering::SeqCst);
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pass_finds_what_the_watches_missed() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "reconcile: {every: 10s}")),
        ("apps/a/edited.yaml", &config_map("edited", "k: v")),
        ("apps/a/deleted.yaml", &config_map("deleted", "k: v")),
        ("apps/a/unlabelled.yaml", &config_map("unlabelled", "k: v")),
    ])
    .await;
    let deaf = Arc::new(Deaf::default());
    daemon.observer = Some(deaf.clone());
    daemon.start().await;
    daemon.settled("a", "").await;
    let before = uid(&daemon, "configmap", "unlabelled").await;
    let moment = daemon.now();
    daemon.kubectl(&["patch", "configmap", "edited", "--type=merge", "-p", r#"{"data": {"k": "x"}}"#]).await;
    daemon.kubectl(&["delete", "configmap", "deleted"]).await;
    let unlabel = r#"{"metadata": {"labels": {"applyset.kubernetes.io/part-of": null}}}"#;
    daemon.kubectl(&["patch", "configmap", "unlabelled", "--type=merge", "-p", unlabel]).await;

    assert_eq!(daemon.mended(moment, "edited").await[0].path, "data.k");
    assert!(daemon.mended(moment, "deleted").await.is_empty(), "the whole object went");
    let fields = daemon.mended(moment, "unlabelled").await;
    assert_eq!(fields[0].path, r#"metadata.labels["applyset.kubernetes.io/part-of"]"#);
    for name in ["edited", "deleted", "unlabelled"] {
        assert_eq!(at(&daemon, "configmap", name, "/data/k").await, "v", "{name}");
    }
    assert_eq!(uid(&daemon, "configmap", "unlabelled").await, before);
    let told = |event: &portolan::model::event::Event| matches!(event.what, What::Drifted { .. });
    assert_eq!(daemon.since(moment).iter().filter(|event| told(event)).count(), 3, "each is told once");
    assert!(deaf.held.load(Ordering::SeqCst) > 1, "the kind was not listed again");
    assert_eq!(deaf.opened.load(Ordering::SeqCst), 0, "a watch may have told it");
    daemon.settled("a", "").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rendered_after_the_watches_began_is_compared_before_it_is_written() {
    let chart = "apiVersion: v2\nname: late\nversion: 0.1.0\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/late.yaml", &application("late", "drift: {policy: Report}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/late/Chart.yaml", chart),
        ("apps/late/templates/two.yaml", &config_map("two", "k: v")),
        ("apps/late/templates/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("late", "").await;
    daemon.stop().await;
    daemon.kubectl(&["patch", "configmap", "two", "--type=merge", "-p", r#"{"data":{"k":"edited"}}"#]).await;

    // At a start the plain files are there first; the lists of their kind hold the chart's objects as well.
    let moment = daemon.now();
    daemon.start().await;
    let drifted = |event: &portolan::model::event::Event| match &event.what {
        What::Drifted { id, .. } => Some(id.name.clone()),
        _ => None,
    };
    assert_eq!(daemon.event(moment, "the drift is told", drifted).await, "two");
    stays("something is written", async || changes(&daemon, moment).is_empty()).await;
    let two = daemon.object("configmap", "two").await.unwrap();
    assert_eq!(two["data"]["k"], "edited", "drift that is only to be told is not overwritten");
    daemon.stop().await;
}
