//! ServiceAccounts that a ClusterConfig declares: made in the cluster, kept, and taken away when they are no longer declared.

use super::api_server::{FakeApi, account};
use super::aws_scene::AwsScene;
use super::scene::settle;
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{Kept, PassEnd};
use portolan::local::aws::eks::Delays;
use portolan::model::SyncStatus;
use portolan::model::event::What;
use portolan::ports::StateStore as _;
use serde_json::json;
use std::sync::Arc;

const ROLE: &str = "eks.amazonaws.com/role-arn";
const GIVEN: &str = "arn:aws:iam::123456789012:role/given";

/// A cluster without nodes, and these ServiceAccounts.
fn config(accounts: &str) -> String {
    format!(
        r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: shop, region: eu-central-1, version: "1.35"}}
availabilityZones: [eu-central-1a, eu-central-1b]
addonsConfig: {{disableDefaultAddons: true}}
addons: [{{name: eks-pod-identity-agent}}]
iam:
  withOIDC: true
{accounts}"#
    )
}

const ALL: &str = r#"
  serviceAccounts:
    - metadata: {name: backup, namespace: shop, labels: {tier: batch}, annotations: {team: shop}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    - {metadata: {name: dns, namespace: kube-system}, attachRoleARN: "arn:aws:iam::123456789012:role/given"}
    - {metadata: {name: elsewhere}, roleOnly: true, attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: web, createServiceAccount: true, roleARN: "arn:aws:iam::123456789012:role/given"}
    - {namespace: shop, serviceAccountName: other, roleARN: "arn:aws:iam::123456789012:role/given"}
"#;

async fn kept(scene: &AwsScene, accounts: &str) -> Arc<Kept> {
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(&config(accounts), json!({"name": "shop", "region": "eu-central-1"})));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    kept
}

fn in_place(kept: &Kept) {
    let record = kept.record();
    assert_eq!((record.sync, record.message.as_str()), (SyncStatus::Synced, ""), "{:#?}", record.problems);
}

fn drifted(scene: &AwsScene, resource: &str, field: &str) -> bool {
    scene.told.events.lock().unwrap().iter().any(|event| match event {
        What::ResourceDrifted { resource: r, fields, mending: true } => {
            r == resource && (field.is_empty() && fields.is_empty() || fields.iter().any(|f| f.path == field))
        }
        _ => false,
    })
}

