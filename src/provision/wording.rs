//! Words and typical durations that plans show.

use super::resource::{Key, Kind, Owner};
use std::collections::BTreeSet;

/// What people call a kind.
#[must_use]
pub const fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Role => "role",
        Kind::InstanceProfile => "instance profile",
        Kind::OidcProvider => "OIDC provider",
        Kind::Vpc => "VPC",
        Kind::InternetGateway => "internet gateway",
        Kind::EgressGateway => "egress-only gateway",
        Kind::Subnet => "subnet",
        Kind::Address => "elastic IP address",
        Kind::NatGateway => "NAT gateway",
        Kind::RouteTable => "route table",
        Kind::SecurityGroup => "security group",
        Kind::VpcEndpoint => "VPC endpoint",
        Kind::Cluster => "cluster",
        Kind::Addon => "add-on",
        Kind::LaunchTemplate => "launch template",
        Kind::Nodegroup => "node group",
        Kind::AutoScalingGroup => "Auto Scaling group",
        Kind::FargateProfile => "Fargate profile",
        Kind::AccessEntry => "access entry",
        Kind::PodIdentityAssociation => "pod identity association",
        Kind::IdentityProvider => "identity provider",
        Kind::ServiceAccount => "ServiceAccount",
    }
}

/// Minutes that creating one usually takes; 0 where it is a matter of seconds. Half to two thirds of what botocore's
/// waiters allow (`waiters-2.json`: cluster 20 min, node group 40, add-on 10, Fargate profile 10).
pub(super) const fn minutes_to_create(kind: Kind) -> u32 {
    match kind {
        Kind::Cluster => 10,
        Kind::IdentityProvider => 15,
        Kind::Nodegroup | Kind::AutoScalingGroup => 3,
        Kind::NatGateway | Kind::VpcEndpoint | Kind::FargateProfile => 2,
        Kind::Addon => 1,
        _ => 0,
    }
}

/// Minutes that deleting one usually takes; 0 where it is a matter of seconds.
pub(super) const fn minutes_to_delete(kind: Kind) -> u32 {
    match kind {
        Kind::Cluster | Kind::Nodegroup | Kind::AutoScalingGroup => 5,
        Kind::NatGateway | Kind::VpcEndpoint | Kind::FargateProfile => 2,
        Kind::Addon => 1,
        _ => 0,
    }
}

/// What creating one costs in time.
#[must_use]
pub fn cost_of_creation(kind: Kind) -> String {
    minutes(minutes_to_create(kind))
}

/// What deleting one costs in time.
#[must_use]
pub fn cost_of_deletion(kind: Kind) -> String {
    minutes(minutes_to_delete(kind))
}

/// `about 10 min`; empty for none.
#[must_use]
pub fn minutes(minutes: u32) -> String {
    if minutes == 0 { String::new() } else { format!("about {minutes} min") }
}

/// Whose something is.
#[must_use]
pub fn whose(owner: &Owner) -> String {
    match owner {
        Owner::Ours => "ours".into(),
        Owner::Stack(stack) => format!("made by the CloudFormation stack {stack}"),
        Owner::Application(name) => format!("declared by the application {name}"),
        Owner::Other => "not ours (it lacks our tags)".into(),
    }
}

/// As many keys stand in one sentence.
const NAMED: usize = 5;

/// Keys in a row; of many the first few, and how many more there are.
#[must_use]
pub fn list(keys: &BTreeSet<Key>) -> String {
    let named = if keys.len() > NAMED { NAMED - 1 } else { keys.len() };
    let names: Vec<String> = keys.iter().take(named).map(ToString::to_string).collect();
    let more = keys.len() - named;
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
