//! The cluster's network: a new VPC as eksctl lays one out, or an existing one; security groups; endpoints of private
//! clusters; and what controllers leave behind.

pub mod answer;
mod by_tags;
mod cidr;
mod declared;
mod drivers;
pub mod ec2;
mod endpoints;
mod existing;
mod groups;
mod layout;
mod leftovers;
mod new_vpc;
mod rules;
mod selection;

pub use by_tags::found_by_tags;
pub use cidr::{Ipv4Block, Ipv6Block};
pub use declared::{
    CERTIFICATE_AUTHORITY, CLUSTER_SECURITY_GROUP, Declared, ENDPOINT, ISSUER, Problem, SERVICE_CIDR, Weight,
    cluster, existing as existing_resource, resource, tags,
};
pub use drivers::{
    AddressDriver, CONTROLLER_GROUPS, EgressGatewayDriver, InternetGatewayDriver, NatGatewayDriver,
    ROUTE_TABLES_OF_SUBNETS, RouteTableDriver, SecurityGroupDriver, SubnetDriver, VpcDriver,
    VpcEndpointDriver, ZONES,
};
pub use groups::{allows_ssh, control_plane, of_control_plane, of_node_group, shared_node};
pub use layout::{PlannedSubnet, Side, is_fully_private, subnet_key, subnets, uses_existing_vpc};
pub use leftovers::{Leftover, leftover_calls, leftovers};
pub use new_vpc::{is_ipv6, vpc};
pub use selection::{control_plane_subnets, fargate_subnets, node_groups, node_subnets};

use crate::model::cluster_config::ClusterConfig;
use crate::provision::resource::{Driver, Kind, Resource, Scope, Snapshot};
use serde_json::{Value, json};

/// The drivers of a network, in the order in which they are asked: each may look at what those before it found.
pub static DRIVERS: [&dyn Driver; 9] = [
    &VpcDriver,
    &SubnetDriver,
    &InternetGatewayDriver,
    &EgressGatewayDriver,
    &AddressDriver,
    &NatGatewayDriver,
    &RouteTableDriver,
    &SecurityGroupDriver,
    &VpcEndpointDriver,
];

/// The network's resources. `known` is what was read before (empty at first): zones that the file does not name, and the
/// route tables of an existing VPC. What depends on something that was not read yet is left out, and a
/// [`Weight::Waiting`] problem says so; ask again with what the drivers read.
#[must_use]
pub fn resources(config: &ClusterConfig, scope: &Scope, known: &Snapshot) -> Declared {
    let (subnets, problems) = subnets(config, known);
    let mut declared = Declared { resources: Vec::new(), problems };
    let existing_vpc = uses_existing_vpc(config);
    declared.resources = if existing_vpc {
        existing::resources(config, known, &subnets)
    } else {
        new_vpc::resources(config, scope, &subnets)
    };
    let (vpc_id, vpc_cidr) = vpc_outputs(config, &subnets, existing_vpc);
    declared.resources.extend(groups::resources(config, scope, known, &vpc_id, &vpc_cidr));
    declared.extend(endpoints::resources(config, scope, known, &subnets, &vpc_id));
    declared
}

/// What is wrong with the existing resources that the file names, once they have been read.
#[must_use]
pub fn problems(
    config: &ClusterConfig,
    scope: &Scope,
    declared: &[Resource],
    known: &Snapshot,
) -> Vec<Problem> {
    let (subnets, _) = subnets(config, known);
    let of_network: Vec<Resource> = declared
        .iter()
        .filter(|each| matches!(each.key.kind, Kind::Vpc | Kind::Subnet | Kind::SecurityGroup))
        .cloned()
        .collect();
    let subnets = if uses_existing_vpc(config) { subnets } else { Vec::new() };
    existing::problems(config, scope, &of_network, &subnets, known)
}

/// Id and addresses of the VPC as others refer to it. Where the file names an existing VPC's subnets only, the first of
/// them tells which VPC it is.
fn vpc_outputs(config: &ClusterConfig, subnets: &[PlannedSubnet], existing: bool) -> (Value, Value) {
    let named = config.vpc.as_ref().is_some_and(|vpc| vpc.id.is_some());
    let id = match subnets.first() {
        Some(first) if existing && !named => first.key().output("vpc"),
        _ => vpc().output("id"),
    };
    let declared_cidr = config.vpc.as_ref().and_then(|vpc| vpc.cidr.as_ref());
    let cidr = declared_cidr.map_or_else(|| vpc().output("cidr"), |cidr| json!(cidr));
    (id, cidr)
}
