//! Classic Load Balancers, as the cloud provider makes them (cloud-provider-aws `EnsureLoadBalancer`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::balancers::subnets;
use super::wanted::{Listener, Wanted};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, text};
use crate::model::cloud::Service;
use crate::ports::{CloudFailure, CloudFailureKind};

async fn call(controllers: &Controllers, operation: &str, input: Value) -> Result<Value, CloudFailure> {
    controllers.account.call(Service::Elb, operation, input).await
}

async fn described(controllers: &Controllers, name: &str) -> Result<Option<Value>, Failed> {
    match call(controllers, "DescribeLoadBalancers", json!({"LoadBalancerNames": [name]})).await {
        Ok(answer) => Ok(items(&answer, "LoadBalancerDescriptions").next().cloned()),
        Err(failure)
            if failure.kind == CloudFailureKind::NotFound || failure.code == "LoadBalancerNotFound" =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure.into()),
    }
}

fn listener(listener: &Listener) -> Value {
    json!({"Protocol": "TCP", "LoadBalancerPort": listener.port, "InstanceProtocol": "TCP", "InstancePort": listener.node})
}

/// Makes it where it is not there, and keeps its ports and instances. Its name in DNS.
pub(super) async fn make(controllers: &Controllers, wanted: &Wanted) -> Result<String, Failed> {
    let found = match described(controllers, &wanted.name).await? {
        Some(found) => found,
        None => create(controllers, wanted).await?,
    };
    let name = &wanted.name;
    let open = open_ports(&found);
    let new: Vec<Value> =
        wanted.listeners.iter().filter(|one| !open.contains(&one.port)).map(listener).collect();
    if !new.is_empty() {
        let input = json!({"LoadBalancerName": name, "Listeners": new});
        call(controllers, "CreateLoadBalancerListeners", input).await?;
    }
    let surplus: Vec<u16> =
        open.into_iter().filter(|port| !wanted.listeners.iter().any(|one| one.port == *port)).collect();
    if !surplus.is_empty() {
        let input = json!({"LoadBalancerName": name, "LoadBalancerPorts": surplus});
        call(controllers, "DeleteLoadBalancerListeners", input).await?;
    }
    let listed: BTreeSet<String> = items(&found, "Instances").map(|one| text(one, "InstanceId")).collect();
    for (operation, difference) in [
        ("RegisterInstancesWithLoadBalancer", wanted.instances.difference(&listed).collect::<Vec<_>>()),
        ("DeregisterInstancesFromLoadBalancer", listed.difference(&wanted.instances).collect()),
    ] {
        if !difference.is_empty() {
            let ids: Vec<Value> = difference.iter().map(|id| json!({"InstanceId": id})).collect();
            call(controllers, operation, json!({"LoadBalancerName": name, "Instances": ids})).await?;
        }
    }
    Ok(text(&found, "DNSName"))
}

async fn create(controllers: &Controllers, wanted: &Wanted) -> Result<Value, Failed> {
    let (subnets, vpc) = subnets(controllers, wanted.internal).await?;
    let group = security_group(controllers, wanted, &vpc).await?;
    let listeners: Vec<Value> = wanted.listeners.iter().map(listener).collect();
    let mut input = json!({
        "LoadBalancerName": wanted.name, "Listeners": listeners, "Subnets": subnets,
        "SecurityGroups": [group], "Tags": wanted.tags_of(""),
    });
    if wanted.internal {
        input["Scheme"] = "internal".into();
    }
    call(controllers, "CreateLoadBalancer", input).await?;
    Ok(described(controllers, &wanted.name).await?.ok_or("it was made, and is not there")?)
}

fn open_ports(found: &Value) -> BTreeSet<u16> {
    let listeners = items(found, "ListenerDescriptions").map(|one| &one["Listener"]["LoadBalancerPort"]);
    let numbers = listeners.filter_map(|port| port.as_u64().or_else(|| port.as_str()?.parse().ok()));
    numbers.filter_map(|port| u16::try_from(port).ok()).collect()
}

