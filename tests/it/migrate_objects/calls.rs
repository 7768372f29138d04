//! Who calls whom, which waves cut a call, and bridges.

use super::{annotated, labelled, object, owned, plain, workload};
use portolan::migrate::Level;
use portolan::migrate::calls::{Callee, CannotBridge, Declared, Graph, How, Side, bridge, cut, verdicts};
use portolan::model::Object;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn service(namespace: &str, name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}, {"name": "grpc", "port": 9000, "protocol": "TCP"}]}}))
}

/// Calls as `caller > callee (how)`.
fn calls(objects: &[Object]) -> Vec<String> {
    let graph = Graph::of(objects, &[]);
    let mut shown = Vec::new();
    for (edge, evidence) in &graph.edges {
        for one in evidence {
            shown.push(format!("{} > {} ({:?})", edge.from, edge.to, one.how));
        }
    }
    shown
}

fn with(container: Value) -> Vec<Object> {
    vec![service("data", "redis"), service("shop", "cart"), workload("Deployment", "shop", "web", container)]
}

#[test]
fn environment_and_arguments_name_services() {
    let found =
        calls(&with(json!({"name": "web", "env": [{"name": "CACHE", "value": "redis://redis.data:6379"}],
        "args": ["--cart=http://cart:80", "--verbose"]})));
    assert_eq!(
        found,
        [
            "Deployment.apps shop/web > data/redis (Environment)",
            "Deployment.apps shop/web > shop/cart (Argument)"
        ]
    );
}

#[test]
fn config_maps_count_for_who_reads_them() {
    let map = object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"},
        "data": {"app.yaml": "cache: redis.data.svc.cluster.local\n", "other": "http://cart"}}),
    );
    let by_key = with(
        json!({"name": "web", "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "other"}}}]}),
    );
    let mut objects = by_key;
    objects.push(map.clone());
    assert_eq!(calls(&objects), ["Deployment.apps shop/web > shop/cart (Configuration)"]);
    let mut whole = with(json!({"name": "web", "envFrom": [{"configMapRef": {"name": "c"}}]}));
    whole.push(map);
    assert_eq!(calls(&whole).len(), 2);
}

#[test]
fn secrets_are_read_and_not_told() {
    // redis://:hunter2@redis.data.svc:6379
    let secret =
        object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"},
        "data": {"URL": "cmVkaXM6Ly86aHVudGVyMkByZWRpcy5kYXRhLnN2Yzo2Mzc5", "digest": "hmac:abc"}}));
    let mut objects = with(json!({"name": "web", "envFrom": [{"secretRef": {"name": "s"}}]}));
    objects.push(secret);
    let graph = Graph::of(&objects, &[]);
    assert_eq!(calls(&objects), ["Deployment.apps shop/web > data/redis (Secret)"]);
    assert!(!format!("{graph:?}").contains("hunter2"));
}

#[test]
fn cron_jobs_and_bare_pods_call_too_and_derived_ones_do_not() {
    let container = json!({"name": "c", "command": ["curl", "http://redis.data"]});
    let cron = object(
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "n", "namespace": "shop"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [container]}}}}}}),
    );
    let pod = object(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": {"containers": [container]}}),
    );
    let made = owned(workload("ReplicaSet", "shop", "web-1", container), "apps/v1", "Deployment", "web");
    let found =
        calls(&[service("data", "redis"), cron, pod, made, plain("apps/v1", "Deployment", "shop", "web")]);
    assert_eq!(found, ["Pod shop/p > data/redis (Argument)", "CronJob.batch shop/n > data/redis (Argument)"]);
}

#[test]
fn ingresses_call_their_backends_and_what_their_annotations_name() {
    let ingress = annotated(
        object(
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"defaultBackend": {"service": {"name": "cart", "port": {"number": 80}}}}}),
        ),
        &[("nginx.ingress.kubernetes.io/auth-url", "http://login.auth.svc.cluster.local/check")],
    );
    let old = object(
        json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "old", "namespace": "shop"},
        "spec": {"rules": [{"http": {"paths": [{"backend": {"serviceName": "cart", "servicePort": 80}}]}}]}}),
    );
    let found = calls(&[service("auth", "login"), ingress, old]);
    assert_eq!(
        found,
        [
            "Ingress.extensions shop/old > shop/cart (Ingress)",
            "Ingress.networking.k8s.io shop/web > auth/login (Ingress)",
            "Ingress.networking.k8s.io shop/web > shop/cart (Ingress)",
        ]
    );
}

