//! What an application's document says about drift, syncs and fields that are left alone.

use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::ports::state::{ApplicationRecord, UserRequest};
use serde_json::Value;

/// A Deployment of pods that become ready.
pub fn deployment(name: &str, replicas: u32, image: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: web, image: \"{image}\"}}]}}
"
    )
}

/// A JSON pointer into a live object.
pub async fn at(daemon: &Daemon, kind: &str, name: &str, pointer: &str) -> Value {
    daemon.object(kind, name).await.and_then(|object| object.pointer(pointer).cloned()).unwrap_or_default()
}

fn is_out_of_sync(record: &ApplicationRecord) -> bool {
    record.sync.to_string() == "OutOfSync"
}

/// Waits until an application is Synced at a commit, whatever its health.
pub async fn synced(daemon: &Daemon, application: &str, commit: &str) -> ApplicationRecord {
    let short = commit.get(..12).unwrap_or(commit);
    daemon
        .until(application, "synced", |record| {
            record.sync.to_string() == "Synced" && record.revision.contains(short)
        })
        .await
}

async fn edit(daemon: &Daemon, kind: &str, name: &str, patch: &str) {
    daemon.kubectl(&["patch", kind, name, "--type=merge", "--field-manager=somebody", "-p", patch]).await;
}

async fn sync(daemon: &Daemon, application: &str) -> String {
    daemon.ask(&UserRequest::Sync { application: Some(application.into()) }).await
}

/// Waits until drift of an object is told, and gives whether it will be mended.
async fn drifted(daemon: &Daemon, moment: usize, name: &str) -> bool {
    daemon
        .event(moment, &format!("the drift of {name} is not told"), |event| match &event.what {
            What::Drifted { id, mending, .. } if id.name == name => Some(*mending),
            _ => None,
        })
        .await
}

