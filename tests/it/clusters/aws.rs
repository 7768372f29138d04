//! The whole life of a cluster on the local AWS, with the drivers and the adapter as they are.

use super::aws_scene::AwsScene;
use super::scene::{settle, settle_within};
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{Kept, PassEnd};
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Service;
use portolan::model::event::What;
use portolan::model::{Health, SyncStatus};
use portolan::provision::resource::Kind;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A cluster with everything that issue 4 asks for.
pub const SHOP: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35", tags: {team: shop}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: backup, namespace: shop, labels: {tier: batch}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: web, createServiceAccount: true, permissionPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::123456789012:role/people
      accessPolicies:
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
          accessScope: {type: namespace, namespaces: [shop]}
addons:
  - {name: vpc-cni}
  - {name: kube-proxy}
  - {name: coredns}
  - {name: eks-pod-identity-agent}
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: blue}}
  - {name: green, spot: true, instanceTypes: [t3.medium, t3.large], minSize: 1, maxSize: 4, taints: [{key: spot, value: "true", effect: NoSchedule}]}
fargateProfiles:
  - {name: batch, selectors: [{namespace: batch}]}
"#;

const DELAYS: Delays = Delays {
    create: Duration::from_millis(30),
    update: Duration::from_millis(30),
    delete: Duration::from_millis(30),
};

async fn kept(scene: &AwsScene) -> Arc<Kept> {
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(SHOP, json!({"name": "shop", "region": "eu-central-1"})));
    kept
}

/// Passes until it is in place; says where it stands otherwise.
async fn in_place(scene: &AwsScene, kept: &Arc<Kept>) {
    assert_eq!(settle(kept).await, PassEnd::Done);
    let record = kept.record();
    let failed: Vec<_> = scene
        .told
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|e| matches!(e, What::ResourceFailed { .. }))
        .cloned()
        .collect();
    assert_eq!(
        (record.sync, record.health),
        (SyncStatus::Synced, Health::Healthy),
        "{}\n{:#?}\n{failed:#?}",
        record.message,
        record.problems
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_kept_and_taken_away() {
    crate::support::aws::needs_aws!();
    let scene = AwsScene::start(DELAYS).await;
    let before = scene.counts().await;
    let kept = kept(&scene).await;
    in_place(&scene, &kept).await;
    let there = scene.counts().await;
    assert!(there["nodegroups"] == 2 && there["DescribeSubnets"] > before["DescribeSubnets"], "{there:?}");
    let calls = scene.eks.calls().len();
    assert_eq!(pass(&kept).await, PassEnd::Done);
    let made: Vec<String> = scene.eks.calls()[calls..].iter().map(|call| call.operation.clone()).collect();
    assert!(made.iter().all(|call| call.starts_with("Describe") || call.starts_with("List")), "{made:?}");
    let removed = scene.wanted(SHOP, json!({"name": "shop", "region": "eu-central-1"}));
    kept.supersede(portolan::engine::clusters::Wanted { removed: true, ..removed });
    assert_eq!(settle(&kept).await, PassEnd::Done);
    scene.approve(&kept).await;
    let end = settle_within(&kept, 120).await;
    assert_eq!(end, Some(PassEnd::Finished), "{:#?}\n{}", kept.record(), scene.moto.last_words());
    assert_eq!(scene.counts().await, before, "nothing is left");
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minor_up_by_a_commit_and_back_by_its_revert_with_an_approval() {
    let scene = AwsScene::start(Delays::default()).await;
    let kept = kept(&scene).await;
    in_place(&scene, &kept).await;
    let settings = json!({"name": "shop", "region": "eu-central-1"});
    let versions = || {
        let snapshot = kept.snapshot().unwrap();
        let nodes = snapshot.live.values().filter(|live| live.key.kind == Kind::Nodegroup);
        let nodes: Vec<String> =
            nodes.map(|live| live.outputs["version"].as_str().unwrap().to_owned()).collect();
        (kept.record().version, nodes)
    };
    kept.supersede(scene.wanted(&SHOP.replace("\"1.35\"", "\"1.36\""), settings.clone()));
    in_place(&scene, &kept).await;
    assert_eq!(versions(), ("1.36".into(), vec!["1.36".to_owned(); 2]));

    kept.supersede(scene.wanted(SHOP, settings));
    // Nothing of ours moves while a person is waited for: it is looked at again, by and by.
    assert_eq!(settle_within(&kept, 3).await, None);
    let waiting = kept.record().waiting.expect("a rollback waits for its approval");
    assert!(waiting.objects.iter().any(|object| object.contains("Nodegroup/")), "nodes first: {waiting:?}");
    assert_eq!(versions().0, "1.36");
    scene.approve(&kept).await;
    settle(&kept).await;
    in_place(&scene, &kept).await;
    assert_eq!(versions(), ("1.35".into(), vec!["1.35".to_owned(); 2]));
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changes_at_the_console_is_put_right() {
    crate::support::aws::needs_aws!();
    let scene = AwsScene::start(Delays::default()).await;
    let kept = kept(&scene).await;
    in_place(&scene, &kept).await;
    let endpoints = json!({"name": "shop", "resourcesVpcConfig": {"endpointPrivateAccess": true}});
    scene.console(Service::Eks, "UpdateClusterConfig", endpoints).await;
    scene.console(Service::Eks, "DeleteAddon", json!({"clusterName": "shop", "addonName": "coredns"})).await;
    settle(&kept).await;
    in_place(&scene, &kept).await;
    let events = scene.told.events.lock().unwrap().clone();
    let drifted = |resource: &str, field: &str| {
        events.iter().any(|event| match event {
            What::ResourceDrifted { resource: r, fields, .. } => {
                r == resource && (field.is_empty() || fields.iter().any(|f| f.path == field))
            }
            _ => false,
        })
    };
    assert!(drifted("Cluster/shop", "/resourcesVpcConfig/endpointPrivateAccess"), "{events:#?}");
    assert!(drifted("Addon/coredns", ""), "{events:#?}");
    scene.check();
}
