//! First fit, the hardest first.

use super::demand::Pod;
use super::fit::{Taken, fits_zone, obstacles};
use super::neighbours::Neighbours;
use super::node::PlannedGroup;
use super::pack::PlacedNode;
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

const ZONE: &str = "topology.kubernetes.io/zone";
const EBS_ZONE: &str = "topology.ebs.csi.aws.com/zone";

/// A node while it is filled.
pub(super) struct Node {
    pub(super) group_index: usize,
    zone: String,
    /// What stands for its name.
    host: String,
    taken: Taken,
    ports: BTreeSet<u64>,
    pods: Vec<usize>,
}

impl Node {
    pub(super) fn told(self, groups: &[PlannedGroup], pods: &[Pod]) -> PlacedNode {
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

    /// The value of a topology's label; none where the node has no such label.
    fn place<'n>(&'n self, topology: &str, group: &'n PlannedGroup) -> Option<&'n str> {
        match topology {
            ZONE | EBS_ZONE => Some(&self.zone),
            "kubernetes.io/hostname" => Some(&self.host),
            other => group.labels.get(other).map(String::as_str),
        }
    }
}

/// Places pods on nodes, which it opens as they are needed; `unlimited`: whatever the groups' largest size. Gives the
/// nodes, and the pods without a place.
pub(super) fn run(
    groups: &[PlannedGroup],
    pods: &[Pod],
    daemons: &[Pod],
    unlimited: bool,
) -> (Vec<Node>, Vec<usize>) {
    let taken: Vec<Taken> = groups.iter().map(|group| daemons_of(daemons, group)).collect();
    let labels = groups.iter().map(|group| {
        let of_zone = |zone: &String| {
            let mut labels = group.labels.clone();
            labels.insert(ZONE.into(), zone.clone());
            labels.insert(EBS_ZONE.into(), zone.clone());
            (zone.clone(), labels)
        };
        group.zones.iter().map(of_zone).collect()
    });
    let mut run = Run {
        labels: labels.collect(),
        open: vec![0; groups.len()],
        neighbours: Neighbours::of(pods),
        nodes: Vec::new(),
        groups,
        pods,
        daemons: taken,
        unlimited,
    };
    let mut left = Vec::new();
    for index in hardest_first(groups, pods) {
        if !run.place(index) {
            left.push(index);
        }
    }
    left.sort_unstable();
    (run.nodes, left)
}

fn hardest_first(groups: &[PlannedGroup], pods: &[Pod]) -> Vec<usize> {
    let most = |of: fn(&PlannedGroup) -> u64| groups.iter().map(of).max().unwrap_or(1).max(1);
    let (cpu, memory) = (most(|group| group.allocatable.cpu), most(|group| group.allocatable.memory));
    let mut order: Vec<usize> = (0..pods.len()).collect();
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
    order
}

/// What the DaemonSets take of a node of a group. One that is only too large for the node counts: it would run first.
pub(super) fn daemons_of(daemons: &[Pod], group: &PlannedGroup) -> Taken {
    let empty = Taken::default();
    let mut taken = Taken::default();
    let fits = |daemon: &&Pod| obstacles(daemon, group, &empty).iter().all(|obstacle| obstacle.is_size);
    daemons.iter().filter(fits).for_each(|daemon| taken.add(daemon));
    taken
}

/// How a pod's kind is spread over the places of one topology, and how many the emptiest place has.
struct Spreading {
    counts: BTreeMap<String, usize>,
    least: usize,
}

struct Run<'a> {
    groups: &'a [PlannedGroup],
    pods: &'a [Pod],
    /// What DaemonSets take of a node of each group.
    daemons: Vec<Taken>,
    unlimited: bool,
    /// Labels of a node of each group, by zone.
    labels: Vec<BTreeMap<String, Labels>>,
    /// Nodes of each group.
    open: Vec<u32>,
    nodes: Vec<Node>,
    neighbours: Neighbours<'a>,
}

