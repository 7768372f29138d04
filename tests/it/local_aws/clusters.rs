//! Clusters: what creating one makes, what keeps the network from going, upgrades in place, and that nothing is left.

use std::time::Duration;

use portolan::local::aws::Patience;
use portolan::model::cloud::Service;
use serde_json::json;

use super::lab::{Lab, eventually};
use crate::support::control_plane::built;

/// Who assumes the roles of Fargate profiles.
const FARGATE: &str = "eks-fargate-pods.amazonaws.com";

fn patience() -> Patience {
    Patience {
        nodes: Duration::from_secs(4),
        eviction: Duration::from_secs(60),
        addon: Duration::from_secs(30),
    }
}

/// A kept world, from an empty account to an empty account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_is_upgraded_and_leaves_nothing() {
    crate::support::aws::needs_aws!();
    built("1.35").await;
    let lab = Lab::start(patience()).await;
    let before = lab.counts().await;
    let role = lab.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]).await;
    let node_policies =
        ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"];
    let node_role = lab.role("nodes", "ec2.amazonaws.com", &node_policies).await;
    let fargate_role = lab
        .role_for("fargate", FARGATE, of_profiles("shop"), &["AmazonEKSFargatePodExecutionRolePolicy"])
        .await;
    let network = lab.network().await;
    let made = lab.counts().await;

    let input = json!({
        "name": "shop", "version": "1.35", "roleArn": role, "bootstrapSelfManagedAddons": false,
        "resourcesVpcConfig": {"subnetIds": network.subnets},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": true},
    });
    lab.eks("CreateCluster", input).await;
    let named = json!({"name": "shop"});
    let cluster = lab.until("DescribeCluster", &named, "cluster", "ACTIVE").await;
    assert_eq!(cluster["resourcesVpcConfig"]["vpcId"], network.vpc.as_str());

    // What the service made carries its tags, and keeps the network.
    let group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].as_str().unwrap();
    let groups = lab.ec2("DescribeSecurityGroups", json!({"GroupIds": [group]})).await;
    let tags = groups["securityGroupInfo"][0]["tagSet"].to_string();
    assert!(tags.contains("aws:eks:cluster-name") && tags.contains("kubernetes.io/cluster/shop"), "{tags}");
    let refused = lab.try_call(Service::Ec2, "DeleteSubnet", json!({"SubnetId": network.subnets[0]})).await;
    assert_eq!(refused.unwrap_err().code, "DependencyViolation");

    // The creator's keys open it.
    let who = lab.kubectl_as(&*lab.cloud, "shop", &["auth", "whoami", "--output=json"]).await.unwrap();
    assert!(who.contains("user/local"), "{who}");
    assert_eq!(lab.kubectl_as(&*lab.cloud, "shop", &["auth", "can-i", "*", "*"]).await.unwrap(), "yes");

    // Nodes before the network add-on never become Ready.
    let group_input = |name: &str| {
        json!({
            "clusterName": "shop", "nodegroupName": name, "subnets": network.subnets, "nodeRole": node_role,
            "instanceTypes": ["m5.large"], "labels": {"team": "a"},
            "taints": [{"key": "dedicated", "value": "web", "effect": "PREFER_NO_SCHEDULE"}],
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 2},
        })
    };
    lab.eks("CreateNodegroup", group_input("early")).await;
    let early = json!({"clusterName": "shop", "nodegroupName": "early"});
    eventually("the failure of the early node group", || async {
        let described = lab.eks("DescribeNodegroup", early.clone()).await;
        described["nodegroup"]["status"] == "CREATE_FAILED"
            && described["nodegroup"]["health"]["issues"][0]["code"] == "NodeCreationFailure"
    })
    .await;
    lab.eks("DeleteNodegroup", early.clone()).await;
    lab.until_gone("DescribeNodegroup", &early).await;

    for addon in ["vpc-cni", "kube-proxy"] {
        lab.eks("CreateAddon", json!({"clusterName": "shop", "addonName": addon})).await;
        lab.until("DescribeAddon", &json!({"clusterName": "shop", "addonName": addon}), "addon", "ACTIVE")
            .await;
    }
    // Deployments wait for nodes.
    let coredns = json!({"clusterName": "shop", "addonName": "coredns"});
    lab.eks("CreateAddon", coredns.clone()).await;
    lab.until("DescribeAddon", &coredns, "addon", "DEGRADED").await;

    lab.eks("CreateNodegroup", group_input("web")).await;
    let web = json!({"clusterName": "shop", "nodegroupName": "web"});
    let described = lab.until("DescribeNodegroup", &web, "nodegroup", "ACTIVE").await;
    assert_eq!(described["releaseVersion"], "1.35.4-20261120");
    lab.until("DescribeAddon", &coredns, "addon", "ACTIVE").await;
    let nodes = nodes(&lab).await;
    assert_eq!(nodes.len(), 2);
    for node in &nodes {
        let labels = &node["metadata"]["labels"];
        assert_eq!(labels["eks.amazonaws.com/nodegroup"], "web");
        assert_eq!(labels["eks.amazonaws.com/capacityType"], "ON_DEMAND");
        assert_eq!(labels["team"], "a");
        assert_eq!(node["status"]["allocatable"]["pods"], "29");
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.35.4-eks-0000000");
        assert!(node["spec"]["providerID"].as_str().unwrap().starts_with("aws:///eu-central-1"));
        assert!(node["spec"]["taints"].to_string().contains("dedicated"), "{}", node["spec"]);
    }
    let zones: std::collections::BTreeSet<_> = nodes
        .iter()
        .map(|node| node["metadata"]["labels"]["topology.kubernetes.io/zone"].to_string())
        .collect();
    assert_eq!(zones.len(), 2, "the group is spread");

    fargate_with_a_strange_role(&lab, &network.subnets).await;
    fargate(&lab, &fargate_role, &network.subnets).await;
    upgrade(&lab).await;

    lab.eks("DeleteNodegroup", web.clone()).await;
    lab.until_gone("DescribeNodegroup", &web).await;
    let refused = lab.try_call(Service::Eks, "DeleteCluster", named.clone()).await;
    assert_eq!(refused.unwrap_err().code, "ResourceInUseException", "the Fargate profile is left");
    let profile = json!({"clusterName": "shop", "fargateProfileName": "jobs"});
    lab.eks("DeleteFargateProfile", profile.clone()).await;
    lab.until_gone("DescribeFargateProfile", &profile).await;
    lab.eks("DeleteCluster", named.clone()).await;
    lab.until_gone("DescribeCluster", &named).await;
    assert_eq!(lab.left(&made).await, Vec::<String>::new());
    lab.drop_network(&network).await;
    for role in ["cluster", "nodes", "fargate"] {
        lab.drop_role(role).await;
    }
    assert_eq!(lab.left(&before).await, Vec::<String>::new());
    lab.stop().await;
}

