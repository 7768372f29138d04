//! Upgrades, what holds them back, and the way back within the window.

use super::{Api, NODE_ROLE};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that a test sets forward, by seconds.
fn clock(ahead: Arc<AtomicI64>) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let start: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    Arc::new(move || start + SignedDuration::from_secs(ahead.load(Ordering::SeqCst)))
}

fn to(version: &str) -> Value {
    json!({"name": "c", "version": version})
}

async fn upgrade(api: &Api, version: &str) -> Value {
    let answer = api.ok("UpdateClusterVersion", to(version)).await;
    api.ended("c", json!({}), &answer).await
}

async fn upgrade_nodes(api: &Api, version: &str) {
    let input = json!({"clusterName": "c", "nodegroupName": "ng", "version": version});
    let answer = api.ok("UpdateNodegroupVersion", input).await;
    let update = api.ended("c", json!({"nodegroupName": "ng"}), &answer).await;
    assert_eq!((&update["type"], &update["status"]), (&json!("VersionUpdate"), &json!("Successful")));
}

#[tokio::test]
async fn one_minor_up_when_the_nodes_have_followed() {
    crate::support::aws::needs_aws!();
    let api = Api::start_with(|options| {
        options.versions.insert(0, portolan::local::aws::eks::KubernetesVersion::new("1.34.9"));
    })
    .await;
    api.cluster_with("c", json!({"version": "1.34"})).await;
    api.nodegroup("c", "ng").await;
    let parameter = "InvalidParameterException";
    api.refused("UpdateClusterVersion", to("1.36"), parameter, "minor version update from 1.34 to 1.36")
        .await;
    api.refused("UpdateClusterVersion", to("1.34"), parameter, "from 1.34 to 1.34").await;
    api.refused("UpdateClusterVersion", to("1.37"), parameter, "unsupported Kubernetes version").await;
    api.refused("UpdateClusterVersion", to("1.33"), parameter, "unsupported Kubernetes version").await;
    let nodes = json!({"clusterName": "c", "nodegroupName": "ng", "version": "1.35"});
    api.refused("UpdateNodegroupVersion", nodes, parameter, "the version of the cluster is 1.34").await;

    let update = upgrade(&api, "1.35").await;
    assert_eq!((&update["type"], &update["status"]), (&json!("VersionUpdate"), &json!("Successful")));
    assert_eq!(update["params"][0], json!({"type": "Version", "value": "1.35"}));
    let held = api.refused(
        "UpdateClusterVersion",
        to("1.36"),
        "InvalidRequestException",
        "Nodegroups ng must be updated",
    );
    assert!(held.await.message().contains("1.35"));
    upgrade_nodes(&api, "1.35").await;
    let view = api.nodegroup_view("c", "ng").await;
    assert_eq!((&view["version"], &view["status"]), (&json!("1.35"), &json!("ACTIVE")));
    assert!(view["releaseVersion"].as_str().unwrap().starts_with("1.35."));
    assert_eq!(upgrade(&api, "1.36").await["status"], "Successful");
    assert_eq!(api.cluster_view("c").await["version"], "1.36");
}

#[tokio::test]
async fn insights_hold_an_upgrade_back_unless_forced() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster_with("c", json!({"version": "1.35"})).await;
    let insight = json!({
        "id": "i-1", "name": "Deprecated APIs", "category": "UPGRADE_READINESS", "kubernetesVersion": "1.36",
        "description": "d", "insightStatus": {"status": "ERROR", "reason": "used"}, "recommendation": "stop",
        "categorySpecificSummary": {"deprecationDetails": [{"usage": "/apis/x/v1beta1", "stopServingVersion": "1.36"}]},
    });
    assert!(api.server.set_insights("c", vec![insight]));
    api.refused("UpdateClusterVersion", to("1.36"), "InvalidStateException", "Deprecated APIs").await;
    let filter =
        json!({"clusterName": "c", "filter": {"categories": ["UPGRADE_READINESS"], "statuses": ["ERROR"]}});
    let listed = api.ok("ListInsights", filter).await;
    assert_eq!(listed["insights"][0]["id"], "i-1");
    assert!(listed["insights"][0]["recommendation"].is_null(), "a summary has none");
    let none = json!({"clusterName": "c", "filter": {"statuses": ["PASSING"]}});
    assert_eq!(api.ok("ListInsights", none).await["insights"], json!([]));
    let one = api.ok("DescribeInsight", json!({"clusterName": "c", "id": "i-1"})).await;
    assert_eq!(one["insight"]["recommendation"], "stop");
    api.refused(
        "DescribeInsight",
        json!({"clusterName": "c", "id": "i-2"}),
        "ResourceNotFoundException",
        "i-2",
    )
    .await;
    let forced = json!({"name": "c", "version": "1.36", "force": true});
    let answer = api.ok("UpdateClusterVersion", forced).await;
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");

    let refresh = json!({"clusterName": "c"});
    api.refused("DescribeInsightsRefresh", refresh.clone(), "ResourceNotFoundException", "").await;
    assert_eq!(api.ok("StartInsightsRefresh", refresh.clone()).await["status"], "IN_PROGRESS");
    api.server.settled().await;
    assert_eq!(api.ok("DescribeInsightsRefresh", refresh).await["status"], "COMPLETED");
}

