//! Whether a pod could be on a node of a group at all, were the node empty.

use super::demand::Pod;
use super::node::PlannedGroup;
use crate::model::cluster_config::{NodeGroupTaint, TaintEffect};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What keeps a pod from a group, and the smallest change that would let it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// In words.
    pub says: String,
    /// The change, in words.
    pub change: String,
    /// Whether it is only that a node is too small.
    pub is_size: bool,
}

/// Everything that keeps a pod from every node of a group. `daemons` is what those of DaemonSets take there.
pub(super) fn obstacles(pod: &Pod, group: &PlannedGroup, daemons: &Taken) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut add = |says: String, change: String| found.push(Obstacle { says, change, is_size: false });
    if group.zones.is_empty() {
        add("no zone is known that it has nodes in".into(), format!("give {} subnets", group.name));
    }
    for (key, value) in &pod.node_selector {
        if is_of_place(key) || group.labels.get(key) == Some(value) {
            continue;
        }
        add(format!("it has no label {key}={value}"), format!("give {} the label {key}={value}", group.name));
    }
    let place = |selector: &super::affinity::Selector| fits_somewhere(selector, group);
    if !pod.node_terms.is_empty() && !pod.node_terms.iter().any(|term| term.iter().all(place)) {
        let wanted: Vec<String> = pod.node_terms[0]
            .iter()
            .filter(|selector| !place(selector))
            .map(super::affinity::Selector::told)
            .collect();
        let wanted = wanted.join(" and ");
        add(format!("its affinity wants {wanted}"), format!("give {} {wanted}", group.name));
    }
    for taint in group.taints.iter().filter(|taint| taint.effect != TaintEffect::PreferNoSchedule) {
        if !pod.tolerations.iter().any(|toleration| tolerates(toleration, taint)) {
            let told = told(taint);
            add(
                format!("it does not tolerate {told}"),
                format!("let it tolerate {told}, or take the taint from {}", group.name),
            );
        }
    }
    let holds = group.allocatable;
    if pod.gpus > u64::from(holds.gpus) {
        add(
            format!("a node has {} GPUs", holds.gpus),
            format!("choose an instance type for {} with {} GPUs", group.name, pod.gpus),
        );
    }
    if daemons.pods >= holds.pods {
        add(
            "DaemonSets take every place for pods".into(),
            format!("choose an instance type for {} with more than {} pods", group.name, holds.pods),
        );
    }
    if !pod.zones.is_empty()
        && !group.zones.iter().any(|zone| pod.zones.len() == 1 && pod.zones.contains(zone))
    {
        let zones: Vec<&str> = pod.zones.iter().map(String::as_str).collect();
        let zones = zones.join(" and ");
        add(
            format!("its volumes are in {zones}, where the group has no nodes"),
            format!("give {} a subnet in {zones}", group.name),
        );
    }
    for key in ["topology.kubernetes.io/zone"] {
        if let Some(zone) = pod.node_selector.get(key).filter(|zone| !group.zones.contains(zone)) {
            add(
                format!("it wants {zone}, where the group has no nodes"),
                format!("give {} a subnet in {zone}", group.name),
            );
        }
    }
    if pod.node_selector.contains_key("kubernetes.io/hostname") {
        add(
            "it is bound to a node of the old cluster by its name".into(),
            "take its selector kubernetes.io/hostname away".into(),
        );
    }
    found.extend(too_small(pod, group, daemons));
    found
}

/// Architectures of the groups whose nodes a pod may be on, whatever their size, in the words of `kubernetes.io/arch`.
#[must_use]
pub fn architectures(spec: &Value, groups: &[PlannedGroup]) -> BTreeSet<String> {
    let pod = super::demand::read(&Value::Null, spec, &BTreeMap::new());
    let may = |group: &&PlannedGroup| {
        obstacles(&pod, group, &Taken::default()).iter().all(|obstacle| obstacle.is_size)
    };
    let own = groups.iter().filter(may).filter_map(|group| group.labels.get("kubernetes.io/arch"));
    own.cloned().collect()
}

