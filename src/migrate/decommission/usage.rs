//! What the target uses, and what that stands on.

use super::reads::AwsReads;
use super::shape::{flag, list, member, tags, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Ids that the target uses, each with what uses it in words: ids of EC2, names of classic load balancers, roles,
/// profiles and groups, ARNs of what has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InUse {
    /// By id.
    pub ids: BTreeMap<String, String>,
}

/// One thing stands on others.
#[derive(Default)]
struct Stands {
    on: BTreeMap<String, BTreeSet<String>>,
}

impl Stands {
    fn put(&mut self, thing: Option<&str>, on: Option<&str>) {
        if let (Some(thing), Some(on)) = (thing, on) {
            self.on.entry(thing.into()).or_default().insert(on.into());
        }
    }

    fn put_list(&mut self, thing: Option<&str>, of: &Value, names: &[&str], id: &str) {
        for item in list(of, names) {
            self.put(thing, item.as_str().or_else(|| text(item, id)));
        }
    }
}

/// What is used, with everything it stands on: a subnet on its VPC and its routes, those on their gateways, a role's
/// profile on the role. What is deleted below a thing breaks the thing.
#[must_use]
pub fn closure(reads: &AwsReads, used: &InUse) -> InUse {
    let stands = stands(reads);
    let mut all = used.ids.clone();
    let mut open: Vec<String> = all.keys().cloned().collect();
    while let Some(thing) = open.pop() {
        for under in stands.on.get(&thing).into_iter().flatten() {
            if !all.contains_key(under) {
                all.insert(under.clone(), format!("{thing} stands on it ({})", used_by(&all, &thing)));
                open.push(under.clone());
            }
        }
    }
    InUse { ids: all }
}

/// The user at the start of a chain.
fn used_by(all: &BTreeMap<String, String>, thing: &str) -> String {
    let why = all.get(thing).map(String::as_str).unwrap_or_default();
    why.rsplit_once(" stands on it (").map_or(why, |(_, user)| user.trim_end_matches(')')).to_owned()
}

fn stands(reads: &AwsReads) -> Stands {
    let mut stands = Stands::default();
    network(reads, &mut stands);
    machines(reads, &mut stands);
    balancing(reads, &mut stands);
    for profile in
        reads.of("iam", "GetInstanceProfile").filter_map(|read| member(&read.output, "InstanceProfile"))
    {
        let name = text(profile, "InstanceProfileName");
        stands.put(text(profile, "Arn"), name);
        stands.put_list(name, profile, &["Roles"], "RoleName");
    }
    for role in reads.of("iam", "GetRole").filter_map(|read| member(&read.output, "Role")) {
        stands.put(text(role, "Arn"), text(role, "RoleName"));
    }
    stands
}

