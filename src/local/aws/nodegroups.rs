//! Managed node groups: what the service makes of each in the account, and how they grow, shrink and go.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use super::account::{internal, issue, problem, tag_list, text, texts};
use super::cluster::{Group, Running, locked};
use super::image::Plan;
use super::nodes;
use super::rollout;
use super::world::{Issue, NodegroupFacts, Tags};
use crate::local::kubeconfig::random_token;

/// Between two looks at nodes that are awaited.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Makes the launch template's copy, the Auto Scaling group and its instances, and waits for the nodes.
pub(super) async fn create(cluster: &Running, view: &Value) -> Result<NodegroupFacts, Issue> {
    let name = text(view, "nodegroupName");
    cluster
        .map_role(
            &text(view, "nodeRole"),
            "system:node:{{EC2PrivateDNSName}}",
            &["system:bootstrappers", "system:nodes"],
        )
        .await
        .map_err(internal)?;
    let plan = Plan::of(cluster, view).await?;
    let remote_access = remote_access(cluster, view).await?;
    let id = uuid()?;
    let tags = own_tags(cluster, &name);
    let template_name = format!("eks-{id}");
    let copy = plan.copy(cluster, view, &tags, remote_access.as_ref());
    let template = copy.create(&cluster.account, &template_name, &tags).await?;
    let scaling_group = format!("eks-{name}-{id}");
    let mut group = Group {
        view: view.clone(),
        scaling_group: scaling_group.clone(),
        template,
        template_version: "1".to_owned(),
        remote_access: remote_access.clone(),
    };
    complete(&mut group.view, &plan);
    // Known before the first instance runs, or nobody would know what to make of it.
    locked(&cluster.groups).insert(name.clone(), group.clone());
    let sizes = &view["scalingConfig"];
    let mut input = json!({
        "AutoScalingGroupName": scaling_group,
        "MinSize": sizes["minSize"], "MaxSize": sizes["maxSize"], "DesiredCapacity": sizes["desiredSize"],
        "VPCZoneIdentifier": texts(view, "subnets").join(","),
        "MixedInstancesPolicy": policy(&group),
        "CapacityRebalance": true,
        "HealthCheckType": "EC2", "HealthCheckGracePeriod": 15,
        "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
    });
    let mut propagated = tags.clone();
    propagated.insert("k8s.io/cluster-autoscaler/enabled".to_owned(), "true".to_owned());
    propagated.insert(format!("k8s.io/cluster-autoscaler/{}", cluster.name), "owned".to_owned());
    let mut listed = tag_list(&propagated);
    for tag in &mut listed {
        tag["ResourceType"] = "auto-scaling-group".into();
        tag["ResourceId"] = scaling_group.as_str().into();
        tag["PropagateAtLaunch"] = true.into();
    }
    input["Tags"] = listed.into();
    if let Err(failure) = cluster.account.auto_scaling("CreateAutoScalingGroup", input).await {
        return Err(problem("AsgInstanceLaunchFailures", failure.message, &[&scaling_group]));
    }
    tag_instances(cluster, &group).await?;
    let wanted = sizes["desiredSize"].as_u64().unwrap_or(0);
    joined(cluster, &group, wanted, &BTreeSet::new()).await?;
    Ok(facts(&group, &plan))
}

/// Fills in what the launch template says in place of the node group.
fn complete(view: &mut Value, plan: &Plan) {
    let Some(user) = &plan.user else { return };
    if let Some(disk) = user.disk() {
        view["diskSize"] = disk.into();
    }
    if view["instanceTypes"].as_array().is_none_or(Vec::is_empty) {
        let kind = user.instance_type().unwrap_or_else(|| "t3.medium".to_owned());
        view["instanceTypes"] = json!([kind]);
    }
}

fn facts(group: &Group, plan: &Plan) -> NodegroupFacts {
    let mut described = json!({});
    if let Some(user) = &plan.user {
        described["launchTemplate"] = user.described();
        if user.instance_type().is_none() {
            described["instanceTypes"] = group.view["instanceTypes"].clone();
        }
    }
    NodegroupFacts {
        auto_scaling_groups: vec![group.scaling_group.clone()],
        remote_access_security_group: group.remote_access.clone(),
        release_version: plan.release.clone(),
        described,
    }
}

fn policy(group: &Group) -> Value {
    let spot = group.view["capacityType"] == "SPOT";
    let overrides: Vec<_> =
        texts(&group.view, "instanceTypes").into_iter().map(|kind| json!({"InstanceType": kind})).collect();
    json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": group.template, "Version": group.template_version},
            "Overrides": overrides,
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized", "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": if spot { 0 } else { 100 },
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    })
}

