//! Lists, watches, discovery, evidence and Events against a real API server.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_more_than_a_page_is_whole() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let items: Vec<Value> = (0..620).map(|n| config_map(&namespace, &format!("c{n}"), json!({}))).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    kubectl_ok_with(&*control_plane().await, &["create", "-f", "-"], &list.to_string()).await;
    let found = cluster.list(&config_maps(), Some(&namespace), "app=shop").await.unwrap();
    assert_eq!(found.len(), 620);
    assert!(found.iter().all(|object| object.gvk() == config_maps().gvk));
    assert!(cluster.list(&config_maps(), Some(&namespace), "app=other").await.unwrap().is_empty());

    // And in a watch's list, page by page through a small channel.
    let (sender, mut events) = mpsc::channel(1);
    let _guard = cluster.watch(&config_maps(), "app=shop", sender);
    let mut here = 0;
    while let Some((_, event)) = tokio::time::timeout(LIMIT, events.recv()).await.unwrap() {
        match event {
            WatchEvent::Initial(object) => {
                here += usize::from(object.namespace() == Some(namespace.as_str()))
            }
            WatchEvent::Listed => break,
            _ => {}
        }
    }
    assert_eq!(here, 620);
}

/// A watch, cut down to one namespace.
struct Watching {
    namespace: String,
    events: mpsc::Receiver<(GroupKind, WatchEvent)>,
    _guard: WatchGuard,
}

