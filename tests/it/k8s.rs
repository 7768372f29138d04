//! The Kubernetes adapter against a real API server: here its writes, in `observe` what it sees.

#[path = "k8s/observe.rs"]
mod observe;

use crate::support::control_plane::{control_plane, fresh_namespace, kubectl_ok, kubectl_ok_with};
use portolan::k8s::events::{EventNote, Severity, event_body, event_kind};
use portolan::k8s::{ApiServer, ConnectError, ConnectOptions, Source, connect};
use portolan::model::{GroupKind, Gvk, Object, Propagation, ResourceId};
use portolan::ports::{
    ApiFailure, ApiFailureKind, Applied, ApplyRequest, Cluster, DeleteRequest, Impersonation, ServedKind,
    WatchEvent, WatchGuard,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(30);

async fn api_server() -> ApiServer {
    let path = control_plane().await.kubeconfig().to_owned();
    connect(&Source::KubeconfigFile { path, context: None }, ConnectOptions::default()).await.unwrap()
}

fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ServedKind {
    let namespaced = !matches!(kind, "Namespace" | "APIService" | "CustomResourceDefinition");
    ServedKind {
        gvk: Gvk::new(group, version, kind),
        plural: plural.into(),
        namespaced,
        verbs: Default::default(),
    }
}

fn config_maps() -> ServedKind {
    kind("", "v1", "ConfigMap", "configmaps")
}

fn deployments() -> ServedKind {
    kind("apps", "v1", "Deployment", "deployments")
}

fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    let labels = json!({"app": "shop"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "labels": labels}, "data": data})
}

fn deployment(namespace: &str, name: &str, replicas: u64) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
    })
}

fn request(kind: ServedKind, body: &Value) -> ApplyRequest {
    let id = Object::new(body.clone()).unwrap().id();
    let body = Arc::from(body.to_string().into_bytes());
    ApplyRequest { kind, id, body, force: false, dry_run: false, impersonate: None }
}

async fn apply(cluster: &ApiServer, kind: ServedKind, body: &Value) -> Result<Applied, ApiFailure> {
    cluster.apply(&request(kind, body)).await
}

