//! Network and Application Load Balancers, with their target groups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::balancers::{Kind, Wanted, subnets};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, tag_list, text};
use crate::model::cloud::Service;
use crate::ports::CloudFailure;

async fn call(controllers: &Controllers, operation: &str, input: Value) -> Result<Value, CloudFailure> {
    controllers.account.call(Service::ElbV2, operation, input).await
}

/// The first of a list by name; `None` where the service says that there is none.
async fn named(
    controllers: &Controllers,
    operation: &str,
    list: &str,
    name: &str,
) -> Result<Option<Value>, Failed> {
    match call(controllers, operation, json!({"Names": [name]})).await {
        Ok(answer) => Ok(items(&answer, list).next().cloned()),
        Err(failure) if failure.code.contains("NotFound") => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Makes it where it is not there, and keeps its targets. Its name in DNS.
pub(super) async fn make(
    controllers: &Controllers,
    wanted: &Wanted,
    instances: &[String],
) -> Result<String, Failed> {
    let tags = tag_list(&wanted.tags);
    let (subnets, vpc) = subnets(controllers, wanted.internal).await?;
    let found = named(controllers, "DescribeLoadBalancers", "LoadBalancers", &wanted.name).await?;
    let found = match found {
        Some(found) => found,
        None => {
            let input = json!({
                "Name": wanted.name, "Subnets": subnets, "Tags": tags,
                "Type": if wanted.kind == Kind::Application { "application" } else { "network" },
                "Scheme": if wanted.internal { "internal" } else { "internet-facing" },
            });
            call(controllers, "CreateLoadBalancer", input).await?;
            let made = named(controllers, "DescribeLoadBalancers", "LoadBalancers", &wanted.name).await?;
            made.ok_or("it was made, and is not there")?
        }
    };
    let arn = text(&found, "LoadBalancerArn");
    let listeners = call(controllers, "DescribeListeners", json!({"LoadBalancerArn": arn})).await?;
    let open: BTreeSet<String> = items(&listeners, "Listeners").map(|one| text(one, "Port")).collect();
    for (port, node) in &wanted.ports {
        let group = target_group(controllers, wanted, *node, &vpc, &tags).await?;
        if !open.contains(&port.to_string()) {
            let input = json!({
                "LoadBalancerArn": arn, "Port": port, "Protocol": protocol(wanted.kind), "Tags": tags,
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
            });
            call(controllers, "CreateListener", input).await?;
        }
        register(controllers, &group, instances).await?;
    }
    Ok(text(&found, "DNSName"))
}

fn protocol(kind: Kind) -> &'static str {
    if kind == Kind::Application { "HTTP" } else { "TCP" }
}

/// Names of target groups are as long as those of load balancers at most: the port stands for the rest.
fn group_name(wanted: &Wanted, port: u16) -> String {
    let room = 32 - 6;
    let kept: String = wanted.name.chars().take(room).collect();
    format!("{}-{port}", kept.trim_end_matches('-'))
}

async fn target_group(
    controllers: &Controllers,
    wanted: &Wanted,
    port: u16,
    vpc: &str,
    tags: &[Value],
) -> Result<String, Failed> {
    let name = group_name(wanted, port);
    if let Some(found) = named(controllers, "DescribeTargetGroups", "TargetGroups", &name).await? {
        return Ok(text(&found, "TargetGroupArn"));
    }
    let input = json!({
        "Name": name, "Protocol": protocol(wanted.kind), "Port": port, "VpcId": vpc, "TargetType": "instance", "Tags": tags,
    });
    let answer = call(controllers, "CreateTargetGroup", input).await?;
    let made = items(&answer, "TargetGroups").next().map(|group| text(group, "TargetGroupArn"));
    made.ok_or_else(|| "it was made, and is not there".into())
}

/// Adds instances that are missing and takes away those that are no nodes any more. Targets of other clusters stay only
/// where the group is shared, which these are not.
async fn register(controllers: &Controllers, group: &str, instances: &[String]) -> Result<(), Failed> {
    let health = call(controllers, "DescribeTargetHealth", json!({"TargetGroupArn": group})).await?;
    let listed: BTreeSet<String> =
        items(&health, "TargetHealthDescriptions").map(|one| text(&one["Target"], "Id")).collect();
    let all: BTreeSet<String> = instances.iter().cloned().collect();
    for (operation, difference) in [
        ("RegisterTargets", all.difference(&listed).collect::<Vec<_>>()),
        ("DeregisterTargets", listed.difference(&all).collect()),
    ] {
        if !difference.is_empty() {
            let targets: Vec<Value> = difference.iter().map(|id| json!({"Id": id})).collect();
            call(controllers, operation, json!({"TargetGroupArn": group, "Targets": targets})).await?;
        }
    }
    Ok(())
}

/// Takes it away, with its listeners and target groups.
pub(super) async fn remove(controllers: &Controllers, wanted: &Wanted) -> Result<(), Failed> {
    if let Some(found) = named(controllers, "DescribeLoadBalancers", "LoadBalancers", &wanted.name).await? {
        let arn = text(&found, "LoadBalancerArn");
        let listeners = call(controllers, "DescribeListeners", json!({"LoadBalancerArn": arn})).await?;
        for listener in items(&listeners, "Listeners") {
            call(controllers, "DeleteListener", json!({"ListenerArn": text(listener, "ListenerArn")}))
                .await?;
        }
        call(controllers, "DeleteLoadBalancer", json!({"LoadBalancerArn": arn})).await?;
    }
    for (_, node) in &wanted.ports {
        let name = group_name(wanted, *node);
        if let Some(found) = named(controllers, "DescribeTargetGroups", "TargetGroups", &name).await? {
            call(controllers, "DeleteTargetGroup", json!({"TargetGroupArn": text(&found, "TargetGroupArn")}))
                .await?;
        }
    }
    Ok(())
}