/// The group `k8s-elb-<name>` that the provider makes for each, open at its ports; the nodes' groups let it in.
async fn security_group(controllers: &Controllers, wanted: &Wanted, vpc: &str) -> Result<String, Failed> {
    let name = format!("k8s-elb-{}", wanted.name);
    let group = match group_named(controllers, &name).await? {
        Some(id) => id,
        None => {
            let description = format!(
                "Security group for Kubernetes ELB {} ({})",
                wanted.name, wanted.tags["kubernetes.io/service-name"]
            );
            let made =
                controllers.account.create_security_group(vpc, &name, &description, &wanted.tags).await;
            made.map_err(|issue| issue.message)?
        }
    };
    let open: Vec<Value> = wanted
        .listeners
        .iter()
        .map(|one| {
            let ranges: Vec<Value> = wanted.sources.iter().map(|range| json!({"CidrIp": range})).collect();
            json!({"IpProtocol": "tcp", "FromPort": one.port, "ToPort": one.port, "IpRanges": ranges})
        })
        .collect();
    permit(controllers, &group, &open).await?;
    for nodes in node_groups(controllers, &wanted.instances).await? {
        permit(controllers, &nodes, &[from(&group)]).await?;
    }
    Ok(group)
}

fn from(group: &str) -> Value {
    json!({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})
}

/// Adds rules; those that are there already are no error.
async fn permit(controllers: &Controllers, group: &str, rules: &[Value]) -> Result<(), Failed> {
    let input = json!({"GroupId": group, "IpPermissions": rules});
    match controllers.account.ec2("AuthorizeSecurityGroupIngress", input).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code == "InvalidPermission.Duplicate" => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// The security group of each node that is tagged as the cluster's, or its only one.
async fn node_groups(
    controllers: &Controllers,
    instances: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Failed> {
    if instances.is_empty() {
        return Ok(BTreeSet::new());
    }
    let filter = json!([{"Name": "tag-key", "Values": [controllers.tag_key()]}]);
    let answer = controllers.account.ec2("DescribeSecurityGroups", json!({"Filters": filter})).await?;
    let marked: BTreeSet<String> =
        items(&answer, "securityGroupInfo").map(|one| text(one, "groupId")).collect();
    let answer = controllers.account.ec2("DescribeInstances", json!({"InstanceIds": instances})).await?;
    let machines =
        items(&answer, "reservationSet").flat_map(|reservation| items(reservation, "instancesSet"));
    let groups = machines.filter_map(|machine| {
        let own: Vec<String> = items(machine, "groupSet").map(|group| text(group, "groupId")).collect();
        own.iter().find(|id| marked.contains(*id)).or_else(|| own.first().filter(|_| own.len() == 1)).cloned()
    });
    Ok(groups.collect())
}

async fn group_named(controllers: &Controllers, name: &str) -> Result<Option<String>, Failed> {
    let filter = json!([{"Name": "group-name", "Values": [name]}]);
    let answer = controllers.account.ec2("DescribeSecurityGroups", json!({"Filters": filter})).await?;
    Ok(items(&answer, "securityGroupInfo").next().map(|group| text(group, "groupId")))
}

/// Takes it away, with its group and the rules that let it in.
pub(super) async fn remove(controllers: &Controllers, wanted: &Wanted) -> Result<(), Failed> {
    if described(controllers, &wanted.name).await?.is_some() {
        call(controllers, "DeleteLoadBalancer", json!({"LoadBalancerName": wanted.name})).await?;
    }
    let Some(group) = group_named(controllers, &format!("k8s-elb-{}", wanted.name)).await? else {
        return Ok(());
    };
    let filter = json!([{"Name": "ip-permission.group-id", "Values": [group]}]);
    let answer = controllers.account.ec2("DescribeSecurityGroups", json!({"Filters": filter})).await?;
    for open in items(&answer, "securityGroupInfo") {
        let input = json!({"GroupId": open["groupId"], "IpPermissions": [from(&group)]});
        controllers.account.ec2("RevokeSecurityGroupIngress", input).await?;
    }
    controllers.account.delete_security_group(&group).await.map_err(|issue| issue.message)?;
    Ok(())
}
