//! First fit, the hardest first.

use super::addresses::{self, ZoneAddresses};
use super::demand::{Demand, Pod};
use super::fit::{Obstacle, Taken, fits_zone, obstacles};
use super::node::PlannedGroup;
use crate::migrate::assess::facts::Facts;
use crate::model::cluster_config::ClusterConfig;
use std::collections::{BTreeMap, BTreeSet};

/// A node with what was put there.
#[derive(Clone, Debug, Default, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unplaced {
    /// The pod.
    pub pod: String,
    /// What keeps it out.
    pub says: String,
    /// The smallest change that would let it in.
    pub change: String,
}

/// Where everything would be.
#[derive(Clone, Debug, Default, PartialEq)]
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
}

impl Packing {
    /// Whether everything has a place and an address.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.unplaced.is_empty()
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
    Packing { groups, nodes, unplaced, grown, addresses }
}

/// A node while it is filled.
#[derive(Clone)]
struct Node {
    group_index: usize,
    zone: String,
    zone_name: String,
    taken: Taken,
    ports: BTreeSet<u64>,
    pods: Vec<usize>,
}

impl Node {
    fn told(self, groups: &[PlannedGroup], pods: &[Pod]) -> PlacedNode {
        PlacedNode {
            group: groups[self.group_index].name.clone(),
            group_index: self.group_index,
            zone: self.zone,
            cpu: self.taken.cpu,
            memory: self.taken.memory,
            pods: self.taken.pods,
            addressed: self.taken.addressed,
            placed: self.pods.iter().map(|index| pods[*index].id.clone()).collect(),
        }
    }

    /// The value of a topology's label.
    fn place<'a>(&'a self, topology: &str, group: &'a PlannedGroup) -> Option<&'a str> {
        match topology {
            "topology.kubernetes.io/zone" | "topology.ebs.csi.aws.com/zone" => Some(&self.zone),
            "kubernetes.io/hostname" => Some(&self.zone_name),
            other => group.labels.get(other).map(String::as_str),
        }
    }
}

struct Run<'a> {
    groups: &'a [PlannedGroup],
    pods: &'a [Pod],
    daemons: &'a [Pod],
    unlimited: bool,
    nodes: Vec<Node>,
    /// Pods that keep others away, with their nodes.
    guarded: Vec<(usize, usize)>,
}

fn run<'a>(
    groups: &'a [PlannedGroup],
    pods: &'a [Pod],
    daemons: &'a [Pod],
    unlimited: bool,
) -> (Vec<Node>, Vec<usize>) {
    let mut run = Run { groups, pods, daemons, unlimited, nodes: Vec::new(), guarded: Vec::new() };
    let mut order: Vec<usize> = (0..pods.len()).collect();
    let most = |of: fn(&PlannedGroup) -> u64| groups.iter().map(of).max().unwrap_or(1).max(1);
    let (cpu, memory) = (most(|group| group.allocatable.cpu), most(|group| group.allocatable.memory));
    order.sort_by_key(|index| {
        let pod = &pods[*index];
        let bound = !pod.zones.is_empty() || pod.gpus > 0;
        let choosy = !pod.node_selector.is_empty() || !pod.node_terms.is_empty();
        let social = !pod.apart.is_empty() || !pod.spread.is_empty();
        let share = (u128::from(pod.cpu) * 1000 / u128::from(cpu))
            .max(u128::from(pod.memory) * 1000 / u128::from(memory));
        // Those that have to be near others come when the others are there.
        (!pod.near.is_empty(), std::cmp::Reverse((bound, choosy, social, share)), *index)
    });
    let mut left = Vec::new();
    for index in order {
        if !run.place(index) {
            left.push(index);
        }
    }
    left.sort_unstable();
    (run.nodes, left)
}

