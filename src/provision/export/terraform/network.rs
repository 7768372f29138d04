//! VPC, subnets, routes, gateways and security groups.

use super::facts::Facts;
use super::{File, named};
use crate::provision::export::hcl::Block;
use crate::provision::network::answer::{flag, items, number, some_text, tags, text};
use serde_json::{Value, json};

/// Where routes lead, by EC2's element and the provider's member. Those to gateway endpoints are the endpoints' own.
const TARGETS: [(&str, &str); 8] = [
    ("natGatewayId", "nat_gateway_id"),
    ("gatewayId", "gateway_id"),
    ("egressOnlyInternetGatewayId", "egress_only_gateway_id"),
    ("transitGatewayId", "transit_gateway_id"),
    ("vpcPeeringConnectionId", "vpc_peering_connection_id"),
    ("networkInterfaceId", "network_interface_id"),
    ("carrierGatewayId", "carrier_gateway_id"),
    ("localGatewayId", "local_gateway_id"),
];
const DESTINATIONS: [(&str, &str); 3] = [
    ("destinationCidrBlock", "cidr_block"),
    ("destinationIpv6CidrBlock", "ipv6_cidr_block"),
    ("destinationPrefixListId", "destination_prefix_list_id"),
];

fn own_tags(thing: &Value) -> Value {
    let tags = tags(thing).into_iter().filter(|(name, _)| !name.starts_with("aws:"));
    tags.map(|(name, value)| (name, Value::from(value))).collect()
}

pub(super) fn write(facts: &Facts, file: &mut File) {
    vpc(facts, file);
    for gateway in &facts.internet_gateways {
        let id = text(gateway, "internetGatewayId");
        let tags = own_tags(gateway);
        let vpc = text(&facts.vpc, "vpcId");
        file.add("aws_internet_gateway", &named(&tags, "main"), id, &[(id, "id")], |block| {
            block.with("vpc_id", &json!(vpc)).plain("tags", &tags)
        });
    }
    for subnet in &facts.subnets {
        self::subnet(subnet, file);
    }
    for address in &facts.addresses {
        let id = text(address, "allocationId");
        let tags = own_tags(address);
        file.add("aws_eip", &named(&tags, "nat"), id, &[(id, "id")], |block| {
            block.plain("domain", &json!("vpc")).plain("tags", &tags)
        });
    }
    for gateway in &facts.nat_gateways {
        let id = text(gateway, "natGatewayId");
        let tags = own_tags(gateway);
        let address = items(gateway, "natGatewayAddressSet").first();
        let allocation = address.map(|address| text(address, "allocationId")).unwrap_or_default();
        file.add("aws_nat_gateway", &named(&tags, "nat"), id, &[(id, "id")], |block| {
            block
                .plain(
                    "connectivity_type",
                    &json!(some_text(gateway, "connectivityType").unwrap_or("public")),
                )
                .with("allocation_id", &json!(allocation))
                .with("subnet_id", &json!(text(gateway, "subnetId")))
                .plain("tags", &tags)
        });
    }
    for table in &facts.tables {
        self::table(facts, table, file);
    }
    groups(facts, file);
}

fn vpc(facts: &Facts, file: &mut File) {
    let vpc = &facts.vpc;
    let id = text(vpc, "vpcId");
    if id.is_empty() {
        return;
    }
    let tags = own_tags(vpc);
    let ipv6 =
        items(vpc, "ipv6CidrBlockAssociationSet").iter().any(|each| text(each, "ipv6Pool") == "Amazon");
    file.add("aws_vpc", &named(&tags, "main"), id, &[(id, "id")], |block| {
        let block = block
            .plain("cidr_block", &json!(text(vpc, "cidrBlock")))
            .plain("instance_tenancy", &json!(some_text(vpc, "instanceTenancy").unwrap_or("default")));
        let block = facts.vpc_attributes.iter().fold(block, |block, (name, on)| {
            let name = if name == "enableDnsSupport" { "enable_dns_support" } else { "enable_dns_hostnames" };
            block.plain(name, &json!(on))
        });
        let block = if ipv6 { block.plain("assign_generated_ipv6_cidr_block", &json!(true)) } else { block };
        block.plain("tags", &tags)
    });
    for more in items(vpc, "cidrBlockAssociationSet") {
        let cidr = text(more, "cidrBlock");
        if cidr != text(vpc, "cidrBlock") && text(&more["cidrBlockState"], "state") == "associated" {
            let association = text(more, "associationId");
            file.add("aws_vpc_ipv4_cidr_block_association", cidr, association, &[], |block| {
                block.with("vpc_id", &json!(id)).plain("cidr_block", &json!(cidr))
            });
        }
    }
}

