//! A network that others made, found by its tags: the `eks` block of the Cluster document says what eksctl's file cannot.

use super::aws_scene::AwsScene;
use super::scene::settle;
use portolan::engine::clusters::PassEnd;
use portolan::local::aws::eks::Delays;
use portolan::model::SyncStatus;
use portolan::model::cloud::Service;
use serde_json::{Value, json};

const CLUSTER: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35"}
accessConfig: {authenticationMode: API}
addonsConfig: {disableDefaultAddons: true}
managedNodeGroups: [{name: blue, instanceType: t3.medium, privateNetworking: true, desiredCapacity: 1}]
"#;

fn tagged(kind: &str, tags: &[(&str, &str)]) -> Value {
    let tags: Vec<Value> = tags.iter().map(|(name, value)| json!({"Key": name, "Value": value})).collect();
    json!([{"ResourceType": kind, "Tags": tags}])
}

/// What somebody made: a VPC with two subnets on each side and two security groups; another VPC that looks alike.
async fn network(scene: &AwsScene) -> (Vec<String>, Vec<String>, String) {
    let made = async |operation: &str, input: Value| scene.console(Service::Ec2, operation, input).await;
    let id = |answer: &Value, pointer: &str| answer.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let (mut public, mut private, mut shared) = (Vec::new(), Vec::new(), String::new());
    for (team, net) in [("shop", 20), ("bank", 21)] {
        let tags = tagged("vpc", &[("team", team), ("stage", "prod")]);
        let block = format!("10.{net}.0.0/16");
        let vpc = made("CreateVpc", json!({"CidrBlock": block, "TagSpecifications": tags})).await;
        let vpc = id(&vpc, "/vpc/vpcId");
        for (nth, (side, zone)) in
            [("public", "a"), ("public", "b"), ("private", "a"), ("private", "b")].into_iter().enumerate()
        {
            let input = json!({
                "VpcId": vpc, "CidrBlock": format!("10.{net}.{nth}.0/24"), "AvailabilityZone": format!("eu-central-1{zone}"),
                "TagSpecifications": tagged("subnet", &[("tier", side)]),
            });
            let subnet = id(&made("CreateSubnet", input).await, "/subnet/subnetId");
            match (team, side) {
                ("shop", "public") => public.push(subnet),
                ("shop", _) => private.push(subnet),
                _ => {}
            }
        }
        for name in ["nodes", "edge"] {
            let input = json!({
                "GroupName": format!("{team}-{name}"), "Description": "d", "VpcId": vpc,
                "TagSpecifications": tagged("security-group", &[("for", name), ("stage", "prod")]),
            });
            let group = id(&made("CreateSecurityGroup", input).await, "/groupId");
            if (team, name) == ("shop", "nodes") {
                shared = group;
            }
        }
    }
    public.sort();
    private.sort();
    (public, private, shared)
}

fn sorted(value: &Value) -> Vec<String> {
    let mut all: Vec<String> = serde_json::from_value(value.clone()).unwrap();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_made_in_the_network_that_carries_the_tags() {
    let scene = AwsScene::start(Delays::default()).await;
    let (public, private, shared) = network(&scene).await;
    let before = scene.counts().await;
    let settings = |group: Value| {
        json!({"name": "shop", "region": "eu-central-1", "network": {
            "vpc": {"team": "shop", "stage": "*"}, "publicSubnets": {"tier": "public"}, "privateSubnets": {"tier": "private"},
            "sharedNodeSecurityGroup": group,
        }})
    };
    let kept = scene.daemon().await;

    // What is not unique, or not there, is no network: nothing is made in any.
    for (tags, words) in [
        (json!({"stage": "prod"}), "carry the tags of eks.network.sharedNodeSecurityGroup"),
        (json!({"for": "nobody"}), "nothing in the region carries the tags"),
    ] {
        kept.supersede(scene.wanted(CLUSTER, settings(tags)));
        settle(&kept).await;
        let message = kept.record().message;
        assert!(message.contains(words), "{message}");
        assert_eq!(scene.counts().await, before, "{message}");
    }

    kept.supersede(scene.wanted(CLUSTER, settings(json!({"for": "nodes"}))));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    let record = kept.record();
    assert_eq!((record.sync, record.message.as_str()), (SyncStatus::Synced, ""), "{:#?}", record.problems);
    let cluster = scene.console(Service::Eks, "DescribeCluster", json!({"name": "shop"})).await;
    let all: Vec<String> = sorted(&json!([public.clone(), private.clone()].concat()));
    assert_eq!(sorted(&cluster["cluster"]["resourcesVpcConfig"]["subnetIds"]), all);
    let asked = json!({"clusterName": "shop", "nodegroupName": "blue"});
    let group = scene.console(Service::Eks, "DescribeNodegroup", asked).await;
    assert_eq!(sorted(&group["nodegroup"]["subnets"]), private);
    let after = scene.counts().await;
    for kind in ["DescribeVpcs", "DescribeSubnets", "DescribeInternetGateways", "DescribeNatGateways"] {
        assert_eq!(after[kind], before[kind], "{kind}");
    }
    let groups = scene.console(Service::Ec2, "DescribeSecurityGroups", json!({})).await.to_string();
    assert!(
        groups.contains(&shared) && !groups.contains("shop-shared-node"),
        "the one that was there is used"
    );
    scene.check();
}
