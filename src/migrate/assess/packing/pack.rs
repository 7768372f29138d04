//! A packing: where everything would be, or what keeps it out.

use super::addresses::{self, ZoneAddresses};
use super::demand::{Demand, Pod};
use super::fit::{Obstacle, Taken, obstacles};
use super::limit_ranges::LimitRanges;
use super::node::PlannedGroup;
use super::quotas::{Refused, refused};
use super::run::{daemons_of, run};
use crate::migrate::assess::facts::Facts;
use crate::model::cluster_config::ClusterConfig;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A node with what was put there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedNode {
    /// Its group, by its place among the planned ones.
    pub group_index: usize,
    /// Its group's name.
    pub group: String,
    /// Its zone.
    pub zone: String,
    /// Thousandths of a CPU that are taken.
    pub cpu: u64,
    /// Bytes of memory that are taken.
    pub memory: u64,
    /// Pods, those of DaemonSets included.
    pub pods: u32,
    /// Pods with an address of their own.
    pub addressed: u32,
    /// Ids of the pods, those of DaemonSets apart.
    pub placed: Vec<String>,
}

/// A pod without a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unplaced {
    /// The pod.
    pub pod: String,
    /// What keeps it out.
    pub says: String,
    /// The smallest change that would let it in.
    pub change: String,
}

/// Where everything would be.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Packing {
    /// The groups.
    pub groups: Vec<PlannedGroup>,
    /// Nodes, in the order in which they were opened.
    pub nodes: Vec<PlacedNode>,
    /// Pods without a place.
    pub unplaced: Vec<Unplaced>,
    /// Groups that would need more nodes than they may have, with how many.
    pub grown: BTreeMap<String, u32>,
    /// Addresses, by zone, where the facts say how many are free.
    pub addresses: BTreeMap<String, ZoneAddresses>,
    /// What LimitRanges and ResourceQuotas would refuse.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

impl Packing {
    /// Whether everything may be made, and has a place and an address.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.unplaced.is_empty()
            && self.refused.is_empty()
            && self.grown.is_empty()
            && self.addresses.values().all(|zone| zone.needed <= zone.free)
    }
}

/// Packs what is demanded on the groups of a config.
#[must_use]
pub fn pack(groups: Vec<PlannedGroup>, demand: &Demand, config: &ClusterConfig, facts: &Facts) -> Packing {
    let (pods, daemons) = (demand.wanted(), demand.daemons());
    let (mut nodes, mut left) = run(&groups, &pods, &daemons, false);
    let mut grown = BTreeMap::new();
    if !left.is_empty() {
        let (more, still) = run(&groups, &pods, &daemons, true);
        // With room enough for some, what is left is told about what no number of nodes would help.
        if still.len() < left.len() {
            for (index, group) in groups.iter().enumerate() {
                let count = more.iter().filter(|node| node.group_index == index).count();
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                if count > group.max {
                    grown.insert(group.name.clone(), count);
                }
            }
            (nodes, left) = (more, still);
        }
    }
    let nodes: Vec<PlacedNode> = nodes.into_iter().map(|node| node.told(&groups, &pods)).collect();
    let needed = addresses::needed(&groups, &nodes);
    let free = addresses::free(config, facts);
    let zones: BTreeSet<&String> = free.keys().collect();
    let addresses = zones.into_iter().map(|zone| {
        let of = ZoneAddresses { free: free[zone], needed: needed.get(zone).copied().unwrap_or_default() };
        (zone.clone(), of)
    });
    let addresses = addresses.collect();
    let unplaced = left.into_iter().map(|index| unplaced(&pods[index], &groups, &daemons)).collect();
    let refused = refusals(demand, &groups, &nodes, &daemons);
    Packing { groups, nodes, unplaced, grown, addresses, refused }
}

/// What may not be made. A DaemonSet has a pod on every node of a group that it fits.
fn refusals(demand: &Demand, groups: &[PlannedGroup], nodes: &[PlacedNode], daemons: &[Pod]) -> Vec<Refused> {
    if demand.limit_ranges.is_empty() && demand.quotas.is_empty() {
        return Vec::new();
    }
    let fits = |daemon: &Pod, group: &PlannedGroup| {
        obstacles(daemon, group, &Taken::default()).iter().all(|obstacle| obstacle.is_size)
    };
    let counts = daemons.iter().map(|daemon| {
        let fitting = nodes.iter().filter(|node| fits(daemon, &groups[node.group_index]));
        u32::try_from(fitting.count()).unwrap_or(u32::MAX)
    });
    let counts: Vec<u32> = counts.collect();
    let ranges = LimitRanges::of(&demand.limit_ranges);
    let made = demand.made(&ranges, &counts);
    let bounds = made.iter().filter(|pod| pod.count > 0).flat_map(|pod| {
        ranges.refused(pod.namespace, &pod.spec).into_iter().map(move |one| Refused {
            by: format!("LimitRange {}/{}", pod.namespace, one.range),
            says: format!("{}: {}", pod.name, one.says),
            change: one.change,
        })
    });
    // Pods of one owner are refused for one reason: one of each reason is told.
    let mut told = BTreeSet::new();
    let mut all: Vec<Refused> = bounds
        .filter(|one| {
            let reason = one.says.split_once(": ").map_or("", |(_, reason)| reason).to_owned();
            told.insert((one.by.clone(), reason, one.change.clone()))
        })
        .collect();
    all.extend(refused(&demand.quotas, &made));
    all
}

/// What keeps a pod out of the group that needs the least change.
fn unplaced(pod: &Pod, groups: &[PlannedGroup], daemons: &[Pod]) -> Unplaced {
    let each = groups.iter().map(|group| (group, obstacles(pod, group, &daemons_of(daemons, group))));
    let nearest = each.min_by_key(|(_, obstacles)| obstacles.len());
    let unplaced = |says: String, change: String| Unplaced { pod: pod.id.clone(), says, change };
    match nearest {
        None => unplaced("there is no node group".into(), "plan a node group".into()),
        Some((group, obstacles)) if obstacles.is_empty() => unplaced(
            format!(
                "{} would take it, but what it has to be near to, apart from or spread over leaves no place",
                group.name
            ),
            format!("give {} more zones or nodes, or loosen the pod's affinity or spread", group.name),
        ),
        Some((group, obstacles)) => {
            let join = |of: fn(&Obstacle) -> &str, between: &str| {
                obstacles.iter().map(of).collect::<Vec<_>>().join(between)
            };
            unplaced(
                format!("{} is nearest, but {}", group.name, join(|one| &one.says, " and ")),
                join(|one| &one.change, "; "),
            )
        }
    }
}
