//! VPCs and what is in them.

use super::listing::{CannotTell, Cluster, Found, LEGACY_TAG, is_named, is_owned, is_shared, is_tagged};
use super::reads::AwsReads;
use super::shape::{flag, list, tags, text};
use serde_json::Value;
use std::collections::BTreeSet;

const EC2: &str = "ec2";
/// Tags by which kops notes on subnets, and people on route tables, whose gateway it is.
const NAT_TAG: &str = "AssociatedNatgateway";
const ADDRESS_TAG: &str = "AssociatedElasticIp";

/// The cluster's VPC.
pub(super) fn vpcs(
    reads: &AwsReads,
    cluster: &Cluster,
    found: &mut Found,
) -> Result<Option<String>, CannotTell> {
    let mut ids = BTreeSet::new();
    for vpc in reads.items(EC2, "DescribeVpcs", &["Vpcs"]) {
        let (Some(id), tags) = (text(vpc, "VpcId"), tags(vpc)) else { continue };
        if is_tagged(&tags, cluster) {
            found.put("vpc", id, !is_owned(&tags, cluster));
            ids.insert(id.to_owned());
        }
    }
    if ids.len() > 1 && !cluster.is_before(29) {
        return Err(CannotTell::SeveralVpcs {
            cluster: cluster.name.clone(),
            vpcs: ids.into_iter().collect(),
        });
    }
    Ok(ids.into_iter().next())
}

/// Security groups.
pub(super) fn security_groups(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    for group in reads.items(EC2, "DescribeSecurityGroups", &["SecurityGroups"]) {
        let tags = tags(group);
        if let Some(id) = text(group, "GroupId").filter(|_| is_tagged(&tags, cluster)) {
            found.put("security-group", id, !is_owned(&tags, cluster));
        }
    }
}

/// What is found by the legacy tag, and spared by the tag `shared`.
pub(super) fn tagged(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let lists = [
        ("dhcp-options", "DescribeDhcpOptions", "DhcpOptions", "DhcpOptionsId"),
        ("internet-gateway", "DescribeInternetGateways", "InternetGateways", "InternetGatewayId"),
        (
            "egress-only-internet-gateway",
            "DescribeEgressOnlyInternetGateways",
            "EgressOnlyInternetGateways",
            "EgressOnlyInternetGatewayId",
        ),
    ];
    for (kind, operation, name, id) in lists {
        if kind == "egress-only-internet-gateway" && cluster.is_before(24) {
            continue;
        }
        for thing in reads.items(EC2, operation, &[name]) {
            let tags = tags(thing);
            if let Some(id) = text(thing, id).filter(|_| is_named(&tags, cluster)) {
                found.put(kind, id, is_shared(&tags, cluster));
            }
        }
    }
}

/// Route tables with tags.
pub(super) fn route_tables(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    for table in reads.items(EC2, "DescribeRouteTables", &["RouteTables"]) {
        let tags = tags(table);
        if let Some(id) = text(table, "RouteTableId").filter(|_| is_tagged(&tags, cluster)) {
            found.put("route-table", id, !is_owned(&tags, cluster));
        }
    }
}

/// Subnets, with the addresses and gateways that their tags name.
pub(super) fn subnets(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let mut addresses: BTreeSet<&str> = BTreeSet::new();
    let mut owned_addresses: BTreeSet<&str> = BTreeSet::new();
    let mut gateways: BTreeSet<&str> = BTreeSet::new();
    let mut owned_gateways: BTreeSet<&str> = BTreeSet::new();
    for subnet in reads.items(EC2, "DescribeSubnets", &["Subnets"]) {
        let tags = tags(subnet);
        let Some(id) = text(subnet, "SubnetId").filter(|_| is_named(&tags, cluster)) else { continue };
        let shared = is_shared(&tags, cluster);
        found.put("subnet", id, shared);
        for (key, all, owned) in [
            (ADDRESS_TAG, &mut addresses, &mut owned_addresses),
            (NAT_TAG, &mut gateways, &mut owned_gateways),
        ] {
            if let Some(value) = tags.get(key).filter(|value| !value.is_empty()) {
                all.insert(value);
                if !shared {
                    owned.insert(value);
                }
            }
        }
    }
    for address in reads.items(EC2, "DescribeAddresses", &["Addresses"]) {
        if let Some(ip) = text(address, "PublicIp").filter(|ip| addresses.contains(ip)) {
            // kops hands "owned" on as "shared" here: an address that only a subnet's tag names is never released.
            address_of(address, owned_addresses.contains(ip), cluster, found);
        }
    }
    let named_by_tables: BTreeSet<&str> = reads
        .items(EC2, "DescribeRouteTables", &["RouteTables"])
        .into_iter()
        .filter_map(|table| tags(table).get(NAT_TAG).copied())
        .collect();
    for gateway in reads.items(EC2, "DescribeNatGateways", &["NatGateways"]) {
        if let Some(id) = text(gateway, "NatGatewayId").filter(|id| gateways.contains(id)) {
            let shared = named_by_tables.contains(id) || !owned_gateways.contains(id);
            nat_gateway(gateway, id, shared, cluster, found);
        }
    }
}

