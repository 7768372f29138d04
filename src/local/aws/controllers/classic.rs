//! Classic Load Balancers, as the cloud provider makes them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::balancers::{Wanted, subnets};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, tag_list, text};
use crate::model::cloud::Service;
use crate::ports::CloudFailureKind;

async fn described(controllers: &Controllers, name: &str) -> Result<Option<Value>, Failed> {
    let input = json!({"LoadBalancerNames": [name]});
    match controllers.account.call(Service::Elb, "DescribeLoadBalancers", input).await {
        Ok(answer) => Ok(items(&answer, "LoadBalancerDescriptions").next().cloned()),
        Err(failure)
            if failure.kind == CloudFailureKind::NotFound || failure.code == "LoadBalancerNotFound" =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Makes it where it is not there, and keeps its instances. Its name in DNS.
pub(super) async fn make(
    controllers: &Controllers,
    wanted: &Wanted,
    instances: &[String],
) -> Result<String, Failed> {
    let account = &controllers.account;
    let found = match described(controllers, &wanted.name).await? {
        Some(found) => found,
        None => {
            let (subnets, vpc) = subnets(controllers, wanted.internal).await?;
            let group = security_group(controllers, wanted, &vpc).await?;
            let listeners: Vec<Value> = wanted
                .ports
                .iter()
                .map(|(port, node)| {
                    json!({"Protocol": "TCP", "LoadBalancerPort": port, "InstanceProtocol": "TCP", "InstancePort": node})
                })
                .collect();
            let mut input = json!({
                "LoadBalancerName": wanted.name, "Listeners": listeners, "Subnets": subnets,
                "SecurityGroups": [group], "Tags": tag_list(&wanted.tags),
            });
            if wanted.internal {
                input["Scheme"] = "internal".into();
            }
            account.call(Service::Elb, "CreateLoadBalancer", input).await?;
            described(controllers, &wanted.name).await?.ok_or("it was made, and is not there")?
        }
    };
    let listed: BTreeSet<String> = items(&found, "Instances").map(|one| text(one, "InstanceId")).collect();
    let all: BTreeSet<String> = instances.iter().cloned().collect();
    for (operation, difference) in [
        ("RegisterInstancesWithLoadBalancer", all.difference(&listed).collect::<Vec<_>>()),
        ("DeregisterInstancesFromLoadBalancer", listed.difference(&all).collect()),
    ] {
        if !difference.is_empty() {
            let ids: Vec<Value> = difference.iter().map(|id| json!({"InstanceId": id})).collect();
            let input = json!({"LoadBalancerName": wanted.name, "Instances": ids});
            account.call(Service::Elb, operation, input).await?;
        }
    }
    Ok(text(&found, "DNSName"))
}

/// The group `k8s-elb-<name>` that the provider makes for each.
async fn security_group(controllers: &Controllers, wanted: &Wanted, vpc: &str) -> Result<String, Failed> {
    let name = format!("k8s-elb-{}", wanted.name);
    if let Some(id) = group_named(controllers, &name).await? {
        return Ok(id);
    }
    let description = format!("Security group for Kubernetes ELB {}", wanted.name);
    let made = controllers.account.create_security_group(vpc, &name, &description, &wanted.tags).await;
    made.map_err(|issue| issue.message.into())
}

async fn group_named(controllers: &Controllers, name: &str) -> Result<Option<String>, Failed> {
    let filter = json!([{"Name": "group-name", "Values": [name]}]);
    let answer = controllers.account.ec2("DescribeSecurityGroups", json!({"Filters": filter})).await?;
    Ok(items(&answer, "securityGroupInfo").next().map(|group| text(group, "groupId")))
}

/// Takes it away, with its group.
pub(super) async fn remove(controllers: &Controllers, wanted: &Wanted) -> Result<(), Failed> {
    if described(controllers, &wanted.name).await?.is_some() {
        let input = json!({"LoadBalancerName": wanted.name});
        controllers.account.call(Service::Elb, "DeleteLoadBalancer", input).await?;
    }
    if let Some(group) = group_named(controllers, &format!("k8s-elb-{}", wanted.name)).await? {
        controllers.account.delete_security_group(&group).await.map_err(|issue| issue.message)?;
    }
    Ok(())
}