fn network(reads: &AwsReads, stands: &mut Stands) {
    let ec2 = |operation: &'static str, name: &'static str| {
        reads.items(
            "ec2",
            operation,
            match name {
                "Vpcs" => &["Vpcs"],
                "Subnets" => &["Subnets"],
                "RouteTables" => &["RouteTables"],
                "SecurityGroups" => &["SecurityGroups"],
                "InternetGateways" => &["InternetGateways"],
                "EgressOnlyInternetGateways" => &["EgressOnlyInternetGateways"],
                "NatGateways" => &["NatGateways"],
                _ => &["Addresses"],
            },
        )
    };
    for vpc in ec2("DescribeVpcs", "Vpcs") {
        stands.put(text(vpc, "VpcId"), text(vpc, "DhcpOptionsId"));
    }
    let mut explicit: BTreeSet<&str> = BTreeSet::new();
    let mut main: BTreeMap<&str, &str> = BTreeMap::new();
    for table in ec2("DescribeRouteTables", "RouteTables") {
        let id = text(table, "RouteTableId");
        stands.put(id, text(table, "VpcId"));
        for association in list(table, &["Associations"]) {
            if let Some(subnet) = text(association, "SubnetId") {
                explicit.insert(subnet);
                stands.put(Some(subnet), id);
            } else if let (true, Some(vpc), Some(id)) = (flag(association, "Main"), text(table, "VpcId"), id)
            {
                main.insert(vpc, id);
            }
        }
        for route in list(table, &["Routes"]) {
            for target in ["NatGatewayId", "GatewayId", "EgressOnlyInternetGatewayId", "NetworkInterfaceId"] {
                stands.put(id, text(route, target));
            }
        }
    }
    for subnet in ec2("DescribeSubnets", "Subnets") {
        let (id, vpc) = (text(subnet, "SubnetId"), text(subnet, "VpcId"));
        stands.put(id, vpc);
        if id.is_some_and(|id| !explicit.contains(id)) {
            stands.put(id, vpc.and_then(|vpc| main.get(vpc).copied()));
        }
    }
    for group in ec2("DescribeSecurityGroups", "SecurityGroups") {
        stands.put(text(group, "GroupId"), text(group, "VpcId"));
    }
    for (operation, name, id) in [
        ("DescribeInternetGateways", "InternetGateways", "InternetGatewayId"),
        ("DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
    ] {
        for gateway in ec2(operation, name) {
            for vpc in
                list(gateway, &["Attachments"]).into_iter().filter_map(|attachment| text(attachment, "VpcId"))
            {
                // A VPC's way out goes with it, and it with the VPC.
                stands.put(Some(vpc), text(gateway, id));
                stands.put(text(gateway, id), Some(vpc));
            }
        }
    }
    for gateway in ec2("DescribeNatGateways", "NatGateways") {
        let id = text(gateway, "NatGatewayId");
        stands.put(id, text(gateway, "SubnetId"));
        stands.put_list(id, gateway, &["NatGatewayAddresses"], "AllocationId");
    }
    for address in ec2("DescribeAddresses", "Addresses") {
        stands.put(text(address, "PublicIp"), text(address, "AllocationId"));
    }
}

fn machines(reads: &AwsReads, stands: &mut Stands) {
    for reservation in reads.items("ec2", "DescribeInstances", &["Reservations"]) {
        for instance in list(reservation, &["Instances"]) {
            let id = text(instance, "InstanceId");
            stands.put(id, text(instance, "SubnetId"));
            stands.put_list(id, instance, &["SecurityGroups", "Groups"], "GroupId");
            for mapping in list(instance, &["BlockDeviceMappings"]) {
                stands.put(id, member(mapping, "Ebs").and_then(|ebs| text(ebs, "VolumeId")));
            }
            stands.put(id, member(instance, "IamInstanceProfile").and_then(|profile| text(profile, "Arn")));
            let group = tags(instance).get("aws:autoscaling:groupName").copied();
            stands.put(id, group);
        }
    }
    for interface in reads.items("ec2", "DescribeNetworkInterfaces", &["NetworkInterfaces"]) {
        let id = text(interface, "NetworkInterfaceId");
        stands.put(id, text(interface, "SubnetId"));
        stands.put_list(id, interface, &["Groups"], "GroupId");
    }
    for group in reads.items("autoscaling", "DescribeAutoScalingGroups", &["AutoScalingGroups"]) {
        let name = text(group, "AutoScalingGroupName");
        stands.put_list(name, group, &["Instances"], "InstanceId");
        stands.put(
            name,
            member(group, "LaunchTemplate").and_then(|template| text(template, "LaunchTemplateId")),
        );
        let mixed = member(group, "MixedInstancesPolicy").and_then(|policy| member(policy, "LaunchTemplate"));
        let template = mixed.and_then(|launch| member(launch, "LaunchTemplateSpecification"));
        stands.put(name, template.and_then(|template| text(template, "LaunchTemplateId")));
        for subnet in
            text(group, "VPCZoneIdentifier").unwrap_or_default().split(',').filter(|id| !id.is_empty())
        {
            stands.put(name, Some(subnet));
        }
    }
}

fn balancing(reads: &AwsReads, stands: &mut Stands) {
    for balancer in reads.items("elb", "DescribeLoadBalancers", &["LoadBalancerDescriptions"]) {
        let name = text(balancer, "LoadBalancerName");
        stands.put_list(name, balancer, &["SecurityGroups"], "");
        stands.put_list(name, balancer, &["Subnets"], "");
    }
    for balancer in reads.items("elbv2", "DescribeLoadBalancers", &["LoadBalancers"]) {
        let arn = text(balancer, "LoadBalancerArn");
        stands.put_list(arn, balancer, &["SecurityGroups"], "");
        stands.put_list(arn, balancer, &["AvailabilityZones"], "SubnetId");
    }
    for group in reads.items("elbv2", "DescribeTargetGroups", &["TargetGroups"]) {
        let arn = text(group, "TargetGroupArn");
        // Traffic reaches a target group through its balancer, and a balancer's rules name its groups.
        for balancer in list(group, &["LoadBalancerArns"]).into_iter().filter_map(Value::as_str) {
            stands.put(arn, Some(balancer));
            stands.put(Some(balancer), arn);
        }
        stands.put(arn, text(group, "VpcId"));
    }
}
