//! Managed node groups and Fargate profiles.

use super::{Api, NODE_ROLE, ROLE, nodegroup_input, the_model};
use portolan::local::aws::eks::{Effect, Fault};
use portolan::local::aws::world::Issue;
use serde_json::{Value, json};

fn ng(members: Value) -> Value {
    let mut input = json!({"clusterName": "c", "nodegroupName": "ng"});
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn a_node_group_with_its_defaults() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let missing = nodegroup_input("c", "ng", json!({}));
    api.refused("CreateNodegroup", missing.clone(), "ResourceNotFoundException", "No cluster found").await;
    api.server.hold();
    api.ok("CreateCluster", super::cluster_input("c", json!({}))).await;
    api.refused("CreateNodegroup", missing, "InvalidRequestException", "not ACTIVE").await;
    api.server.release();
    api.server.settled().await;
    let view = api.nodegroup("c", "ng").await;
    assert_eq!(view["status"], "ACTIVE");
    assert_eq!(view["scalingConfig"], json!({"minSize": 1, "maxSize": 2, "desiredSize": 2}));
    assert_eq!(view["instanceTypes"], json!(["t3.medium"]));
    assert_eq!(
        (&view["amiType"], &view["capacityType"]),
        (&json!("AL2023_x86_64_STANDARD"), &json!("ON_DEMAND"))
    );
    assert_eq!((&view["diskSize"], &view["updateConfig"]), (&json!(20), &json!({"maxUnavailable": 1})));
    assert_eq!(view["resources"]["autoScalingGroups"], json!([{"name": "eks-ng"}]));
    assert_eq!(view["version"], "1.36");
    let arn = view["nodegroupArn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:eks:eu-central-1:123456789012:nodegroup/c/ng/"), "{arn}");

    // Its role has an entry, which goes with the last node group that has the role.
    let entry = json!({"clusterName": "c", "principalArn": NODE_ROLE});
    let described = api.ok("DescribeAccessEntry", entry.clone()).await["accessEntry"].clone();
    assert_eq!(described["type"], "EC2_LINUX");
    assert_eq!(described["username"], "system:node:{{EC2PrivateDNSName}}");
    api.ok("CreateNodegroup", nodegroup_input("c", "second", json!({}))).await;
    api.server.settled().await;
    api.ok("DeleteNodegroup", ng(json!({}))).await;
    api.server.settled().await;
    api.ok("DescribeAccessEntry", entry.clone()).await;
    api.ok("DeleteNodegroup", json!({"clusterName": "c", "nodegroupName": "second"})).await;
    api.server.settled().await;
    api.refused("DescribeAccessEntry", entry, "ResourceNotFoundException", "").await;
    api.refused("DescribeNodegroup", ng(json!({})), "ResourceNotFoundException", "No node group found").await;
}

