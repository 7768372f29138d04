//! What an application may and can do at its destination: rights, limits, namespaces, kinds, and neighbours.

use super::policies::{at, deployment};
use crate::support::control_plane::{kubectl, kubectl_ok};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::ports::state::UserRequest;
use serde_json::{Value, json};

/// Waits until an application has a problem at a place that ends so, and gives its words.
async fn problem(daemon: &Daemon, application: &str, place: &str) -> String {
    let of = |problems: &std::collections::BTreeMap<String, String>| {
        problems.iter().find(|(at, _)| at.ends_with(place)).map(|(_, words)| words.clone())
    };
    let record = daemon.until(application, "in trouble", |record| of(&record.problems).is_some()).await;
    of(&record.problems).unwrap()
}

/// Settings that limit the test's repository.
fn limited(daemon: &Daemon, may: Value) -> Value {
    json!({"repositories": [{"name": "main", "url": daemon.repo.path(), "interval": "5s", "may": may}]})
}

/// Waits until a document is refused, and gives the words.
async fn refused(daemon: &Daemon, application: &str) -> String {
    let named = format!("Application {application}:");
    daemon
        .event(0, &format!("{application} is not refused"), |event| match &event.what {
            What::DocumentRefused { message, .. } if message.contains(&named) => Some(message.clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_applied_with_the_rights_of_its_service_account_and_no_others() {
    let mut daemon = Daemon::new(&[
        ("portolan/poor.yaml", &application("poor", "serviceAccount: deployer")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/poor/one.yaml", &config_map("one", "k: v")),
        ("apps/b/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.kubectl(&["create", "serviceaccount", "deployer"]).await;
    daemon.start().await;
    let words = problem(&daemon, "poor", "one").await;
    let account = format!("system:serviceaccount:{}:deployer", daemon.namespace);
    assert!(words.contains("forbidden") && words.contains(&account), "{words}");
    daemon.settled("b", "").await;
    assert!(daemon.object("configmap", "one").await.is_none());

    let bearer = format!("--serviceaccount={}:deployer", daemon.namespace);
    daemon.kubectl(&["create", "rolebinding", "deployer", "--clusterrole=admin", &bearer]).await;
    daemon.ask(&UserRequest::Sync { application: Some("poor".into()) }).await;
    daemon.settled("poor", "").await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "v");

    // Mends are made with the same rights.
    let moment = daemon.now();
    daemon
        .kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data": {"k": "edited"}}"#])
        .await;
    daemon.mended(moment, "one").await;
    daemon.kubectl(&["delete", "rolebinding", "deployer"]).await;
    let moment = daemon.now();
    daemon
        .kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data": {"k": "edited"}}"#])
        .await;
    let words = daemon
        .event(moment, "the mend did not fail", |event| match &event.what {
            What::ChangeFailed { id, message, .. } if id.name == "one" => Some(message.clone()),
            _ => None,
        })
        .await;
    assert!(words.contains(&account), "{words}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_writes_only_to_the_namespaces_and_kinds_that_it_may() {
    let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: elsewhere, namespace: kube-public}\n";
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/elsewhere.yaml", elsewhere),
        ("apps/a/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\n"),
        ("apps/a/class.yaml", "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: class-NAMESPACE}\nvalue: 1\n"),
    ])
    .await;
    daemon.settings =
        limited(&daemon, json!({"namespaces": [daemon.namespace], "kinds": {"deny": ["Secret"]}}));
    daemon.start().await;
    let class = format!("class-{}", daemon.namespace);
    for (name, said) in [
        ("elsewhere", "namespace `kube-public` (`may.namespaces`"),
        ("hidden", "kind Secret (`may.kinds`"),
        (&class, "PriorityClass.scheduling.k8s.io is cluster-scoped"),
    ] {
        let words = problem(&daemon, "a", name).await;
        assert!(words.contains(said), "{name}: {words}");
    }
    daemon.object_until("configmap", "one", "there", |one| one.is_some()).await;
    assert!(daemon.object("secret", "hidden").await.is_none());
    assert!(daemon.object("priorityclass", &class).await.is_none());
    let output =
        kubectl(&daemon.control_plane, &["-n", "kube-public", "get", "configmap", "elsewhere"]).await;
    assert!(!output.status.success(), "it was written");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_delivers_only_to_the_destinations_that_it_may() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settings = limited(&daemon, json!({"destinations": ["prod-*"]}));
    daemon.start().await;
    let words = refused(&daemon, "a").await;
    assert!(words.contains("cluster `local` (`may.destinations`"), "{words}");
    assert!(daemon.object("configmap", "one").await.is_none());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_needs_service_accounts_is_refused_without_one_and_with_one_of_another_namespace() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "serviceAccount: kube-system/deployer")),
        ("portolan/c.yaml", &application("c", "serviceAccount: deployer")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/b/one.yaml", &config_map("two", "k: v")),
        ("apps/c/one.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settings =
        limited(&daemon, json!({"namespaces": [daemon.namespace], "requireServiceAccount": true}));
    daemon.kubectl(&["create", "serviceaccount", "deployer"]).await;
    let bearer = format!("--serviceaccount={}:deployer", daemon.namespace);
    daemon.kubectl(&["create", "rolebinding", "deployer", "--clusterrole=admin", &bearer]).await;
    daemon.start().await;
    let words = refused(&daemon, "a").await;
    assert!(words.contains("`may.requireServiceAccount`"), "{words}");
    let words = refused(&daemon, "b").await;
    assert!(words.contains("namespace `kube-system` (`may.namespaces`"), "{words}");
    daemon.settled("c", "").await;
    assert!(daemon.object("configmap", "one").await.is_none());
    assert!(daemon.object("configmap", "two").await.is_none());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_created_where_asked_and_stays_when_the_application_goes() {
    let without = application("a", "").replace("namespace: NAMESPACE", "namespace: NAMESPACE-made");
    let with = application("a", "sync: {createNamespace: true}")
        .replace("namespace: NAMESPACE", "namespace: NAMESPACE-made");
    let mut daemon =
        Daemon::started(&[("portolan/a.yaml", &without), ("apps/a/one.yaml", &config_map("one", "k: v"))])
            .await;
    let made = format!("{}-made", daemon.namespace);
    let words = problem(&daemon, "a", "one").await;
    assert!(words.contains(&format!("namespace {made} is not there; ")), "{words}");
    let commit = daemon.commit(&[("portolan/a.yaml", &with)]);
    daemon.settled("a", &commit).await;
    kubectl_ok(&daemon.control_plane, &["-n", &made, "get", "configmap", "one"]).await;
    daemon.commit(&[("portolan/a.yaml", "")]);
    let digest = daemon
        .event(0, "nothing is held", |event| match &event.what {
            What::Held { digest, .. } => Some(digest.clone()),
            _ => None,
        })
        .await;
    daemon.approve("a", &digest).await;
    daemon
        .event(0, "one is not pruned", |event| match &event.what {
            What::Changed { action: portolan::model::plan::Action::Delete, id, .. } if id.name == "one" => {
                Some(())
            }
            _ => None,
        })
        .await;
    let phase =
        kubectl_ok(&daemon.control_plane, &["get", "namespace", &made, "-o", "jsonpath={.status.phase}"])
            .await;
    assert_eq!(phase, "Active");
    daemon.stop().await;
}

/// A CustomResourceDefinition in an API group of the test's own.
fn definition() -> String {
    "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NAMESPACE.example.com}
spec:
  group: NAMESPACE.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
    .into()
}

fn widget(name: &str, size: u32) -> String {
    format!(
        "apiVersion: NAMESPACE.example.com/v1\nkind: Widget\nmetadata: {{name: {name}}}\nspec: {{size: {size}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_an_unknown_kind_is_told_and_the_others_are_applied_until_its_kind_is_there() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/widget.yaml", &widget("w", 1)),
    ])
    .await;
    let words = problem(&daemon, "a", "w").await;
    assert!(
        words.contains("is not served by local") && words.contains("CustomResourceDefinition"),
        "{words}"
    );
    daemon.object_until("configmap", "one", "there", |one| one.is_some()).await;
    // Somebody installs the kind; nothing tells the daemon but its own next attempt.
    daemon.kubectl_with(&["create", "-f", "-"], &definition()).await;
    daemon.settled("a", "").await;
    let kind = format!("widgets.{}.example.com", daemon.namespace);
    assert_eq!(at(&daemon, &kind, "w", "/spec/size").await, 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_and_its_objects_come_with_one_commit_and_go_with_another() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "sync: {pruneGuard: {protectedKinds: [], maxPercent: 100}}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/definition.yaml", &definition()),
        ("apps/a/widget.yaml", &widget("w", 1)),
    ])
    .await;
    daemon.settled("a", "").await;
    let kind = format!("widgets.{}.example.com", daemon.namespace);
    assert_eq!(at(&daemon, &kind, "w", "/spec/size").await, 1);
    let moment = daemon.now();
    daemon.kubectl(&["patch", &kind, "w", "--type=merge", "-p", r#"{"spec": {"size": 2}}"#]).await;
    daemon.mended(moment, "w").await;
    assert_eq!(at(&daemon, &kind, "w", "/spec/size").await, 1);

    let commit = daemon.commit(&[("apps/a/definition.yaml", ""), ("apps/a/widget.yaml", "")]);
    daemon.settled("a", &commit).await;
    daemon.object_until("customresourcedefinition", &kind, "gone", |crd| crd.is_none()).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_waits_for_the_one_that_defines_its_kinds() {
    let mut daemon = Daemon::started(&[
        ("portolan/objects.yaml", &application("objects", "dependsOn: [kinds], sync: {auto: false}")),
        ("portolan/kinds.yaml", &application("kinds", "sync: {auto: false}")),
        ("apps/kinds/definition.yaml", &definition()),
        ("apps/objects/widget.yaml", &widget("w", 1)),
    ])
    .await;
    daemon.until("objects", "waiting", |record| record.message.contains("portolan sync objects")).await;
    daemon.ask(&UserRequest::Sync { application: Some("objects".into()) }).await;
    daemon.until("objects", "waiting", |record| record.message.contains("waits for application kinds")).await;
    daemon.ask(&UserRequest::Sync { application: Some("kinds".into()) }).await;
    daemon.settled("kinds", "").await;
    daemon.settled("objects", "").await;
    let kind = format!("widgets.{}.example.com", daemon.namespace);
    assert_eq!(at(&daemon, &kind, "w", "/spec/size").await, 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_two_applications_declare_belongs_to_the_first_and_the_second_is_told() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: a")),
        ("apps/b/one.yaml", &config_map("one", "k: b")),
        ("apps/b/two.yaml", &config_map("two", "k: b")),
    ])
    .await;
    daemon.settled("a", "").await;
    let words = problem(&daemon, "b", "one").await;
    assert!(words.contains("application a declares it as well"), "{words}");
    daemon.object_until("configmap", "two", "there", |two| two.is_some()).await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "a");
    // The first gives it up: it moves without having been away.
    let uid = at(&daemon, "configmap", "one", "/metadata/uid").await;
    let commit =
        daemon.commit(&[("apps/a/one.yaml", ""), ("apps/a/three.yaml", &config_map("three", "k: a"))]);
    daemon.settled("a", &commit).await;
    daemon.settled("b", "").await;
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, "b");
    assert_eq!(at(&daemon, "configmap", "one", "/metadata/uid").await, uid);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_warns_of_is_in_the_event() {
    let web = deployment("web", 1, "web:1")
        .replace("spec: {containers", "spec: {affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: beta.kubernetes.io/os, operator: Exists}]}}]}}, containers");
    let mut daemon =
        Daemon::started(&[("portolan/a.yaml", &application("a", "")), ("apps/a/web.yaml", &web)]).await;
    daemon.settled("a", "").await;
    let warnings = daemon
        .event(0, "web is not created", |event| match &event.what {
            What::Changed { id, warnings, .. } if id.name == "web" => Some(warnings.clone()),
            _ => None,
        })
        .await;
    assert!(
        warnings.iter().any(|words| words.contains("beta.kubernetes.io/os") && words.contains("deprecated")),
        "{warnings:?}"
    );
    daemon.stop().await;
}
