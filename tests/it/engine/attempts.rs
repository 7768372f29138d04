//! Failed attempts: what was asked for is asked until it is done, each cause is told once, and what frees a pass wakes it.

use super::policies::at;
use super::seen::{gone, problem, stays};
use crate::support::daemon::{Daemon, application, config_map};
use async_trait::async_trait;
use portolan::k8s::{ObservedRequest, RequestObserver};
use portolan::model::event::What;
use portolan::ports::state::UserRequest;
use portolan::ports::{ApiFailure, ApiFailureKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Counts the requests that match, and fails the first few of them.
struct Failing {
    method: &'static str,
    /// End of the path.
    path: String,
    /// What the query has to hold.
    query: &'static str,
    /// How many are to fail still.
    left: AtomicUsize,
    seen: watch::Sender<usize>,
    all: Mutex<Vec<String>>,
}

impl Failing {
    fn new(method: &'static str, path: &str, failures: usize) -> Arc<Self> {
        Arc::new(Self::of(method, path, "", failures))
    }

    fn of(method: &'static str, path: &str, query: &'static str, failures: usize) -> Self {
        Self {
            method,
            path: path.into(),
            query,
            left: AtomicUsize::new(failures),
            seen: watch::Sender::new(0),
            all: Mutex::default(),
        }
    }

    /// How many matched so far.
    fn seen(&self) -> usize {
        *self.seen.borrow()
    }

    /// Waits until that many have matched.
    async fn until(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| *seen >= count);
        tokio::time::timeout(crate::support::daemon::LIMIT, reached).await.expect("in time").unwrap();
    }

    /// All requests but the watches.
    fn all(&self) -> Vec<String> {
        self.all.lock().unwrap().clone()
    }
}

#[async_trait]
impl RequestObserver for Failing {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        if !request.has("watch=true") {
            self.all.lock().unwrap().push(format!("{} {}", request.method, request.path));
        }
        let here = request.method == self.method && request.path.ends_with(&self.path);
        if !here || !request.query.contains(self.query) {
            return None;
        }
        self.seen.send_modify(|seen| *seen += 1);
        let fails =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        fails.then(|| ApiFailure {
            status: Some(409),
            ..ApiFailure::new(ApiFailureKind::Conflict, "a fault of the test")
        })
    }
}

async fn sync(daemon: &Daemon) {
    daemon.ask(&UserRequest::Sync { application: Some("a".into()) }).await;
}

