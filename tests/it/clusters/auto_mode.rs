//! A cluster with EKS Auto Mode on the local AWS: made, kept, and turned off with an approval. Its zones are the region's.

use super::aws_scene::AwsScene;
use super::scene::settle;
use portolan::engine::clusters::PassEnd;
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Service;
use portolan::model::{Health, SyncStatus};
use serde_json::{Value, json};

const CLUSTER: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35"}
accessConfig: {authenticationMode: API}
addonsConfig: {disableDefaultAddons: true}
"#;
const AUTO_MODE: &str = "autoModeConfig: {enabled: true}\n";

async fn compute(scene: &AwsScene) -> Value {
    let cluster = scene.console(Service::Eks, "DescribeCluster", json!({"name": "shop"})).await;
    let cluster = &cluster["cluster"];
    let on = cluster["computeConfig"]["enabled"].clone();
    assert_eq!(cluster["storageConfig"]["blockStorage"]["enabled"], on, "all or none");
    assert_eq!(cluster["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"], on, "all or none");
    cluster["computeConfig"].clone()
}

/// Whether the cluster's role may make nodes.
async fn may_compute(scene: &AwsScene) -> bool {
    let cluster = scene.console(Service::Eks, "DescribeCluster", json!({"name": "shop"})).await;
    let role = cluster["cluster"]["roleArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let policies = scene.console(Service::Iam, "ListAttachedRolePolicies", json!({"RoleName": role})).await;
    policies.to_string().contains("AmazonEKSComputePolicy")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_mode_is_made_kept_and_turned_off_with_an_approval() {
    let scene = AwsScene::start(Delays::default()).await;
    let settings = || json!({"name": "shop", "region": "eu-central-1"});
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(&format!("{CLUSTER}{AUTO_MODE}"), settings()));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    let subnets = scene.console(Service::Ec2, "DescribeSubnets", json!({})).await.to_string();
    assert!(
        ["private-eu-central-1a", "private-eu-central-1b", "private-eu-central-1c"]
            .iter()
            .all(|name| subnets.contains(name)),
        "in three zones: {subnets}"
    );
    let record = kept.record();
    assert_eq!((record.sync, record.health), (SyncStatus::Synced, Health::Healthy), "{}", record.message);
    let made = compute(&scene).await;
    assert_eq!(made["nodePools"], json!(["general-purpose", "system"]));
    let role = made["nodeRoleArn"].as_str().unwrap().to_owned();
    // Its nodes log in by an entry that EKS makes, which is none of ours to judge.
    let entry = json!({"clusterName": "shop", "principalArn": role});
    let live = scene.console(Service::Eks, "DescribeAccessEntry", entry.clone()).await;
    assert_eq!(live["accessEntry"]["type"], "EC2");
    let policies = scene.console(Service::Eks, "ListAssociatedAccessPolicies", entry).await;
    assert!(policies.to_string().contains("AmazonEKSAutoNodePolicy"), "{policies}");

    // What somebody changes at the console is put right: a pool fewer, and all of it.
    let off = json!({"enabled": false});
    for (compute_config, on) in
        [(json!({"enabled": true, "nodePools": ["system"], "nodeRoleArn": role}), true), (off, false)]
    {
        let change = json!({
            "name": "shop", "computeConfig": compute_config,
            "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": on}},
            "storageConfig": {"blockStorage": {"enabled": on}},
        });
        scene.console(Service::Eks, "UpdateClusterConfig", change).await;
        assert_eq!(settle(&kept).await, PassEnd::Done);
        assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
        assert_eq!(compute(&scene).await, made);
    }

    // The file says nothing of it any more: its nodes end, so a person is asked.
    kept.supersede(scene.wanted(CLUSTER, settings()));
    settle(&kept).await;
    let waiting = kept.record().waiting.expect("a plan that waits");
    assert!(waiting.reason.contains("Auto Mode is turned off"), "{waiting:?}");
    assert_eq!(compute(&scene).await, made, "not before the approval");
    assert!(may_compute(&scene).await, "nor may its role lose anything before");
    scene.approve(&kept).await;
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(compute(&scene).await["enabled"], false);
    assert_eq!((kept.record().sync, kept.record().waiting), (SyncStatus::Synced, None));
    assert!(!may_compute(&scene).await);
    let roles = scene.console(Service::Iam, "ListRoles", json!({})).await.to_string();
    assert!(!roles.contains(role.rsplit('/').next().unwrap()), "its role went afterwards");
    scene.check();
}
