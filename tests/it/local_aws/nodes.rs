//! Nodes and budgets, self-managed groups, and what the service refuses at once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan::local::aws::Patience;
use portolan::model::cloud::Service;
use serde_json::{Value, json};

use super::lab::{Lab, Network, eventually};

struct Ground {
    lab: Lab,
    network: Network,
    node_role: String,
}

async fn ground() -> Ground {
    let patience = Patience {
        nodes: Duration::from_secs(60),
        eviction: Duration::from_secs(3),
        addon: Duration::from_secs(20),
    };
    let lab = Lab::start(patience).await;
    let role = lab.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]).await;
    let policies = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"];
    let node_role = lab.role("nodes", "ec2.amazonaws.com", &policies).await;
    let network = lab.network().await;
    let input = json!({
        "name": "bank", "version": "1.36", "roleArn": role,
        "resourcesVpcConfig": {"subnetIds": network.subnets},
    });
    lab.eks("CreateCluster", input).await;
    lab.until("DescribeCluster", &json!({"name": "bank"}), "cluster", "ACTIVE").await;
    Ground { lab, network, node_role }
}

fn refused(answer: Result<Value, portolan::ports::CloudFailure>, words: &str) {
    let failure = answer.expect_err(words);
    assert_eq!(failure.code, "InvalidParameterException", "{failure}");
    assert!(failure.message.contains(words), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_hold_instances_join_and_nonsense_is_refused() {
    crate::support::aws::needs_aws!();
    let Ground { lab, network, node_role } = ground().await;
    let group = |name: &str| {
        json!({
            "clusterName": "bank", "nodegroupName": name, "subnets": network.subnets, "nodeRole": node_role,
            "scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 1},
        })
    };
    // With the networking that a cluster has of itself: nodes come up at once.
    lab.eks("CreateNodegroup", group("one")).await;
    let named = json!({"clusterName": "bank", "nodegroupName": "one"});
    lab.until("DescribeNodegroup", &named, "nodegroup", "ACTIVE").await;

    refusals(&lab, &network, &group).await;
    conflicts(&lab).await;
    budget(&lab).await;
    scaled_by_hand(&lab, &named).await;
    self_managed(&lab, &network).await;
    lab.stop().await;
}

async fn refusals(lab: &Lab, network: &Network, group: &impl Fn(&str) -> Value) {
    let ask = async |change: &dyn Fn(&mut Value)| {
        let mut input = group("bad");
        change(&mut input);
        lab.try_call(Service::Eks, "CreateNodegroup", input).await
    };
    let other = lab.role("other", "lambda.amazonaws.com", &[]).await;
    refused(ask(&|input| input["nodeRole"] = other.clone().into()).await, "trusted entity is not correct");
    let bare = lab.role("bare", "ec2.amazonaws.com", &[]).await;
    refused(ask(&|input| input["nodeRole"] = bare.clone().into()).await, "AmazonEKSWorkerNodePolicy");
    refused(ask(&|input| input["subnets"] = json!(["subnet-00000000000000000"])).await, "subnet");
    refused(ask(&|input| input["instanceTypes"] = json!(["m5.huge"])).await, "do not exist");
    refused(ask(&|input| input["instanceTypes"] = json!(["m7g.large"])).await, "not a valid instance type");
    refused(ask(&|input| input["remoteAccess"] = json!({"ec2SshKey": "none"})).await, "key pair");
    let template = async |name: &str, data: Value| {
        let made = lab
            .ec2("CreateLaunchTemplate", json!({"LaunchTemplateName": name, "LaunchTemplateData": data}))
            .await;
        made["launchTemplate"]["launchTemplateId"].clone()
    };
    let with_subnet =
        template("a", json!({"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": network.subnets[0]}]}))
            .await;
    refused(ask(&|input| input["launchTemplate"] = json!({"id": with_subnet})).await, "subnet");
    let with_profile = template("b", json!({"IamInstanceProfile": {"Name": "x"}})).await;
    refused(ask(&|input| input["launchTemplate"] = json!({"id": with_profile})).await, "instance profile");
    let with_type = template("c", json!({"InstanceType": "m5.large"})).await;
    refused(
        ask(&|input| {
            input["launchTemplate"] = json!({"id": with_type});
            input["instanceTypes"] = json!(["m5.large"]);
        })
        .await,
        "instance types",
    );
    let cluster = |change: &dyn Fn(&mut Value)| {
        let role = "arn:aws:iam::123456789012:role/cluster";
        let mut input =
            json!({"name": "bad", "roleArn": role, "resourcesVpcConfig": {"subnetIds": network.subnets}});
        change(&mut input);
        input
    };
    let ask = async |input: Value| lab.try_call(Service::Eks, "CreateCluster", input).await;
    let missing = cluster(&|input| input["roleArn"] = "arn:aws:iam::123456789012:role/none".into());
    refused(ask(missing).await, "does not exist");
    let groups =
        cluster(&|input| input["resourcesVpcConfig"]["securityGroupIds"] = json!(["sg-00000000000000000"]));
    refused(ask(groups).await, "sg-00000000000000000");
}

