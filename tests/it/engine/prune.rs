//! What may be deleted, and what must not be.

use super::seen::{changes, deleted, gone, held, is_marked, is_there, problem, stays, uid};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::plan::Action;
use serde_json::json;

/// A ConfigMap with an annotation.
fn annotated(name: &str, annotation: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotation}}}}}\ndata: {{k: v}}\n"
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {tier: front}}\n\
    spec: {selector: {app: web}, ports: [{port: 80}]}\n";
const SLICE: &str = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
    metadata: {name: manual, labels: {kubernetes.io/service-name: web}}\n\
    addressType: IPv4\nendpoints: [{addresses: [10.9.9.9]}]\nports: [{port: 80, protocol: TCP}]\n";
const ENDPOINTS: &str = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: legacy}\n\
    subsets: [{addresses: [{ip: 10.9.9.8}], ports: [{port: 80}]}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_our_labels_on_endpoints_are_not_taken_for_ours() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/service.yaml", SERVICE),
        ("apps/a/slice.yaml", SLICE),
        ("apps/a/endpoints.yaml", ENDPOINTS),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    // Kubernetes makes an Endpoints and an EndpointSlice of its own and copies the Service's labels to them.
    let ours =
        "endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io,portolan.dev/application=a";
    let generated = loop {
        let names = daemon.kubectl(&["get", "endpointslice", "-l", ours, "-o", "name"]).await;
        if let Some(name) = names.trim().strip_prefix("endpointslice.discovery.k8s.io/") {
            break name.to_owned();
        }
    };
    daemon.object_until("endpoints", "web", "there", |object| object.is_some()).await;
    assert_eq!(
        daemon.object("endpoints", "web").await.unwrap()["metadata"]["labels"]["portolan.dev/application"],
        "a"
    );
    let before = (uid(&daemon, "endpointslice", &generated).await, uid(&daemon, "endpoints", "web").await);

    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/two.yaml", "")]);
    daemon.settled("a", &commit).await;
    assert_eq!(deleted(&daemon, moment), ["two"]);
    assert_eq!(
        (uid(&daemon, "endpointslice", &generated).await, uid(&daemon, "endpoints", "web").await),
        before
    );

    let declared =
        (daemon.object("endpointslice", "manual").await, daemon.object("endpoints", "legacy").await);
    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/service.yaml", "")]);
    daemon.settled("a", &commit).await;
    gone(&daemon, "endpoints", "web").await;
    gone(&daemon, "endpointslice", &generated).await;
    assert_eq!(
        changes(&daemon, moment),
        [(Action::Delete, "web".to_owned())],
        "Kubernetes takes its own away itself"
    );
    assert_eq!(
        (daemon.object("endpointslice", "manual").await, daemon.object("endpoints", "legacy").await),
        declared
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_our_entry_is_not_deleted() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.stop().await;
    let cleared = r#"[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]"#;
    daemon.kubectl(&["patch", "configmap", "two", "--type=json", "-p", cleared]).await;
    let before = uid(&daemon, "configmap", "two").await;
    let moment = daemon.now();
    let commit = daemon.commit(&[("apps/a/two.yaml", ""), ("apps/a/three.yaml", "")]);
    daemon.start().await;
    daemon.settled("a", &commit).await;
    assert_eq!(deleted(&daemon, moment), ["three"]);
    assert_eq!(uid(&daemon, "configmap", "two").await, before);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_document_of_any_application_holds_pruning_back_until_it_is_mended() {
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/b/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let moment = daemon.now();
    daemon.commit(&[
        ("apps/a/two.yaml", ""),
        ("apps/a/four.yaml", &config_map("four", "k: v")),
        ("apps/b/broken.yaml", broken),
    ]);
    let words = problem(&daemon, "a", "does not render completely").await;
    assert!(words.contains("application b") && words.contains("broken.yaml"), "{words}");
    // What can be done is done; only the deletion waits.
    assert!(is_there(&daemon, "configmap", "four").await);
    stays("two is pruned although b is broken", async || is_there(&daemon, "configmap", "two").await).await;

    daemon.commit(&[("apps/b/broken.yaml", "")]);
    daemon.settled("b", "").await;
    daemon.settled("a", "").await;
    gone(&daemon, "configmap", "two").await;
    assert_eq!(deleted(&daemon, moment), ["two"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_application_document_is_no_removal_and_holds_pruning_back() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/b/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    let moment = daemon.now();
    let unreadable =
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {name: b}\nspec: {pth: apps/b\n";
    daemon.commit(&[("portolan/b.yaml", unreadable), ("apps/a/two.yaml", "")]);
    let words = problem(&daemon, "a", "is refused").await;
    assert!(words.contains("portolan/b.yaml"), "{words}");
    stays("something is pruned", async || is_there(&daemon, "configmap", "two").await).await;
    // Nor after a restart, which knows `b` only from its record.
    daemon.stop().await;
    daemon.start().await;
    problem(&daemon, "a", "is refused").await;
    stays("b is taken as removed", async || is_there(&daemon, "configmap", "three").await).await;
    assert!(deleted(&daemon, moment).is_empty());

    daemon.commit(&[("portolan/b.yaml", &application("b", ""))]);
    daemon.settled("b", "").await;
    gone(&daemon, "configmap", "two").await;
    assert_eq!(deleted(&daemon, moment), ["two"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_keep_an_object_or_ask_first() {
    let kept = [
        ("argo", "argocd.argoproj.io/sync-options: Prune=false"),
        ("flux", "kustomize.toolkit.fluxcd.io/prune: disabled"),
        ("helm", "helm.sh/resource-policy: keep"),
    ];
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/ask.yaml", &annotated("ask", "argocd.argoproj.io/sync-options: Prune=confirm")),
    ])
    .await;
    for (name, annotation) in kept {
        daemon.commit(&[(&format!("apps/a/{name}.yaml"), &annotated(name, annotation))]);
    }
    daemon.start().await;
    daemon.settled("a", "").await;
    let moment = daemon.now();
    daemon.commit(&[
        ("apps/a/argo.yaml", ""),
        ("apps/a/flux.yaml", ""),
        ("apps/a/helm.yaml", ""),
        ("apps/a/ask.yaml", ""),
        ("apps/a/two.yaml", ""),
    ]);
    let (digest, reason) = held(&daemon, "a").await;
    assert!(reason.contains("confirmation"), "{reason}");
    gone(&daemon, "configmap", "two").await;
    for (name, _) in kept {
        let object = daemon.object("configmap", name).await.unwrap();
        assert_eq!(object["data"], json!({"k": "v"}), "its fields stay");
        assert!(!is_marked(&object), "{object:#}");
    }
    stays("it is deleted unasked", async || is_there(&daemon, "configmap", "ask").await).await;
    daemon.approve("a", &digest).await;
    gone(&daemon, "configmap", "ask").await;
    daemon.settled("a", "").await;
    let mut gone = deleted(&daemon, moment);
    gone.sort();
    assert_eq!(gone, ["ask", "two"]);
    daemon.stop().await;
}

/// A CRD whose group is the test's own, and a resource of it.
fn crd() -> (String, String) {
    let schema = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
    let crd = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.NAMESPACE.example.test}}\n\
         spec: {{group: NAMESPACE.example.test, scope: Namespaced, names: {{plural: widgets, singular: widget, kind: Widget}}, \
         versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {schema}}}}}]}}\n"
    );
    let widget =
        "apiVersion: NAMESPACE.example.test/v1\nkind: Widget\nmetadata: {name: gear}\nspec: {teeth: 12}\n";
    (crd, widget.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_go_before_their_definition() {
    let (definition, widget) = crd();
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/crd.yaml", &definition),
        ("apps/a/gear.yaml", &widget),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let kind = format!("widgets.{}.example.test", daemon.namespace);
    assert!(is_there(&daemon, &kind, "gear").await);
    let moment = daemon.now();
    daemon.commit(&[("apps/a/crd.yaml", ""), ("apps/a/gear.yaml", "")]);
    let (digest, reason) = held(&daemon, "a").await;
    assert!(reason.contains("CustomResourceDefinition"), "{reason}");
    daemon.approve("a", &digest).await;
    gone(&daemon, "customresourcedefinition", &kind).await;
    daemon.settled("a", "").await;
    assert_eq!(deleted(&daemon, moment), ["gear".to_owned(), kind]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_finalizer_is_named_and_blocks_nothing_else() {
    let stuck = "apiVersion: v1\nkind: Service\nmetadata: {name: stuck, finalizers: [example.test/hold]}\n\
        spec: {ports: [{port: 80}]}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "sync: {timeout: 2s}")),
        ("apps/a/stuck.yaml", stuck),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    // The Service goes first (deletions are in reverse order of applying); the ConfigMap comes after it.
    daemon.commit(&[("apps/a/stuck.yaml", ""), ("apps/a/two.yaml", "")]);
    gone(&daemon, "configmap", "two").await;
    problem(&daemon, "a", "example.test/hold").await;
    let commit = daemon.commit(&[("apps/a/four.yaml", &config_map("four", "k: v"))]);
    daemon.object_until("configmap", "four", "there", |object| object.is_some()).await;
    problem(&daemon, "a", "example.test/hold").await;
    daemon
        .kubectl(&["patch", "service", "stuck", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
        .await;
    gone(&daemon, "service", "stuck").await;
    daemon.settled("a", &commit).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dependants_go_first_with_foreground_propagation() {
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, selector: {matchLabels: {app: web}}, \
        template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}\n";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "sync: {propagation: Foreground}")),
        ("apps/a/web.yaml", web),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let hold = r#"{"metadata":{"finalizers":["example.test/hold"]}}"#;
    let replica_set =
        daemon.kubectl(&["get", "replicaset", "-l", "app=web", "-o", "name"]).await.trim().to_owned();
    daemon.kubectl(&["patch", &replica_set, "--type=merge", "-p", hold]).await;
    daemon.commit(&[("apps/a/web.yaml", "")]);
    daemon
        .object_until("deployment", "web", "waiting for its dependants", |object| {
            object.is_some_and(|object| object["metadata"]["finalizers"] == json!(["foregroundDeletion"]))
        })
        .await;
    stays("the Deployment goes first", async || is_there(&daemon, "deployment", "web").await).await;
    daemon
        .kubectl(&["patch", &replica_set, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
        .await;
    gone(&daemon, "deployment", "web").await;
    daemon.settled("a", "").await;
    daemon.stop().await;
}