/// Notes an address: a tag `shared` on itself spares it.
pub(super) fn address_of(address: &Value, shared: bool, cluster: &Cluster, found: &mut Found) {
    // An address of EC2-Classic has no allocation, and kops an empty id for it.
    let id = text(address, "AllocationId").unwrap_or_default();
    found.put("elastic-ip", id, shared || is_shared(&tags(address), cluster));
}

/// Notes a NAT gateway, and says whether it is shared.
fn nat_gateway(gateway: &Value, id: &str, shared: bool, cluster: &Cluster, found: &mut Found) -> bool {
    let shared = shared || is_shared(&tags(gateway), cluster);
    found.put("nat-gateway", id, shared);
    shared
}

/// Gateways without tags that are attached to the cluster's VPC: shared when that is.
pub(super) fn untagged_gateways(reads: &AwsReads, found: &mut Found) {
    for gateway in reads.items(EC2, "DescribeInternetGateways", &["InternetGateways"]) {
        let Some(id) = text(gateway, "InternetGatewayId") else { continue };
        for attachment in list(gateway, &["Attachments"]) {
            let shared = text(attachment, "VpcId").and_then(|vpc| found.shared("vpc", vpc));
            if let Some(shared) = shared.filter(|_| found.shared("internet-gateway", id).is_none()) {
                found.put("internet-gateway", id, shared);
            }
        }
    }
}

/// Route tables without the legacy tag, in a VPC that goes.
pub(super) fn untagged_route_tables(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    for table in reads.items(EC2, "DescribeRouteTables", &["RouteTables"]) {
        let (Some(id), Some(vpc)) = (text(table, "RouteTableId"), text(table, "VpcId")) else { continue };
        let tags = tags(table);
        let of_other = tags.get(LEGACY_TAG).is_some_and(|name| !name.is_empty() && *name != cluster.name);
        let is_main = list(table, &["Associations"]).into_iter().any(|association| flag(association, "Main"));
        if found.shared("vpc", vpc) != Some(false)
            || of_other
            || is_main
            || found.shared("route-table", id).is_some()
        {
            continue;
        }
        found.put("route-table", id, !is_owned(&tags, cluster));
    }
}

/// NAT gateways that the cluster's route tables lead to, with their addresses.
pub(super) fn gateways_of_routes(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let mut routed: BTreeSet<&str> = BTreeSet::new();
    let mut owned: BTreeSet<&str> = BTreeSet::new();
    for table in reads.items(EC2, "DescribeRouteTables", &["RouteTables"]) {
        let Some(shared) = text(table, "RouteTableId").and_then(|id| found.shared("route-table", id)) else {
            continue;
        };
        let shared = shared || tags(table).contains_key(NAT_TAG);
        for gateway in list(table, &["Routes"]).into_iter().filter_map(|route| text(route, "NatGatewayId")) {
            routed.insert(gateway);
            if !shared {
                owned.insert(gateway);
            }
        }
    }
    for gateway in reads.items(EC2, "DescribeNatGateways", &["NatGateways"]) {
        let Some(id) = text(gateway, "NatGatewayId").filter(|id| routed.contains(id)) else { continue };
        if nat_gateway(gateway, id, !owned.contains(id), cluster, found) {
            continue;
        }
        let allocations: BTreeSet<&str> = list(gateway, &["NatGatewayAddresses"])
            .into_iter()
            .filter_map(|address| text(address, "AllocationId"))
            .collect();
        for address in reads.items(EC2, "DescribeAddresses", &["Addresses"]) {
            if text(address, "AllocationId").is_some_and(|id| allocations.contains(id)) {
                address_of(address, false, cluster, found);
            }
        }
    }
}