#[tokio::test]
async fn what_cannot_be_a_node_group_is_refused() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let template = json!({"id": "lt-1"});
    let cases = [
        (json!({"nodegroupName": "a.b"}), "not a valid name"),
        (json!({"nodegroupName": "a".repeat(64)}), "not a valid name"),
        (json!({"nodeRole": "arn:aws:iam::123456789012:user/a"}), "not the ARN of an IAM role"),
        (json!({"subnets": []}), "subnets is empty"),
        (
            json!({"scalingConfig": {"minSize": 3, "maxSize": 5, "desiredSize": 2}}),
            "can't be greater than desired",
        ),
        (
            json!({"scalingConfig": {"minSize": 3, "maxSize": 2, "desiredSize": 3}}),
            "can't be greater than maximum",
        ),
        (json!({"labels": {"kubernetes.io/a": "b"}}), "reserved prefixes"),
        (json!({"labels": {"a b": "b"}}), "not valid in Kubernetes"),
        (json!({"taints": [{"key": "a"}]}), "a key and an effect"),
        (json!({"taints": vec![json!({"key": "a", "effect": "NO_SCHEDULE"}); 2]}), "twice"),
        (json!({"amiType": "AL2_x86_64"}), "not supported for kubernetes version 1.36"),
        (json!({"instanceTypes": ["m6g.large"]}), "not a valid instance type"),
        (json!({"instanceTypes": vec!["m5.large"; 21]}), "at most 20"),
        (json!({"releaseVersion": "1.35.1-20261101"}), "not valid for kubernetes version 1.36"),
        (json!({"updateConfig": {"maxUnavailable": 1, "maxUnavailablePercentage": 10}}), "together"),
        (json!({"launchTemplate": template, "diskSize": 30}), "together with a launch template"),
        (
            json!({"launchTemplate": template, "remoteAccess": {"ec2SshKey": "k"}}),
            "together with a launch template",
        ),
        (json!({"launchTemplate": {"id": "lt-1", "name": "a"}}), "not both"),
        (json!({"remoteAccess": {"sourceSecurityGroups": ["sg-1"]}}), "ec2SshKey"),
        (json!({"amiType": "CUSTOM"}), "launch template"),
        (json!({"tags": {"AWS:x": "y"}}), "reserved"),
        (
            json!({"nodeRepairConfig": {"maxParallelNodesRepairedCount": 1, "maxParallelNodesRepairedPercentage": 5}}),
            "together",
        ),
    ];
    for (members, words) in cases {
        let input = nodegroup_input("c", "ng", members);
        let answer = api.refused("CreateNodegroup", input, "InvalidParameterException", words).await;
        assert_eq!(answer.body["clusterName"], "c");
    }
    api.nodegroup("c", "ng").await;
    let again =
        api.refused("CreateNodegroup", nodegroup_input("c", "ng", json!({})), "ResourceInUseException", "");
    assert_eq!(again.await.message(), "NodeGroup already exists with name ng and cluster name c");
}

#[tokio::test]
async fn sizes_labels_and_taints_change_in_place() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    api.nodegroup("c", "ng").await;
    let taint = |effect: &str| json!({"key": "gpu", "value": "yes", "effect": effect});
    let steps = [
        (json!({"scalingConfig": {"desiredSize": 1}}), "/scalingConfig/desiredSize", json!(1)),
        (
            json!({"labels": {"addOrUpdateLabels": {"a": "b", "c": "d"}}}),
            "/labels",
            json!({"a": "b", "c": "d"}),
        ),
        (
            json!({"labels": {"addOrUpdateLabels": {"a": "x"}, "removeLabels": ["c"]}}),
            "/labels",
            json!({"a": "x"}),
        ),
        (
            json!({"taints": {"addOrUpdateTaints": [taint("NO_SCHEDULE"), taint("NO_EXECUTE")]}}),
            "/taints",
            json!([taint("NO_SCHEDULE"), taint("NO_EXECUTE")]),
        ),
        (
            json!({"taints": {"removeTaints": [taint("NO_SCHEDULE")]}}),
            "/taints",
            json!([taint("NO_EXECUTE")]),
        ),
        (
            json!({"updateConfig": {"maxUnavailablePercentage": 50}}),
            "/updateConfig",
            json!({"maxUnavailablePercentage": 50}),
        ),
        (json!({"nodeRepairConfig": {"enabled": true}}), "/nodeRepairConfig/enabled", json!(true)),
        (json!({"warmPoolConfig": {"enabled": true, "minSize": 1}}), "/warmPoolConfig/minSize", json!(1)),
    ];
    for (input, pointer, value) in steps {
        let answer = api.ok("UpdateNodegroupConfig", ng(input)).await;
        assert_eq!(answer["update"]["type"], "ConfigUpdate");
        let update = api.ended("c", json!({"nodegroupName": "ng"}), &answer).await;
        assert_eq!(update["status"], "Successful");
        assert_eq!(api.nodegroup_view("c", "ng").await.pointer(pointer), Some(&value));
        let of_cluster = json!({"name": "c", "updateId": update["id"]});
        api.refused("DescribeUpdate", of_cluster, "ResourceNotFoundException", "No update found").await;
    }
    let parameter = "InvalidParameterException";
    let wrong = [
        (json!({}), "nothing to change"),
        (json!({"scalingConfig": {"desiredSize": 9}}), "can't be greater than max"),
        (json!({"labels": {"addOrUpdateLabels": {"a": "b"}, "removeLabels": ["a"]}}), "added and removed"),
        (json!({"labels": {"addOrUpdateLabels": {"k8s.io/a": "b"}}}), "reserved"),
    ];
    for (input, words) in wrong {
        api.refused("UpdateNodegroupConfig", ng(input), parameter, words).await;
    }
    let ids = api.ok("ListUpdates", json!({"name": "c", "nodegroupName": "ng"})).await;
    assert_eq!(ids["updateIds"].as_array().unwrap().len(), 8);
    assert_eq!(api.ok("ListUpdates", json!({"name": "c"})).await["updateIds"], json!([]));

    // One update at a time, and none while it is being deleted.
    api.server.hold();
    api.ok("UpdateNodegroupConfig", ng(json!({"scalingConfig": {"desiredSize": 2}}))).await;
    let more = ng(json!({"scalingConfig": {"desiredSize": 1}}));
    api.refused("UpdateNodegroupConfig", more.clone(), "ResourceInUseException", "in progress").await;
    api.refused("DeleteNodegroup", ng(json!({})), "ResourceInUseException", "in progress").await;
    api.server.release();
    api.server.settled().await;
    api.server.hold();
    api.ok("DeleteNodegroup", ng(json!({}))).await;
    api.refused("UpdateNodegroupConfig", more, "InvalidRequestException", "not in Active State").await;
    api.server.release();
    api.server.settled().await;
}