#[tokio::test]
async fn back_within_the_window_and_nodes_first() {
    crate::support::aws::needs_aws!();
    let ahead = Arc::new(AtomicI64::new(0));
    let api = Api::start_with(|options| options.clock = clock(ahead.clone())).await;
    api.cluster_with("c", json!({"version": "1.35"})).await;
    api.nodegroup("c", "ng").await;
    upgrade(&api, "1.36").await;
    upgrade_nodes(&api, "1.36").await;

    let listed =
        json!({"clusterName": "c", "filter": {"categories": ["ROLLBACK_READINESS"], "statuses": ["ERROR"]}});
    let words = "Kubelet version skew (too new for 1.35: ng)";
    api.refused("UpdateClusterVersion", to("1.35"), "InvalidStateException", words).await;
    upgrade_nodes(&api, "1.35").await;
    assert_eq!(api.ok("ListInsights", listed.clone()).await["insights"], json!([]));
    for (name, version) in [("coredns", "v1.14.2-eksbuild.1"), ("kube-proxy", "v1.36.3-eksbuild.1")] {
        api.ok("CreateAddon", json!({"clusterName": "c", "addonName": name, "addonVersion": version})).await;
    }
    api.server.settled().await;
    let words = "too new for 1.35: coredns, kube-proxy";
    api.refused("UpdateClusterVersion", to("1.35"), "InvalidStateException", words).await;
    let insight = api.ok("ListInsights", listed).await["insights"][0].clone();
    let insight = api.ok("DescribeInsight", json!({"clusterName": "c", "id": insight["id"]})).await;
    assert_eq!(insight["insight"]["resources"].as_array().unwrap().len(), 2);
    for (name, version) in [("coredns", "v1.13.2-eksbuild.4"), ("kube-proxy", "v1.35.4-eksbuild.1")] {
        api.ok("UpdateAddon", json!({"clusterName": "c", "addonName": name, "addonVersion": version})).await;
    }
    api.server.settled().await;
    let mut early = to("1.35");
    early["rollbackConfig"] = json!({"timeoutMinutes": 60});
    api.refused("UpdateClusterVersion", early, "InvalidParameterException", "between 120 and 10080").await;
    ahead.store(7 * 24 * 3600, Ordering::SeqCst);
    api.server.hold();
    let answer = api.ok("UpdateClusterVersion", to("1.35")).await;
    assert_eq!(answer["update"]["type"], "VersionRollback");
    let cancel = json!({"name": "c", "updateId": answer["update"]["id"]});
    api.refused("CancelUpdate", cancel, "InvalidRequestException", "cannot be cancelled").await;
    api.server.release();
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");
    assert_eq!(api.cluster_view("c").await["version"], "1.35");

    // Once back, there is nothing to go back to; and after the window neither.
    upgrade(&api, "1.36").await;
    ahead.store(14 * 24 * 3600 + 1, Ordering::SeqCst);
    api.refused("UpdateClusterVersion", to("1.35"), "InvalidRequestException", "window").await;
    let older = json!({"clusterName": "c", "nodegroupName": "ng", "version": "1.35"});
    api.ok("UpdateNodegroupVersion", older).await;
    api.server.settled().await;
}

#[tokio::test]
async fn a_cluster_made_at_its_version_has_no_way_back() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    api.refused("UpdateClusterVersion", to("1.35"), "InvalidRequestException", "was not upgraded").await;
    let mut forward = to("1.36");
    forward["rollbackConfig"] = json!({});
    api.refused("UpdateClusterVersion", forward, "InvalidParameterException", "").await;
}

#[tokio::test]
async fn versions_are_those_of_the_options() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let all = api.ok("DescribeClusterVersions", json!({})).await;
    let listed: Vec<_> =
        all["clusterVersions"].as_array().unwrap().iter().map(|v| v["clusterVersion"].clone()).collect();
    assert_eq!(listed, ["1.36", "1.35"]);
    let default = api.ok("DescribeClusterVersions", json!({"defaultOnly": true})).await;
    assert_eq!(default["clusterVersions"][0]["kubernetesPatchVersion"], "1.36.3");
    let one = api.ok("DescribeClusterVersions", json!({"clusterVersions": ["1.35"]})).await;
    assert_eq!(one["clusterVersions"].as_array().unwrap().len(), 1);
    let other = json!({"clusterVersions": ["1.30"]});
    api.refused("DescribeClusterVersions", other, "InvalidParameterException", "unsupported").await;
    // A node group of another version than its cluster's cannot be made.
    api.cluster("c").await;
    let input = super::nodegroup_input("c", "ng", json!({"version": "1.35", "nodeRole": NODE_ROLE}));
    api.refused("CreateNodegroup", input, "InvalidParameterException", "1.35").await;
}