impl Run<'_> {
    fn place(&mut self, index: usize) -> bool {
        let pod = &self.pods[index];
        let all = 0..self.groups.len();
        let reach: Vec<usize> = all
            .filter(|group| obstacles(pod, &self.groups[*group], &self.daemons[*group]).is_empty())
            .collect();
        let spreading: Vec<Spreading> =
            (0..pod.spread.len()).map(|nth| self.spreading(pod, nth, &reach)).collect();
        let fits = |at: &usize| {
            let node = &self.nodes[*at];
            reach.contains(&node.group_index) && self.has_place(pod, node, &spreading)
        };
        // Pods that have to be spread go where fewest are; others where there is room first.
        let found = if pod.spread.is_empty() {
            (0..self.nodes.len()).find(fits)
        } else {
            let all = (0..self.nodes.len()).filter(fits);
            all.min_by_key(|at| (self.crowd(pod, &self.nodes[*at], &spreading), *at))
        };
        let at = match found {
            Some(at) => at,
            None => match self.opened(pod, &reach, &spreading) {
                Some(node) => {
                    self.open[node.group_index] += 1;
                    self.nodes.push(node);
                    self.nodes.len() - 1
                }
                None => return false,
            },
        };
        let node = &mut self.nodes[at];
        node.taken.add(pod);
        node.ports.extend(pod.host_ports.iter().copied());
        node.pods.push(index);
        let group = &self.groups[node.group_index];
        let places = self.neighbours.topologies().filter_map(|topology| {
            let value = self.nodes[at].place(topology, group)?;
            Some((topology.to_owned(), value.to_owned()))
        });
        let places = places.collect();
        self.neighbours.add(index, pod, places);
        true
    }

    fn opened(&self, pod: &Pod, reach: &[usize], spreading: &[Spreading]) -> Option<Node> {
        for group_index in reach.iter().copied() {
            let group = &self.groups[group_index];
            if !self.unlimited && self.open[group_index] >= group.max {
                continue;
            }
            let in_zone = |zone: &String| {
                self.nodes.iter().filter(|node| node.group_index == group_index && node.zone == *zone).count()
            };
            // Auto Scaling keeps zones even.
            let mut zones: Vec<(usize, &String)> =
                group.zones.iter().map(|zone| (in_zone(zone), zone)).collect();
            zones.sort();
            for (_, zone) in zones {
                let node = Node {
                    group_index,
                    zone: zone.clone(),
                    host: format!("{}-{}", group.name, self.open[group_index]),
                    taken: self.daemons[group_index],
                    ports: BTreeSet::new(),
                    pods: Vec::new(),
                };
                if self.has_place(pod, &node, spreading) {
                    return Some(node);
                }
            }
        }
        None
    }

    fn has_place(&self, pod: &Pod, node: &Node, spreading: &[Spreading]) -> bool {
        let labels = &self.labels[node.group_index][&node.zone];
        node.taken.has_room(pod, &self.groups[node.group_index])
            && pod.host_ports.is_disjoint(&node.ports)
            && fits_zone(pod, labels, &node.zone)
            && self.keeps_apart(pod, node)
            && self.is_near(pod, node)
            && self.is_spread(pod, node, spreading)
    }

    fn place_of<'n>(&'n self, node: &'n Node, topology: &str) -> Option<&'n str> {
        node.place(topology, &self.groups[node.group_index])
    }

    /// Neither does it keep others away that are there, nor do they keep it away.
    fn keeps_apart(&self, pod: &Pod, node: &Node) -> bool {
        let own = pod.apart.iter().all(|term| {
            let Some(place) = self.place_of(node, &term.topology) else { return true };
            let means = |namespace: &str, labels: &Labels| term.means(namespace, labels);
            self.neighbours.count(&term.topology, place, means) == 0
        });
        own && self.neighbours.topologies().all(|topology| {
            let Some(place) = self.place_of(node, topology) else { return true };
            self.neighbours.guards(topology, place).iter().all(|guard| {
                let mut terms = self.pods[*guard].apart.iter().filter(|term| term.topology == topology);
                terms.all(|term| !term.means(&pod.namespace, &pod.labels))
            })
        })
    }

    /// Those that it has to be near are there; the first of its own kind may be anywhere that is a place.
    fn is_near(&self, pod: &Pod, node: &Node) -> bool {
        pod.near.iter().all(|term| {
            let Some(place) = self.place_of(node, &term.topology) else { return false };
            let means = |namespace: &str, labels: &Labels| term.means(namespace, labels);
            let own = term.means(&pod.namespace, &pod.labels);
            self.neighbours.count(&term.topology, place, means) > 0
                || (own && !self.neighbours.is_anywhere(means))
        })
    }

    /// How the pods that a constraint counts are spread now. What counts as a place is what the pod could reach.
    fn spreading(&self, pod: &Pod, nth: usize, reach: &[usize]) -> Spreading {
        let spread = &pod.spread[nth];
        let topology = spread.topology.as_str();
        let reached = self.nodes.iter().filter(|node| reach.contains(&node.group_index));
        let places: BTreeSet<&str> = reached.filter_map(|node| self.place_of(node, topology)).collect();
        let means = |namespace: &str, labels: &Labels| namespace == pod.namespace && spread.means(labels);
        let counts: BTreeMap<String, usize> = places
            .into_iter()
            .map(|place| (place.to_owned(), self.neighbours.count(topology, place, means)))
            .collect();
        // A zone that could have a node and has none counts as empty.
        let empty_zone = topology == ZONE
            && reach.iter().any(|group| {
                let zones = &self.labels[*group];
                zones.iter().any(|(zone, labels)| !counts.contains_key(zone) && fits_zone(pod, labels, zone))
            });
        let least = if empty_zone { 0 } else { counts.values().min().copied().unwrap_or(0) };
        Spreading { counts, least }
    }

    /// The scheduler passes over nodes without the label.
    fn is_spread(&self, pod: &Pod, node: &Node, spreading: &[Spreading]) -> bool {
        pod.spread.iter().zip(spreading).all(|(spread, now)| {
            let Some(place) = self.place_of(node, &spread.topology) else { return false };
            let here = now.counts.get(place).copied().unwrap_or(0) + usize::from(spread.means(&pod.labels));
            here <= now.least + spread.skew
        })
    }

    fn crowd(&self, pod: &Pod, node: &Node, spreading: &[Spreading]) -> usize {
        let of = |(spread, now): (&super::affinity::Spread, &Spreading)| {
            let place = self.place_of(node, &spread.topology)?;
            now.counts.get(place).copied()
        };
        pod.spread.iter().zip(spreading).filter_map(of).sum()
    }
}
