//! What a kept cluster does inside a cluster, on a real API server: ServiceAccounts, the look before an upgrade, restarts of
//! Fargate's pods, and the daemon's memory.

use super::scene::Told;
use crate::support::control_plane::{control_plane, fresh_namespace, kubectl, kubectl_ok, kubectl_ok_with};
use async_trait::async_trait;
use portolan::engine::clusters::Destinations;
use portolan::engine::clusters::api_server::WithApiServer;
use portolan::engine::clusters::inside::look;
use portolan::engine::clusters::restart::{Restart, one};
use portolan::k8s::{ApiServer, ClusterStateStore, ConnectOptions, Source, connect};
use portolan::model::cloud::{Call, Service};
use portolan::model::cluster_config::ClusterConfig;
use portolan::ports::{
    Cloud, CloudFailure, CloudFailureKind, Cluster, ClusterMemory, ClusterRecord, KubernetesToken,
    StateStore, UnderWay,
};
use portolan::provision::eks::service_account::ServiceAccountDriver;
use portolan::provision::gates::ApiUse;
use portolan::provision::resource::{Driver, Key, Kind, Owner, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(90);
const ROLE: &str = "eks.amazonaws.com/role-arn";

async fn api_server() -> ApiServer {
    let path = control_plane().await.kubeconfig().to_owned();
    connect(&Source::KubeconfigFile { path, context: None }, ConnectOptions::default()).await.unwrap()
}

/// The real API server as the cluster's, and no AWS.
struct Inside(Arc<ApiServer>);

#[async_trait]
impl Destinations for Inside {
    async fn connected(&self, _name: &str) -> Result<Arc<dyn Cluster>, String> {
        Ok(self.0.clone())
    }
    fn declared_apis(&self, name: &str) -> Vec<ApiUse> {
        Told::default().declared_apis(name)
    }
    fn ready(&self, _name: &str) {}
    fn gone(&self, _name: &str) {}
}

struct NoCloud;

#[async_trait]
impl Cloud for NoCloud {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        panic!("{call} is no call to the API server")
    }
    async fn kubernetes_token(&self, _cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        panic!("nobody needs a token")
    }
    fn region(&self) -> &str {
        "eu-central-1"
    }
    fn partition(&self) -> &str {
        "aws"
    }
}

fn scope() -> Scope {
    Scope {
        cluster: "shop".into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
        account: "123456789012".into(),
    }
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn account(namespace: &str) -> Resource {
    let config = json!({
        "apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig", "metadata": {"name": "shop", "region": "eu-central-1"},
        "iam": {"withOIDC": true, "serviceAccounts": [{
            "metadata": {"name": "backup", "namespace": namespace, "labels": {"tier": "batch"}},
            "attachRoleARN": "arn:aws:iam::123456789012:role/given",
        }]},
    });
    let config: ClusterConfig = serde_json::from_value(config).unwrap();
    let declared =
        portolan::provision::resources(&config, &Default::default(), &scope(), &Snapshot::default());
    let found = declared.resources.into_iter().find(|resource| resource.key.kind == Kind::ServiceAccount);
    found.expect("a ServiceAccount")
}

/// What the driver finds; the cluster itself is there.
async fn read(cloud: &WithApiServer, declared: &[Resource]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let get = json!({"namespace": declared[0].desired["namespace"], "name": declared[0].desired["name"]});
    let call = Call::new(Service::Kubernetes, "GetServiceAccount", get);
    match cloud.call(&call).await {
        Ok(answer) => drop(ServiceAccountDriver.absorb(&scope(), declared, &call, &answer, &mut snapshot)),
        Err(failure) => assert_eq!(failure.kind, CloudFailureKind::NotFound, "{failure}"),
    }
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_is_made_with_its_namespace_kept_and_deleted_as_it_was_judged() {
    let api = Arc::new(api_server().await);
    let plane = control_plane().await;
    let cloud =
        WithApiServer { cloud: Arc::new(NoCloud), destinations: Arc::new(Inside(api)), name: "shop".into() };
    let namespace = format!("made-{}", fresh_namespace().await);
    let resource = account(&namespace);
    let declared = [resource.clone()];
    assert_eq!(read(&cloud, &declared).await.live.len(), 0);
    let tags = scope().tags(&resource.key);
    let create = ServiceAccountDriver.create(&scope(), &resource, &resource.desired, &tags, "");
    cloud.call(&create).await.unwrap();
    let again = cloud.call(&create).await.unwrap_err();
    assert_eq!(again.kind, CloudFailureKind::AlreadyExists, "{again}");

    let differences = async || {
        let snapshot = read(&cloud, &declared).await;
        let live = snapshot
            .live
            .get(&Key::new(Kind::ServiceAccount, format!("{namespace}/backup")))
            .cloned()
            .unwrap();
        assert_eq!(live.owner, Owner::Ours);
        let found =
            ServiceAccountDriver.differences(&scope(), &resource, &resource.desired, &tags, &live, &snapshot);
        (live, found)
    };
    let (live, found) = differences().await;
    assert_eq!(found, [], "what was made is as declared");
    let stale = ServiceAccountDriver.delete(&scope(), &live).remove(0);

    kubectl_ok(
        &plane,
        &["-n", &namespace, "annotate", "--overwrite", "sa", "backup", &format!("{ROLE}=arn:other")],
    )
    .await;
    kubectl_ok(&plane, &["-n", &namespace, "label", "sa", "backup", "tier-"]).await;
    let (_, found) = differences().await;
    let fields: Vec<&str> = found.iter().map(|difference| difference.field.as_str()).collect();
    assert_eq!(fields, ["/labels/tier", "/annotations/eks.amazonaws.com~1role-arn"]);
    let portolan::provision::resource::Mend::InPlace(mend) = &found[0].mend else { panic!("{found:?}") };
    cloud.call(mend).await.unwrap();
    assert_eq!(differences().await.1, []);
    // A label that is no longer declared is seen, for our entry owns it, and goes with the next apply.
    let mut fewer = resource.desired.clone();
    fewer["labels"].as_object_mut().unwrap().remove("tier");
    let (live, _) = differences().await;
    let found =
        ServiceAccountDriver.differences(&scope(), &resource, &fewer, &tags, &live, &Snapshot::default());
    assert_eq!((found.len(), found[0].field.as_str()), (1, "/labels/tier"));

    let refused = cloud.call(&stale).await.unwrap_err();
    assert_eq!(refused.kind, CloudFailureKind::InUse, "it was changed since it was judged: {refused}");
    cloud.call(&ServiceAccountDriver.delete(&scope(), &live)[0]).await.unwrap();
    assert_eq!(read(&cloud, &declared).await.live.len(), 0);
}

const PODS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch}
spec:
  replicas: 2
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch, eks.amazonaws.com/fargate-profile: batch}}
    spec:
      containers: [{name: batch, image: "batch:1"}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: batch}