/// How often a failed sync was told since a moment.
fn failures_told(daemon: &Daemon, moment: usize) -> usize {
    daemon.since(moment).iter().filter(|event| matches!(event.what, What::SyncFailed { .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_was_asked_for_is_tried_until_it_is_done_and_then_no_more() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "sync: {auto: false}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    // The write itself, and the attempt after it in the same pass, fail; nobody asks a second time.
    let failing = Failing::new("PATCH", "/configmaps/one", 2);
    daemon.observer = Some(failing.clone());
    daemon.start().await;
    daemon.until("a", "waiting", |record| record.message.contains("portolan sync a")).await;
    assert_eq!(failing.seen(), 0);
    sync(&daemon).await;
    daemon.settled("a", "").await;
    assert_eq!(failing.seen(), 3, "two that failed, and the one that was made after them");
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");

    // It was asked for once: at rest nothing is requested, and the next commit waits again.
    let before = failing.all();
    stays("the daemon goes on asking", async || failing.all() == before).await;
    daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    daemon.until("a", "waiting", |record| record.message.contains("portolan sync a")).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_is_not_done_to_a_newer_commit() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "sync: {auto: false}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    let failing = Failing::new("PATCH", "/configmaps/one", usize::MAX);
    daemon.observer = Some(failing.clone());
    daemon.start().await;
    daemon.until("a", "waiting", |record| record.message.contains("portolan sync a")).await;
    sync(&daemon).await;
    problem(&daemon, "a", "a fault of the test").await;
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    let short = &commit[..12];
    let waits = |record: &portolan::ports::state::ApplicationRecord| {
        record.message.contains(short) && record.message.contains("portolan sync a")
    };
    daemon.until("a", "waiting for a sync of the newer commit", waits).await;
    let before = failing.seen();
    stays("the newer commit is applied unasked", async || failing.seen() == before).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_failure_is_told_once_however_often_it_is_tried() {
    let hook = "apiVersion: batch/v1\nkind: Job\n\
        metadata: {name: before, annotations: {argocd.argoproj.io/hook: PreSync}}\n\
        spec: {backoffLimit: 0, activeDeadlineSeconds: 1, template: {spec: {restartPolicy: Never, \
        nodeSelector: {no: where}, containers: [{name: run, image: run}]}}}\n";
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/before.yaml", hook),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    // Each attempt reads the hook's object first.
    let reads = Failing::new("GET", "/jobs/before", 0);
    daemon.observer = Some(reads.clone());
    daemon.start().await;
    problem(&daemon, "a", "PreSync hook").await;
    for attempt in 1..4 {
        // A commit elsewhere has what failed tried again at once.
        let before = reads.seen();
        daemon.commit(&[("README.md", &format!("{attempt}"))]);
        reads.until(before + 1).await;
    }
    problem(&daemon, "a", "PreSync hook").await;
    assert_eq!(failures_told(&daemon, 0), 1, "{:#?}", daemon.since(0));
    let failed = |event: &portolan::model::event::Event| matches!(&event.what, What::Hook { state, .. } if state.starts_with("failed"));
    assert_eq!(daemon.since(0).iter().filter(|event| failed(event)).count(), 1);

    // Who asks is told; so is what is new.
    let moment = daemon.now();
    sync(&daemon).await;
    daemon
        .event(moment, "who asks is not told", |event| {
            matches!(event.what, What::SyncFailed { .. }).then_some(())
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_a_finalizer_held_up_goes_on_when_that_is_freed() {
    let stuck = "apiVersion: v1\nkind: Service\nmetadata: {name: stuck, finalizers: [example.test/hold]}\n\
        spec: {ports: [{port: 80}]}\n";
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "sync: {timeout: 1s}")),
        ("apps/a/stuck.yaml", stuck),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    let reads = Failing::new("GET", "/services/stuck", 0);
    daemon.observer = Some(reads.clone());
    daemon.start().await;
    daemon.settled("a", "").await;
    let before = reads.seen();
    let commit = daemon.commit(&[("apps/a/stuck.yaml", "")]);
    problem(&daemon, "a", "example.test/hold").await;
    // The judgement before the deletion, the end of that pass, and of four more: the next would come 32 s later.
    reads.until(before + 6).await;
    daemon
        .kubectl(&["patch", "service", "stuck", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
        .await;
    gone(&daemon, "service", "stuck").await;
    let soon = tokio::time::timeout(Duration::from_secs(15), daemon.settled("a", &commit)).await;
    assert!(soon.is_ok(), "it waits for its next attempt: {:#?}", daemon.record("a"));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_that_is_only_to_be_told_is_not_written_over_when_it_cannot_be_compared() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Report}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.stop().await;
    daemon
        .kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data": {"k": "edited"}}"#])
        .await;
    let comparing = Arc::new(Failing::of("PATCH", "/configmaps/one", "dryRun=All", 2));
    daemon.observer = Some(comparing.clone());
    let moment = daemon.now();
    daemon.start().await;
    problem(&daemon, "a", "cannot be compared").await;
    daemon
        .event(moment, "the drift is not told", |event| match &event.what {
            What::Drifted { id, mending, .. } if id.name == "one" => {
                assert!(!mending);
                Some(())
            }
            _ => None,
        })
        .await;
    daemon.until("a", "only told", |record| record.message.contains("one drifted")).await;
    assert_eq!(comparing.seen(), 3);
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "edited");
    daemon.stop().await;
}

/// Holds back the records that are written, until they may go.
struct Holding {
    closed: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

#[async_trait]
impl RequestObserver for Holding {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        if request.path.contains("/configmaps/portolan-state-") && *self.closed.borrow() {
            self.held.send_modify(|held| *held += 1);
            let _ = self.closed.subscribe().wait_for(|closed| !closed).await;
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_stored_when_the_daemon_ends_is_stored() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    let holding = Arc::new(Holding { closed: watch::Sender::new(false), held: watch::Sender::new(0) });
    daemon.observer = Some(holding.clone());
    daemon.settings = serde_json::json!({"state": {"namespace": daemon.namespace}});
    daemon.start().await;
    daemon.settled("a", "").await;
    holding.closed.send_replace(true);
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    daemon.settled("a", &commit).await;
    holding.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    let store = daemon.store().await;
    {
        let stopping = daemon.stop();
        tokio::pin!(stopping);
        let waits = tokio::time::timeout(Duration::from_secs(1), &mut stopping).await.is_err();
        assert!(waits, "it ends although something is being stored");
        holding.closed.send_replace(false);
        stopping.await;
    }
    let record = store.load().await.unwrap().remove("local/a").expect("a record");
    assert!(record.revision.contains(&commit[..12]), "{record:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rendering_that_failed_for_a_while_is_tried_again_without_a_commit() {
    let chart = "apiVersion: v2\nname: chart\nversion: 0.1.0\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/Chart.yaml", chart),
        ("apps/a/templates/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    // Programs have no folder to work in.
    let work = daemon.config_file().with_file_name("data").join("work");
    let away = work.with_file_name("away");
    std::fs::rename(&work, &away).unwrap();
    std::fs::write(&work, "not a folder").unwrap();
    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/templates/one.yaml", &config_map("one", "k: w"))]);
    daemon
        .event(moment, "the rendering does not fail", |event| match &event.what {
            What::RenderFailed { message, .. } => Some(message.clone()),
            _ => None,
        })
        .await;
    std::fs::remove_file(&work).unwrap();
    std::fs::rename(&away, &work).unwrap();
    daemon.settled("a", &commit).await;
    daemon.stop().await;
}