#[tokio::test]
async fn launch_templates_stay_the_same_template() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    api.nodegroup("c", "plain").await;
    let plain = json!({"clusterName": "c", "nodegroupName": "plain", "launchTemplate": {"id": "lt-1"}});
    api.refused("UpdateNodegroupVersion", plain, "InvalidParameterException", "created with one").await;
    let input = nodegroup_input("c", "ng", json!({"launchTemplate": {"name": "template"}}));
    api.ok("CreateNodegroup", input).await;
    api.server.settled().await;
    let view = api.nodegroup_view("c", "ng").await;
    assert_eq!(
        view["launchTemplate"],
        json!({"id": "lt-0123456789abcdef0", "name": "template", "version": "1"})
    );
    assert!(view["diskSize"].is_null(), "the template has the disk");
    let other = ng(json!({"launchTemplate": {"name": "other", "version": "2"}}));
    api.refused("UpdateNodegroupVersion", other, "InvalidParameterException", "created with").await;
    let next = ng(json!({"launchTemplate": {"name": "template", "version": "2"}}));
    let answer = api.ok("UpdateNodegroupVersion", next).await;
    assert_eq!(api.ended("c", json!({"nodegroupName": "ng"}), &answer).await["status"], "Successful");
    assert_eq!(api.nodegroup_view("c", "ng").await["launchTemplate"]["version"], "2");

    let custom =
        nodegroup_input("c", "custom", json!({"launchTemplate": {"id": "lt-2"}, "amiType": "CUSTOM"}));
    api.ok("CreateNodegroup", custom).await;
    api.server.settled().await;
    assert_eq!(api.nodegroup_view("c", "custom").await["releaseVersion"], "ami-0123456789abcdef0");
    let version = json!({"clusterName": "c", "nodegroupName": "custom", "version": "1.36"});
    api.refused("UpdateNodegroupVersion", version, "InvalidParameterException", "image of one's own").await;
}