/// CPU and memory of a node that is empty but for DaemonSets.
fn too_small(pod: &Pod, group: &PlannedGroup, daemons: &Taken) -> Vec<Obstacle> {
    let holds = group.allocatable;
    let sizes = [
        ("CPU", pod.cpu.saturating_add(daemons.cpu), holds.cpu, 1000u64, "CPUs"),
        ("memory", pod.memory.saturating_add(daemons.memory), holds.memory, 1 << 20, "MiB of memory"),
    ];
    let small = sizes.into_iter().filter(|(_, needed, has, ..)| needed > has);
    small
        .map(|(what, needed, has, unit, name)| Obstacle {
            says: format!("{what} of one node ({}) does not hold it with the DaemonSets", has / unit),
            change: format!(
                "choose an instance type for {} with {} {name} for pods",
                group.name,
                needed.div_ceil(unit)
            ),
            is_size: true,
        })
        .collect()
}

/// Labels that differ from node to node of one group.
fn is_of_place(key: &str) -> bool {
    matches!(key, "topology.kubernetes.io/zone" | "kubernetes.io/hostname" | "topology.ebs.csi.aws.com/zone")
}

/// Whether some zone of a group fulfils a requirement.
fn fits_somewhere(selector: &super::affinity::Selector, group: &PlannedGroup) -> bool {
    let mut labels = group.labels.clone();
    let mut any = selector.fits(&labels) && group.zones.is_empty();
    for zone in &group.zones {
        labels.insert("topology.kubernetes.io/zone".into(), zone.clone());
        labels.insert("topology.ebs.csi.aws.com/zone".into(), zone.clone());
        any |= selector.fits(&labels);
    }
    any
}

/// Whether the zone of a node is one that a pod can be in. `labels` are those of the group's nodes there.
pub(super) fn fits_zone(pod: &Pod, labels: &BTreeMap<String, String>, zone: &str) -> bool {
    let volumes = pod.zones.iter().all(|other| other == zone);
    let selected = pod
        .node_selector
        .iter()
        .filter(|(key, _)| is_of_place(key))
        .all(|(key, value)| labels.get(key) == Some(value));
    let term = |term: &Vec<super::affinity::Selector>| term.iter().all(|selector| selector.fits(labels));
    volumes && selected && (pod.node_terms.is_empty() || pod.node_terms.iter().any(term))
}

/// What is taken of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub cpu: u64,
    pub memory: u64,
    pub gpus: u64,
    pub pods: u32,
    pub addressed: u32,
}

impl Taken {
    pub(super) fn add(&mut self, pod: &Pod) {
        self.cpu = self.cpu.saturating_add(pod.cpu);
        self.memory = self.memory.saturating_add(pod.memory);
        self.gpus = self.gpus.saturating_add(pod.gpus);
        self.pods = self.pods.saturating_add(1);
        self.addressed = self.addressed.saturating_add(u32::from(!pod.host_network));
    }

    pub(super) fn has_room(&self, pod: &Pod, group: &PlannedGroup) -> bool {
        let holds = group.allocatable;
        self.cpu.saturating_add(pod.cpu) <= holds.cpu
            && self.memory.saturating_add(pod.memory) <= holds.memory
            && self.gpus.saturating_add(pod.gpus) <= u64::from(holds.gpus)
            && self.pods < holds.pods
    }
}

fn told(taint: &NodeGroupTaint) -> String {
    let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
    format!("{}{value}:{:?}", taint.key, taint.effect)
}

/// As Kubernetes' `ToleratesTaint` does.
fn tolerates(toleration: &Value, taint: &NodeGroupTaint) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    let effect = text("effect");
    if !effect.is_empty() && effect != format!("{:?}", taint.effect) {
        return false;
    }
    match (text("key"), text("operator")) {
        ("", "Exists") => true,
        (key, _) if key != taint.key => false,
        (_, "Exists") => true,
        _ => text("value") == taint.value,
    }
}
