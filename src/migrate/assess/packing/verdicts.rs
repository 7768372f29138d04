//! A packing as verdicts: what has no place is a Blocker with the smallest change that would give it one.

use super::pack::{Packing, Unplaced};
use crate::migrate::verdict::{Level, Verdict};
use std::collections::BTreeMap;

const SOURCE: &str = "Kubernetes scheduler's filters, LimitRanger and ResourceQuota admission; EKS User Guide, pods of an instance type and reserved resources";

/// Verdicts of a packing. `unknown` names the groups whose instance types the facts do not know.
#[must_use]
pub fn verdicts(packing: &Packing, unknown: &[String]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut add = |subject: String, level: Level, rule: &str, says: String| {
        verdicts.push(Verdict {
            subject,
            field: String::new(),
            level,
            rule: rule.to_owned(),
            source: SOURCE.to_owned(),
            says,
            becomes: None,
            choices: Vec::new(),
        });
    };
    for name in unknown {
        let says = "its instance types are not known, so that nothing could be put there; give the facts of the region".to_owned();
        add(format!("node group {name}"), Level::Warning, "kops.capacity.unknown-type", says);
    }
    for (name, needed) in &packing.grown {
        let max = packing.groups.iter().find(|group| group.name == *name).map_or(0, |group| group.max);
        let says = format!(
            "what runs now needs {needed} nodes of it, and it may have {max}: raise its maxSize to {needed}"
        );
        add(format!("node group {name}"), Level::Blocker, "kops.capacity.size", says);
    }
    // Pods of one owner have one obstacle; one verdict for each obstacle is enough.
    let mut by_obstacle: BTreeMap<(&str, &str), Vec<&Unplaced>> = BTreeMap::new();
    for pod in &packing.unplaced {
        by_obstacle.entry((&pod.says, &pod.change)).or_default().push(pod);
    }
    for ((says, change), pods) in by_obstacle {
        let more = pods.len() - 1;
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        add(
            format!("Pod {}{others}", pods[0].pod),
            Level::Blocker,
            "kops.capacity.place",
            format!("no planned node holds it: {says}; {change}"),
        );
    }
    for one in &packing.refused {
        let rule = if one.by.starts_with("LimitRange") {
            "kops.capacity.limit-range"
        } else {
            "kops.capacity.quota"
        };
        let says =
            format!("{} would refuse on the target what runs now: {}; {}", one.by, one.says, one.change);
        add(one.by.clone(), Level::Blocker, rule, says);
    }
    for (zone, addresses) in
        packing.addresses.iter().filter(|(_, addresses)| addresses.needed > addresses.free)
    {
        let says = format!(
            "nodes and pods need {} addresses there, and its subnets have {} free: add a block and subnets to the VPC, or take fewer warm \
             addresses",
            addresses.needed, addresses.free
        );
        add(format!("zone {zone}"), Level::Blocker, "kops.capacity.addresses", says);
    }
    if packing.fits() && unknown.is_empty() {
        let nodes = packing.nodes.len();
        let pods: usize = packing.nodes.iter().map(|node| node.placed.len()).sum();
        let says = format!("{pods} pods have a place on {nodes} nodes");
        add("capacity".into(), Level::Mapped, "kops.capacity.fits", says);
    }
    verdicts
}
