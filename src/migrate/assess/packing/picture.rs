//! A packing as a picture for a terminal.

use super::pack::Packing;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Characters of a full bar.
const WIDTH: u64 = 20;

/// Each node as a line: how much of its CPU, memory and pods is taken; nodes that are alike are one line. What has no
/// place stands below, with the smallest change that would give it one.
#[must_use]
pub fn picture(packing: &Packing) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = lines(packing, &mut out);
    out
}

fn lines(packing: &Packing, out: &mut String) -> std::fmt::Result {
    for (index, group) in packing.groups.iter().enumerate() {
        let mut alike: BTreeMap<String, usize> = BTreeMap::new();
        for node in packing.nodes.iter().filter(|node| node.group_index == index) {
            let holds = group.allocatable;
            let told = format!(
                "{}  cpu {}  memory {}  pods {:>3}/{}",
                node.zone,
                bar(node.cpu, holds.cpu),
                bar(node.memory, holds.memory),
                node.pods,
                holds.pods,
            );
            *alike.entry(told).or_default() += 1;
        }
        let nodes: usize = alike.values().sum();
        writeln!(out, "{} ({}, {nodes} of {} nodes)", group.name, group.instance_type, group.max)?;
        for (told, count) in alike {
            let times = if count > 1 { format!("  x {count}") } else { String::new() };
            writeln!(out, "  {told}{times}")?;
        }
    }
    for (zone, addresses) in &packing.addresses {
        let verdict = if addresses.needed > addresses.free { "  <- too few" } else { "" };
        writeln!(out, "{zone}: {} addresses needed of {} free{verdict}", addresses.needed, addresses.free)?;
    }
    for (name, needed) in &packing.grown {
        writeln!(out, "too small: {name} needs {needed} nodes; raise its maxSize to {needed}")?;
    }
    for pod in &packing.unplaced {
        writeln!(out, "no place: {}: {}", pod.pod, pod.says)?;
        writeln!(out, "          smallest change: {}", pod.change)?;
    }
    Ok(())
}

fn bar(taken: u64, of: u64) -> String {
    let full = u128::from(taken) * u128::from(WIDTH) / u128::from(of.max(1));
    let full = usize::try_from(full.min(u128::from(WIDTH))).unwrap_or_default();
    let rest = usize::try_from(WIDTH).unwrap_or_default() - full;
    format!("[{}{}]", "#".repeat(full), ".".repeat(rest))
}