/// An add-on over the networking that was there: by policy a conflict, or a takeover.
async fn conflicts(lab: &Lab) {
    let input = |policy: &str| {
        json!({
            "clusterName": "bank", "addonName": "coredns", "resolveConflicts": policy,
            // Not the one that is there.
            "addonVersion": "v1.14.2-eksbuild.1",
        })
    };
    let named = json!({"clusterName": "bank", "addonName": "coredns"});
    lab.eks("CreateAddon", input("NONE")).await;
    eventually("the conflict", || async {
        let addon = lab.eks("DescribeAddon", named.clone()).await["addon"].clone();
        addon["status"] == "CREATE_FAILED" && addon["health"]["issues"][0]["code"] == "ConfigurationConflict"
    })
    .await;
    lab.eks("DeleteAddon", json!({"clusterName": "bank", "addonName": "coredns", "preserve": true})).await;
    lab.until_gone("DescribeAddon", &named).await;
    lab.eks("CreateAddon", input("OVERWRITE")).await;
    lab.until("DescribeAddon", &named, "addon", "ACTIVE").await;
    let image = "--output=jsonpath={.spec.template.spec.containers[0].image}";
    let ours =
        lab.kubectl("bank", &["get", "deployment/coredns", "--namespace=kube-system", image], "").await;
    // What a person changes is kept by PRESERVE and taken back by OVERWRITE.
    let patch = r#"{"data": {"Corefile": ".:53 { log }"}}"#;
    let edit = ["patch", "configmap/coredns", "--namespace=kube-system", "--type=merge", "--patch", patch];
    lab.kubectl("bank", &edit, "").await;
    let corefile = async || {
        let read =
            ["get", "configmap/coredns", "--namespace=kube-system", "--output=jsonpath={.data.Corefile}"];
        lab.kubectl("bank", &read, "").await
    };
    for (policy, kept) in [("PRESERVE", true), ("OVERWRITE", false)] {
        let values = json!({"podLabels": {"policy": policy}}).to_string();
        let input = json!({
            "clusterName": "bank", "addonName": "coredns", "resolveConflicts": policy, "configurationValues": values,
        });
        let update = lab.eks("UpdateAddon", input).await;
        lab.updated(&update, json!({"name": "bank", "addonName": "coredns"})).await;
        assert_eq!(corefile().await.contains("log"), kept, "{policy}");
    }
    assert!(ours.starts_with("eks/coredns:v1."), "{ours}");
}