fn applications(api: &FakeApi, name: &str) {
    api.edit(&account("shop", name), |object| {
        object["metadata"]["labels"]["portolan.dev/application"] = json!("web");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_made_kept_and_taken_away_with_an_approval() {
    let scene = AwsScene::start(Delays::default()).await;
    let daemon = kept(&scene, ALL).await;
    in_place(&daemon);
    let api = &scene.api;
    assert_eq!(api.names("ServiceAccount"), ["kube-system/dns", "shop/backup", "shop/web"]);
    assert_eq!(api.names("Namespace"), ["/kube-system", "/shop"]);
    let (backup, web) = (account("shop", "backup"), account("shop", "web"));
    let role = api.annotation(&backup, ROLE).unwrap();
    assert!(role.starts_with("arn:aws:iam::123456789012:role/"), "{role}");
    assert_eq!(api.annotation(&account("kube-system", "dns"), ROLE).as_deref(), Some(GIVEN));
    assert_eq!(api.annotation(&web, ROLE), None, "pod identity needs none");
    let made = api.object(&backup).unwrap();
    assert_eq!(
        made["metadata"]["labels"],
        json!({"tier": "batch", "app.kubernetes.io/managed-by": "portolan"})
    );
    assert_eq!(made["metadata"]["annotations"]["team"], "shop");

    // Drift, each with its field.
    api.edit(&backup, |object| object["metadata"]["annotations"][ROLE] = json!("arn:other"));
    api.edit(&web, |object| object["metadata"]["labels"] = json!({}));
    api.remove(&account("kube-system", "dns"));
    settle(&daemon).await;
    in_place(&daemon);
    assert_eq!(api.annotation(&backup, ROLE), Some(role));
    assert_eq!(api.object(&web).unwrap()["metadata"]["labels"]["app.kubernetes.io/managed-by"], "portolan");
    assert!(drifted(&scene, "ServiceAccount/shop/backup", "/annotations/eks.amazonaws.com~1role-arn"));
    assert!(drifted(&scene, "ServiceAccount/shop/web", "/labels/app.kubernetes.io~1managed-by"));
    assert!(
        drifted(&scene, "ServiceAccount/kube-system/dns", ""),
        "{:#?}",
        scene.told.events.lock().unwrap()
    );

    // What is no longer declared goes, label by label and account by account; what others made stays.
    api.edit(&account("shop", "handmade"), |_| {});
    let fewer = ALL.replace("labels: {tier: batch}, ", "").replace("createServiceAccount: true, ", "");
    let daemon = kept(&scene, &fewer).await;
    assert_eq!(api.object(&backup).unwrap()["metadata"]["labels"]["tier"], json!(null));
    assert_eq!(daemon.record().waiting.unwrap().objects, ["delete ServiceAccount/shop/web"]);
    assert!(api.object(&web).is_some(), "not before the approval");
    scene.approve(&daemon).await;
    settle(&daemon).await;
    in_place(&daemon);
    assert_eq!(api.names("ServiceAccount"), ["kube-system/dns", "shop/backup", "shop/handmade"]);
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_there_is_taken_over_once_approved_and_an_applications_is_left_to_it() {
    let scene = AwsScene::start(Delays::default()).await;
    let api = &scene.api;
    let backup = account("shop", "backup");
    api.edit(&portolan::model::ResourceId::new("", "Namespace", "", "shop"), |_| {});
    api.edit(&backup, |object| object["metadata"]["labels"]["mine"] = json!("yes"));
    applications(api, "web");
    let daemon = kept(&scene, ALL).await;
    let record = daemon.record();
    assert_eq!(record.waiting.clone().unwrap().objects, ["adopt ServiceAccount/shop/backup"]);
    assert_eq!(api.annotation(&backup, ROLE), None);
    scene.approve(&daemon).await;
    settle(&daemon).await;
    assert!(api.annotation(&backup, ROLE).is_some());
    assert_eq!(api.object(&backup).unwrap()["metadata"]["labels"]["mine"], "yes");
    in_place(&daemon);

    // An application's ServiceAccount that lacks what is declared here: neither fights for it.
    applications(api, "backup");
    api.edit(&backup, |object| object["metadata"]["annotations"] = json!({}));
    for _ in 0..3 {
        assert_eq!(pass(&daemon).await, PassEnd::Done);
    }
    let record = daemon.record();
    assert_eq!(record.sync, SyncStatus::OutOfSync);
    assert!(record.message.contains("the application web declares"), "{}", record.message);
    assert_eq!(api.annotation(&backup, ROLE), None);
    scene.check();
}

/// The memory and the declaration went at the same time: it is found by its marks, and goes with an approval. What is not
/// ours stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_nobody_remembers_is_found_by_its_marks() {
    let scene = AwsScene::start(Delays::default()).await;
    let daemon = kept(&scene, ALL).await;
    in_place(&daemon);
    let api = &scene.api;
    // Another cluster's marks, and marks that were copied without our entry among the managers.
    let copied = api.object(&account("shop", "web")).unwrap()["metadata"].clone();
    for (name, cluster, entries) in
        [("others", "other", copied["managedFields"].clone()), ("copy", "shop", json!([]))]
    {
        api.edit(&account("shop", name), |object| {
            object["metadata"]["labels"] = copied["labels"].clone();
            object["metadata"]["annotations"] = copied["annotations"].clone();
            object["metadata"]["annotations"]["portolan.dev/cluster"] = json!(cluster);
            object["metadata"]["managedFields"] = entries.clone();
        });
    }
    drop(daemon);
    scene.store.save_cluster("shop", None).await.unwrap();

    let none = ALL.replace("createServiceAccount: true, ", "").replace(
        "    - {metadata: {name: dns, namespace: kube-system}, attachRoleARN: \"arn:aws:iam::123456789012:role/given\"}\n",
        "",
    );
    let daemon = kept(&scene, &none).await;
    assert_eq!(
        daemon.record().waiting.expect("a plan that waits").objects,
        ["delete ServiceAccount/kube-system/dns", "delete ServiceAccount/shop/web"]
    );
    // Found once, it is known to the next daemon as well.
    drop(daemon);
    let daemon = kept(&scene, &none).await;
    scene.approve(&daemon).await;
    settle(&daemon).await;
    in_place(&daemon);
    assert_eq!(api.names("ServiceAccount"), ["shop/backup", "shop/copy", "shop/others"]);
    scene.check();
}