fn deletion(kind: ServedKind, object: &Object) -> DeleteRequest {
    DeleteRequest {
        kind,
        id: object.id(),
        uid: object.uid().unwrap().into(),
        resource_version: object.resource_version().unwrap().into(),
        propagation: Propagation::Background,
        impersonate: None,
        dry_run: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_lives_and_dies() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let body = config_map(&namespace, "c", json!({"k": "1"}));
    let dry = ApplyRequest { dry_run: true, ..request(config_maps(), &body) };
    assert!(cluster.apply(&dry).await.unwrap().created);
    assert_eq!(cluster.get(&config_maps(), &dry.id).await.unwrap(), None, "a dry run changes nothing");

    let applied = apply(&cluster, config_maps(), &body).await.unwrap();
    assert!(applied.created);
    let manager = &applied.object.body()["metadata"]["managedFields"][0];
    assert_eq!((&manager["manager"], &manager["operation"]), (&json!("portolan"), &json!("Apply")));
    let again = apply(&cluster, config_maps(), &body).await.unwrap();
    assert!(!again.created);
    assert_eq!(
        again.object.resource_version(),
        applied.object.resource_version(),
        "the same again changes nothing"
    );

    let dry = DeleteRequest { dry_run: true, ..deletion(config_maps(), &applied.object) };
    cluster.delete(&dry).await.unwrap();
    let read = cluster.get(&config_maps(), &dry.id).await.unwrap().expect("still there");
    assert_eq!(read, again.object);
    cluster.delete(&deletion(config_maps(), &read)).await.unwrap();
    cluster.delete(&deletion(config_maps(), &read)).await.unwrap();
    assert_eq!(cluster.get(&config_maps(), &dry.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_apart() {
    use ApiFailureKind as K;
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let live = apply(&cluster, deployments(), &deployment(&namespace, "web", 0)).await.unwrap().object;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = deployment(&namespace, "web", 0);
        change(&mut body);
        body
    };
    let mut cases: Vec<(&str, Value, K)> = vec![
        ("a field that is not in the schema", changed(&|b| b["spec"]["nonsense"] = json!(1)), K::Invalid),
        ("a type that is not the schema's", changed(&|b| b["spec"]["replicas"] = json!("three")), K::Invalid),
        (
            "a value the type cannot hold",
            changed(&|b| {
                b["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "1x"}})
            }),
            K::Invalid,
        ),
        (
            "an immutable field",
            changed(&|b| {
                b["spec"]["selector"]["matchLabels"]["app"] = json!("other");
                b["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
            }),
            K::Invalid,
        ),
        ("another resourceVersion", changed(&|b| b["metadata"]["resourceVersion"] = json!("1")), K::Conflict),
        (
            "another uid",
            changed(&|b| b["metadata"]["uid"] = json!("11111111-2222-3333-4444-555555555555")),
            K::Conflict,
        ),
        (
            "a uid and no object",
            changed(&|b| {
                b["metadata"]["name"] = json!("absent");
                b["metadata"]["uid"] = json!("11111111-2222-3333-4444-555555555555");
            }),
            K::Conflict,
        ),
        ("no namespace", deployment("no-such-namespace", "web", 0), K::NotFound),
    ];
    for (what, body, expected) in cases.drain(..) {
        let failure = apply(&cluster, deployments(), &body).await.unwrap_err();
        assert_eq!(failure.kind, expected, "{what}: {failure:?}");
        assert!(!failure.is_transient(), "{what}");
    }
    let large = config_map(&namespace, "large", json!({"k": "x".repeat(4 << 20)}));
    assert_eq!(apply(&cluster, config_maps(), &large).await.unwrap_err().kind, K::TooLarge);
    let unserved = kind("example.com", "v1", "Nothing", "nothings");
    let nothing = json!({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "a", "namespace": namespace}});
    assert_eq!(apply(&cluster, unserved, &nothing).await.unwrap_err().kind, K::NotFound);

    // Of an object whose kind is not served nothing is known, not even that it is gone.
    for (group, plural) in [("example.com", "nothings"), ("apps", "nothings")] {
        let unserved = kind(group, "v1", "Nothing", plural);
        let read = cluster.get(&unserved, &ResourceId::new(group, "Nothing", &namespace, "a")).await;
        assert_eq!(read.unwrap_err().kind, K::NotFound);
        let gone = DeleteRequest { kind: unserved, ..deletion(deployments(), &live) };
        assert_eq!(cluster.delete(&gone).await.unwrap_err().kind, K::NotFound);
    }

    let immutable = cases_immutable(&cluster, &namespace).await;
    assert_eq!(immutable.causes[0].field, "spec.selector");
    let mut wrong = deletion(deployments(), &live);
    wrong.uid = "11111111-2222-3333-4444-555555555555".into();
    assert_eq!(cluster.delete(&wrong).await.unwrap_err().kind, K::Conflict);
    let mut stale = deletion(deployments(), &live);
    stale.resource_version = "1".into();
    assert_eq!(cluster.delete(&stale).await.unwrap_err().kind, K::Conflict);
    let existing = cluster.create(&deployments(), &deployment(&namespace, "web", 0), None).await.unwrap_err();
    assert_eq!(existing.kind, K::AlreadyExists);
}

async fn cases_immutable(cluster: &ApiServer, namespace: &str) -> ApiFailure {
    let mut body = deployment(namespace, "web", 0);
    body["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    body["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    apply(cluster, deployments(), &body).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_another_manager_owns_is_named_with_its_owner() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let body = deployment(&namespace, "web", 0);
    apply(&cluster, deployments(), &body).await.unwrap();
    let cp = control_plane().await;
    let scale = r#"{"spec": {"replicas": 1}}"#;
    let patch = [
        "patch",
        "deployment",
        "web",
        "-n",
        &namespace,
        "--type=merge",
        "--field-manager=somebody",
        "-p",
        scale,
    ];
    kubectl_ok(&cp, &patch).await;
    let conflict = apply(&cluster, deployments(), &body).await.unwrap_err();
    assert_eq!(conflict.kind, ApiFailureKind::FieldConflict, "{conflict:?}");
    assert_eq!(conflict.causes[0].field, ".spec.replicas");
    assert!(conflict.causes[0].message.contains("\"somebody\""), "{conflict:?}");
    let forced = ApplyRequest { force: true, ..request(deployments(), &body) };
    assert_eq!(cluster.apply(&forced).await.unwrap().object.body()["spec"]["replicas"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secrets_value_is_in_no_message_of_the_server() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let secrets = kind("", "v1", "Secret", "secrets");
    let metadata = json!({"name": "s", "namespace": namespace});
    let bodies = [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"pin": 47_110_815}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"pin": "47110815!"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a 47110815 b": ""}, "type": "47110815"}),
    ];
    for (number, body) in bodies.iter().enumerate() {
        let failure = apply(&cluster, secrets.clone(), body).await.unwrap_err();
        assert_eq!(failure.kind, ApiFailureKind::Invalid, "{number}: {failure:?}");
        assert!(failure.message.contains(&format!("Secret {namespace}/s")), "{failure:?}");
        assert!(number == 2 || !format!("{failure:?}").contains("47110815"), "{number}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_patch_is_held_to_its_tests() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let live = apply(&cluster, config_maps(), &config_map(&namespace, "c", json!({}))).await.unwrap().object;
    let patch = |version: &str| {
        json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/labels/patched", "value": "yes"},
        ])
    };
    let failed = cluster.json_patch(&config_maps(), &live.id(), &patch("1"), None).await.unwrap_err();
    assert_eq!(failed.kind, ApiFailureKind::Conflict, "{failed:?}");
    let version = live.resource_version().unwrap();
    let patched = cluster.json_patch(&config_maps(), &live.id(), &patch(version), None).await.unwrap();
    assert_eq!(patched.label("patched"), Some("yes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_warnings_are_passed_on() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let body =
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "e", "namespace": namespace}});
    let applied = apply(&cluster, kind("", "v1", "Endpoints", "endpoints"), &body).await.unwrap();
    assert!(applied.warnings.iter().any(|w| w.contains("Endpoints is deprecated")), "{:?}", applied.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_made_with_the_rights_of_the_service_account() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let who = Impersonation { namespace: namespace.clone(), name: "deployer".into() };
    let body = config_map(&namespace, "c", json!({}));
    let as_deployer = ApplyRequest { impersonate: Some(who.clone()), ..request(config_maps(), &body) };
    let forbidden = cluster.apply(&as_deployer).await.unwrap_err();
    assert_eq!(forbidden.kind, ApiFailureKind::Forbidden);
    assert!(
        forbidden.message.contains(&format!("system:serviceaccount:{namespace}:deployer")),
        "{forbidden}"
    );
    // The right is given to the group that every ServiceAccount of the namespace is in: the server has to know it
    // though the request does not name it.
    let rbac = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"},
         "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch", "delete", "get"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
         "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": format!("system:serviceaccounts:{namespace}")}]},
    ]});
    kubectl_ok_with(&*control_plane().await, &["apply", "-n", &namespace, "-f", "-"], &rbac.to_string())
        .await;
    let applied = until(|| async { cluster.apply(&as_deployer).await.ok() }).await;
    let patch = json!([{"op": "add", "path": "/metadata/labels/x", "value": "y"}]);
    let patched = cluster.json_patch(&config_maps(), &applied.object.id(), &patch, Some(&who)).await.unwrap();
    let delete = DeleteRequest { impersonate: Some(who.clone()), ..deletion(config_maps(), &patched) };
    cluster.delete(&delete).await.unwrap();
    let body = deployment(&namespace, "web", 0);
    let failure = cluster.create(&deployments(), &body, Some(&who)).await.unwrap_err();
    assert_eq!(failure.kind, ApiFailureKind::Forbidden);
}

/// Waits for what another program brings about.
async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect("it happens in time")
}
