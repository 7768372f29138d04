//! Which of the cluster's subnets and security groups the control plane, nodes and Fargate use.

use super::declared::{CLUSTER_SECURITY_GROUP, Problem, cluster};
use super::groups::{of_node_group, shared_node};
use super::layout::{PlannedSubnet, Side, is_fully_private, subnets};
use crate::model::cluster_config::{ClusterConfig, FargateProfile, NodeGroup, NodeGroupBase};
use crate::provision::resource::{Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The subnets that EKS gets for the control plane: those that the file lists, else private ones where it says so, else
/// all. Each an id, or an output that stands for one.
#[must_use]
pub fn control_plane_subnets(config: &ClusterConfig, known: &Snapshot) -> Vec<Value> {
    let vpc = config.vpc.as_ref();
    let listed = vpc.map_or(&[][..], |vpc| &vpc.control_plane_subnet_ids);
    if !listed.is_empty() {
        return listed.iter().map(|id| json!(id)).collect();
    }
    let auto_mode = config.auto_mode_config.as_ref().is_some_and(|auto| auto.enabled == Some(true));
    let private_only = vpc.and_then(|vpc| vpc.control_plane_on_private_subnets) == Some(true) || auto_mode;
    let (all, _) = subnets(config, known);
    all.iter()
        .filter(|subnet| !private_only || subnet.side == Side::Private)
        .map(|subnet| subnet.key().output("id"))
        .collect()
}

/// The subnets of a node group: those on its side, kept to the zones and subnets that it names. `at` is where the group
/// stands in the file.
///
/// # Errors
/// A zone or subnet that the cluster does not have, or none at all.
pub fn node_subnets(
    config: &ClusterConfig,
    known: &Snapshot,
    group: &NodeGroupBase,
    at: &str,
) -> Result<Vec<Value>, Problem> {
    let (all, _) = subnets(config, known);
    let private = group.private_networking == Some(true) || is_fully_private(config);
    let side = if private { Side::Private } else { Side::Public };
    if group.subnets.is_empty() && group.availability_zones.is_empty() {
        let chosen: Vec<Value> =
            all.iter().filter(|subnet| subnet.side == side).map(|subnet| subnet.key().output("id")).collect();
        if !chosen.is_empty() || all.is_empty() {
            return Ok(chosen);
        }
        return Err(Problem::refused(
            at,
            format!("the cluster has no {} subnets: set privateNetworking to {}", side.as_str(), !private),
        ));
    }
    let mut chosen = Vec::new();
    for (nth, name) in group.subnets.iter().enumerate() {
        let named = named(&all, name, side);
        if let Some(subnet) = named {
            chosen.push(subnet.key().output("id"));
        } else if name.starts_with("subnet-") {
            chosen.push(json!(name));
        } else if !all.is_empty() {
            return Err(unknown(&all, &format!("{at}/subnets/{nth}"), name));
        }
    }
    for (nth, zone) in group.availability_zones.iter().enumerate() {
        let in_zone = all.iter().filter(|subnet| subnet.side == side && subnet.zone == *zone);
        let before = chosen.len();
        chosen.extend(in_zone.map(|subnet| subnet.key().output("id")));
        if chosen.len() == before && !all.is_empty() {
            return Err(unknown(&all, &format!("{at}/availabilityZones/{nth}"), zone));
        }
    }
    Ok(chosen)
}

/// A subnet by its name in the file or its id; where both sides have the name, the one on the wanted side.
fn named<'a>(all: &'a [PlannedSubnet], name: &str, side: Side) -> Option<&'a PlannedSubnet> {
    let matches = |subnet: &&PlannedSubnet| subnet.name == name || subnet.spec.id.as_deref() == Some(name);
    all.iter().filter(matches).min_by_key(|subnet| subnet.side != side)
}

fn unknown(all: &[PlannedSubnet], at: &str, name: &str) -> Problem {
    let known: BTreeSet<&str> = all.iter().map(|subnet| subnet.name.as_str()).collect();
    Problem::refused(
        at,
        format!(
            "the cluster has no subnet {name}; it has {}",
            known.into_iter().collect::<Vec<_>>().join(", ")
        ),
    )
}

/// The subnets of a Fargate profile: the private ones that it names, else all private ones. `at` is where the profile
/// stands in the file.
///
/// # Errors
/// A subnet that the cluster does not have.
pub fn fargate_subnets(
    config: &ClusterConfig,
    known: &Snapshot,
    profile: &FargateProfile,
    at: &str,
) -> Result<Vec<Value>, Problem> {
    let base = NodeGroupBase {
        subnets: profile.subnets.clone(),
        private_networking: Some(true),
        ..NodeGroupBase::default()
    };
    node_subnets(config, known, &base, at)
}

/// The security groups of self-managed nodes: EKS's own (so that control plane, managed and other nodes reach each
/// other), the shared one, the group's own, and those that the file attaches.
#[must_use]
pub fn node_groups(scope: &Scope, group: &NodeGroup) -> Vec<Value> {
    let declared = group.base.security_groups.as_ref();
    let mut groups = vec![cluster(scope).output(CLUSTER_SECURITY_GROUP)];
    if declared.and_then(|groups| groups.with_shared).unwrap_or(true) {
        groups.push(shared_node().output("id"));
    }
    if declared.and_then(|groups| groups.with_local).unwrap_or(true) {
        groups.push(of_node_group(&group.base.name).output("id"));
    }
    groups.extend(declared.into_iter().flat_map(|groups| &groups.attach_ids).map(|id| json!(id)));
    groups
}
