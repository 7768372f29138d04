//! Free addresses of subnets, by zone, and how many the packed nodes take.

use super::super::facts::Facts;
use super::node::PlannedGroup;
use super::pack::PlacedNode;
use crate::model::cluster_config::ClusterConfig;
use serde::Serialize;
use std::collections::BTreeMap;

/// Addresses of a zone's subnets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneAddresses {
    /// Free now.
    pub free: u64,
    /// Taken by the packed nodes and their pods, what nodes keep warm included.
    pub needed: u64,
}

/// Free addresses of the subnets that the config's nodes may be in, by zone. Zones that the facts say nothing about are
/// not there.
pub(super) fn free(config: &ClusterConfig, facts: &Facts) -> BTreeMap<String, u64> {
    let mut by_zone: BTreeMap<String, u64> = BTreeMap::new();
    let subnets = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref());
    let all = subnets.into_iter().flat_map(|subnets| subnets.public.iter().chain(&subnets.private));
    let groups = || {
        let managed = config.managed_node_groups.iter().map(|group| &group.base);
        managed.chain(config.node_groups.iter().map(|group| &group.base))
    };
    for (name, spec) in all {
        let used = groups().any(|group| {
            group.subnets.is_empty()
                || group.subnets.iter().any(|one| one == name || Some(one) == spec.id.as_ref())
        });
        let Some(facts) = spec.id.as_ref().and_then(|id| facts.subnets.get(id)).filter(|_| used) else {
            continue;
        };
        if let Some(free) = facts.free_addresses {
            *by_zone.entry(facts.zone.clone()).or_default() += u64::from(free);
        }
    }
    by_zone
}

/// What the packed nodes take in each zone.
///
/// A node takes whole network interfaces, and keeps one more warm (VPC CNI, `docs/eni-and-ip-target.md`); with prefixes
/// it takes blocks of 16, and keeps one more of those.
pub(super) fn needed(groups: &[PlannedGroup], nodes: &[PlacedNode]) -> BTreeMap<String, u64> {
    let mut by_zone: BTreeMap<String, u64> = BTreeMap::new();
    for node in nodes {
        let group = &groups[node.group_index];
        let pods = u64::from(node.addressed);
        let whole = u64::from(group.addresses_per_interface.max(2));
        let takes = if !group.takes_addresses {
            1
        } else if group.prefixes {
            1 + 16 * (pods.div_ceil(16) + 1)
        } else {
            whole * (pods.div_ceil(whole - 1).max(1) + 1)
        };
        *by_zone.entry(node.zone.clone()).or_default() += takes;
    }
    by_zone
}