/// Edits and waits for the mend of an object of another application: what was seen before has been decided by then.
async fn something_else_is_mended(daemon: &Daemon) {
    let moment = daemon.now();
    edit(daemon, "configmap", "other", r#"{"data": {"k": "edited"}}"#).await;
    daemon.mended(moment, "other").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_tells_drift_and_leaves_it_over_a_restart_until_a_sync_is_asked_for() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Report}")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let moment = daemon.now();
    edit(&daemon, "configmap", "one", r#"{"data": {"k": "edited"}}"#).await;
    assert!(!drifted(&daemon, moment, "one").await, "told as being mended");
    daemon.until("a", "OutOfSync", is_out_of_sync).await;
    something_else_is_mended(&daemon).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "edited");

    daemon.stop().await;
    let moment = daemon.now();
    daemon.start().await;
    assert!(!drifted(&daemon, moment, "one").await, "told as being mended");
    daemon.until("a", "OutOfSync", is_out_of_sync).await;
    daemon.settled("b", "").await;
    something_else_is_mended(&daemon).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "edited");

    assert_eq!(sync(&daemon, "a").await, "syncing a");
    daemon.settled("a", "").await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_leaves_a_deleted_object_deleted_over_a_restart_until_a_sync_is_asked_for() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Report}")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let moment = daemon.now();
    daemon.kubectl(&["delete", "configmap", "one"]).await;
    assert!(!drifted(&daemon, moment, "one").await, "told as being mended");
    daemon.until("a", "OutOfSync", is_out_of_sync).await;
    something_else_is_mended(&daemon).await;
    assert!(daemon.object("configmap", "one").await.is_none());
    daemon.stop().await;
    daemon.start().await;
    daemon.settled("b", "").await;
    daemon.until("a", "OutOfSync or Synced", |record| record.sync.to_string() != "Unknown").await;
    assert!(daemon.object("configmap", "one").await.is_none(), "it came back unasked");
    sync(&daemon, "a").await;
    daemon.settled("a", "").await;
    assert!(daemon.object("configmap", "one").await.is_some());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_applied_under_report_and_mends_what_it_changes() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Report}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    edit(&daemon, "configmap", "two", r#"{"data": {"k": "edited"}}"#).await;
    daemon.until("a", "OutOfSync", is_out_of_sync).await;
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    daemon.until("a", "applied", |record| record.revision.contains(&commit[..12])).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");
    assert_eq!(at(&daemon, "configmap", "two", "/data/k").await, "edited", "this drift was not asked about");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_application_is_not_written_whatever_is_committed_edited_or_asked() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/gone.yaml", &config_map("gone", "k: v")),
        ("apps/a/edited.yaml", &config_map("edited", "k: v")),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    daemon.commit(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Freeze}")),
        ("apps/a/one.yaml", &config_map("one", "k: w")),
        ("apps/a/gone.yaml", ""),
        ("apps/a/new.yaml", &config_map("new", "k: v")),
    ]);
    let record = daemon.until("a", "OutOfSync", is_out_of_sync).await;
    assert!(record.message.contains("frozen"), "{record:#?}");
    let moment = daemon.now();
    edit(&daemon, "configmap", "edited", r#"{"data": {"k": "edited"}}"#).await;
    assert!(!drifted(&daemon, moment, "edited").await, "told as being mended");
    sync(&daemon, "a").await;
    something_else_is_mended(&daemon).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");
    assert_eq!(at(&daemon, "configmap", "edited", "/data/k").await, "edited");
    assert!(daemon.object("configmap", "gone").await.is_some());
    assert!(daemon.object("configmap", "new").await.is_none());

    let commit = daemon.commit(&[("portolan/a.yaml", &application("a", ""))]);
    daemon.settled("a", &commit).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");
    assert_eq!(at(&daemon, "configmap", "edited", "/data/k").await, "v");
    assert!(daemon.object("configmap", "gone").await.is_none());
    assert!(daemon.object("configmap", "new").await.is_some());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_application_only_tells_and_catches_up_when_it_goes_on() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/edited.yaml", &config_map("edited", "k: v")),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    daemon.commit(&[
        ("portolan/a.yaml", &application("a", "suspend: true")),
        ("apps/a/one.yaml", &config_map("one", "k: w")),
    ]);
    daemon.until("a", "suspended", |record| record.message.contains("suspended")).await;
    let moment = daemon.now();
    edit(&daemon, "configmap", "edited", r#"{"data": {"k": "edited"}}"#).await;
    assert!(!drifted(&daemon, moment, "edited").await, "told as being mended");
    something_else_is_mended(&daemon).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");
    assert_eq!(at(&daemon, "configmap", "edited", "/data/k").await, "edited");

    let commit = daemon.commit(&[("portolan/a.yaml", &application("a", ""))]);
    daemon.settled("a", &commit).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");
    assert_eq!(at(&daemon, "configmap", "edited", "/data/k").await, "v");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auto_a_commit_waits_for_the_sync_command_and_drift_is_mended_all_the_same() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "sync: {auto: false}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    let waits = |record: &ApplicationRecord| record.message.contains("portolan sync a");
    daemon.until("a", "waiting", waits).await;
    assert!(daemon.object("configmap", "one").await.is_none());
    assert_eq!(sync(&daemon, "a").await, "syncing a");
    daemon.settled("a", "").await;

    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    daemon.until("a", "waiting", waits).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");
    // Nor does drift bring what nobody has asked for yet.
    let moment = daemon.now();
    edit(&daemon, "configmap", "one", r#"{"data": {"k": "edited"}}"#).await;
    assert!(!drifted(&daemon, moment, "one").await, "told as being mended");
    daemon.until("a", "waiting", waits).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "edited");
    sync(&daemon, "a").await;
    daemon.settled("a", &commit).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");

    let moment = daemon.now();
    edit(&daemon, "configmap", "one", r#"{"data": {"k": "edited"}}"#).await;
    daemon.mended(moment, "one").await;
    assert_eq!(sync(&daemon, "nobody").await, "there is no application nobody");
    daemon.stop().await;
}

const IGNORE_REPLICAS: &str = "ignore: [{kind: Deployment, paths: [/spec/replicas]}]";

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_path_is_set_at_the_creation_and_left_alone_from_then_on() {
    let rules = "ignore: [{kind: Deployment, paths: [/spec/replicas]}, {kind: ConfigMap, name: one, paths: [/metadata/annotations/example.com~1note]}]";
    let noted = |data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one, annotations: {{example.com/note: git}}}}\ndata: {{{data}}}\n"
        )
    };
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", rules)),
        ("apps/a/web.yaml", &deployment("web", 2, "web:1")),
        ("apps/a/one.yaml", &noted("k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let note = "/metadata/annotations/example.com~1note";
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 2);
    assert_eq!(at(&daemon, "configmap", "one", note).await, "git");

    daemon.kubectl(&["scale", "deployment", "web", "--replicas=4"]).await;
    edit(&daemon, "configmap", "one", r#"{"metadata": {"annotations": {"example.com/note": "live"}}}"#).await;
    let commit = daemon
        .commit(&[("apps/a/web.yaml", &deployment("web", 2, "web:2")), ("apps/a/one.yaml", &noted("k: w"))]);
    daemon.settled("a", &commit).await;
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 4);
    assert_eq!(at(&daemon, "deployment", "web", "/spec/template/spec/containers/0/image").await, "web:2");
    assert_eq!(at(&daemon, "configmap", "one", note).await, "live");
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "w");

    // A mend of a field beside it leaves it alone as well.
    let mending = daemon.now();
    let image = r#"[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:9"}]"#;
    daemon.kubectl(&["patch", "deployment", "web", "--type=json", "-p", image]).await;
    let fields = daemon.mended(mending, "web").await;
    assert_eq!(fields.len(), 1, "{fields:#?}");
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 4);

    daemon.stop().await;
    daemon.kubectl(&["scale", "deployment", "web", "--replicas=3"]).await;
    daemon.start().await;
    daemon.settled("a", "").await;
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 3);
    assert_eq!(at(&daemon, "configmap", "one", note).await, "live");
    let told = daemon.since(0);
    let drifts = told.iter().filter(|event| matches!(event.what, What::Drifted { .. })).count();
    assert_eq!(drifts, 1, "only the image drifted: {told:#?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_becomes_ignored_keeps_its_live_value_at_that_moment_and_goes_back_when_the_rule_goes() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "drift: {policy: Report}")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/web.yaml", &deployment("web", 2, "web:1")),
        ("apps/b/api.yaml", &deployment("api", 2, "api:1")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let replicas = async |name: &str| at(&daemon, "deployment", name, "/spec/replicas").await;
    // Scaled under Report, and never touched: either way the field leaves our apply, which would make it 1.
    daemon.kubectl(&["scale", "deployment", "web", "--replicas=5"]).await;
    daemon.until("a", "OutOfSync", is_out_of_sync).await;
    let commit = daemon.commit(&[
        ("portolan/a.yaml", &application("a", IGNORE_REPLICAS)),
        ("portolan/b.yaml", &application("b", IGNORE_REPLICAS)),
        ("apps/a/web.yaml", &deployment("web", 2, "web:2")),
    ]);
    daemon.settled("a", &commit).await;
    daemon.settled("b", &commit).await;
    assert_eq!(replicas("web").await, 5);
    assert_eq!(at(&daemon, "deployment", "web", "/spec/template/spec/containers/0/image").await, "web:2");
    assert_eq!(replicas("api").await, 2);

    let commit = daemon.commit(&[("portolan/a.yaml", &application("a", ""))]);
    daemon.settled("a", &commit).await;
    assert_eq!(replicas("web").await, 2);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_belong_to_the_autoscaler_that_the_repository_declares() {
    let autoscaler = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 1, maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/hpa.yaml", autoscaler),
        ("apps/a/web.yaml", &deployment("web", 2, "web:1")),
    ])
    .await;
    synced(&daemon, "a", "").await;
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 2);
    let moment = daemon.now();
    daemon.kubectl(&["scale", "deployment", "web", "--replicas=4"]).await;
    let commit = daemon.commit(&[("apps/a/web.yaml", &deployment("web", 2, "web:2"))]);
    synced(&daemon, "a", &commit).await;
    assert_eq!(at(&daemon, "deployment", "web", "/spec/replicas").await, 4);
    assert_eq!(at(&daemon, "deployment", "web", "/spec/template/spec/containers/0/image").await, "web:2");
    let drifts: Vec<_> =
        daemon.since(moment).into_iter().filter(|e| matches!(e.what, What::Drifted { .. })).collect();
    assert!(drifts.is_empty(), "{drifts:#?}");
    daemon.stop().await;
}