async fn nodes(lab: &Lab) -> Vec<serde_json::Value> {
    let selector = "--selector=eks.amazonaws.com/nodegroup";
    let list = lab.kubectl("shop", &["get", "nodes", selector, "--output=json"], "").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// As it is recommended, and as Portolan's own role has it: for the profiles of one cluster.
fn of_profiles(cluster: &str) -> serde_json::Value {
    let profiles = format!("arn:aws:eks:eu-central-1:123456789012:fargateprofile/{cluster}/*");
    json!({"ArnLike": {"aws:SourceArn": profiles}, "StringEquals": {"aws:SourceAccount": "123456789012"}})
}

/// A profile with the role of another cluster's profiles is made, fails, and says why.
async fn fargate_with_a_strange_role(lab: &Lab, subnets: &[String]) {
    let policies = ["AmazonEKSFargatePodExecutionRolePolicy"];
    let role = lab.role_for("strange", FARGATE, of_profiles("bank"), &policies).await;
    let profile = json!({"clusterName": "shop", "fargateProfileName": "strange"});
    let mut input = profile.clone();
    input["podExecutionRoleArn"] = role.into();
    input["subnets"] = json!(subnets);
    input["selectors"] = json!([{"namespace": "strange"}]);
    lab.eks("CreateFargateProfile", input).await;
    let failed =
        lab.until_status("DescribeFargateProfile", &profile, "fargateProfile", &["_FAILED", "ACTIVE"]).await;
    assert_eq!(failed["health"]["issues"][0]["code"], "AccessDenied", "{failed:#}");
    lab.eks("DeleteFargateProfile", profile.clone()).await;
    lab.until_gone("DescribeFargateProfile", &profile).await;
    lab.drop_role("strange").await;
}

/// A pod that a profile selects gets a node of its own, for as long as it lives.
async fn fargate(lab: &Lab, role: &str, subnets: &[String]) {
    let input = json!({
        "clusterName": "shop", "fargateProfileName": "jobs", "podExecutionRoleArn": role, "subnets": subnets,
        "selectors": [{"namespace": "jobs*", "labels": {"run": "alone"}}],
    });
    lab.eks("CreateFargateProfile", input).await;
    let profile = json!({"clusterName": "shop", "fargateProfileName": "jobs"});
    lab.until("DescribeFargateProfile", &profile, "fargateProfile", "ACTIVE").await;
    lab.kubectl("shop", &["create", "namespace", "jobs-1"], "").await;
    lab.kubectl(
        "shop",
        &["wait", "--for=create", "serviceaccount/default", "--namespace=jobs-1", "--timeout=30s"],
        "",
    )
    .await;
    let before = lab.counts().await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "alone", "namespace": "jobs-1", "labels": {"run": "alone"}},
        "spec": {"containers": [{"name": "c", "image": "c:1", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]},
    });
    lab.kubectl("shop", &["create", "--filename=-"], &pod.to_string()).await;
    let ready = ["wait", "pod/alone", "--namespace=jobs-1", "--for=condition=Ready", "--timeout=60s"];
    lab.kubectl("shop", &ready, "").await;
    let pod = lab.kubectl("shop", &["get", "pod/alone", "--namespace=jobs-1", "--output=json"], "").await;
    let pod: serde_json::Value = serde_json::from_str(&pod).unwrap();
    let node = pod["spec"]["nodeName"].as_str().unwrap().to_owned();
    assert!(node.starts_with("fargate-ip-10-20-"), "{node}");
    assert_eq!(pod["spec"]["schedulerName"], "fargate-scheduler");
    assert_eq!(pod["metadata"]["labels"]["eks.amazonaws.com/fargate-profile"], "jobs");
    assert_eq!(pod["metadata"]["annotations"]["CapacityProvisioned"], "0.5vCPU 2GB");
    let taints = lab.kubectl("shop", &["get", "node", &node, "--output=jsonpath={.spec.taints}"], "").await;
    assert!(taints.contains("eks.amazonaws.com/compute-type"), "{taints}");
    let on_it = format!("--field-selector=spec.nodeName={node}");
    let pods = lab.kubectl("shop", &["get", "pods", "--all-namespaces", &on_it, "--output=name"], "").await;
    assert_eq!(pods, "pod/alone", "one pod, and none of a DaemonSet");
    lab.kubectl("shop", &["delete", "pod/alone", "--namespace=jobs-1"], "").await;
    eventually("the end of its node", || async {
        let nodes = lab.kubectl("shop", &["get", "nodes", "--output=name"], "").await;
        !nodes.contains(&node) && lab.left(&before).await.is_empty()
    })
    .await;
}