#[test]
fn routes_names_and_webhooks_lead_elsewhere() {
    let route = object(
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "edge"},
        "spec": {"rules": [{"backendRefs": [{"name": "cart", "namespace": "shop", "port": 80}, {"kind": "Bucket", "name": "b"}]}]}}),
    );
    let alias = object(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache", "namespace": "shop"},
        "spec": {"type": "ExternalName", "externalName": "redis.data.svc.cluster.local"}}),
    );
    let webhook = object(
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"},
        "webhooks": [{"name": "a.example.com", "clientConfig": {"service": {"name": "guard", "namespace": "policy"}}}]}),
    );
    let api = object(
        json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.metrics.example.com"},
        "spec": {"service": {"name": "adapter", "namespace": "monitoring"}}}),
    );
    let crd = object(
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a.example.com"},
        "spec": {"conversion": {"webhook": {"clientConfig": {"service": {"name": "convert", "namespace": "ops"}}}}}}),
    );
    let found = calls(&[service("data", "redis"), route, alias, webhook, api, crd]);
    assert_eq!(
        found,
        [
            "Service shop/cache > data/redis (ExternalName)",
            "HTTPRoute.gateway.networking.k8s.io edge/r > shop/cart (Route)",
            "the API server > monitoring/adapter (Webhook)",
            "the API server > ops/convert (Webhook)",
            "the API server > policy/guard (Webhook)",
        ]
    );
}

#[test]
fn policies_that_name_namespaces_show_calls() {
    let policy = object(
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}, {"namespaceSelector": {}}]}],
            "egress": [{"to": [{"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["data"]}]}},
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]}]}}),
    );
    let objects = [
        policy,
        labelled(plain("v1", "Namespace", "", "edge"), &[("team", "edge")]),
        plain("v1", "Namespace", "", "data"),
        plain("v1", "Namespace", "", "kube-system"),
        plain("v1", "Namespace", "", "other"),
    ];
    assert_eq!(
        calls(&objects),
        [
            "namespace edge > namespace shop (NetworkPolicy)",
            "namespace shop > namespace data (NetworkPolicy)",
        ]
    );
}

#[test]
fn custom_resources_name_services_with_their_namespace() {
    let monitor = object(
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": {"name": "k8s", "namespace": "monitoring"},
        "spec": {"remoteWrite": [{"url": "http://store.metrics.svc:9090/write"}], "image": "redis"}}),
    );
    assert_eq!(
        calls(&[service("metrics", "store"), service("monitoring", "redis"), monitor]),
        ["Prometheus.monitoring.coreos.com monitoring/k8s > metrics/store (Configuration)"]
    );
}

fn waves(waves: &[&[&str]]) -> Vec<BTreeSet<String>> {
    waves.iter().map(|wave| wave.iter().map(|name| (*name).to_owned()).collect()).collect()
}

fn graph(edges: &[(&str, &str)]) -> Graph {
    let declared: Vec<Declared> =
        edges.iter().map(|(from, to)| Declared { from: (*from).into(), to: (*to).into() }).collect();
    Graph::of(&[], &declared)
}

#[test]
fn a_wave_cuts_what_moves_apart() {
    let graph = graph(&[
        ("shop", "data/redis"),
        ("data", "shop/web"),
        ("shop", "shop/cart"),
        ("shop", "kube-system/dns"),
        ("edge", "shop/web"),
    ]);
    assert!(cut(&graph, &waves(&[&["shop", "data", "edge"]])).is_empty());
    let apart = cut(&graph, &waves(&[&["shop"], &["data"]]));
    let shown: Vec<String> = apart
        .iter()
        .map(|one| {
            format!(
                "{} > {} from {} until {:?} on {}",
                one.edge.from, one.edge.to, one.from_wave, one.until_wave, one.calling_side
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "namespace edge > shop/web from 0 until None on source",
            "namespace data > shop/web from 0 until Some(1) on source",
            "namespace shop > data/redis from 0 until Some(1) on target",
        ]
    );
    assert!(apart.iter().all(|one| one.evidence.iter().all(|seen| seen.how == How::Declared)));
}

#[test]
fn the_old_api_server_calls_webhooks_until_the_last_wave() {
    let webhook = object(
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "w"},
        "webhooks": [{"clientConfig": {"service": {"name": "guard", "namespace": "policy"}}}]}),
    );
    let graph = Graph::of(&[webhook], &[]);
    assert_eq!(cut(&graph, &waves(&[&["policy"], &["shop"]]))[0].calling_side, Side::Source);
    assert!(cut(&graph, &waves(&[&["shop"], &["policy"]])).is_empty());
    assert!(cut(&graph, &waves(&[&["shop"]])).is_empty());
    assert!(cut(&graph, &[]).is_empty());
}

