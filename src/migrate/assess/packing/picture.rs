//! A packing as a picture for a terminal.

use super::pack::Packing;
use std::fmt::Write;

/// Characters of a full bar.
const WIDTH: u64 = 20;

/// Each node as a line: how much of its CPU, memory and pods is taken. Equal lines are told once.
#[must_use]
pub fn picture(packing: &Packing) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = lines(packing, &mut out);
    out
}

fn lines(packing: &Packing, out: &mut String) -> std::fmt::Result {
    for (index, group) in packing.groups.iter().enumerate() {
        let nodes: Vec<_> = packing.nodes.iter().filter(|node| node.group_index == index).collect();
        writeln!(out, "{} ({}, {} of {} nodes)", group.name, group.instance_type, nodes.len(), group.max)?;
        for node in nodes {
            let holds = group.allocatable;
            writeln!(
                out,
                "  {}  cpu {}  memory {}  pods {:>3}/{}",
                node.zone,
                bar(node.cpu, holds.cpu),
                bar(node.memory, holds.memory),
                node.pods,
                holds.pods,
            )?;
        }
    }
    for (zone, addresses) in &packing.addresses {
        writeln!(out, "{zone}: {} addresses needed of {} free", addresses.needed, addresses.free)?;
    }
    for pod in &packing.unplaced {
        writeln!(out, "no place: {} ({})", pod.pod, pod.says)?;
    }
    Ok(())
}

fn bar(taken: u64, of: u64) -> String {
    let full = u128::from(taken) * u128::from(WIDTH) / u128::from(of.max(1));
    let full = usize::try_from(full.min(u128::from(WIDTH))).unwrap_or_default();
    let rest = usize::try_from(WIDTH).unwrap_or_default() - full;
    format!("[{}{}]", "#".repeat(full), ".".repeat(rest))
}
