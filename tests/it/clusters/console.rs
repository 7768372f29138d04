//! Every kind of change that somebody makes at the console of a whole cluster is found with its field, and put right or
//! only told, by policy. The drivers, the adapter and the services are as they are.

use super::api_server::account;
use super::aws::SHOP;
use super::aws_scene::AwsScene;
use super::scene::settle;
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{Kept, PassEnd};
use portolan::local::aws::eks::Delays;
use portolan::model::SyncStatus;
use portolan::model::application::DriftPolicy;
use portolan::model::cloud::{Call, Service};
use portolan::model::event::What;
use portolan::provision::resource::{Key, Kind, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is done, and what is found of it.
struct Case {
    calls: Vec<Call>,
    resource: &'static str,
    /// Empty where the thing is gone.
    field: &'static str,
}

fn settings() -> Value {
    json!({"name": "shop", "region": "eu-central-1", "desiredSize": "Declared"})
}

async fn kept(scene: &AwsScene) -> Arc<Kept> {
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(SHOP, settings()));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
    kept
}

fn eks(operation: &str, input: Value) -> Call {
    let mut input = input;
    if input["clusterName"].is_null() && input["resourceArn"].is_null() && input["name"].is_null() {
        input["clusterName"] = json!("shop");
    }
    Call::new(Service::Eks, operation, input)
}