impl Watching {
    fn start(cluster: &ApiServer, kind: &ServedKind, selector: &str, namespace: &str) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { namespace: namespace.into(), _guard: cluster.watch(kind, selector, sender), events }
    }

    async fn next(&mut self) -> String {
        loop {
            let event = tokio::time::timeout(LIMIT, self.events.recv()).await.expect("an event in time");
            let (word, object) = match event.expect("the watch goes on").1 {
                WatchEvent::Restarted => return "restarted".into(),
                WatchEvent::Listed => return "listed".into(),
                WatchEvent::Failed(failure) => return format!("failed {failure}"),
                WatchEvent::Initial(object) => ("initial", object),
                WatchEvent::Changed(object) => ("changed", object),
                WatchEvent::Gone(object) => ("gone", object),
            };
            if object.namespace() == Some(self.namespace.as_str()) {
                return format!("{word} {}", object.name());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sees_every_change_and_a_lost_label_as_gone() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let body = |name: &str, value: &str| config_map(&namespace, name, json!({"k": value}));
    apply(&cluster, config_maps(), &body("a", "1")).await.unwrap();
    let mut watching = Watching::start(&cluster, &config_maps(), "app=shop", &namespace);
    for expected in ["restarted", "initial a", "listed"] {
        assert_eq!(watching.next().await, expected);
    }
    apply(&cluster, config_maps(), &body("b", "1")).await.unwrap();
    assert_eq!(watching.next().await, "changed b");
    let cp = control_plane().await;
    kubectl_ok(&cp, &["label", "configmap", "a", "-n", &namespace, "app-"]).await;
    assert_eq!(watching.next().await, "gone a");
    kubectl_ok(&cp, &["label", "configmap", "a", "-n", &namespace, "app=shop"]).await;
    assert_eq!(watching.next().await, "changed a");
    kubectl_ok(&cp, &["delete", "configmap", "a", "b", "-n", &namespace]).await;
    assert_eq!(watching.next().await, "gone a");
    assert_eq!(watching.next().await, "gone b");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregated_api_without_its_pods_is_named_and_hinders_nothing() {
    let cluster = api_server().await;
    let group = "down.portolan-test.dev";
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": format!("v1.{group}")},
        "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"namespace": "default", "name": "nobody"}},
    });
    let services = kind("apiregistration.k8s.io", "v1", "APIService", "apiservices");
    let applied = apply(&cluster, services.clone(), &service).await.unwrap();
    let discovery = until(|| async {
        let discovery = cluster.discover().await.unwrap();
        discovery.unavailable.contains(group).then_some(discovery)
    })
    .await;
    assert_eq!(discovery.unavailable.len(), 1, "{:?}", discovery.unavailable);
    assert!(discovery.version.starts_with("v1."));
    let deployment = discovery.preferred(&GroupKind::new("apps", "Deployment")).unwrap();
    assert_eq!((deployment.plural.as_str(), deployment.namespaced), ("deployments", true));
    assert!(["patch", "watch", "delete"].iter().all(|verb| deployment.verbs.contains(*verb)));
    let hpa = discovery.preferred(&GroupKind::new("autoscaling", "HorizontalPodAutoscaler")).unwrap();
    assert_eq!(hpa.gvk.version, "v2");
    assert!(discovery.kind(&Gvk::new("autoscaling", "v1", "HorizontalPodAutoscaler")).is_some());
    assert!(!discovery.preferred(&GroupKind::new("", "Namespace")).unwrap().namespaced);
    assert!(discovery.api_versions().contains(&"networking.k8s.io/v1/Ingress".to_owned()));

    let live = cluster.get(&services, &applied.object.id()).await.unwrap().unwrap();
    let patch = DeleteRequest { resource_version: String::new(), ..deletion(services, &live) };
    cluster.delete(&patch).await.unwrap();
    until(|| async { cluster.discover().await.unwrap().unavailable.is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crds_kind_is_discovered_applied_and_checked_strictly() {
    let cluster = api_server().await;
    let namespace = fresh_namespace().await;
    let group = format!("{namespace}.portolan-test.dev");
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("ports.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Port", "plural": "ports", "singular": "port"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    });
    let crds = kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
    apply(&cluster, crds, &crd).await.unwrap();
    let port = until(|| async {
        cluster.discover().await.unwrap().preferred(&GroupKind::new(&group, "Port")).cloned()
    })
    .await;
    let body = |spec: Value| json!({"apiVersion": format!("{group}/v1"), "kind": "Port", "metadata": {"name": "p", "namespace": namespace}, "spec": spec});
    until(|| async { apply(&cluster, port.clone(), &body(json!({"size": 1}))).await.ok() }).await;
    let typo = apply(&cluster, port.clone(), &body(json!({"sise": 1}))).await.unwrap_err();
    assert_eq!(typo.kind, ApiFailureKind::Invalid, "{typo:?}");
    assert!(typo.message.contains("sise"), "{typo}");
    let mut watching = Watching::start(&cluster, &port, "", &namespace);
    for expected in ["restarted", "initial p", "listed"] {
        assert_eq!(watching.next().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_shows_why_a_workload_does_not_come_up() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let mut nowhere = deployment(&namespace, "nowhere", 2);
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = json!({"no-node-has": "this"});
    nowhere["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "TOKEN", "value": "hunter2"}]);
    let id = apply(&cluster, deployments(), &nowhere).await.unwrap().object.id();
    let evidence = until(|| async {
        let evidence = cluster.evidence(&id).await.unwrap();
        (evidence.pods.len() == 2 && evidence.events.len() >= 2).then_some(evidence)
    })
    .await;
    assert_eq!(evidence.pods[0]["status"]["phase"], "Pending");
    assert!(
        evidence.events.iter().all(|event| event["reason"] == "FailedScheduling"),
        "{:?}",
        evidence.events
    );
    assert!(!format!("{evidence:?}").contains("hunter2"), "a pod's environment is nobody's business");

    // What forbids the pods themselves is said of the ReplicaSet.
    let (cluster, namespace) = (cluster, fresh_namespace().await);
    kubectl_ok(&*control_plane().await, &["create", "quota", "q", "--hard=pods=0", "-n", &namespace]).await;
    let id = apply(&cluster, deployments(), &deployment(&namespace, "over", 1)).await.unwrap().object.id();
    let evidence = until(|| async {
        let evidence = cluster.evidence(&id).await.unwrap();
        (!evidence.events.is_empty()).then_some(evidence)
    })
    .await;
    assert_eq!(evidence.events[0]["reason"], "FailedCreate");
    assert!(
        evidence.events[0]["message"].as_str().unwrap().contains("exceeded quota"),
        "{:?}",
        evidence.events
    );
    let healthy =
        apply(&cluster, deployments(), &deployment(&namespace, "idle", 0)).await.unwrap().object.id();
    assert_eq!(cluster.evidence(&healthy).await.unwrap(), Default::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_accepted_and_shown_by_kubectl() {
    let (cluster, namespace) = (api_server().await, fresh_namespace().await);
    let live = apply(&cluster, config_maps(), &config_map(&namespace, "c", json!({}))).await.unwrap().object;
    let (api_version, uid) = EventNote::about(&live);
    let id = live.id();
    let note = format!("spec.replicas was 3 and is 1 {}", "ä".repeat(1000));
    let mut event = EventNote {
        id: &id,
        api_version,
        uid,
        severity: Severity::Warning,
        reason: "DriftCorrected",
        action: "Apply",
        note: &note,
        time: "2026-11-21T10:00:00.000000Z",
        instance: "portolan-0",
    };
    cluster.create(&event_kind(), &event_body(&event), None).await.unwrap();
    let shown = kubectl_ok(&*control_plane().await, &["describe", "configmap", "c", "-n", &namespace]).await;
    assert!(shown.contains("DriftCorrected") && shown.contains("spec.replicas was 3 and is 1"), "{shown}");
    assert!(shown.contains("portolan"), "{shown}");
    // About an object without a namespace, with a name of the greatest length.
    let long = ResourceId::new(
        "rbac.authorization.k8s.io",
        "ClusterRole",
        "",
        &format!("system:{}", "n".repeat(246)),
    );
    event.id = &long;
    event.api_version = "rbac.authorization.k8s.io/v1";
    cluster.create(&event_kind(), &event_body(&event), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_that_leads_nowhere_says_so() {
    let path = control_plane().await.kubeconfig().to_owned();
    let text = std::fs::read_to_string(&path).unwrap();
    let named = |context: &str| Source::KubeconfigText { text: text.clone(), context: Some(context.into()) };
    let error = connect(&named("nowhere"), ConnectOptions::default()).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Kubeconfig { .. }) && error.to_string().contains("nowhere"),
        "{error}"
    );
    let missing = Source::KubeconfigFile { path: "/no/such/kubeconfig".into(), context: None };
    let error = connect(&missing, ConnectOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/kubeconfig"), "{error}");
    let broken = Source::KubeconfigText { text: "users: [{token: hunter2, ".into(), context: None };
    let error = connect(&broken, ConnectOptions::default()).await.unwrap_err();
    assert!(!format!("{error} {error:?} {broken:?}").contains("hunter2"), "{error}");
    let server =
        connect(&Source::KubeconfigText { text, context: None }, ConnectOptions::default()).await.unwrap();
    assert!(server.address().starts_with("https://"));
    server.discover().await.unwrap();

    let untrusted = Source::Endpoint { url: server.address().into(), ca_pem: None, tls_server_name: None };
    let failure = connect(&untrusted, ConnectOptions::default()).await.unwrap().discover().await.unwrap_err();
    assert_eq!(failure.kind, ApiFailureKind::Unreachable);
    assert!(
        failure.message.contains(server.address()) && failure.message.contains("UnknownIssuer"),
        "{failure}"
    );
}
