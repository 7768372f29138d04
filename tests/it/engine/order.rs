//! What comes first, what waits, and what goes on regardless.

use super::seen::{changes, is_there, problem, stays};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::model::plan::Action;
use std::time::{Duration, Instant};

/// A Deployment of one replica; `extra` goes into its pods' spec.
fn deployment(name: &str, annotations: &str, extra: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
         spec: {{replicas: 1, selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, \
         spec: {{{extra}containers: [{{name: web, image: web}}]}}}}}}\n"
    )
}

/// No node has it: the pod is never scheduled.
const NOWHERE: &str = "nodeSelector: {no: where}, ";

fn annotated(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\ndata: {{k: v}}\n"
    )
}

fn wave(number: i32) -> String {
    format!("argocd.argoproj.io/sync-wave: '{number}'")
}

fn created(daemon: &Daemon, moment: usize) -> Vec<String> {
    let of_interest = |(action, name): (Action, String)| (action == Action::Create).then_some(name);
    changes(daemon, moment).into_iter().filter_map(of_interest).collect()
}

/// An object of a kind that comes after workloads.
fn budget(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n\
         spec: {{maxUnavailable: 1, selector: {{matchLabels: {{no: pod}}}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_waits_for_the_health_of_the_one_before_and_a_newer_commit_ends_the_wait() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/first.yaml", &annotated("first", &wave(-1))),
        ("apps/a/web.yaml", &deployment("web", &wave(0), NOWHERE)),
        // Healthy at once and the last of its wave: the Deployment counts all the same.
        ("apps/a/budget.yaml", &budget("budget", &wave(0))),
        ("apps/a/second.yaml", &annotated("second", &wave(1))),
    ])
    .await;
    daemon.object_until("poddisruptionbudget", "budget", "there", |object| object.is_some()).await;
    stays("wave 1 does not wait", async || !is_there(&daemon, "configmap", "second").await).await;
    assert_eq!(created(&daemon, 0), ["first", "web", "budget"]);

    // The wait has five minutes; the commit does not.
    let begun = Instant::now();
    let commit = daemon.commit(&[("apps/a/web.yaml", &deployment("web", &wave(0), ""))]);
    daemon.settled("a", &commit).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(created(&daemon, 0), ["first", "web", "budget", "second"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_that_does_not_become_healthy_in_time_says_which_object() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "sync: {timeout: 1s}")),
        ("apps/a/web.yaml", &deployment("web", &wave(0), NOWHERE)),
        ("apps/a/second.yaml", &annotated("second", &wave(1))),
    ])
    .await;
    let words = problem(&daemon, "a", "not healthy within 1s").await;
    assert!(words.contains("web"), "{words}");
    assert!(!is_there(&daemon, "configmap", "second").await);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_after_what_it_depends_on() {
    let after = |kind: &str, name: &str| format!("config.kubernetes.io/depends-on: {kind}/{name}");
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        // By kind and name alone it would be the other way round.
        ("apps/a/a.yaml", &annotated("a", &after("apps/namespaces/NAMESPACE/Deployment", "web"))),
        ("apps/a/web.yaml", &deployment("web", &after("/namespaces/NAMESPACE/ConfigMap", "z"), NOWHERE)),
        ("apps/a/z.yaml", &config_map("z", "k: v")),
    ])
    .await;
    daemon.object_until("deployment", "web", "there", |object| object.is_some()).await;
    stays("it does not wait", async || !is_there(&daemon, "configmap", "a").await).await;
    let chained = deployment("web", &after("/namespaces/NAMESPACE/ConfigMap", "z"), "");
    let commit = daemon.commit(&[("apps/a/web.yaml", &chained)]);
    daemon.settled("a", &commit).await;
    assert_eq!(created(&daemon, 0), ["z", "web", "a"]);

    // Around in a circle: named, and the others go on.
    let commit = daemon.commit(&[
        ("apps/a/left.yaml", &annotated("left", &after("/namespaces/NAMESPACE/ConfigMap", "right"))),
        ("apps/a/right.yaml", &annotated("right", &after("/namespaces/NAMESPACE/ConfigMap", "left"))),
        ("apps/a/free.yaml", &config_map("free", "k: v")),
    ]);
    let words = problem(&daemon, "a", "circle").await;
    assert!(words.contains("left") && words.contains("right"), "{words}");
    daemon.object_until("configmap", "free", "there", |object| object.is_some()).await;
    assert!(!daemon.record("a").unwrap().revision.contains(&commit[..12]));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_waits_for_those_it_depends_on() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "dependsOn: [z]")),
        ("portolan/z.yaml", &application("z", "")),
        ("portolan/free.yaml", &application("free", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/z/web.yaml", &deployment("web", "", NOWHERE)),
        ("apps/free/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("free", "").await;
    problem(&daemon, "a", "waits for application z").await;
    stays("a does not wait for z", async || !is_there(&daemon, "configmap", "one").await).await;
    let commit = daemon.commit(&[("apps/z/web.yaml", &deployment("web", "", ""))]);
    daemon.settled("z", &commit).await;
    daemon.settled("a", "").await;
    assert!(is_there(&daemon, "configmap", "one").await);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_does_not_stop_the_others() {
    let invalid = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999999}]}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/bad.yaml", invalid),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/web.yaml", &deployment("web", "", "")),
        ("apps/a/later.yaml", &annotated("later", &wave(1))),
        ("apps/a/unknown.yaml", "apiVersion: example.test/v1\nkind: Nobody\nmetadata: {name: unserved}\n"),
        ("apps/b/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("b", "").await;
    let words = problem(&daemon, "a", "bad").await;
    assert!(words.contains("unserved"), "{words}");
    // What is applied with it and after it by kind goes on; what was put into a later wave relies on it.
    daemon.object_until("deployment", "web", "there", |object| object.is_some()).await;
    assert!(is_there(&daemon, "configmap", "one").await);
    stays("a later wave goes on", async || !is_there(&daemon, "configmap", "later").await).await;

    let commit = daemon.commit(&[("apps/a/bad.yaml", ""), ("apps/a/unknown.yaml", "")]);
    daemon.settled("a", &commit).await;
    assert!(is_there(&daemon, "configmap", "later").await);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_and_definitions_come_before_what_needs_them() {
    let schema = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.NAMESPACE.example.test}}\n\
         spec: {{group: NAMESPACE.example.test, scope: Namespaced, names: {{plural: widgets, singular: widget, kind: Widget}}, \
         versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {schema}}}}}]}}\n"
    );
    let widget = "apiVersion: NAMESPACE.example.test/v1\nkind: Widget\nmetadata: {name: gear, namespace: NAMESPACE-own}\nspec: {teeth: 12}\n";
    let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: elsewhere, namespace: NAMESPACE-own}\ndata: {k: v}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/1-widget.yaml", widget),
        ("apps/a/2-elsewhere.yaml", elsewhere),
        ("apps/a/3-crd.yaml", &definition),
        ("apps/a/4-namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE-own}\n"),
    ])
    .await;
    daemon.settled("a", "").await;
    let crd = format!("widgets.{}.example.test", daemon.namespace);
    let own = format!("{}-own", daemon.namespace);
    assert_eq!(created(&daemon, 0), [own, crd, "elsewhere".into(), "gear".into()]);
    let failed = |event: &portolan::model::event::Event| matches!(event.what, What::ChangeFailed { .. });
    assert!(!daemon.since(0).iter().any(failed), "{:#?}", daemon.since(0));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_for_one_of_many_applications_renders_one() {
    let names: Vec<String> = (0..20).map(|number| format!("a{number:02}")).collect();
    let mut files = Vec::new();
    for name in &names {
        files.push((format!("portolan/{name}.yaml"), application(name, "")));
        files.push((format!("apps/{name}/one.yaml"), config_map(&format!("{name}-one"), "k: v")));
    }
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut daemon = Daemon::started(&borrowed).await;
    for name in &names {
        daemon.settled(name, "").await;
    }
    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a07/one.yaml", &config_map("a07-one", "k: w"))]);
    daemon.settled("a07", &commit).await;
    let rendered: Vec<String> = daemon
        .since(moment)
        .into_iter()
        .filter(|event| matches!(event.what, What::Rendered { .. }))
        .map(|event| event.subject.application)
        .collect();
    assert_eq!(rendered, ["a07"]);
    assert_eq!(changes(&daemon, moment), [(Action::Update, "a07-one".to_owned())]);
    daemon.stop().await;
}
