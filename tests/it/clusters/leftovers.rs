//! What controllers in the cluster made in AWS is found and named before anything of the cluster goes.

use super::aws_scene::AwsScene;
use super::scene::{settle, settle_within};
use async_trait::async_trait;
use portolan::engine::clusters::{Kept, PassEnd, Wanted};
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::{Call, Service};
use portolan::ports::{CallObserver, CloudFailure, CloudFailureKind};
use portolan::provision::resource::{Key, Kind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SMALL: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35"}
availabilityZones: [eu-central-1a, eu-central-1b]
addonsConfig: {disableDefaultAddons: true}
"#;

fn wanted(scene: &AwsScene, removed: bool) -> Wanted {
    let wanted = scene.wanted(SMALL, json!({"name": "shop", "region": "eu-central-1"}));
    if removed { wanted.gone() } else { wanted }
}

async fn kept(scene: &AwsScene) -> Arc<Kept> {
    let kept = scene.daemon().await;
    kept.supersede(wanted(scene, false));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    kept
}

/// What a controller makes by a call that Portolan has no use for: the Query API as it is, to moto, which checks no
/// signature. Returns the text of an element of the answer.
async fn made(scene: &AwsScene, service: &str, query: &str, element: &str) -> String {
    let address = scene.moto.endpoint().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let credential = format!("AKIDEXAMPLE/20261121/eu-central-1/{service}/aws4_request");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none\r\n\r\n{query}",
        query.len()
    );
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let text = answer.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    text.unwrap_or_else(|| panic!("{answer}")).0.to_owned()
}

async fn interface(scene: &AwsScene, subnet: &str, group: &str) -> String {
    let query = format!(
        "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId={subnet}&SecurityGroupId.1={group}"
    );
    made(scene, "ec2", &query, "networkInterfaceId").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_balancers_volumes_and_groups_of_controllers_hold_a_deletion_until_they_are_gone() {
    let scene = AwsScene::start(Delays::default()).await;
    let before = scene.counts().await;
    let kept = kept(&scene).await;
    let snapshot = kept.snapshot().unwrap();
    let id = |kind: Kind, name: &str| snapshot.live[&Key::new(kind, name)].id.clone();
    let owned = json!([{"Key": "kubernetes.io/cluster/shop", "Value": "owned"}]);

    // As the EBS CSI driver, the AWS Load Balancer Controller and the VPC CNI mark what they make.
    let volume = made(
        &scene,
        "ec2",
        "Action=CreateVolume&Version=2016-11-15&AvailabilityZone=eu-central-1a&Size=1\
         &TagSpecification.1.ResourceType=volume\
         &TagSpecification.1.Tag.1.Key=KubernetesCluster&TagSpecification.1.Tag.1.Value=shop\
         &TagSpecification.1.Tag.2.Key=kubernetes.io/created-for/pvc/namespace&TagSpecification.1.Tag.2.Value=shop\
         &TagSpecification.1.Tag.3.Key=kubernetes.io/created-for/pvc/name&TagSpecification.1.Tag.3.Value=data",
        "volumeId",
    )
    .await;
    let group = json!({
        "GroupName": "k8s-elb-web", "Description": "of a controller", "VpcId": id(Kind::Vpc, "vpc"),
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": owned}],
    });
    let group = scene.console(Service::Ec2, "CreateSecurityGroup", group).await;
    let group = group["groupId"].as_str().unwrap().to_owned();
    let interface = interface(&scene, &id(Kind::Subnet, "private-eu-central-1a"), &group).await;
    let mark = json!({"Resources": [interface], "Tags": [{"Key": "cluster.k8s.amazonaws.com/name", "Value": "shop"}]});
    scene.console(Service::Ec2, "CreateTags", mark).await;
    let (a, b) = (id(Kind::Subnet, "public-eu-central-1a"), id(Kind::Subnet, "public-eu-central-1b"));
    let balancer = made(
        &scene,
        "elasticloadbalancing",
        &format!(
            "Action=CreateLoadBalancer&Version=2015-12-01&Name=k8s-shop-web&Type=network\
             &Subnets.member.1={a}&Subnets.member.2={b}\
             &Tags.member.1.Key=elbv2.k8s.aws/cluster&Tags.member.1.Value=shop\
             &Tags.member.2.Key=service.k8s.aws/stack&Tags.member.2.Value=shop/web"
        ),
        "LoadBalancerArn",
    )
    .await;

    kept.supersede(wanted(&scene, true));
    // Whoever waits for a controller looks again by and by, and changes nothing.
    for _ in 0..4 {
        portolan::engine::clusters::pass::pass(&kept).await;
    }
    let record = kept.record();
    for named in
        ["PersistentVolumeClaim shop/data", "Service shop/web", "security group", "network interface"]
    {
        assert!(record.message.contains(named), "{named} is not in: {}", record.message);
    }
    assert_eq!(scene.eks.counts()["clusters"], 1, "nothing goes before them");

    let gone: [(Service, &str, Value); 4] = [
        (Service::ElbV2, "DeleteLoadBalancer", json!({"LoadBalancerArn": balancer})),
        (Service::Ec2, "DeleteNetworkInterface", json!({"NetworkInterfaceId": interface})),
        (Service::Ec2, "DeleteSecurityGroup", json!({"GroupId": group})),
        (Service::Ec2, "DeleteVolume", json!({"VolumeId": volume})),
    ];
    for (service, operation, input) in gone {
        scene.console(service, operation, input).await;
    }
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    scene.approve(&kept).await;
    assert_eq!(settle_within(&kept, 120).await, Some(PassEnd::Finished), "{}", kept.record().message);
    assert_eq!(scene.counts().await, before, "nothing is left");
    scene.check();
}

/// Refuses to delete subnets, as EC2 does while somebody's network interface is in them: moto would let them go.
#[derive(Default)]
struct Retained(AtomicBool);

#[async_trait]
impl CallObserver for Retained {
    async fn before(&self, call: &Call) -> Option<CloudFailure> {
        (call.operation == "DeleteSubnet" && self.0.load(Ordering::SeqCst)).then(|| CloudFailure {
            kind: CloudFailureKind::InUse,
            code: "DependencyViolation".into(),
            message: "The subnet has dependencies and cannot be deleted.".into(),
            call: call.to_string(),
            service: Some(call.service),
        })
    }
}

/// What nobody marked as a controller's, and still stands in the way: the service's refusal is told with its reason, what
/// does not hang on it goes, and the rest once it is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_interface_in_a_subnet_is_told_and_the_deletion_ends_when_it_is_gone() {
    let mut scene = AwsScene::start(Delays::default()).await;
    let before = scene.counts().await;
    let retained = Arc::new(Retained::default());
    scene.observer = Some(retained.clone());
    let kept = kept(&scene).await;
    retained.0.store(true, Ordering::SeqCst);
    kept.supersede(wanted(&scene, true));
    assert_eq!(settle(&kept).await, PassEnd::Done);
    scene.approve(&kept).await;
    assert_eq!(settle_within(&kept, 60).await, None, "it cannot end");
    let record = kept.record();
    assert!(record.message.contains("DependencyViolation"), "{}", record.message);
    assert!(record.message.contains("something still uses it"), "{}", record.message);
    assert_eq!(scene.eks.counts()["clusters"], 0, "what does not hang on it is gone");

    retained.0.store(false, Ordering::SeqCst);
    assert_eq!(settle_within(&kept, 120).await, Some(PassEnd::Finished), "{}", kept.record().message);
    assert_eq!(scene.counts().await, before, "nothing is left");
    scene.check();
}