fn subnet(subnet: &Value, file: &mut File) {
    let id = text(subnet, "subnetId");
    let tags = own_tags(subnet);
    let ipv6 = items(subnet, "ipv6CidrBlockAssociationSet").first().map(|each| text(each, "ipv6CidrBlock"));
    file.add("aws_subnet", &named(&tags, id), id, &[(id, "id")], |block| {
        let block = block
            .with("vpc_id", &json!(text(subnet, "vpcId")))
            .plain("cidr_block", &json!(text(subnet, "cidrBlock")))
            .plain("ipv6_cidr_block", &json!(ipv6))
            .plain("availability_zone", &json!(text(subnet, "availabilityZone")))
            .plain("map_public_ip_on_launch", &json!(flag(subnet, "mapPublicIpOnLaunch")));
        let block = if flag(subnet, "assignIpv6AddressOnCreation") {
            block.plain("assign_ipv6_address_on_creation", &json!(true))
        } else {
            block
        };
        block.plain("tags", &tags)
    });
}

fn table(facts: &Facts, table: &Value, file: &mut File) {
    let id = text(table, "routeTableId");
    let tags = own_tags(table);
    let routes = items(table, "routeSet").iter().filter(|route| {
        let gateway = text(route, "gatewayId");
        text(route, "origin") == "CreateRoute" && gateway != "local" && !gateway.starts_with("vpce-")
    });
    let route = |route: &Value| {
        let pick = |names: &[(&'static str, &'static str)]| {
            names.iter().find_map(|(name, member)| Some((*member, some_text(route, name)?.to_owned())))
        };
        let (destination, target) = (pick(&DESTINATIONS)?, pick(&TARGETS)?);
        let block = Block::new("route", &[]).plain(destination.0, &json!(destination.1));
        Some(block.with(target.0, &json!(target.1)))
    };
    let routes: Vec<Block> = routes.filter_map(route).collect();
    file.add("aws_route_table", &named(&tags, id), id, &[(id, "id")], |block| {
        block.with("vpc_id", &json!(text(table, "vpcId"))).plain("tags", &tags).blocks(routes)
    });
    for association in items(table, "associationSet") {
        let subnet = text(association, "subnetId");
        if facts.subnets.iter().any(|known| text(known, "subnetId") == subnet) {
            let import = format!("{subnet}/{id}");
            file.add("aws_route_table_association", subnet, &import, &[], |block| {
                block.with("subnet_id", &json!(subnet)).with("route_table_id", &json!(id))
            });
        }
    }
}

/// The groups that the cluster was given. Rules are resources of their own: two groups may name each other.
fn groups(facts: &Facts, file: &mut File) {
    for group in &facts.groups {
        let id = text(group, "groupId");
        let tags = own_tags(group);
        file.add("aws_security_group", text(group, "groupName"), id, &[(id, "id")], |block| {
            block
                .plain("name", &json!(text(group, "groupName")))
                .plain("description", &json!(text(group, "groupDescription")))
                .with("vpc_id", &json!(text(group, "vpcId")))
                .plain("tags", &tags)
                // The provider's own: an import leaves it empty, and the first plan would set its default.
                .block(Block::new("lifecycle", &[]).addresses("ignore_changes", &["revoke_rules_on_delete"]))
        });
    }
    for rule in &facts.rules {
        let id = text(rule, "securityGroupRuleId");
        let kind = if flag(rule, "isEgress") {
            "aws_vpc_security_group_egress_rule"
        } else {
            "aws_vpc_security_group_ingress_rule"
        };
        // Of every protocol there are no ports.
        let all = text(rule, "ipProtocol") == "-1";
        let port = |name: &str| number(rule, name).filter(|_| !all);
        file.add(kind, id, id, &[], |block| {
            block
                .with("security_group_id", &json!(text(rule, "groupId")))
                .plain("description", &json!(some_text(rule, "description")))
                .plain("ip_protocol", &json!(text(rule, "ipProtocol")))
                .plain("from_port", &json!(port("fromPort")))
                .plain("to_port", &json!(port("toPort")))
                .plain("cidr_ipv4", &json!(some_text(rule, "cidrIpv4")))
                .plain("cidr_ipv6", &json!(some_text(rule, "cidrIpv6")))
                .plain("prefix_list_id", &json!(some_text(rule, "prefixListId")))
                .with(
                    "referenced_security_group_id",
                    &json!(some_text(&rule["referencedGroupInfo"], "groupId")),
                )
                .plain("tags", &own_tags(rule))
        });
    }
}