#[test]
fn a_cut_call_is_a_blocker_until_it_is_bridged() {
    let cut =
        cut(&graph(&[("shop", "data/redis"), ("shop", "mail")]), &waves(&[&["shop"], &["data", "mail"]]));
    let told = verdicts(&cut, &BTreeSet::new());
    assert!(told.iter().all(|one| one.level == Level::Blocker), "{told:?}");
    let redis = Callee { namespace: "data".into(), service: Some("redis".into()) };
    let bridged = verdicts(&cut, &[(Side::Target, redis.clone())].into());
    let level = |name: &str| bridged.iter().find(|one| one.says.contains(name)).unwrap().level;
    assert_eq!((level("data/redis"), level("namespace mail")), (Level::Mapped, Level::Blocker));
    // A bridge on the wrong side leads nowhere.
    assert!(verdicts(&cut, &[(Side::Source, redis)].into()).iter().all(|one| one.level == Level::Blocker));
    let mail = told.iter().find(|one| one.says.contains("namespace mail")).unwrap();
    assert!(!mail.choices.iter().any(|offer| offer.id == "bridge"), "only Services are bridged");
}

#[test]
fn a_bridge_is_a_service_without_a_selector_and_a_slice() {
    let ports = [("http".to_owned(), 30080), ("grpc".to_owned(), 30900)].into();
    let addresses = ["10.0.1.5".to_owned(), "10.0.2.5".to_owned()].into();
    let objects = bridge(&service("data", "redis"), &addresses, &ports).unwrap();
    assert_eq!(
        objects.iter().map(|one| one.id().to_string()).collect::<Vec<_>>(),
        ["Service data/redis", "EndpointSlice.discovery.k8s.io data/redis-bridge-ipv4"]
    );
    let (near, far) = (objects[0].body(), objects[1].body());
    assert!(near["spec"].get("selector").is_none());
    assert_eq!(
        near["spec"]["ports"][0],
        json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": 30080})
    );
    assert_eq!(far["metadata"]["labels"]["kubernetes.io/service-name"], "redis");
    assert_ne!(
        far["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    assert_eq!(far["ports"][1], json!({"name": "grpc", "port": 30900, "protocol": "TCP"}));
    assert_eq!(far["endpoints"].as_array().unwrap().len(), 2);
    let both = ["10.0.1.5".to_owned(), "fd00::5".to_owned()].into();
    assert_eq!(bridge(&service("data", "redis"), &both, &ports).unwrap().len(), 3);
}

#[test]
fn a_bridge_that_leads_nowhere_is_refused() {
    let ports = [("http".to_owned(), 80), ("grpc".to_owned(), 9000)].into();
    let name = ["internal-a.elb.example.com".to_owned()].into();
    let refused = |service: &Object, addresses: &BTreeSet<String>, ports| {
        bridge(service, addresses, ports).unwrap_err()
    };
    let redis = service("data", "redis");
    assert!(matches!(refused(&redis, &name, &ports), CannotBridge::NotAnAddress { .. }));
    assert!(matches!(refused(&redis, &BTreeSet::new(), &ports), CannotBridge::NoAddress(_)));
    let one = ["10.0.0.1".to_owned()].into();
    let short = [("http".to_owned(), 80)].into();
    assert!(matches!(refused(&redis, &one, &short), CannotBridge::NoPort { port, .. } if port == "grpc"));
    let alias =
        object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"type": "ExternalName", "externalName": "c.example.com"}}));
    assert!(matches!(refused(&alias, &one, &ports), CannotBridge::ExternalName(_)));
}
