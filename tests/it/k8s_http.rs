//! What the Kubernetes adapter says on the wire, and what it makes of the answers: a scripted server stands in for
//! the API server where a real one cannot be made to misbehave.

#[path = "k8s_http/discovery.rs"]
mod discovery;
#[path = "k8s_http/server.rs"]
pub mod server;
#[path = "k8s_http/watch.rs"]
mod watch;

use portolan::k8s::{ApiServer, ConnectOptions, ObservedRequest, RequestObserver, Source, connect};
use portolan::model::{GroupKind, Gvk, Propagation, ResourceId};
use portolan::ports::{
    ApiFailure, ApiFailureKind, ApplyRequest, Cluster, DeleteRequest, Impersonation, ServedKind, WatchEvent,
};
use serde_json::{Value, json};
use server::{Asked, Reply, Scripted};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

async fn api_server(scripted: &Scripted, options: ConnectOptions) -> ApiServer {
    let source = Source::Endpoint { url: scripted.url(), ca_pem: None, tls_server_name: None };
    connect(&source, options).await.unwrap()
}

fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ServedKind {
    ServedKind {
        gvk: Gvk::new(group, version, kind),
        plural: plural.into(),
        namespaced: true,
        verbs: Default::default(),
    }
}

fn config_maps() -> ServedKind {
    kind("", "v1", "ConfigMap", "configmaps")
}

fn object(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": version}})
}

fn list(version: &str, next: &str, items: &[Value]) -> Reply {
    let metadata = json!({"resourceVersion": version, "continue": next});
    Reply::json(
        200,
        &json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items}),
    )
}

fn line(event: &str, object: &Value) -> String {
    let mut object = object.clone();
    object["apiVersion"] = "v1".into();
    object["kind"] = "ConfigMap".into();
    format!("{}\n", json!({"type": event, "object": object}))
}

fn expired() -> Value {
    json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
}

fn apply(kind: ServedKind, id: ResourceId, body: &str) -> ApplyRequest {
    ApplyRequest {
        kind,
        id,
        body: Arc::from(body.as_bytes()),
        force: true,
        dry_run: false,
        impersonate: None,
    }
}