/// Tags of the Auto Scaling group, its instances and the template's copy.
fn own_tags(cluster: &Running, name: &str) -> Tags {
    Tags::from([
        ("eks:cluster-name".to_owned(), cluster.name.clone()),
        ("eks:nodegroup-name".to_owned(), name.to_owned()),
        (cluster.tag_key(), "owned".to_owned()),
    ])
}

/// The tag that only the service may set.
async fn tag_instances(cluster: &Running, group: &Group) -> Result<(), Issue> {
    let filters = [("tag:aws:autoscaling:groupName", &[group.scaling_group.as_str()][..])];
    let instances = cluster.account.instances(&filters).await.map_err(issue)?;
    let ids: Vec<String> = instances.into_iter().map(|instance| instance.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let tags = Tags::from([("aws:eks:cluster-name".to_owned(), cluster.name.clone())]);
    cluster.account.tag_as_service(&ids, &tags).await
}

/// The security group for SSH, where a key is given and the customer has no launch template.
async fn remote_access(cluster: &Running, view: &Value) -> Result<Option<String>, Issue> {
    let remote = &view["remoteAccess"];
    if remote["ec2SshKey"].is_null() {
        return Ok(None);
    }
    let name = format!("eks-remoteAccess-{}", uuid()?);
    let tags = own_tags(cluster, &text(view, "nodegroupName"));
    let description = "Security group for all nodes in the nodeGroup to allow SSH access";
    let id = cluster.account.create_security_group(&cluster.vpc, &name, description, &tags).await?;
    let sources = texts(remote, "sourceSecurityGroups");
    let mut permission = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22});
    if sources.is_empty() {
        permission["IpRanges"] = json!([{"CidrIp": "0.0.0.0/0"}]);
    } else {
        let pairs: Vec<_> = sources.iter().map(|group| json!({"GroupId": group})).collect();
        permission["UserIdGroupPairs"] = pairs.into();
    }
    let input = json!({"GroupId": id, "IpPermissions": [permission]});
    cluster.account.ec2("AuthorizeSecurityGroupIngress", input).await.map_err(issue)?;
    Ok(Some(id))
}