spec: {minAvailable: 2, selector: {matchLabels: {app: batch}}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_fargate_go_one_by_one_as_their_budget_lets_them_and_a_tight_budget_is_seen() {
    let api = api_server().await;
    let plane = control_plane().await;
    let namespace = fresh_namespace().await;
    let nodes = kubectl_ok(&plane, &["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"]).await;
    let nodes: Vec<String> = nodes.split_whitespace().map(str::to_owned).collect();
    assert_eq!(one(&api, &[]).await.unwrap(), Restart::None);
    kubectl_ok_with(&plane, &["-n", &namespace, "apply", "-f", "-"], PODS).await;
    let names = async || {
        let pods =
            kubectl_ok(&plane, &["-n", &namespace, "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"])
                .await;
        pods.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    kubectl_ok(&plane, &["-n", &namespace, "rollout", "status", "deployment/batch", "--timeout=60s"]).await;
    let before = names().await;
    eventually("a budget that is seen", async || {
        let inside = look(&api, Vec::new()).await.unwrap();
        inside
            .tight_budgets
            .iter()
            .any(|budget| budget.namespace == namespace && budget.because == "minAvailable 2 of 2 pods")
    })
    .await;
    let Restart::Waits(words) = one(&api, &nodes).await.unwrap() else { panic!("the budget lets none go") };
    assert!(words.contains("PodDisruptionBudget"), "{words}");
    assert_eq!(names().await, before);

    kubectl_ok(
        &plane,
        &["-n", &namespace, "patch", "pdb", "batch", "--type=merge", "-p", r#"{"spec":{"minAvailable":1}}"#],
    )
    .await;
    eventually("each pod once", async || {
        if let Restart::Evicted(pod) = one(&api, &nodes).await.unwrap() {
            assert!(pod.contains(&namespace), "{pod}");
        }
        let now = names().await;
        now.len() == 2 && !now.iter().any(|uid| before.contains(uid))
    })
    .await;
    assert_eq!(before.len(), 2);
    // What nothing brings back is never asked to go.
    kubectl_ok(&plane, &["-n", &namespace, "delete", "deployment", "batch", "--wait=true"]).await;
    let alone = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"alone","labels":{"eks.amazonaws.com/fargate-profile":"batch"}},"spec":{"containers":[{"name":"a","image":"a:1"}]}}"#;
    kubectl_ok_with(&plane, &["-n", &namespace, "apply", "-f", "-"], alone).await;
    eventually("a pod that nothing keeps", async || match one(&api, &nodes).await.unwrap() {
        Restart::Waits(words) => words.contains("would not come back"),
        _ => false,
    })
    .await;
    let there = kubectl(&plane, &["-n", &namespace, "get", "pod", "alone"]).await;
    assert!(there.status.success());
    kubectl_ok(&plane, &["-n", &namespace, "delete", "pod", "alone", "--wait=false"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_clusters_outlive_the_daemon_in_its_namespace() {
    let (api, namespace) = (api_server().await, fresh_namespace().await);
    let open = || ClusterStateStore::new(&api, &namespace);
    assert_eq!(open().clusters().await.unwrap(), BTreeMap::new());
    let mut record = ClusterRecord::new("shop");
    record.cluster = "shop".into();
    record.message = "create Cluster/shop (CREATING)".into();
    record.under_way = vec![UnderWay {
        resource: "Cluster/shop".into(),
        action: "create".into(),
        state: "CREATING".into(),
        since: "2026-11-21T00:00:00Z".into(),
    }];
    // A hundred resources with their tags, as a large file declares them.
    let resources: Vec<Value> = (0..100).map(|nth| json!({"name": nth, "tags": "x".repeat(500)})).collect();
    record.memory = ClusterMemory([("resources".to_owned(), json!(resources))].into());
    let store = open();
    store.save_cluster("shop", Some(&record)).await.unwrap();
    store.save_cluster("other", Some(&ClusterRecord::new("other"))).await.unwrap();
    assert_eq!(open().clusters().await.unwrap()["shop"], record);
    record.message = String::new();
    open().save_cluster("shop", Some(&record)).await.unwrap();
    store.save_cluster("other", None).await.unwrap();
    let read = open().clusters().await.unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["shop"]);
    assert_eq!(read["shop"], record);
    open().save_cluster("shop", None).await.unwrap();
    assert!(open().clusters().await.unwrap().is_empty());
}