#[tokio::test]
async fn a_node_group_fails_with_every_documented_issue() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let later =
        |code: &str| Effect::FailLater { code: code.into(), message: "why".into(), resource_ids: Vec::new() };
    for code in the_model().await.values("NodegroupIssueCode") {
        api.server.fault(Fault::on("CreateNodegroup", later(code)));
        let view = api.nodegroup("c", "ng").await;
        assert_eq!(
            (&view["status"], &view["health"]["issues"][0]["code"]),
            (&json!("CREATE_FAILED"), &json!(code))
        );
        api.server.clear_faults();
        let update = ng(json!({"scalingConfig": {"desiredSize": 1}}));
        api.refused("UpdateNodegroupConfig", update, "InvalidRequestException", "CREATE_FAILED").await;
        api.ok("DeleteNodegroup", ng(json!({}))).await;
        api.server.settled().await;
    }
    api.nodegroup("c", "ng").await;
    api.server.fault(Fault::on("UpdateNodegroupVersion", later("PodEvictionFailure")));
    let answer = api.ok("UpdateNodegroupVersion", ng(json!({"version": "1.36"}))).await;
    let update = api.ended("c", json!({"nodegroupName": "ng"}), &answer).await;
    assert_eq!(
        (&update["status"], &update["errors"][0]["errorCode"]),
        (&json!("Failed"), &json!("PodEvictionFailure"))
    );
    assert_eq!(api.nodegroup_view("c", "ng").await["status"], "ACTIVE");
    api.server.fault(Fault::on("DeleteNodegroup", later("Ec2SecurityGroupDeletionFailure")));
    api.ok("DeleteNodegroup", ng(json!({}))).await;
    api.server.settled().await;
    assert_eq!(api.nodegroup_view("c", "ng").await["status"], "DELETE_FAILED");
    api.ok("DeleteNodegroup", ng(json!({}))).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["nodegroups"], 0);
    let degraded = Effect::Degrade {
        code: "AsgInstanceLaunchFailures".into(),
        message: String::new(),
        resource_ids: Vec::new(),
    };
    api.server.fault(Fault::on("CreateNodegroup", degraded));
    assert_eq!(api.nodegroup("c", "sick").await["status"], "DEGRADED");
}

#[tokio::test]
async fn fargate_profiles_one_at_a_time() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let profile = |name: &str, selectors: Value| json!({"clusterName": "c", "fargateProfileName": name, "podExecutionRoleArn": ROLE, "selectors": selectors});
    let parameter = "InvalidParameterException";
    let wrong = [
        (profile("fp", json!([])), "1 to 5"),
        (profile("fp", json!(vec![json!({"namespace": "a"}); 6])), "1 to 5"),
        (profile("fp", json!([{"labels": {"a": "b"}}])), "needs a namespace"),
        (profile("eks-fp", json!([{"namespace": "a"}])), "eks-"),
    ];
    for (input, words) in wrong {
        api.refused("CreateFargateProfile", input, parameter, words).await;
    }
    api.server.hold();
    let one = json!([{"namespace": "a", "labels": {"fargate": "yes"}}]);
    let made = api.ok("CreateFargateProfile", profile("one", one)).await["fargateProfile"].clone();
    assert_eq!((&made["status"], &made["subnets"]), (&json!("CREATING"), &json!(["subnet-0a", "subnet-0b"])));
    let two = profile("two", json!([{"namespace": "b"}]));
    let words = "currently has Fargate profile one in status CREATING";
    api.refused("CreateFargateProfile", two.clone(), "ResourceInUseException", words).await;
    api.server.release();
    api.server.settled().await;
    api.ok("CreateFargateProfile", two.clone()).await;
    api.server.settled().await;
    api.refused("CreateFargateProfile", two, "ResourceInUseException", "already exists").await;
    let entry = api.ok("DescribeAccessEntry", json!({"clusterName": "c", "principalArn": ROLE})).await;
    assert_eq!(entry["accessEntry"]["type"], "FARGATE_LINUX");
    let name = |name: &str| json!({"clusterName": "c", "fargateProfileName": name});
    assert_eq!(api.ok("DescribeFargateProfile", name("one")).await["fargateProfile"]["status"], "ACTIVE");
    let listed = api.ok("ListFargateProfiles", json!({"clusterName": "c"})).await;
    assert_eq!(listed["fargateProfileNames"], json!(["one", "two"]));
    api.server.hold();
    api.ok("DeleteFargateProfile", name("one")).await;
    api.refused("DeleteFargateProfile", name("two"), "ResourceInUseException", "in status DELETING").await;
    api.server.release();
    api.server.settled().await;
    api.ok("DeleteFargateProfile", name("two")).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["accessEntries"], 1, "the creator's is left");
}