/// Waits until as many nodes as wanted are Ready, beside those that were there before.
pub(super) async fn joined(
    cluster: &Running,
    group: &Group,
    wanted: u64,
    before: &BTreeSet<String>,
) -> Result<(), Issue> {
    let name = text(&group.view, "nodegroupName");
    let since = Instant::now();
    loop {
        cluster.wake.notify_one();
        let nodes = nodes::of_group(cluster, &name).await.map_err(internal)?;
        let new: Vec<&Value> = nodes.iter().filter(|node| !before.contains(&node_name(node))).collect();
        let ready = new.iter().filter(|node| nodes::is_ready(node)).count();
        if ready as u64 >= wanted {
            return Ok(());
        }
        if since.elapsed() > cluster.patience.nodes {
            let filters = [("tag:aws:autoscaling:groupName", &[group.scaling_group.as_str()][..])];
            let instances = cluster.account.instances(&filters).await.map_err(issue)?;
            let ready: BTreeSet<String> =
                nodes.iter().filter(|node| nodes::is_ready(node)).map(nodes::instance_of).collect();
            let unhealthy: Vec<_> = instances
                .iter()
                .filter(|instance| !ready.contains(&instance.id))
                .map(|i| i.id.as_str())
                .collect();
            let (code, message) = if new.len() as u64 >= wanted {
                ("NodeCreationFailure", "Unhealthy nodes in the kubernetes cluster")
            } else {
                ("NodeCreationFailure", "Instances failed to join the kubernetes cluster")
            };
            return Err(problem(code, message, &unhealthy));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) fn node_name(node: &Value) -> String {
    text(&node["metadata"], "name")
}

/// Size, labels and taints; none is replaced.
pub(super) async fn reconfigure(cluster: &Running, view: &Value) -> Result<(), Issue> {
    let name = text(view, "nodegroupName");
    let Some(mut group) = locked(&cluster.groups).get(&name).cloned() else {
        return Err(problem(
            "AutoScalingGroupNotFound",
            format!("there is no Auto Scaling group of {name}"),
            &[],
        ));
    };
    let before = std::mem::replace(&mut group.view, view.clone());
    let plan = Plan::of(cluster, view).await?;
    complete(&mut group.view, &plan);
    locked(&cluster.groups).insert(name.clone(), group.clone());
    nodes::relabel(cluster, &before, &group.view).await.map_err(internal)?;
    let sizes = &view["scalingConfig"];
    let wanted = sizes["desiredSize"].as_u64().unwrap_or(0);
    let nodes = nodes::of_group(cluster, &name).await.map_err(internal)?;
    let surplus = nodes.len().saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
    if surplus > 0 {
        // Below the group's old minimum otherwise.
        size(cluster, &group, &json!({"MinSize": 0})).await?;
        for node in nodes.iter().take(surplus) {
            // Scaling in drains, but does not wait for a budget for ever.
            rollout::leave(cluster, node, true).await?;
        }
    }
    let sizes = json!({
        "MinSize": sizes["minSize"], "MaxSize": sizes["maxSize"], "DesiredCapacity": sizes["desiredSize"],
    });
    size(cluster, &group, &sizes).await?;
    tag_instances(cluster, &group).await?;
    joined(cluster, &group, wanted, &BTreeSet::new()).await
}

/// Changes sizes of the Auto Scaling group.
pub(super) async fn size(cluster: &Running, group: &Group, sizes: &Value) -> Result<(), Issue> {
    let mut input = sizes.clone();
    input["AutoScalingGroupName"] = group.scaling_group.as_str().into();
    let done = cluster.account.auto_scaling("UpdateAutoScalingGroup", input).await;
    done.map(|_| ())
        .map_err(|failure| problem("AsgInstanceLaunchFailures", failure.message, &[&group.scaling_group]))
}

/// Replaces the nodes by ones of the new version, release and launch template.
pub(super) async fn upgrade(cluster: &Running, view: &Value, force: bool) -> Result<NodegroupFacts, Issue> {
    let name = text(view, "nodegroupName");
    let Some(before) = locked(&cluster.groups).get(&name).cloned() else {
        return Err(problem(
            "AutoScalingGroupNotFound",
            format!("there is no Auto Scaling group of {name}"),
            &[],
        ));
    };
    let plan = Plan::of(cluster, view).await?;
    let tags = own_tags(cluster, &name);
    let copy = plan.copy(cluster, view, &tags, before.remote_access.as_ref());
    let version = copy.create_version(&cluster.account, &before.template).await?;
    let mut after = Group { view: view.clone(), template_version: version, ..before.clone() };
    complete(&mut after.view, &plan);
    locked(&cluster.groups).insert(name.clone(), after.clone());
    size(cluster, &after, &json!({"MixedInstancesPolicy": policy(&after)})).await?;
    if let Err(issue) = rollout::replace(cluster, &after, force).await {
        // What is still to be launched is of the version that is described.
        locked(&cluster.groups).insert(name, before.clone());
        size(cluster, &before, &json!({"MixedInstancesPolicy": policy(&before)})).await?;
        return Err(issue);
    }
    tag_instances(cluster, &after).await?;
    Ok(facts(&after, &plan))
}

/// Takes it all away: the nodes are drained as far as budgets allow, as the service does it.
pub(super) async fn delete(cluster: &Running, view: &Value) -> Result<(), Issue> {
    let name = text(view, "nodegroupName");
    let Some(group) = locked(&cluster.groups).get(&name).cloned() else { return Ok(()) };
    for node in nodes::of_group(cluster, &name).await.map_err(internal)? {
        rollout::drain(cluster, &node, true).await?;
    }
    let input = json!({"AutoScalingGroupName": group.scaling_group, "ForceDelete": true});
    match cluster.account.auto_scaling("DeleteAutoScalingGroup", input).await {
        Ok(_) => {}
        // Deleted by hand: the service finds nothing to do either.
        Err(failure) if failure.message.contains("not found") => {}
        Err(failure) => return Err(problem("AutoScalingGroupInvalidConfiguration", failure.message, &[])),
    }
    for node in nodes::of_group(cluster, &name).await.map_err(internal)? {
        nodes::remove(cluster, &node_name(&node)).await.map_err(internal)?;
    }
    let deleted =
        cluster.account.ec2("DeleteLaunchTemplate", json!({"LaunchTemplateId": group.template})).await;
    if let Err(failure) = deleted
        && failure.kind != crate::ports::CloudFailureKind::NotFound
    {
        return Err(issue(failure));
    }
    if let Some(id) = &group.remote_access {
        cluster.account.delete_security_group(id).await?;
    }
    nodes::forget(cluster, &name);
    Ok(())
}

fn uuid() -> Result<String, Issue> {
    let hex = random_token().map_err(internal)?;
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}