fn cases(snapshot: &Snapshot) -> Vec<Case> {
    let id = |kind: Kind, name: &str| {
        let live = &snapshot.live.get(&Key::new(kind, name));
        live.unwrap_or_else(|| panic!("no {kind:?} {name} in {:?}", snapshot.live.keys())).id.clone()
    };
    let arn = |kind: Kind, name: &str| snapshot.live[&Key::new(kind, name)].outputs["arn"].clone();
    let ec2 = |operation: &str, input: Value| Call::new(Service::Ec2, operation, input);
    let iam = |operation: &str, input: Value| Call::new(Service::Iam, operation, input);
    let subnet = "private-eu-central-1a";
    let case =
        |call: Call, resource: &'static str, field: &'static str| Case { calls: vec![call], resource, field };
    let cluster_tag = json!({"resourceArn": arn(Kind::Cluster, "shop"), "tagKeys": ["team"]});
    let role = snapshot.live[&Key::new(Kind::Role, "nodegroup-blue")].id.clone();
    let open =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    vec![
        case(
            eks(
                "UpdateClusterConfig",
                json!({"name": "shop", "resourcesVpcConfig": {"endpointPrivateAccess": true}}),
            ),
            "Cluster/shop",
            "/resourcesVpcConfig/endpointPrivateAccess",
        ),
        case(eks("UntagResource", cluster_tag), "Cluster/shop", "/tags/team"),
        case(
            eks(
                "UpdateNodegroupConfig",
                json!({"nodegroupName": "blue", "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 3}}),
            ),
            "Nodegroup/blue",
            "/scalingConfig/desiredSize",
        ),
        case(
            eks(
                "UpdateNodegroupConfig",
                json!({"nodegroupName": "blue", "labels": {"addOrUpdateLabels": {"pool": "red"}}}),
            ),
            "Nodegroup/blue",
            "/labels/pool",
        ),
        case(
            eks(
                "UpdateNodegroupConfig",
                json!({"nodegroupName": "green", "taints": {"removeTaints": [{"key": "spot", "value": "true", "effect": "NO_SCHEDULE"}]}}),
            ),
            "Nodegroup/green",
            "/taints",
        ),
        case(
            eks("UntagResource", json!({"resourceArn": arn(Kind::Nodegroup, "blue"), "tagKeys": ["team"]})),
            "Nodegroup/blue",
            "/tags/team",
        ),
        case(eks("DeleteAddon", json!({"addonName": "coredns"})), "Addon/coredns", ""),
        case(eks("DeleteFargateProfile", json!({"fargateProfileName": "batch"})), "FargateProfile/batch", ""),
        case(
            eks(
                "DisassociateAccessPolicy",
                json!({
                    "principalArn": "arn:aws:iam::123456789012:role/people",
                    "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
                }),
            ),
            "AccessEntry/arn:aws:iam::123456789012:role/people",
            "/accessPolicies",
        ),
        case(
            eks("DeleteAccessEntry", json!({"principalArn": "arn:aws:iam::123456789012:role/people"})),
            "AccessEntry/arn:aws:iam::123456789012:role/people",
            "",
        ),
        case(
            eks(
                "DeletePodIdentityAssociation",
                json!({"associationId": id(Kind::PodIdentityAssociation, "shop/web")}),
            ),
            "PodIdentityAssociation/shop/web",
            "",
        ),
        case(
            ec2("DeleteTags", json!({"Resources": [id(Kind::Subnet, subnet)], "Tags": [{"Key": "team"}]})),
            "Subnet/private-eu-central-1a",
            "/tags/team",
        ),
        case(
            ec2(
                "ModifySubnetAttribute",
                json!({"SubnetId": id(Kind::Subnet, subnet), "MapPublicIpOnLaunch": {"Value": true}}),
            ),
            "Subnet/private-eu-central-1a",
            "/MapPublicIpOnLaunch",
        ),
        case(
            ec2(
                "ModifyVpcAttribute",
                json!({"VpcId": id(Kind::Vpc, "vpc"), "EnableDnsHostnames": {"Value": false}}),
            ),
            "Vpc/vpc",
            "/EnableDnsHostnames",
        ),
        case(
            ec2(
                "AuthorizeSecurityGroupIngress",
                json!({"GroupId": id(Kind::SecurityGroup, "control-plane"), "IpPermissions": open}),
            ),
            "SecurityGroup/control-plane",
            "/Ingress",
        ),
        case(
            ec2(
                "DeleteRoute",
                json!({"RouteTableId": id(Kind::RouteTable, "public"), "DestinationCidrBlock": "0.0.0.0/0"}),
            ),
            "RouteTable/public",
            "/Routes/0",
        ),
        case(
            iam(
                "AttachRolePolicy",
                json!({"RoleName": role, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            ),
            "Role/nodegroup-blue",
            "/ManagedPolicyArns",
        ),
        case(
            iam(
                "DetachRolePolicy",
                json!({"RoleName": role, "PolicyArn": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"}),
            ),
            "Role/nodegroup-blue",
            "/ManagedPolicyArns/",
        ),
        case(
            iam(
                "DeleteOpenIDConnectProvider",
                json!({"OpenIDConnectProviderArn": id(Kind::OidcProvider, "oidc")}),
            ),
            "OidcProvider/oidc",
            "",
        ),
    ]
}

/// All of it at once, with what takes another call to be put right: of the OIDC provider, which stays here, and of a role, a
/// route and a group's rules.
pub(super) fn edits(snapshot: &Snapshot) -> Vec<Call> {
    let id = |kind: Kind, name: &str| snapshot.live[&Key::new(kind, name)].id.clone();
    let provider = id(Kind::OidcProvider, "oidc");
    let client = |operation: &str, client: &str| {
        Call::new(Service::Iam, operation, json!({"OpenIDConnectProviderArn": provider, "ClientID": client}))
    };
    let nobody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "*"}]});
    let role = id(Kind::Role, "nodegroup-blue");
    let trust = json!({"RoleName": role, "PolicyDocument": nobody.to_string()});
    let gateway = id(Kind::InternetGateway, "internet");
    let stray = json!({"RouteTableId": id(Kind::RouteTable, "public"), "DestinationCidrBlock": "198.51.100.0/24", "GatewayId": gateway});
    let mut calls: Vec<Call> = cases(snapshot).into_iter().flat_map(|case| case.calls).collect();
    calls.retain(|call| call.operation != "DeleteOpenIDConnectProvider");
    calls.extend([
        client("RemoveClientIDFromOpenIDConnectProvider", "sts.amazonaws.com"),
        client("AddClientIDToOpenIDConnectProvider", "stranger"),
        Call::new(Service::Iam, "UpdateAssumeRolePolicy", trust),
        Call::new(Service::Ec2, "CreateRoute", stray),
    ]);
    calls
}

/// Whether an event tells of a drift of this field, mended or not.
fn is_told(event: &What, case: &Case, mended: bool) -> bool {
    match event {
        What::ResourceDrifted { resource, fields, mending } => {
            let found = fields.iter().any(|field| field.path.starts_with(case.field));
            resource == case.resource
                && *mending == mended
                && if case.field.is_empty() { fields.is_empty() } else { found }
        }
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changes_is_found_with_its_field_and_put_right() {
    let scene = AwsScene::start(Delays::default()).await;
    let daemon = kept(&scene).await;
    let whole = scene.counts().await;
    for case in cases(&daemon.snapshot().unwrap()) {
        scene.told.events.lock().unwrap().clear();
        for call in &case.calls {
            scene.console(call.service, &call.operation, call.input.clone()).await;
        }
        assert_eq!(settle(&daemon).await, PassEnd::Done, "{} {}", case.resource, daemon.record().message);
        let events = scene.told.events.lock().unwrap().clone();
        assert!(
            events.iter().any(|event| is_told(event, &case, true)),
            "{} {}: {events:#?}",
            case.resource,
            case.field
        );
        let record = daemon.record();
        assert_eq!(record.sync, SyncStatus::Synced, "{} {}: {}", case.resource, case.field, record.message);
    }
    assert_eq!(scene.counts().await, whole);

    // A new access entry is nobody's: named, and left alone.
    let stranger = "arn:aws:iam::123456789012:role/stranger";
    scene
        .console(Service::Eks, "CreateAccessEntry", json!({"clusterName": "shop", "principalArn": stranger}))
        .await;
    assert_eq!(settle(&daemon).await, PassEnd::Done);
    assert_eq!(daemon.record().sync, SyncStatus::Synced);
    let entry = json!({"clusterName": "shop", "principalArn": stranger});
    scene.console(Service::Eks, "DescribeAccessEntry", entry).await;
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_report_each_is_told_with_both_values_and_left() {
    let mut scene = AwsScene::start(Delays::default()).await;
    scene.policy.drift = DriftPolicy::Report;
    let daemon = kept(&scene).await;
    let scaled = json!({"clusterName": "shop", "nodegroupName": "blue", "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 3}});
    scene.console(Service::Eks, "UpdateNodegroupConfig", scaled).await;
    scene.api.edit(&account("shop", "backup"), |object| {
        object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!("arn:other")
    });
    for _ in 0..3 {
        settle(&daemon).await;
    }
    let record = daemon.record();
    let drift =
        record.drift.iter().find(|drift| drift.resource == "Nodegroup/blue").expect("the scaled group");
    assert_eq!(
        (drift.field.as_str(), drift.declared.as_str(), drift.live.as_str()),
        ("/scalingConfig/desiredSize", "2", "3")
    );
    assert!(
        record.drift.iter().any(|drift| drift.resource == "ServiceAccount/shop/backup"),
        "{:?}",
        record.drift
    );
    assert_eq!(record.sync, SyncStatus::OutOfSync);
    let told = scene
        .told
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event, What::ResourceDrifted { .. }))
        .count();
    assert_eq!(told, 2, "each once");
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_kept_as_long_as_the_file_says() {
    let scene = AwsScene::start(Delays::default()).await;
    let daemon = scene.daemon().await;
    let text =
        format!("{SHOP}cloudWatch: {{clusterLogging: {{enableTypes: [audit], logRetentionInDays: 30}}}}\n");
    daemon.supersede(scene.wanted(&text, settings()));
    assert_eq!(settle(&daemon).await, PassEnd::Done, "{}", daemon.record().message);
    let kept = async || {
        let named = json!({"logGroupNamePrefix": "/aws/eks/shop/cluster"});
        let groups = scene.console(Service::Logs, "DescribeLogGroups", named).await;
        groups["logGroups"][0]["retentionInDays"].clone()
    };
    assert_eq!(kept().await, json!(30));
    scene.told.events.lock().unwrap().clear();
    let never = json!({"logGroupName": "/aws/eks/shop/cluster", "retentionInDays": 1});
    scene.console(Service::Logs, "PutRetentionPolicy", never).await;
    assert_eq!(settle(&daemon).await, PassEnd::Done, "{}", daemon.record().message);
    assert_eq!(kept().await, json!(30));
    let events = scene.told.events.lock().unwrap().clone();
    let case = Case { calls: Vec::new(), resource: "Cluster/shop", field: "/logRetentionInDays" };
    assert!(events.iter().any(|event| is_told(event, &case, true)), "{events:#?}");
    scene.check();
}

/// As many passes as PORTOLAN_TEST_PASSES says: 1,000 in full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_on_an_untouched_cluster() {
    let passes: usize =
        std::env::var("PORTOLAN_TEST_PASSES").ok().map_or(20, |text| text.parse().expect("a number"));
    let scene = AwsScene::start(Delays::default()).await;
    let daemon = kept(&scene).await;
    scene.told.events.lock().unwrap().clear();
    let begun = std::time::Instant::now();
    let before = scene.eks.calls().len();
    for _ in 0..passes {
        assert_eq!(pass(&daemon).await, PassEnd::Done);
    }
    println!("{passes} passes in {:?}", begun.elapsed());
    let told = scene.told.events.lock().unwrap().clone();
    assert!(told.iter().all(|event| matches!(event, What::Synced { .. })), "{told:#?}");
    let writes: Vec<_> = scene.eks.calls()[before..]
        .iter()
        .filter(|call| !["Describe", "List"].iter().any(|read| call.operation.starts_with(read)))
        .map(|call| call.operation.clone())
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(daemon.record().sync, SyncStatus::Synced);
}
