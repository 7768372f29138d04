//! Hooks on a real API server: when they run, how often, and what a failure stops.

use super::seen::{changes, gone, is_marked, is_there, problem, stays, uid};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::model::plan::Action;

/// A ConfigMap that is a hook.
fn hook(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\ndata: {{k: v}}\n"
    )
}

/// A Job that is a hook. KWOK completes its pod; with `stuck` the pod is never scheduled and the Job fails.
fn job(name: &str, annotations: &str, stuck: bool) -> String {
    let (limit, selector) =
        if stuck { (", activeDeadlineSeconds: 1", ", nodeSelector: {no: where}") } else { ("", "") };
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
         spec: {{backoffLimit: 0{limit}, template: {{spec: {{restartPolicy: Never{selector}, containers: [{{name: run, image: run}}]}}}}}}\n"
    )
}

const PRE: &str = "argocd.argoproj.io/hook: PreSync";
const POST: &str = "argocd.argoproj.io/hook: PostSync";
const FAIL: &str = "argocd.argoproj.io/hook: SyncFail";

/// What happened to hooks and objects since a moment, in order: `PreSync early started`, `create one`.
fn story(daemon: &Daemon, moment: usize) -> Vec<String> {
    daemon
        .since(moment)
        .into_iter()
        .filter_map(|event| match event.what {
            What::Hook { id, phase, state } => Some(format!("{phase} {} {state}", id.name)),
            What::Changed { action, id, .. } => Some(format!("{action} {}", id.name)),
            _ => None,
        })
        .collect()
}

