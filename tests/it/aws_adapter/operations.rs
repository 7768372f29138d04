//! What Portolan may call, and who of the local AWS answers it; and what we answer because moto does not.

use super::{call, open, options};
use portolan::aws::{eks, signed};
use portolan::local::Places;
use portolan::local::aws::Moto;
use portolan::model::cloud::Service;
use portolan::ports::{Cloud, CloudFailureKind as Kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SERVICES: [Service; 10] = [
    Service::Ec2,
    Service::Iam,
    Service::Sts,
    Service::AutoScaling,
    Service::Elb,
    Service::ElbV2,
    Service::Ssm,
    Service::CloudFormation,
    Service::CloudTrail,
    Service::Kms,
];

async fn moto() -> Moto {
    let places = Places::from_env().unwrap();
    Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap()
}

async fn done(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Value {
    cloud.call(&call(service, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
}

#[tokio::test]
async fn every_operation_that_may_be_called_is_answered() {
    crate::support::aws::needs_aws!();
    let moto = moto().await;
    let all: Vec<String> = SERVICES
        .iter()
        .flat_map(|service| signed::operations(*service).iter().map(move |name| format!("{service}:{name}")))
        .collect();
    let answered = moto.provider().answered_by(&all).await.unwrap();
    assert_eq!(answered.len(), all.len());
    let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (operation, who) in &answered {
        by.entry(who).or_default().push(operation);
    }
    println!("moto answers {}, we answer {:?}", by["moto"].len(), by["ours"]);
    assert_eq!(by.get("missing"), None, "nobody answers these");
    let (model, server) = crate::eks_server::dispatched().await;
    let lacking: Vec<&&str> = eks::OPERATIONS.iter().filter(|name| !server.contains(**name)).collect();
    assert!(lacking.is_empty(), "our EKS server does not do {lacking:?}");
    println!("our EKS server does {} of the model's {} operations", server.len(), model);
    moto.stop().await;
}

/// A launch template with two versions, and a group of three instances of the first that is told to have the second.
async fn outdated_group(cloud: &dyn Cloud) -> String {
    use Service::{AutoScaling, Ec2};
    let images = done(cloud, Ec2, "DescribeImages", json!({"Owners": ["amazon"]})).await;
    let image = images["imagesSet"][0]["imageId"].clone();
    let data = json!({"ImageId": image, "InstanceType": "m5.large"});
    done(
        cloud,
        Ec2,
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "own", "LaunchTemplateData": data}),
    )
    .await;
    let vpc = done(cloud, Ec2, "CreateVpc", json!({"CidrBlock": "10.3.0.0/16"})).await;
    let input = json!({"VpcId": vpc["vpc"]["vpcId"], "CidrBlock": "10.3.0.0/24"});
    let subnet = done(cloud, Ec2, "CreateSubnet", input).await;
    let template = |version: &str| json!({"LaunchTemplateName": "own", "Version": version});
    let group = json!({
        "AutoScalingGroupName": "own", "MinSize": 3, "MaxSize": 3, "LaunchTemplate": template("1"),
        "VPCZoneIdentifier": subnet["subnet"]["subnetId"],
    });
    done(cloud, AutoScaling, "CreateAutoScalingGroup", group).await;
    let data = json!({"ImageId": image, "InstanceType": "m5.xlarge"});
    let second = json!({"LaunchTemplateName": "own", "LaunchTemplateData": data});
    done(cloud, Ec2, "CreateLaunchTemplateVersion", second).await;
    let update = json!({"AutoScalingGroupName": "own", "LaunchTemplate": template("2")});
    done(cloud, AutoScaling, "UpdateAutoScalingGroup", update).await;
    "own".to_owned()
}

async fn versions(cloud: &dyn Cloud) -> Vec<String> {
    let groups = done(cloud, Service::AutoScaling, "DescribeAutoScalingGroups", json!({})).await;
    let instances = groups["AutoScalingGroups"][0]["Instances"].as_array().unwrap().clone();
    instances.iter().map(|each| each["LaunchTemplate"]["Version"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn instances_are_replaced_a_part_at_a_time() {
    crate::support::aws::needs_aws!();
    let moto = moto().await;
    let cloud = open(options(moto.endpoint())).await;
    let cloud = cloud.as_ref();
    let group = outdated_group(cloud).await;
    let named = json!({"AutoScalingGroupName": group});
    assert_eq!(versions(cloud).await, ["1", "1", "1"], "instances stay what they were launched from");
    let nothing = cloud.call(&call(Service::AutoScaling, "CancelInstanceRefresh", named.clone())).await;
    assert_eq!(nothing.unwrap_err().code, "ActiveInstanceRefreshNotFound");
    let preferences = json!({"MinHealthyPercentage": 50, "SkipMatching": true});
    let start = json!({"AutoScalingGroupName": group, "Strategy": "Rolling", "Preferences": preferences});
    let started = done(cloud, Service::AutoScaling, "StartInstanceRefresh", start.clone()).await;
    let twice =
        cloud.call(&call(Service::AutoScaling, "StartInstanceRefresh", start.clone())).await.unwrap_err();
    assert_eq!((twice.code.as_str(), twice.kind), ("InstanceRefreshInProgress", Kind::InUse));
    let since = Instant::now();
    let mut seen = Vec::new();
    let last = loop {
        let told = done(cloud, Service::AutoScaling, "DescribeInstanceRefreshes", named.clone()).await;
        let refresh = told["InstanceRefreshes"][0].clone();
        assert_eq!(refresh["InstanceRefreshId"], started["InstanceRefreshId"]);
        let status = refresh["Status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        if status == "Successful" {
            break refresh;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{refresh:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(last["PercentageComplete"], "100", "{last:#}");
    assert!(seen.contains(&"InProgress".to_owned()), "{seen:?}");
    assert_eq!(versions(cloud).await, ["2", "2", "2"]);
    let again = done(cloud, Service::AutoScaling, "StartInstanceRefresh", start).await;
    assert_ne!(again["InstanceRefreshId"], started["InstanceRefreshId"]);
    done(cloud, Service::AutoScaling, "CancelInstanceRefresh", named).await;
    let wrong = call(Service::AutoScaling, "StartInstanceRefresh", json!({"AutoScalingGroupName": "no"}));
    assert_eq!(cloud.call(&wrong).await.unwrap_err().code, "ValidationError");
    moto.stop().await;
}

#[tokio::test]
async fn audiences_and_metrics_are_added_and_taken_away() {
    crate::support::aws::needs_aws!();
    let moto = moto().await;
    let cloud = open(options(moto.endpoint())).await;
    let cloud = cloud.as_ref();
    let input = json!({"Url": "https://issuer.example/id/1", "ClientIDList": ["sts.amazonaws.com"]});
    let made = done(cloud, Service::Iam, "CreateOpenIDConnectProvider", input).await;
    let arn = &made["OpenIDConnectProviderArn"];
    let input = json!({"OpenIDConnectProviderArn": arn, "ClientID": "shop"});
    done(cloud, Service::Iam, "AddClientIDToOpenIDConnectProvider", input.clone()).await;
    done(cloud, Service::Iam, "AddClientIDToOpenIDConnectProvider", input.clone()).await;
    let get = json!({"OpenIDConnectProviderArn": arn});
    let found = done(cloud, Service::Iam, "GetOpenIDConnectProvider", get.clone()).await;
    assert_eq!(found["ClientIDList"], json!(["sts.amazonaws.com", "shop"]));
    done(cloud, Service::Iam, "RemoveClientIDFromOpenIDConnectProvider", input).await;
    let found = done(cloud, Service::Iam, "GetOpenIDConnectProvider", get).await;
    assert_eq!(found["ClientIDList"], json!(["sts.amazonaws.com"]));
    let absent =
        json!({"OpenIDConnectProviderArn": "arn:aws:iam::123456789012:oidc-provider/none", "ClientID": "a"});
    let refused = cloud.call(&call(Service::Iam, "AddClientIDToOpenIDConnectProvider", absent)).await;
    assert_eq!(refused.unwrap_err().kind, Kind::NotFound);

    let group = outdated_group(cloud).await;
    let metrics = json!({"AutoScalingGroupName": group, "Granularity": "1Minute", "Metrics": ["GroupMinSize", "GroupMaxSize"]});
    done(cloud, Service::AutoScaling, "EnableMetricsCollection", metrics).await;
    let less = json!({"AutoScalingGroupName": group, "Metrics": ["GroupMinSize"]});
    done(cloud, Service::AutoScaling, "DisableMetricsCollection", less).await;
    let groups = done(cloud, Service::AutoScaling, "DescribeAutoScalingGroups", json!({})).await;
    let left = groups["AutoScalingGroups"][0]["EnabledMetrics"].as_array().unwrap().clone();
    assert_eq!(left.len(), 1, "{left:?}");
    moto.stop().await;
}

#[tokio::test]
async fn a_client_token_stands_for_one_call_however_often_it_is_made() {
    use Service::Ec2;
    crate::support::aws::needs_aws!();
    let moto = moto().await;
    let cloud = open(options(moto.endpoint())).await;
    let vpc = done(cloud.as_ref(), Ec2, "CreateVpc", json!({"CidrBlock": "10.1.0.0/16"})).await;
    let vpc = vpc["vpc"]["vpcId"].as_str().unwrap();
    let tables = async || {
        let of_vpc = json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]});
        let tables = done(cloud.as_ref(), Ec2, "DescribeRouteTables", of_vpc).await;
        tables["routeTableSet"].as_array().unwrap().len()
    };
    let own = tables().await;
    let table = |token: &str, name: &str| {
        json!({"VpcId": vpc, "ClientToken": token, "TagSpecifications": [
            {"ResourceType": "route-table", "Tags": [{"Key": "Name", "Value": name}]},
        ]})
    };
    let make = async |input: Value| {
        let made = done(cloud.as_ref(), Ec2, "CreateRouteTable", input).await;
        made["routeTable"]["routeTableId"].clone()
    };
    let first = make(table("one", "a")).await;
    assert_eq!(make(table("one", "a")).await, first);
    assert_eq!(tables().await, own + 1);
    let other = call(Ec2, "CreateRouteTable", table("one", "b"));
    let mismatch = cloud.call(&other).await.unwrap_err();
    assert_eq!((mismatch.code.as_str(), mismatch.kind), ("IdempotentParameterMismatch", Kind::Invalid));
    assert_ne!(make(table("two", "b")).await, first);
    assert_eq!(tables().await, own + 2);
    let long = call(Ec2, "CreateRouteTable", table(&"x".repeat(65), "b"));
    assert_eq!(cloud.call(&long).await.unwrap_err().kind, Kind::Invalid);

    // What was refused had no effect that could be answered again.
    let mut nowhere = table("three", "c");
    nowhere["VpcId"] = json!("vpc-0123456789abcdef0");
    let refused = call(Ec2, "CreateRouteTable", nowhere);
    assert_eq!(cloud.call(&refused).await.unwrap_err().kind, Kind::NotFound);
    make(table("three", "c")).await;
    moto.stop().await;
}
