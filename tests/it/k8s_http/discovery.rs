//! Discovery in its three forms, whole and with a group that is down.

use super::*;

fn discovery(asked: &Asked, metrics_up: bool, aggregated: Option<&str>) -> Reply {
    let pods = json!({"resource": "pods", "responseKind": {"group": "", "version": "v1", "kind": "Pod"}, "scope": "Namespaced", "verbs": ["get", "list"]});
    let metrics = json!({"resource": "pods", "responseKind": {"group": "metrics.k8s.io", "version": "v1beta1", "kind": "PodMetrics"},
        "scope": "Namespaced", "verbs": ["get"]});
    let horizontal = |version: &str| {
        json!({"resource": "horizontalpodautoscalers", "scope": "Namespaced", "verbs": ["get"],
        "responseKind": {"group": "autoscaling", "version": version, "kind": "HorizontalPodAutoscaler"}})
    };
    let group = |name: &str, versions: Value| json!({"metadata": {"name": name}, "versions": versions});
    let current = |version: &str, resources: Value| json!({"version": version, "resources": resources, "freshness": "Current"});
    let metrics_version = if metrics_up {
        current("v1beta1", json!([metrics]))
    } else {
        json!({"version": "v1beta1", "freshness": "Stale"})
    };
    let items = match asked.path.as_str() {
        "/version" => {
            return Reply::json(200, &json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}));
        }
        "/api" if aggregated.is_some() => json!([group("", json!([current("v1", json!([pods]))]))]),
        "/apis" if aggregated.is_some() => json!([
            group(
                "autoscaling",
                json!([current("v2", json!([horizontal("v2")])), current("v1", json!([horizontal("v1")]))])
            ),
            group("metrics.k8s.io", json!([metrics_version])),
        ]),
        _ => return legacy_discovery(asked, metrics_up),
    };
    let api = format!("apidiscovery.k8s.io/{}", aggregated.unwrap());
    Reply::json(200, &json!({"kind": "APIGroupDiscoveryList", "apiVersion": api, "items": items}))
}

fn legacy_discovery(asked: &Asked, metrics_up: bool) -> Reply {
    let resource = |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": true, "verbs": ["get", "list"]});
    let resources = |all: Value| Reply::json(200, &json!({"kind": "APIResourceList", "resources": all}));
    let group = |name: &str, preferred: &str, versions: &[&str]| {
        let versions: Vec<Value> =
            versions.iter().map(|v| json!({"groupVersion": format!("{name}/{v}"), "version": v})).collect();
        json!({"name": name, "versions": versions, "preferredVersion": {"version": preferred}})
    };
    match asked.path.as_str() {
        "/api" => Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Reply::json(
            200,
            &json!({"kind": "APIGroupList", "groups": [
            group("autoscaling", "v2", &["v1", "v2"]), group("metrics.k8s.io", "v1beta1", &["v1beta1"])]}),
        ),
        "/api/v1" => resources(json!([resource("pods", "Pod"), resource("pods/status", "Pod")])),
        "/apis/autoscaling/v1" | "/apis/autoscaling/v2" => {
            resources(json!([resource("horizontalpodautoscalers", "HorizontalPodAutoscaler")]))
        }
        "/apis/metrics.k8s.io/v1beta1" if metrics_up => resources(json!([resource("pods", "PodMetrics")])),
        "/apis/metrics.k8s.io/v1beta1" => Reply::text(503, "service unavailable\n"),
        other => panic!("unexpected {other}"),
    }
}

#[tokio::test]
async fn discovery_reads_all_three_forms_alike() {
    for aggregated in [Some("v2"), Some("v2beta1"), None] {
        let metrics_up = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let up = metrics_up.clone();
        let scripted =
            Scripted::start(move |asked: &Asked, _| discovery(asked, up.load(Ordering::SeqCst), aggregated))
                .await;
        let cluster = api_server(&scripted, ConnectOptions::default()).await;
        let complete = cluster.discover().await.unwrap();
        assert_eq!(complete.version, "v1.36.3");
        assert!(complete.unavailable.is_empty());
        assert_eq!(complete.kinds.len(), 4, "{aggregated:?}: {:?}", complete.kinds.keys());
        let preferred =
            complete.preferred(&GroupKind::new("autoscaling", "HorizontalPodAutoscaler")).unwrap();
        assert_eq!(
            (preferred.gvk.version.as_str(), preferred.plural.as_str()),
            ("v2", "horizontalpodautoscalers")
        );
        assert!(complete.kind(&Gvk::new("", "v1", "Pod")).unwrap().namespaced);
        let roots = scripted.requests().len();
        assert!(aggregated.is_none() || roots == 3, "{roots} requests");

        metrics_up.store(false, Ordering::SeqCst);
        let partial = cluster.discover().await.unwrap();
        assert_eq!(partial.unavailable.iter().collect::<Vec<_>>(), ["metrics.k8s.io"]);
        assert_eq!(partial.kinds, complete.kinds, "{aggregated:?}: the last complete answer fills the gap");
    }
}

#[tokio::test]
async fn a_new_daemon_names_what_it_cannot_know() {
    let scripted = Scripted::start(|asked: &Asked, _| discovery(asked, false, None)).await;
    let cluster = api_server(&scripted, ConnectOptions::default()).await;
    let partial = cluster.discover().await.unwrap();
    assert_eq!(partial.unavailable.iter().collect::<Vec<_>>(), ["metrics.k8s.io"]);
    assert_eq!(partial.kinds.len(), 3);
}