impl Run<'_> {
    fn place(&mut self, index: usize) -> bool {
        let pod = &self.pods[index];
        let reach: Vec<usize> = (0..self.groups.len())
            .filter(|group| {
                obstacles(pod, &self.groups[*group], &self.daemons_of(&self.groups[*group])).is_empty()
            })
            .collect();
        let fits = |node: &usize| {
            let node = &self.nodes[*node];
            reach.contains(&node.group_index) && self.has_place(pod, node, &reach)
        };
        // Pods that have to be spread go where fewest are; others where there is room first.
        let found = if pod.spread.is_empty() {
            (0..self.nodes.len()).find(|node| fits(node))
        } else {
            (0..self.nodes.len())
                .filter(|node| fits(node))
                .min_by_key(|node| (self.crowd(pod, &self.nodes[*node]), *node))
        };
        let node = match found {
            Some(node) => node,
            None => match self.open(pod, &reach) {
                Some(node) => {
                    self.nodes.push(node);
                    self.nodes.len() - 1
                }
                None => return false,
            },
        };
        let guards = !pod.apart.is_empty();
        let target = &mut self.nodes[node];
        target.taken.add(pod);
        target.ports.extend(pod.host_ports.iter().copied());
        target.pods.push(index);
        if guards {
            self.guarded.push((index, node));
        }
        true
    }

    /// What the DaemonSets take of a node of a group.
    fn daemons_of(&self, group: &PlannedGroup) -> Taken {
        let mut taken = Taken::default();
        let empty = Taken::default();
        for daemon in self.daemons.iter().filter(|daemon| {
            obstacles(daemon, group, &empty)
                .iter()
                .all(|obstacle| obstacle.says.starts_with("CPU") || obstacle.says.starts_with("memory"))
        }) {
            taken.add(daemon);
        }
        taken
    }

    fn open(&self, pod: &Pod, reach: &[usize]) -> Option<Node> {
        for group_index in reach.iter().copied() {
            let group = &self.groups[group_index];
            let count = self.nodes.iter().filter(|node| node.group_index == group_index).count();
            if !self.unlimited && count >= usize::try_from(group.max).unwrap_or(usize::MAX) {
                continue;
            }
            let mut zones: Vec<&String> = group.zones.iter().collect();
            let in_zone = |zone: &String| {
                self.nodes.iter().filter(|node| node.group_index == group_index && node.zone == *zone).count()
            };
            // Auto Scaling keeps zones even.
            zones.sort_by_key(|zone| (in_zone(zone), (*zone).clone()));
            for zone in zones {
                let node = Node {
                    group_index,
                    zone: zone.clone(),
                    zone_name: format!("{}-{count}", group.name),
                    taken: self.daemons_of(group),
                    ports: BTreeSet::new(),
                    pods: Vec::new(),
                };
                if self.has_place(pod, &node, reach) {
                    return Some(node);
                }
            }
        }
        None
    }

    fn has_place(&self, pod: &Pod, node: &Node, reach: &[usize]) -> bool {
        let group = &self.groups[node.group_index];
        node.taken.has_room(pod, group)
            && pod.host_ports.is_disjoint(&node.ports)
            && fits_zone(pod, group, &node.zone)
            && self.keeps_apart(pod, node)
            && self.is_near(pod, node)
            && self.is_spread(pod, node, reach)
    }

    fn same_place(&self, topology: &str, node: &Node, other: &Node) -> bool {
        let here = node.place(topology, &self.groups[node.group_index]);
        here.is_some() && here == other.place(topology, &self.groups[other.group_index])
    }

    /// Pods in the same place that a term means.
    fn companions<'s>(
        &'s self,
        topology: &'s str,
        node: &'s Node,
        means: impl Fn(&Pod) -> bool + 's,
    ) -> impl Iterator<Item = usize> + 's {
        let here = self.nodes.iter().filter(move |other| self.same_place(topology, node, other));
        here.flat_map(|other| other.pods.iter().copied()).filter(move |index| means(&self.pods[*index]))
    }

    /// Neither does it keep others away that are there, nor do they keep it away.
    fn keeps_apart(&self, pod: &Pod, node: &Node) -> bool {
        let own = pod.apart.iter().all(|term| {
            self.companions(&term.topology, node, |other| term.means(&other.namespace, &other.labels))
                .next()
                .is_none()
        });
        own && self.guarded.iter().all(|(other, at)| {
            self.pods[*other].apart.iter().all(|term| {
                !term.means(&pod.namespace, &pod.labels)
                    || !self.same_place(&term.topology, node, &self.nodes[*at])
            })
        })
    }

    /// Those that it has to be near are there; the first of its own kind may be anywhere.
    fn is_near(&self, pod: &Pod, node: &Node) -> bool {
        pod.near.iter().all(|term| {
            let there = self
                .companions(&term.topology, node, |other| term.means(&other.namespace, &other.labels))
                .next();
            let own = term.means(&pod.namespace, &pod.labels);
            let anywhere = || {
                let mut placed = self.nodes.iter().flat_map(|node| &node.pods);
                placed.any(|index| term.means(&self.pods[*index].namespace, &self.pods[*index].labels))
            };
            there.is_some() || (own && !anywhere())
        })
    }

    fn count(&self, pod: &Pod, spread: &super::affinity::Spread, node: &Node) -> usize {
        self.companions(&spread.topology, node, |other| {
            other.namespace == pod.namespace && spread.means(&other.labels)
        })
        .count()
    }

    fn crowd(&self, pod: &Pod, node: &Node) -> usize {
        pod.spread.iter().map(|spread| self.count(pod, spread, node)).sum()
    }

    fn is_spread(&self, pod: &Pod, node: &Node, reach: &[usize]) -> bool {
        pod.spread.iter().all(|spread| {
            let here = self.count(pod, spread, node) + usize::from(spread.means(&pod.labels));
            let reached = self.nodes.iter().filter(|other| reach.contains(&other.group_index));
            let counts = reached.map(|other| self.count(pod, spread, other));
            let of_zones = spread.topology == "topology.kubernetes.io/zone";
            let zones: BTreeSet<&String> = reach
                .iter()
                .flat_map(|group| &self.groups[*group].zones)
                .filter(|zone| fits_zone_of_any(pod, self.groups, reach, zone))
                .collect();
            let open: BTreeSet<&String> = self.nodes.iter().map(|node| &node.zone).collect();
            // A zone that could have a node and has none counts as empty.
            let least = if of_zones && zones.iter().any(|zone| !open.contains(*zone)) {
                0
            } else {
                counts.min().unwrap_or(0)
            };
            here <= least + spread.skew
        })
    }
}

fn fits_zone_of_any(pod: &Pod, groups: &[PlannedGroup], reach: &[usize], zone: &str) -> bool {
    reach.iter().any(|group| {
        groups[*group].zones.iter().any(|other| other == zone) && fits_zone(pod, &groups[*group], zone)
    })
}

/// What keeps a pod out of the group that needs the least change.
fn unplaced(pod: &Pod, groups: &[PlannedGroup], daemons: &[Pod]) -> Unplaced {
    let run = Run { groups, pods: &[], daemons, unlimited: false, nodes: Vec::new(), guarded: Vec::new() };
    let each = groups.iter().map(|group| (group, obstacles(pod, group, &run.daemons_of(group))));
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