/// The hooks that were started since a moment, in order.
fn started(daemon: &Daemon, moment: usize) -> Vec<String> {
    let name = |line: &String| line.strip_suffix(" started")?.split(' ').nth(1).map(String::from);
    story(daemon, moment).iter().filter_map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_in_their_phases_and_waves() {
    let moment = 0;
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/late.yaml", &hook("late", &format!("{PRE}, argocd.argoproj.io/sync-wave: '2'"))),
        ("apps/a/early.yaml", &job("early", &format!("{PRE}, argocd.argoproj.io/sync-wave: '-1'"), false)),
        ("apps/a/after.yaml", &job("after", POST, false)),
        (
            "apps/a/chart.yaml",
            &hook("chart", "helm.sh/hook: 'post-install,post-upgrade', helm.sh/hook-weight: '3'"),
        ),
        ("apps/a/failure.yaml", &hook("failure", FAIL)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    let record = daemon.settled("a", "").await;
    assert_eq!(record.objects, 1, "hooks are no objects of the state that is kept");
    assert_eq!(
        story(&daemon, moment),
        [
            "PreSync early started",
            "PreSync early succeeded",
            "PreSync late started",
            "PreSync late succeeded",
            "create one",
            "PostSync after started",
            "PostSync after succeeded",
            "PostSync chart started",
            "PostSync chart succeeded",
        ]
    );
    assert_eq!(daemon.object("job", "early").await.unwrap()["status"]["succeeded"], 1);
    assert!(!is_there(&daemon, "configmap", "failure").await);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_of_the_phase_sync_run_between_the_waves_of_objects() {
    let in_wave =
        |wave: i32| format!("argocd.argoproj.io/hook: Sync, argocd.argoproj.io/sync-wave: '{wave}'");
    let object = |name: &str, wave: i32| hook(name, &format!("argocd.argoproj.io/sync-wave: '{wave}'"));
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &object("one", 0)),
        ("apps/a/up.yaml", &job("up", &in_wave(1), false)),
        ("apps/a/two.yaml", &object("two", 2)),
        ("apps/a/beside.yaml", &hook("beside", &in_wave(2))),
        ("apps/a/down.yaml", &job("down", &in_wave(3), false)),
    ])
    .await;
    daemon.settled("a", "").await;
    assert_eq!(
        story(&daemon, 0),
        [
            "create one",
            "Sync up started",
            "Sync up succeeded",
            "create two",
            "Sync beside started",
            "Sync beside succeeded",
            "Sync down started",
            "Sync down succeeded",
        ]
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hook_needs_stays_until_its_phase_is_done() {
    // As in charts: the Job's account is a hook of its own, which succeeds at once and goes when it succeeded.
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: migrator, annotations: {helm.sh/hook: pre-install, \
                   helm.sh/hook-weight: '-5', helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'}}\n";
    let migrate = job(
        "migrate",
        "helm.sh/hook: pre-install, helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'",
        false,
    )
    .replace("{restartPolicy", "{serviceAccountName: migrator, restartPolicy");
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/account.yaml", account),
        ("apps/a/migrate.yaml", &migrate),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    assert_eq!(started(&daemon, 0), ["migrator", "migrate"]);
    gone(&daemon, "serviceaccount", "migrator").await;
    gone(&daemon, "job", "migrate").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_runs_once_for_each_rendering_and_not_for_a_heal_or_a_restart() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/before.yaml", &job("before", PRE, false)),
        ("apps/a/after.yaml", &hook("after", POST)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    assert_eq!(started(&daemon, 0), ["before", "after"]);
    let hooks = (uid(&daemon, "job", "before").await, uid(&daemon, "configmap", "after").await);

    let moment = daemon.now();
    daemon.kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data":{"k":"edited"}}"#]).await;
    daemon.mended(moment, "one").await;
    daemon.kubectl(&["delete", "configmap", "two"]).await;
    daemon.object_until("configmap", "two", "back", |object| object.is_some()).await;
    daemon.stop().await;
    daemon.kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data":{"k":"edited"}}"#]).await;
    daemon.start().await;
    daemon.object_until("configmap", "one", "mended", |object| object.unwrap()["data"]["k"] == "v").await;
    daemon.settled("a", "").await;
    daemon.kill().await;
    daemon.start().await;
    daemon.settled("a", "").await;
    // A commit that changes nothing of what is rendered is no new rendering.
    daemon.commit(&[("README.md", "nothing of it is rendered")]);
    daemon.ask(&portolan::ports::state::UserRequest::Sync { application: Some("a".into()) }).await;
    stays("a hook runs again", async || started(&daemon, moment).is_empty()).await;
    assert_eq!((uid(&daemon, "job", "before").await, uid(&daemon, "configmap", "after").await), hooks);

    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    daemon.settled("a", &commit).await;
    assert_eq!(
        story(&daemon, moment),
        [
            "PreSync before started",
            "PreSync before succeeded",
            "update one",
            "PostSync after started",
            "PostSync after succeeded"
        ]
    );
    assert_ne!(uid(&daemon, "job", "before").await, hooks.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_hook_stops_what_comes_after_it_until_a_new_commit() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/before.yaml", &job("before", PRE, true)),
        ("apps/a/later.yaml", &hook("later", &format!("{PRE}, argocd.argoproj.io/sync-wave: '1'"))),
        ("apps/a/failure.yaml", &hook("failure", FAIL)),
        ("apps/a/after.yaml", &hook("after", POST)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    problem(&daemon, "a", "PreSync hook").await;
    daemon.object_until("configmap", "failure", "there", |object| object.is_some()).await;
    let before = uid(&daemon, "job", "before").await;
    stays("something goes on after the failure", async || {
        !is_there(&daemon, "configmap", "one").await && !is_there(&daemon, "configmap", "later").await
    })
    .await;
    assert_eq!(
        uid(&daemon, "job", "before").await,
        before,
        "a failed hook is not run again for the same rendering"
    );
    assert_eq!(started(&daemon, 0), ["before", "failure"]);

    // Nor by itself; but when somebody asks, once.
    let moment = daemon.now();
    daemon.ask(&portolan::ports::state::UserRequest::Sync { application: Some("a".into()) }).await;
    daemon
        .object_until("job", "before", "made again", |job| {
            job.is_some_and(|job| job["metadata"]["uid"] != before)
        })
        .await;
    problem(&daemon, "a", "`portolan sync a` tries it again").await;
    stays("it runs again unasked", async || started(&daemon, moment) == ["before"]).await;

    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/before.yaml", &job("before", PRE, false))]);
    daemon.settled("a", &commit).await;
    assert_eq!(started(&daemon, moment), ["before", "later", "after"]);
    assert_eq!(changes(&daemon, moment), [(Action::Create, "one".to_owned())]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_of_a_failed_sync_runs_and_those_after_it_do_not() {
    let invalid = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999999}]}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/failure.yaml", &hook("failure", FAIL)),
        ("apps/a/after.yaml", &hook("after", POST)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/bad.yaml", invalid),
    ])
    .await;
    problem(&daemon, "a", "bad").await;
    daemon.object_until("configmap", "failure", "there", |object| object.is_some()).await;
    assert!(is_there(&daemon, "configmap", "one").await);
    stays("it runs after a failure", async || !is_there(&daemon, "configmap", "after").await).await;
    assert_eq!(started(&daemon, 0), ["failure"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_of_a_hook_goes_by_its_delete_policy() {
    let policy =
        |phase: &str, policy: &str| format!("{phase}, argocd.argoproj.io/hook-delete-policy: {policy}");
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/done.yaml", &job("done", &policy(PRE, "HookSucceeded"), false)),
        ("apps/a/default.yaml", &hook("default", PRE)),
        ("apps/a/before.yaml", &hook("before", &policy(PRE, "BeforeHookCreation"))),
        ("apps/a/both.yaml", &hook("both", &policy(PRE, "'BeforeHookCreation,HookSucceeded'"))),
        ("apps/a/if-failed.yaml", &hook("if-failed", &policy(PRE, "HookFailed"))),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    gone(&daemon, "job", "done").await;
    gone(&daemon, "configmap", "both").await;
    let mut first = Vec::new();
    for name in ["default", "before", "if-failed"] {
        first.push(uid(&daemon, "configmap", name).await);
    }
    let commit = daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    let moment = daemon.now();
    daemon.settled("a", &commit).await;
    let mut again = started(&daemon, moment);
    again.sort();
    assert_eq!(again, ["before", "both", "default", "done", "if-failed"]);
    assert_ne!(uid(&daemon, "configmap", "default").await, first[0]);
    assert_ne!(uid(&daemon, "configmap", "before").await, first[1]);
    // Neither succeeded-and-deleted nor deleted first: it is applied over the one that is there.
    assert_eq!(uid(&daemon, "configmap", "if-failed").await, first[2]);
    gone(&daemon, "job", "done").await;
    gone(&daemon, "configmap", "both").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_hook_goes_where_its_policy_says_so_and_does_not_run_again() {
    let policy = format!("{PRE}, argocd.argoproj.io/hook-delete-policy: HookFailed");
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/before.yaml", &job("before", &policy, true)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    problem(&daemon, "a", "PreSync hook").await;
    gone(&daemon, "job", "before").await;
    // The next passes fail without running it anew.
    stays("it runs again for the same rendering", async || started(&daemon, 0) == ["before"]).await;
    daemon.stop().await;
    daemon.start().await;
    problem(&daemon, "a", "PreSync hook").await;
    stays("it runs again after a restart", async || started(&daemon, 0) == ["before"]).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_after_the_sync_wait_for_health() {
    let web = |selector: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{replicas: 1, selector: {{matchLabels: {{app: web}}}}, \
             template: {{metadata: {{labels: {{app: web}}}}, spec: {{{selector}containers: [{{name: web, image: web}}]}}}}}}\n"
        )
    };
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/web.yaml", &web("nodeSelector: {no: where}, ")),
        ("apps/a/after.yaml", &hook("after", POST)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.object_until("deployment", "web", "there", |object| object.is_some()).await;
    stays("the hook does not wait", async || !is_there(&daemon, "configmap", "after").await).await;
    // A newer commit takes over at once.
    let commit = daemon.commit(&[("apps/a/web.yaml", &web(""))]);
    daemon.settled("a", &commit).await;
    assert_eq!(started(&daemon, 0), ["after"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_leaves_the_repository_leaves_no_trace_in_the_sync() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/before.yaml", &hook("before", PRE)),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let before = uid(&daemon, "configmap", "before").await;
    let moment = daemon.now();
    let commit =
        daemon.commit(&[("apps/a/before.yaml", ""), ("apps/a/two.yaml", &config_map("two", "k: v"))]);
    daemon.settled("a", &commit).await;
    assert_eq!(story(&daemon, moment), ["create two"]);
    // A hook's object goes by its delete policy, not by prune.
    assert_eq!(uid(&daemon, "configmap", "before").await, before);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_takes_no_object_of_somebody_else_and_runs_anew_where_its_application_does() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "deletion: Orphan")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/early.yaml", &hook("early", PRE)),
    ])
    .await;
    daemon.kubectl(&["create", "configmap", "early", "--from-literal=k=theirs"]).await;
    daemon.kubectl(&["annotate", "configmap", "early", "meta.helm.sh/release-name=theirs"]).await;
    daemon.start().await;
    problem(&daemon, "a", "owned by the Helm release").await;
    assert_eq!(daemon.object("configmap", "early").await.unwrap()["data"]["k"], "theirs");
    daemon.kubectl(&["delete", "configmap", "early"]).await;
    daemon.settled("a", "").await;

    // What was known when the daemon started is of no use once the application has gone.
    daemon.stop().await;
    let moment = daemon.now();
    daemon.start().await;
    daemon.settled("a", "").await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    daemon.object_until("configmap", "one", "let go", |one| !is_marked(one.unwrap())).await;
    assert_eq!(started(&daemon, moment), Vec::<String>::new());
    daemon.commit(&[("portolan/a.yaml", &application("a", "deletion: Orphan"))]);
    daemon.settled("a", "").await;
    assert_eq!(started(&daemon, moment), ["early"]);
    daemon.stop().await;
}