fn issue(code: &str) -> Issue {
    Issue { code: code.into(), message: "the world says no".into(), resource_ids: vec!["r-1".into()] }
}

#[tokio::test]
async fn the_world_may_refuse_and_fail() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let parameter = "InvalidParameterException";
    api.world.refuse("check_cluster", Some(issue("IamRoleNotFound")));
    api.refused("CreateCluster", super::cluster_input("c", json!({})), parameter, "the world says no").await;
    api.world.refuse("check_cluster", Some(issue("UnsupportedAvailabilityZoneException")));
    let zone = super::cluster_input("c", json!({}));
    api.refused("CreateCluster", zone, "UnsupportedAvailabilityZoneException", "no").await;
    assert_eq!(api.server.counts()["clusters"], 0);
    api.world.refuse("check_cluster", None);
    api.world.refuse("create_cluster", Some(issue("SomethingElse")));
    api.ok("CreateCluster", super::cluster_input("c", json!({}))).await;
    api.server.settled().await;
    let view = api.cluster_view("c").await;
    assert_eq!((&view["status"], &view["health"]["issues"][0]["code"]), (&json!("FAILED"), &json!("Other")));
    assert_eq!(api.server.counts()["accessEntries"], 0);
    api.ok("DeleteCluster", json!({"name": "c"})).await;
    api.server.settled().await;
    api.world.refuse("create_cluster", None);

    api.cluster("c").await;
    api.world.refuse("check_nodegroup", Some(issue("Ec2LaunchTemplateNotFound")));
    api.refused("CreateNodegroup", nodegroup_input("c", "ng", json!({})), parameter, "no").await;
    api.world.refuse("check_nodegroup", None);
    api.world.refuse("create_nodegroup", Some(issue("InsufficientFreeAddresses")));
    let view = api.nodegroup("c", "ng").await;
    assert_eq!(view["health"]["issues"][0]["resourceIds"], json!(["r-1"]));
    api.world.refuse("delete_cluster", Some(issue("AccessDenied")));
    api.ok("DeleteNodegroup", ng(json!({}))).await;
    api.server.settled().await;
    api.ok("DeleteCluster", json!({"name": "c"})).await;
    api.server.settled().await;
    assert_eq!(api.cluster_view("c").await["status"], "FAILED");
}

#[tokio::test]
async fn what_happens_outside_is_described() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    api.nodegroup("c", "ng").await;
    let scaled = json!({"minSize": 1, "maxSize": 5, "desiredSize": 4});
    api.world.observe("ng", json!({"scalingConfig": scaled}));
    assert_eq!(api.nodegroup_view("c", "ng").await["scalingConfig"], scaled);
    let sick = json!({"status": "DEGRADED", "health": {"issues": [{"code": "AutoScalingGroupNotFound"}]}});
    assert!(api.server.change("c", "nodegroups", "ng", &sick));
    assert_eq!(api.nodegroup_view("c", "ng").await["status"], "DEGRADED");
    assert!(!api.server.change("c", "nodegroups", "other", &sick));
}
