//! What belongs to others: how it is declared to be looked up, and what is wrong with it.

use super::answer::{some_text, text};
use super::cidr::Ipv4Block;
use super::declared::{Problem, existing};
use super::ec2::filters;
use super::layout::{PlannedSubnet, Side, one_zone};
use super::new_vpc::vpc;
use crate::model::cluster_config::ClusterConfig;
use crate::provision::resource::{Live, Resource, Scope, Snapshot};
use serde_json::json;
use std::collections::BTreeSet;

/// EKS places network interfaces of the control plane in each subnet, and more during updates (EKS User Guide, network
/// requirements): six at least.
const FEWEST_FREE_ADDRESSES: i64 = 6;

/// An existing VPC and its subnets, to be looked up.
#[must_use]
pub fn resources(config: &ClusterConfig, known: &Snapshot, subnets: &[PlannedSubnet]) -> Vec<Resource> {
    let declared = config.vpc.as_ref();
    let by_id = declared.and_then(|vpc| vpc.id.clone());
    let by_subnet = || subnets.iter().find_map(|subnet| output(known.live.get(&subnet.key())?, "vpc"));
    let vpc_id = by_id.or_else(by_subnet);
    let of_subnets = subnets.iter().map(|subnet| {
        let desired = match (&subnet.spec.id, &vpc_id) {
            (Some(id), _) => json!({"SubnetId": id}),
            (None, vpc) => {
                let by = match &subnet.spec.cidr {
                    Some(cidr) => ("cidr-block", vec![cidr.clone()]),
                    None => ("availability-zone", vec![subnet.zone.clone()]),
                };
                json!({"Filters": filters(&[("vpc-id", vpc.iter().cloned().collect()), by])})
            }
        };
        existing(subnet.key(), desired, subnet.at.as_str())
    });
    let of_vpc = vpc_id.iter().map(|id| existing(vpc(), json!({"VpcId": id}), "/vpc/id"));
    of_vpc.chain(of_subnets).collect()
}

fn output(live: &Live, name: &str) -> Option<String> {
    Some(live.outputs.get(name)?.as_str()?.to_owned())
}

/// What is wrong with existing resources, once they have been read: not there, in one zone, in another VPC, too small,
/// not as the file says, or without the tags by which load balancers find subnets. Nothing of it is changed: it is not
/// ours.
#[must_use]
pub fn problems(
    config: &ClusterConfig,
    scope: &Scope,
    declared: &[Resource],
    subnets: &[PlannedSubnet],
    known: &Snapshot,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for resource in declared.iter().filter(|each| each.existing) {
        if !known.live.contains_key(&resource.key) && !known.unread.contains_key(&resource.key.kind) {
            problems.push(Problem::refused(
                resource.declared_at.as_str(),
                format!("{} was not found in {}", sought(resource), scope.region),
            ));
        }
    }
    let read: Vec<(&PlannedSubnet, &Live)> =
        subnets.iter().filter_map(|subnet| Some((subnet, known.live.get(&subnet.key())?))).collect();
    let everything_read = read.len() == subnets.len() && !read.is_empty();
    let zones: BTreeSet<&str> = read.iter().map(|(_, live)| text(&live.actual, "AvailabilityZone")).collect();
    if everything_read && zones.len() < 2 {
        problems.push(one_zone("/vpc/subnets", &zones.into_iter().collect::<Vec<_>>().join(", ")));
    }
    for (subnet, live) in &read {
        problems.extend(subnet_problems(config, subnet, live, known));
    }
    problems.extend(vpc_problems(config, known));
    problems
}

fn sought(resource: &Resource) -> String {
    let id = ["VpcId", "SubnetId", "GroupId"].iter().find_map(|member| some_text(&resource.desired, member));
    let by = resource.desired.get("Filters").map(|filters| {
        let each = filters.as_array().into_iter().flatten();
        each.map(|filter| format!("{} {}", text(filter, "Name"), filter["Values"]))
            .collect::<Vec<_>>()
            .join(", ")
    });
    match (id, by) {
        (Some(id), _) => id.to_owned(),
        (None, Some(by)) => format!("{:?} with {by}", resource.key.kind),
        (None, None) => resource.key.to_string(),
    }
}

fn subnet_problems(
    config: &ClusterConfig,
    subnet: &PlannedSubnet,
    live: &Live,
    known: &Snapshot,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let id = &live.id;
    let mut refused = |field: &str, message: String| {
        problems.push(Problem::refused(format!("{}{field}", subnet.at), message));
    };
    let zone = text(&live.actual, "AvailabilityZone");
    if subnet.spec.az.as_deref().is_some_and(|declared| declared != zone) {
        refused("/az", format!("{id} is in {zone}"));
    }
    let block = text(&live.actual, "CidrBlock");
    if subnet.spec.cidr.as_deref().is_some_and(|declared| declared != block) {
        refused("/cidr", format!("{id} has the addresses {block}"));
    }
    let in_vpc = text(&live.actual, "VpcId");
    if let Some(other) = known.live.get(&vpc()).filter(|vpc| vpc.id != in_vpc) {
        refused("", format!("{id} is in {in_vpc}, and the cluster is in {}", other.id));
    }
    let free = live.outputs.get("freeAddresses").and_then(serde_json::Value::as_i64);
    if let Some(free) = free.filter(|free| *free < FEWEST_FREE_ADDRESSES) {
        problems.push(Problem::warning(
            subnet.at.as_str(),
            format!("{id} has {free} free addresses; EKS needs {FEWEST_FREE_ADDRESSES} for an update"),
        ));
    }
    let (role, side) = match subnet.side {
        Side::Public => ("kubernetes.io/role/elb", "public"),
        Side::Private => ("kubernetes.io/role/internal-elb", "private"),
    };
    if !live.tags.contains_key(role) {
        problems.push(Problem::warning(
            subnet.at.as_str(),
            format!(
                "{id} has no tag {role}=1: load balancers of the cluster do not find it as a {side} subnet"
            ),
        ));
    }
    let nodes_get_addresses = config
        .managed_node_groups
        .iter()
        .map(|group| &group.base)
        .chain(config.node_groups.iter().map(|group| &group.base))
        .any(|group| group.private_networking != Some(true));
    if subnet.side == Side::Public
        && nodes_get_addresses
        && live.actual["MapPublicIpOnLaunch"] == json!(false)
    {
        problems.push(Problem::warning(
            subnet.at.as_str(),
            format!("{id} gives no public addresses: nodes in it reach nothing outside. Set privateNetworking, or \
                     turn on MapPublicIpOnLaunch"),
        ));
    }
    problems
}

fn vpc_problems(config: &ClusterConfig, known: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (Some(live), Some(declared)) = (known.live.get(&vpc()), config.vpc.as_ref()) else { return problems };
    let block = text(&live.actual, "CidrBlock");
    let same = |declared: &str| Ipv4Block::parse(declared) == Ipv4Block::parse(block);
    if declared.cidr.as_deref().is_some_and(|declared| !same(declared)) {
        problems.push(Problem::refused("/vpc/cidr", format!("{} has the addresses {block}", live.id)));
    }
    for attribute in ["EnableDnsSupport", "EnableDnsHostnames"] {
        if live.actual.get(attribute) == Some(&json!(false)) {
            problems.push(Problem::warning(
                "/vpc/id",
                format!("{} has {} off: nodes do not find the private endpoint", live.id, attribute),
            ));
        }
    }
    problems
}