/// A real upgrade over the same etcd, then of the nodes, with an application that is never without a pod.
async fn upgrade(lab: &Lab) {
    let application = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "web:1", resources: {requests: {cpu: 100m}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
"#;
    lab.kubectl("shop", &["apply", "--filename=-"], application).await;
    lab.kubectl("shop", &["wait", "deployment/web", "--for=condition=Available", "--timeout=60s"], "").await;
    let old: Vec<String> = nodes(lab).await.iter().map(|node| node["metadata"]["uid"].to_string()).collect();

    let update = lab.eks("UpdateClusterVersion", json!({"name": "shop", "version": "1.36"})).await;
    lab.updated(&update, json!({"name": "shop"})).await;
    let version = lab.kubectl("shop", &["version", "--output=json"], "").await;
    assert!(version.contains("v1.36.3"), "{version}");
    lab.kubectl("shop", &["get", "deployment/web"], "").await;
    assert_eq!(lab.kubectl_as(&*lab.cloud, "shop", &["auth", "can-i", "*", "*"]).await.unwrap(), "yes");

    let update =
        lab.eks("UpdateNodegroupVersion", json!({"clusterName": "shop", "nodegroupName": "web"})).await;
    lab.updated(&update, json!({"name": "shop", "nodegroupName": "web"})).await;
    // Without a version it is a new image of the group's own.
    assert!(
        nodes(lab)
            .await
            .iter()
            .all(|node| node["status"]["nodeInfo"]["kubeletVersion"] == "v1.35.4-eks-0000000")
    );
    let input = json!({"clusterName": "shop", "nodegroupName": "web", "version": "1.36"});
    let update = lab.eks("UpdateNodegroupVersion", input).await;
    lab.updated(&update, json!({"name": "shop", "nodegroupName": "web"})).await;
    let new = nodes(lab).await;
    assert_eq!(new.len(), 2);
    for node in &new {
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.36.3-eks-0000000");
        assert!(!old.contains(&node["metadata"]["uid"].to_string()));
    }
    let available = "--output=jsonpath={.status.availableReplicas}";
    assert_eq!(lab.kubectl("shop", &["get", "deployment/web", available], "").await, "3");

    // Sizes and labels change without replacing a node.
    let update = json!({
        "clusterName": "shop", "nodegroupName": "web", "labels": {"addOrUpdateLabels": {"team": "b"}},
        "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 3},
    });
    let update = lab.eks("UpdateNodegroupConfig", update).await;
    lab.updated(&update, json!({"name": "shop", "nodegroupName": "web"})).await;
    let grown = nodes(lab).await;
    assert_eq!(grown.len(), 3);
    assert!(grown.iter().all(|node| node["metadata"]["labels"]["team"] == "b"));
    for node in &new {
        assert!(grown.iter().any(|other| other["metadata"]["uid"] == node["metadata"]["uid"]));
    }
}
