//! Network and Application Load Balancers, with their listeners and target groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::balancers::subnets;
use super::wanted::{Group, Kind, Target, Wanted};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, text};
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

/// Makes it where it is not there, and keeps listeners and targets. Its name in DNS.
pub(super) async fn make(controllers: &Controllers, wanted: &Wanted) -> Result<String, Failed> {
    let (subnets, vpc) = subnets(controllers, wanted.internal).await?;
    let find = || named(controllers, "DescribeLoadBalancers", "LoadBalancers", &wanted.name);
    let found = match find().await? {
        Some(found) => found,
        None => {
            let input = json!({
                "Name": wanted.name, "Subnets": subnets, "Tags": wanted.tags_of("LoadBalancer"),
                "Type": if wanted.kind == Kind::Application { "application" } else { "network" },
                "Scheme": if wanted.internal { "internal" } else { "internet-facing" },
            });
            call(controllers, "CreateLoadBalancer", input).await?;
            find().await?.ok_or("it was made, and is not there")?
        }
    };
    let arn = text(&found, "LoadBalancerArn");
    let mut groups = Vec::new();
    for group in &wanted.groups {
        let group_arn = target_group(controllers, wanted, group, &vpc).await?;
        register(controllers, &group_arn, &group.targets, wanted.shared).await?;
        groups.push(group_arn);
    }
    let open = listeners(controllers, &arn).await?;
    for listener in &wanted.listeners {
        let Some(group) = listener.group.and_then(|group| groups.get(group)) else { continue };
        if open.contains_key(&listener.port) {
            continue;
        }
        let input = json!({
            "LoadBalancerArn": arn, "Port": listener.port, "Protocol": listener.protocol,
            "Tags": wanted.tags_of(&listener.port.to_string()),
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        });
        call(controllers, "CreateListener", input).await?;
    }
    let surplus = open.iter().filter(|(port, _)| !wanted.listeners.iter().any(|one| one.port == **port));
    for (_, (listener, group)) in surplus {
        call(controllers, "DeleteListener", json!({"ListenerArn": listener})).await?;
        if !groups.contains(group) {
            delete_group(controllers, group).await?;
        }
    }
    Ok(text(&found, "DNSName"))
}

/// What it listens on: the listener and its target group, by port.
async fn listeners(controllers: &Controllers, arn: &str) -> Result<BTreeMap<u16, (String, String)>, Failed> {
    let answer = call(controllers, "DescribeListeners", json!({"LoadBalancerArn": arn})).await?;
    let listeners = items(&answer, "Listeners").filter_map(|listener| {
        let port =
            text(listener, "Port").parse().ok().or_else(|| u16::try_from(listener["Port"].as_u64()?).ok())?;
        let group = items(listener, "DefaultActions").next().map(|action| text(action, "TargetGroupArn"));
        Some((port, (text(listener, "ListenerArn"), group.unwrap_or_default())))
    });
    Ok(listeners.collect())
}

async fn target_group(
    controllers: &Controllers,
    wanted: &Wanted,
    group: &Group,
    vpc: &str,
) -> Result<String, Failed> {
    if let Some(found) = named(controllers, "DescribeTargetGroups", "TargetGroups", &group.name).await? {
        return Ok(text(&found, "TargetGroupArn"));
    }
    let udp =
        wanted.listeners.iter().any(|listener| listener.protocol == "UDP" && listener.node == group.port);
    let protocol = match wanted.kind {
        Kind::Application => "HTTP",
        Kind::Network | Kind::Classic if udp => "UDP",
        Kind::Network | Kind::Classic => "TCP",
    };
    let input = json!({
        "Name": group.name, "Protocol": protocol, "Port": group.port, "VpcId": vpc,
        "TargetType": if wanted.by_address { "ip" } else { "instance" }, "Tags": wanted.tags_of(&group.resource),
    });
    let answer = call(controllers, "CreateTargetGroup", input).await?;
    let made = items(&answer, "TargetGroups").next().map(|group| text(group, "TargetGroupArn"));
    made.ok_or_else(|| "it was made, and is not there".into())
}

/// Adds targets that are missing and takes away those that are none any more. In a shared group only those that were
/// registered here are ever taken away: the real controller notes them in a ConfigMap, this one in memory.
pub(super) async fn register(
    controllers: &Controllers,
    group: &str,
    wanted: &BTreeSet<Target>,
    shared: bool,
) -> Result<(), Failed> {
    let health = call(controllers, "DescribeTargetHealth", json!({"TargetGroupArn": group})).await?;
    let listed: BTreeSet<Target> = items(&health, "TargetHealthDescriptions")
        .map(|one| {
            let target = &one["Target"];
            let port = target["Port"].as_u64().or_else(|| target["Port"].as_str()?.parse().ok());
            (text(target, "Id"), port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default())
        })
        .collect();
    let own = controllers.registered(group, wanted);
    let missing: Vec<&Target> = wanted.difference(&listed).collect();
    let surplus: Vec<&Target> =
        listed.difference(wanted).filter(|target| !shared || own.contains(*target)).collect();
    for (operation, targets) in [("RegisterTargets", missing), ("DeregisterTargets", surplus)] {
        if !targets.is_empty() {
            let targets: Vec<Value> =
                targets.iter().map(|(id, port)| json!({"Id": id, "Port": port})).collect();
            call(controllers, operation, json!({"TargetGroupArn": group, "Targets": targets})).await?;
        }
    }
    Ok(())
}

async fn delete_group(controllers: &Controllers, arn: &str) -> Result<(), Failed> {
    match call(controllers, "DeleteTargetGroup", json!({"TargetGroupArn": arn})).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code.contains("NotFound") => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// Takes it away, with its listeners and target groups.
pub(super) async fn remove(controllers: &Controllers, wanted: &Wanted) -> Result<(), Failed> {
    let mut groups = BTreeSet::new();
    for group in &wanted.groups {
        let found = named(controllers, "DescribeTargetGroups", "TargetGroups", &group.name).await?;
        groups.extend(found.map(|found| text(&found, "TargetGroupArn")));
    }
    if let Some(found) = named(controllers, "DescribeLoadBalancers", "LoadBalancers", &wanted.name).await? {
        let arn = text(&found, "LoadBalancerArn");
        for (listener, group) in listeners(controllers, &arn).await?.into_values() {
            groups.insert(group);
            call(controllers, "DeleteListener", json!({"ListenerArn": listener})).await?;
        }
        call(controllers, "DeleteLoadBalancer", json!({"LoadBalancerArn": arn})).await?;
    }
    for group in groups.iter().filter(|group| !group.is_empty()) {
        delete_group(controllers, group).await?;
    }
    Ok(())
}