#[tokio::test]
async fn an_apply_is_sent_as_it_was_given() {
    let scripted = Scripted::start(|_, _| {
        Reply::json(201, &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}))
            .header("Warning", r#"299 - "first \"one\"""#)
            .header("Warning", r#"299 - "second""#)
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let body = r#"{ "kind":"Deployment",  "apiVersion":"apps/v1","metadata":{"name":"web"} }"#;
    let request = ApplyRequest {
        dry_run: true,
        force: false,
        impersonate: Some(Impersonation { namespace: "shop".into(), name: "deployer".into() }),
        ..apply(
            kind("apps", "v1", "Deployment", "deployments"),
            ResourceId::new("apps", "Deployment", "shop", "web"),
            body,
        )
    };
    let applied = cluster.apply(&request).await.unwrap();
    assert!(applied.created);
    assert_eq!(applied.warnings, ["first \"one\"", "second"]);
    assert_eq!(applied.object.name(), "web");

    let asked = scripted.only_request();
    assert_eq!(asked.method, "PATCH");
    assert_eq!(asked.path, "/apis/apps/v1/namespaces/shop/deployments/web");
    assert_eq!(asked.query, "fieldManager=portolan&fieldValidation=Strict&force=false&dryRun=All");
    assert_eq!(asked.body, body.as_bytes(), "not a byte may differ");
    assert_eq!(asked.header("content-type"), Some("application/apply-patch+yaml"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("impersonate-user"), Some("system:serviceaccount:shop:deployer"));
    assert_eq!(asked.header("impersonate-group"), None, "the server knows a ServiceAccount's groups");
}

#[tokio::test]
async fn a_deletion_carries_its_preconditions_and_what_is_gone_is_done() {
    let scripted = Scripted::start(|_, number| match number {
        0 => Reply::json(200, &json!({"kind": "Status", "status": "Success"})),
        _ => Reply::json(404, &json!({"kind": "Status", "reason": "NotFound", "message": "gone"})),
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let request = DeleteRequest {
        kind: config_maps(),
        id: ResourceId::new("", "ConfigMap", "shop", "web"),
        uid: "u-1".into(),
        resource_version: "7".into(),
        propagation: Propagation::Foreground,
        impersonate: None,
        dry_run: true,
    };
    cluster.delete(&request).await.unwrap();
    cluster.delete(&request).await.unwrap();
    let asked = scripted.requests();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("DELETE", "/api/v1/namespaces/shop/configmaps/web")
    );
    assert_eq!(asked[0].query, "dryRun=All");
    assert_eq!(
        serde_json::from_slice::<Value>(&asked[0].body).unwrap(),
        json!({"propagationPolicy": "Foreground", "preconditions": {"uid": "u-1", "resourceVersion": "7"}, "dryRun": ["All"]})
    );
    assert_eq!(asked[0].header("impersonate-user"), None);
}

#[tokio::test]
async fn a_create_goes_to_the_bodys_namespace() {
    let scripted = Scripted::start(|_, _| {
        Reply::json(201, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a-x7", "namespace": "shop"}}))
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-", "namespace": "shop"}});
    assert_eq!(cluster.create(&config_maps(), &body, None).await.unwrap().name(), "a-x7");
    let asked = scripted.only_request();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/api/v1/namespaces/shop/configmaps"));
    assert_eq!(asked.query, "fieldManager=portolan&fieldValidation=Strict");
    let nowhere = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let refused = cluster.create(&config_maps(), &nowhere, None).await.unwrap_err();
    assert_eq!(refused.kind, ApiFailureKind::Invalid, "never sent to all namespaces");
    assert_eq!(scripted.requests().len(), 1);
}

#[tokio::test]
async fn throttling_is_reported_and_nothing_is_repeated() {
    let scripted = Scripted::start(|_, _| {
        Reply::json(429, &json!({"kind": "Status", "message": "too many requests"}))
            .header("Retry-After", "3")
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let id = ResourceId::new("", "ConfigMap", "shop", "web");
    let throttled = cluster.apply(&apply(config_maps(), id, "{}")).await.unwrap_err();
    assert_eq!(
        (throttled.kind, throttled.retry_after),
        (ApiFailureKind::Throttled, Some(Duration::from_secs(3)))
    );
    assert!(throttled.is_transient());
    assert_eq!(scripted.requests().len(), 1, "whoever decided on a request decides on its repetition");
}

#[tokio::test]
async fn a_secrets_values_never_come_back_in_a_message() {
    let echo =
        "Secret \"s\" is invalid: data[password]: Invalid value: \"aHVudGVyMg==\": hunter2 is too short";
    let causes = json!([{"field": "data[password]", "message": "Invalid value: \"hunter2\"", "reason": "FieldValueInvalid"}]);
    let status = json!({"kind": "Status", "message": echo, "details": {"causes": causes}});
    let scripted = Scripted::start(move |_, _| Reply::json(422, &status)).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let body =
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"password":"aHVudGVyMg=="}}"#;
    let secrets = kind("", "v1", "Secret", "secrets");
    let request = apply(secrets, ResourceId::new("", "Secret", "shop", "s"), body);
    let refused = cluster.apply(&request).await.unwrap_err();
    let shown = format!("{refused:?} {refused}");
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    assert!(shown.contains("data[password]") && shown.contains("Secret shop/s"), "{shown}");
    // The same words about another kind are the user's best help.
    let request = apply(config_maps(), ResourceId::new("", "ConfigMap", "shop", "s"), body);
    assert_eq!(cluster.apply(&request).await.unwrap_err().message, echo);
}

#[tokio::test]
async fn an_answer_that_is_no_kubernetes_status_is_told_as_it_is() {
    let scripted = Scripted::start(|_, _| Reply::text(502, "<html>\n<h1>Bad Gateway from lb-7</h1>")).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let id = ResourceId::new("", "ConfigMap", "shop", "web");
    let failure = cluster.get(&config_maps(), &id).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (ApiFailureKind::Server, Some(502)));
    assert!(failure.message.contains("502") && failure.message.contains("<html>"), "{failure}");
}

#[tokio::test]
async fn a_list_follows_its_pages_and_fills_in_kinds() {
    let scripted = Scripted::start(|_, number| match number {
        0 => list("5", "more", &[object("a", "1"), object("b", "2")]),
        _ => list("5", "", &[object("c", "3")]),
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let found = cluster.list(&config_maps(), Some("shop"), "app in (a,b),!x").await.unwrap();
    assert_eq!(found.iter().map(|o| o.name()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(found.iter().all(|o| o.gvk() == Gvk::new("", "v1", "ConfigMap")));
    let asked = scripted.requests();
    assert_eq!(asked[0].path, "/api/v1/namespaces/shop/configmaps");
    assert_eq!(asked[0].query, "labelSelector=app%20in%20%28a,b%29,%21x&limit=500");
    assert_eq!(asked[1].query, "labelSelector=app%20in%20%28a,b%29,%21x&limit=500&continue=more");
}

#[tokio::test]
async fn a_list_that_expires_half_way_begins_again() {
    let scripted = Scripted::start(|_, number| match number {
        0 => list("5", "more", &[object("old", "1")]),
        1 => Reply::json(410, &expired()),
        _ => list("9", "", &[object("new", "8")]),
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let found = cluster.list(&config_maps(), None, "").await.unwrap();
    assert_eq!(found.iter().map(|o| o.name()).collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn a_list_that_always_expires_is_asked_whole_and_then_given_up() {
    let scripted = Scripted::start(|_, number| match number % 2 {
        0 => list("5", "more", &[object("old", "1")]),
        _ => Reply::json(410, &expired()),
    })
    .await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    assert_eq!(cluster.list(&config_maps(), None, "").await.unwrap_err().kind, ApiFailureKind::Expired);
    assert_eq!(scripted.requests()[4].query, "", "the third attempt is not paged");
}

#[tokio::test]
async fn a_list_cut_half_way_is_no_list() {
    let body = json!({"metadata": {}, "items": [object("a", "1"), object("b", "2")]}).to_string();
    let scripted = Scripted::start(move |_, _| Reply::cut(200, &body, body.len() - 40)).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let failure = cluster.list(&config_maps(), None, "").await.unwrap_err();
    assert_eq!(failure.kind, ApiFailureKind::Unreachable, "{failure}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_the_limit() {
    let scripted = Scripted::start(|_, _| Reply::silence()).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let id = ResourceId::new("", "ConfigMap", "shop", "web");
    for (limit, request) in [(31, false), (41, true)] {
        let cluster = cluster.clone();
        let apply = apply(config_maps(), id.clone(), "{}");
        let id = id.clone();
        let before = scripted.requests().len();
        let waiting = tokio::spawn(async move {
            if request {
                cluster.apply(&apply).await.map(drop)
            } else {
                cluster.get(&config_maps(), &id).await.map(drop)
            }
        });
        scripted.wait_for(before + 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(limit)).await;
        tokio::time::resume();
        let failure = waiting.await.unwrap().unwrap_err();
        assert_eq!(failure.kind, ApiFailureKind::Timeout, "{failure}");
        assert!(failure.message.contains("configmaps/web"), "{failure}");
    }
}

/// Loses requests and answers.
struct Loser {
    lose_requests: bool,
    seen: AtomicUsize,
}

#[async_trait::async_trait]
impl RequestObserver for Loser {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        assert!(request.has("force=true"), "{request:?}");
        self.seen.fetch_add(1, Ordering::SeqCst);
        self.lose_requests.then(|| ApiFailure::new(ApiFailureKind::Unreachable, "lost request"))
    }

    async fn after(&self, _: &ObservedRequest<'_>, status: u16) -> Option<ApiFailure> {
        assert_eq!(status, 200);
        Some(ApiFailure::new(ApiFailureKind::Timeout, "lost answer"))
    }
}

#[tokio::test]
async fn an_observer_can_lose_a_request_or_its_answer() {
    for lose_requests in [true, false] {
        let scripted = Scripted::start(|_, _| Reply::json(200, &object("web", "1"))).await;
        let loser = Arc::new(Loser { lose_requests, seen: AtomicUsize::new(0) });
        let cluster =
            api_server(&scripted, ConnectOptions { observer: Some(loser.clone()), token: None }).await;
        let id = ResourceId::new("", "ConfigMap", "shop", "web");
        let failure = cluster.apply(&apply(config_maps(), id, "{}")).await.unwrap_err();
        assert_eq!(loser.seen.load(Ordering::SeqCst), 1);
        assert_eq!(failure.message, if lose_requests { "lost request" } else { "lost answer" });
        assert_eq!(scripted.requests().len(), usize::from(!lose_requests), "a lost request must not arrive");
    }
}