/// A budget that never lets a pod go makes the update fail, and force ends it.
async fn budget(lab: &Lab) {
    let stuck = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec: {containers: [{name: c, image: "c:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: stuck, namespace: default}
spec: {minAvailable: 1, selector: {matchLabels: {app: stuck}}}
"#;
    lab.kubectl("bank", &["apply", "--filename=-"], stuck).await;
    lab.kubectl("bank", &["wait", "deployment/stuck", "--for=condition=Available", "--timeout=60s"], "")
        .await;
    let update =
        lab.eks("UpdateNodegroupVersion", json!({"clusterName": "bank", "nodegroupName": "one"})).await;
    let id = update["update"]["id"].clone();
    eventually("the failure of the update", || async {
        let input = json!({"name": "bank", "nodegroupName": "one", "updateId": id});
        let update = lab.eks("DescribeUpdate", input).await["update"].clone();
        update["status"] == "Failed" && update["errors"][0]["errorCode"] == "PodEvictionFailure"
    })
    .await;
    let nodes =
        lab.kubectl("bank", &["get", "nodes", "--output=jsonpath={.items[*].spec.unschedulable}"], "").await;
    assert_eq!(nodes, "", "what is left is uncordoned");
    let input = json!({"clusterName": "bank", "nodegroupName": "one", "force": true});
    let update = lab.eks("UpdateNodegroupVersion", input).await;
    lab.updated(&update, json!({"name": "bank", "nodegroupName": "one"})).await;
    lab.kubectl("bank", &["delete", "deployment/stuck", "pdb/stuck"], "").await;
}

/// A size that is set on the Auto Scaling group shows in the node group.
async fn scaled_by_hand(lab: &Lab, named: &Value) {
    let described = lab.eks("DescribeNodegroup", named.clone()).await;
    let group = &described["nodegroup"]["resources"]["autoScalingGroups"][0]["name"];
    let input = json!({"AutoScalingGroupName": group, "DesiredCapacity": 2});
    lab.call(Service::AutoScaling, "SetDesiredCapacity", input).await;
    eventually("the second node", || async {
        let described = lab.eks("DescribeNodegroup", named.clone()).await;
        let nodes = lab.kubectl("bank", &["get", "nodes", "--output=name"], "").await;
        described["nodegroup"]["scalingConfig"]["desiredSize"] == 2 && nodes.lines().count() == 2
    })
    .await;
}

/// Instances with the cluster's tag, whose user data names the cluster, join as they are told.
async fn self_managed(lab: &Lab, network: &Network) {
    let parameter =
        "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/arm64/standard/recommended/image_id";
    let image =
        lab.call(Service::Ssm, "GetParameter", json!({"Name": parameter})).await["Parameter"]["Value"]
            .clone();
    let script = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: bank\n  kubelet:\n    \
        flags: [\"--node-labels=pool=own\", \"--register-with-taints=pool=own:NoSchedule\"]\n";
    let data = json!({"ImageId": image, "InstanceType": "m7g.large", "UserData": STANDARD.encode(script)});
    let template = lab
        .ec2("CreateLaunchTemplate", json!({"LaunchTemplateName": "own", "LaunchTemplateData": data}))
        .await;
    let input = json!({
        "AutoScalingGroupName": "own", "MinSize": 1, "MaxSize": 1, "DesiredCapacity": 1,
        "VPCZoneIdentifier": network.subnets.join(","),
        "LaunchTemplate": {"LaunchTemplateId": template["launchTemplate"]["launchTemplateId"], "Version": "$Latest"},
        "Tags": [{"Key": "kubernetes.io/cluster/bank", "Value": "owned", "PropagateAtLaunch": true,
            "ResourceType": "auto-scaling-group", "ResourceId": "own"}],
    });
    lab.call(Service::AutoScaling, "CreateAutoScalingGroup", input).await;
    let ready = ["wait", "node", "--selector=pool=own", "--for=condition=Ready", "--timeout=60s"];
    eventually("its node", || async {
        !lab.kubectl("bank", &["get", "nodes", "--selector=pool=own", "--output=name"], "").await.is_empty()
    })
    .await;
    lab.kubectl("bank", &ready, "").await;
    let node = lab.kubectl("bank", &["get", "nodes", "--selector=pool=own", "--output=json"], "").await;
    let node: Value = serde_json::from_str(&node).unwrap();
    let node = &node["items"][0];
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/arch"], "arm64");
    assert_eq!(node["spec"]["taints"][0]["key"], "pool");
    let input = json!({"AutoScalingGroupName": "own", "ForceDelete": true});
    lab.call(Service::AutoScaling, "DeleteAutoScalingGroup", input).await;
    eventually("the end of its node", || async {
        lab.kubectl("bank", &["get", "nodes", "--selector=pool=own", "--output=name"], "").await.is_empty()
    })
    .await;
}
