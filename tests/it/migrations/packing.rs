//! Whether everything has a place on the target that is planned, asked before anything is made.

use super::scene::{Scene, stateful_document, wanted};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan::engine::migrations::PassEnd;
use portolan::model::cluster_config::{ClusterConfig, read};
use portolan::model::migration::Stage;
use portolan::model::migration_document::MigrationSpec;
use portolan::model::{ImageName, RegistryLogin};
use portolan::ports::{Images, Pull};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One group of m5.large, of so many nodes at most.
fn config(most: u32) -> ClusterConfig {
    let config = json!({
        "apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig",
        "metadata": {"name": "new", "region": "eu-central-1", "version": "1.34"},
        "availabilityZones": ["eu-central-1a", "eu-central-1b"],
        "managedNodeGroups": [{"name": "common", "instanceTypes": ["m5.large"], "minSize": 1, "maxSize": most}],
    });
    read(&config.to_string(), "c.yaml").unwrap().0
}

/// Two pods, each of which takes most of an m5.large.
fn scene() -> Scene {
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": [
            {"name": "main", "image": "registry.example.com/web:1", "resources": {"requests": {"cpu": "1500m"}}}]}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let scene = Scene::new_of(vec![namespace, pod("web-0"), pod("web-1")]);
    // kops' specs name no type: that it is asked for follows from the config.
    let large = json!({"instanceType": "m5.large", "hypervisor": "nitro", "vCpuInfo": {"defaultVCpus": "2"},
        "memoryInfo": {"sizeInMiB": "8192"}, "processorInfo": {"supportedArchitectures": ["x86_64"]},
        "networkInfo": {"maximumNetworkInterfaces": "3", "ipv4AddressesPerInterface": "10"}});
    let answer = json!({"instanceTypeSet": [large]});
    scene.account.state().answers.insert("DescribeInstanceTypes".into(), answer);
    Scene { of: document, ..scene }
}

fn document(stage: Stage) -> MigrationSpec {
    let mut spec = stateful_document(stage);
    spec.traffic = MigrationSpec::default().traffic;
    spec.checks.quotas = false;
    spec
}

/// What the move says of a config.
async fn told(scene: &Scene, config: ClusterConfig) -> (PassEnd, String) {
    *scene.planned.lock().unwrap() = Some(config);
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Preflight)));
    let end = scene.settle(&mover).await;
    (end, format!("{:?}", mover.record().problems))
}

#[tokio::test]
async fn what_has_no_place_holds_the_move_back_until_the_config_has_one() {
    let scene = scene();
    let (end, problems) = told(&scene, config(1)).await;
    assert_eq!(end, PassEnd::Blocked, "{problems}");
    assert!(problems.contains("needs 2 nodes of it") && problems.contains("maxSize to 2"), "{problems}");
    let asked: Vec<String> =
        scene.account.state().reads.iter().map(|call| format!("{call} {}", call.input)).collect();
    let of_types = |one: &&String| one.contains("DescribeInstanceTypes") && one.contains("m5.large");
    assert!(asked.iter().any(|one| of_types(&one)), "{asked:?}");
    let (end, problems) = told(&scene, config(2)).await;
    assert_eq!(end, PassEnd::Done, "{problems}");
    // What was passed is not asked again: the account is the nodes' own from here on.
    scene.account.state().reads.clear();
    let (end, problems) = told(&scene, config(1)).await;
    assert_eq!((end, scene.account.state().reads.len()), (PassEnd::Done, 0), "{problems}");
}

#[tokio::test]
async fn what_a_quota_would_refuse_holds_the_move_back() {
    let scene = scene();
    let quota = |cpu: &str| -> Value {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": "shop"},
            "spec": {"hard": {"requests.cpu": cpu}}})
    };
    // Lowered after the pods were made: the source lets them be.
    scene.source.seed(quota("2"));
    let (end, problems) = told(&scene, config(2)).await;
    assert_eq!(end, PassEnd::Blocked, "{problems}");
    let words = "it allows 2 of requests.cpu, and what runs comes to 3; raise requests.cpu to 3";
    assert!(problems.contains("ResourceQuota shop/team") && problems.contains(words), "{problems}");
    scene.source.seed(quota("3"));
    let (end, problems) = told(&scene, config(2)).await;
    assert_eq!(end, PassEnd::Done, "{problems}");
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_no_proof() {
    let scene = scene();
    scene.account.state().closed = true;
    let (end, problems) = told(&scene, config(2)).await;
    assert_eq!(end, PassEnd::Blocked, "{problems}");
    assert!(problems.contains("the account cannot be read"), "{problems}");
}

/// A registry that tells those for what an image is built who log in as ECR has them do.
struct Private;

#[async_trait]
impl Images for Private {
    async fn look(&self, _: &ImageName, _: Option<&RegistryLogin>) -> Pull {
        Pull::Refused("it wants credentials".into())
    }

    async fn architectures(&self, _: &ImageName, login: Option<&RegistryLogin>) -> Option<BTreeSet<String>> {
        let is_right = login.is_some_and(|login| login.username == "AWS" && login.password == "right");
        is_right.then(|| ["arm64".to_owned()].into())
    }
}

#[tokio::test]
async fn an_image_of_ecr_that_is_built_for_other_nodes_holds_the_move_back() {
    let told = async |password: &str| {
        let metadata = json!({"name": "web", "namespace": "shop"});
        let image = |name: &str| format!("111122223333.dkr.ecr.eu-central-1.amazonaws.com/{name}:1");
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [
            {"name": "main", "image": image("web")}, {"name": "beside", "image": image("beside")}]}});
        let scene = scene();
        scene.source.seed(pod);
        let token = STANDARD.encode(format!("AWS:{password}"));
        let answer = json!({"authorizationData": [{"authorizationToken": token}]});
        scene.account.state().answers.insert("GetAuthorizationToken".into(), answer);
        *scene.images.lock().unwrap() = Some(Arc::new(Private));
        let (end, problems) = told(&scene, config(3)).await;
        let reads = scene.account.state().reads.clone();
        let times = |operation: &str| reads.iter().filter(|call| call.operation == operation).count();
        (end, problems, times("GetAuthorizationToken"), times("DescribeImages"))
    };
    let (end, problems, logins, images) = told("right").await;
    assert_eq!(end, PassEnd::Blocked, "{problems}");
    assert!(logins > 0 && images == 2 * logins, "one login for all images: {logins}, {images}");
    assert!(problems.contains("is built for arm64 only") && !problems.contains("right"), "{problems}");
    // Who gets no login knows that it is there, and no more.
    let (end, problems, ..) = told("wrong").await;
    assert_eq!(end, PassEnd::Done, "{problems}");
}
