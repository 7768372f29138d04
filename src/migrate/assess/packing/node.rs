//! Planned nodes: what one of a group holds, and where the group may have them.

use super::super::facts::{Facts, InstanceType};
use crate::model::cluster_config::{ClusterConfig, NodeGroupBase, NodeGroupTaint};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MIB: u64 = 1 << 20;
/// What the kubelet evicts below (`memory.available` of EKS's images).
const EVICTION: u64 = 100 * MIB;
/// The part of an instance's memory that its hypervisor and kernel keep, in thousandths: what Karpenter takes for it
/// (`VM_MEMORY_OVERHEAD_PERCENT`, 0.075).
const HYPERVISOR: u64 = 75;

/// How many addresses a node gives to pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Density {
    /// One for each slot of its network interfaces.
    #[default]
    Address,
    /// A prefix of 16 for each slot, where the type's hypervisor is Nitro.
    Prefix,
    /// As many as the kubelet takes: the pod network is no business of the VPC (another network program, IPv6).
    Unbound,
}

/// What a node has for pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Allocatable {
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Pods.
    pub pods: u32,
    /// NVIDIA GPUs.
    pub gpus: u32,
}

/// Most pods of an instance type: `interfaces * (addresses - 1) + 2` (VPC CNI, `eni-max-pods.txt`), sixteen times as many
/// with prefixes and then 110, or 250 above 30 virtual CPUs, at most.
#[must_use]
pub fn max_pods(facts: &InstanceType, density: Density) -> u32 {
    let slots = facts.interfaces.saturating_mul(facts.addresses_per_interface.saturating_sub(1));
    let most = if facts.vcpus > 30 { 250 } else { 110 };
    match density {
        Density::Prefix if facts.nitro => slots.saturating_mul(16).saturating_add(2).min(most),
        Density::Unbound => most,
        Density::Address | Density::Prefix => slots.saturating_add(2),
    }
}

/// What a node of an instance type has for pods, after what EKS's images reserve: 255 MiB and 11 MiB for each pod of its
/// limit, 6 % of the first CPU, 1 % of the second, 0.5 % of two more and 0.25 % of the others (nodeadm, `kubelet`
/// configuration).
#[must_use]
pub fn allocatable(facts: &InstanceType, pods: u32) -> Allocatable {
    let total = facts.memory_mib.saturating_mul(MIB);
    let seen = total - total / 1000 * HYPERVISOR;
    let reserved = (255 + 11 * u64::from(pods)) * MIB;
    let cores = u64::from(facts.vcpus);
    // In hundred-thousandths of a CPU, so that quarters of a percent stay whole.
    let curve = 6000 * cores.min(1)
        + 1000 * cores.saturating_sub(1).min(1)
        + 500 * cores.saturating_sub(2).min(2)
        + 250 * cores.saturating_sub(4);
    Allocatable {
        cpu: (cores * 1000).saturating_sub(curve / 100),
        memory: seen.saturating_sub(reserved).saturating_sub(EVICTION),
        pods,
        gpus: facts.gpus,
    }
}

/// A node group of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedGroup {
    /// Its name.
    pub name: String,
    /// The instance type that holds least of those it may have, for nobody knows which come.
    pub instance_type: String,
    /// What one node holds.
    pub allocatable: Allocatable,
    /// Addresses of one network interface: what a node keeps warm.
    pub addresses_per_interface: u32,
    /// Whether nodes take prefixes.
    pub prefixes: bool,
    /// Whether pods take addresses of the VPC at all.
    pub takes_addresses: bool,
    /// Labels of a node, but for its name and zone.
    pub labels: BTreeMap<String, String>,
    /// Taints of a node.
    pub taints: Vec<NodeGroupTaint>,
    /// Zones that it may have nodes in.
    pub zones: Vec<String>,
    /// Most nodes.
    pub max: u32,
}

/// Every instance type that a config's node groups may have.
#[must_use]
pub fn planned_types(config: &ClusterConfig) -> BTreeSet<String> {
    groups(config).flat_map(|(_, types, _)| types).collect()
}

/// Node groups of a config, each with the instance types and the capacity that it may have.
fn groups(config: &ClusterConfig) -> impl Iterator<Item = (&NodeGroupBase, Vec<String>, &'static str)> {
    let managed = config.managed_node_groups.iter().map(|group| {
        let mut types = group.instance_types.clone();
        types.extend(group.base.instance_type.clone());
        (&group.base, types, if group.spot == Some(true) { "SPOT" } else { "ON_DEMAND" })
    });
    let own = config.node_groups.iter().map(|group| {
        let mixed = group.instances_distribution.as_ref().map(|mixed| mixed.instance_types.clone());
        (&group.base, mixed.unwrap_or_else(|| group.base.instance_type.clone().into_iter().collect()), "")
    });
    managed.chain(own)
}

/// The node groups of a config, and the names of those whose instance types the facts do not know.
#[must_use]
pub fn planned_groups(config: &ClusterConfig, facts: &Facts) -> (Vec<PlannedGroup>, Vec<String>) {
    let density = density(config);
    let (mut planned, mut unknown) = (Vec::new(), Vec::new());
    for (base, types, capacity) in groups(config) {
        match one(config, facts, base, &types, capacity, density) {
            Some(group) => planned.push(group),
            None => unknown.push(base.name.clone()),
        }
    }
    (planned, unknown)
}

/// How pods get addresses, by the settings of the network add-on.
fn density(config: &ClusterConfig) -> Density {
    let ipv6 = config.kubernetes_network_config.as_ref().and_then(|network| network.ip_family)
        == Some(crate::model::cluster_config::IpFamily::IPv6);
    let Some(cni) = config.addons.iter().find(|addon| addon.name == "vpc-cni").filter(|_| !ipv6) else {
        return Density::Unbound;
    };
    let settings: Value = cni
        .configuration_values
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    if settings["env"]["ENABLE_PREFIX_DELEGATION"] == "true" { Density::Prefix } else { Density::Address }
}

fn one(
    config: &ClusterConfig,
    facts: &Facts,
    base: &NodeGroupBase,
    types: &[String],
    capacity: &str,
    density: Density,
) -> Option<PlannedGroup> {
    let known: Option<Vec<(&String, &InstanceType)>> =
        types.iter().map(|name| facts.instance_types.get(name).map(|facts| (name, facts))).collect();
    let holds = |(_, facts): &(&String, &InstanceType)| {
        let pods = base
            .max_pods_per_node
            .map_or(max_pods(facts, density), |most| most.min(max_pods(facts, density)));
        allocatable(facts, pods)
    };
    let least = known?.into_iter().min_by_key(|each| {
        let holds = holds(each);
        (holds.memory, holds.cpu, holds.pods)
    })?;
    let (name, instance) = least;
    let mut labels = base.labels.clone();
    labels.insert("eks.amazonaws.com/nodegroup".into(), base.name.clone());
    if !capacity.is_empty() {
        labels.insert("eks.amazonaws.com/capacityType".into(), capacity.into());
    }
    let architecture = if instance.architecture == "arm64" { "arm64" } else { "amd64" };
    labels.insert("kubernetes.io/arch".into(), architecture.into());
    let windows = base.ami_family.is_some_and(crate::model::cluster_config::AmiFamily::is_windows);
    labels.insert("kubernetes.io/os".into(), if windows { "windows" } else { "linux" }.into());
    if types.len() == 1 {
        labels.insert("node.kubernetes.io/instance-type".into(), name.clone());
    }
    labels.insert("topology.kubernetes.io/region".into(), config.metadata.region.clone());
    let mut zones = zones(config, facts, base);
    zones.retain(|zone| instance.zones.is_empty() || instance.zones.contains(zone));
    Some(PlannedGroup {
        name: base.name.clone(),
        instance_type: name.clone(),
        allocatable: holds(&least),
        addresses_per_interface: instance.addresses_per_interface,
        prefixes: density == Density::Prefix && instance.nitro,
        takes_addresses: density != Density::Unbound,
        labels,
        taints: base.taints.clone(),
        zones,
        max: base.max_size.unwrap_or(2),
    })
}

/// Zones of a group: its own, those of its subnets, or those of all subnets on its side.
fn zones(config: &ClusterConfig, facts: &Facts, base: &NodeGroupBase) -> Vec<String> {
    if !base.availability_zones.is_empty() {
        return base.availability_zones.clone();
    }
    let subnets = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref());
    let mut zones: Vec<String> = Vec::new();
    let both = subnets.into_iter().flat_map(|subnets| {
        let public = subnets.public.iter().map(|(name, spec)| (name, spec, true));
        public.chain(subnets.private.iter().map(|(name, spec)| (name, spec, false)))
    });
    for (name, spec, public) in both {
        let named = base.subnets.iter().any(|one| one == name || Some(one) == spec.id.as_ref());
        let side = base.subnets.is_empty() && public != base.private_networking.unwrap_or(false);
        if named || side {
            let of_facts =
                spec.id.as_ref().and_then(|id| facts.subnets.get(id)).map(|subnet| subnet.zone.clone());
            let zone = spec.az.clone().or(of_facts).unwrap_or_else(|| name.clone());
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
    }
    if zones.is_empty() {
        zones.clone_from(&config.availability_zones);
    }
    zones.sort();
    zones
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(vcpus: u32, gib: u64, interfaces: u32, addresses: u32) -> InstanceType {
        InstanceType {
            vcpus,
            memory_mib: gib * 1024,
            interfaces,
            addresses_per_interface: addresses,
            nitro: true,
            ..InstanceType::default()
        }
    }

    #[test]
    fn pod_limits_are_those_of_the_network_interfaces() {
        for (facts, address, prefix) in [
            (instance(2, 4, 3, 6), 17, 110),
            (instance(2, 8, 3, 10), 29, 110),
            (instance(4, 16, 4, 15), 58, 110),
            (instance(64, 256, 15, 50), 737, 250),
        ] {
            assert_eq!(max_pods(&facts, Density::Address), address);
            assert_eq!(max_pods(&facts, Density::Prefix), prefix);
        }
        let old = InstanceType { nitro: false, ..instance(2, 4, 3, 6) };
        assert_eq!(max_pods(&old, Density::Prefix), 17);
    }

    #[test]
    fn reserved_memory_and_cpu_are_eks() {
        let holds = allocatable(&instance(4, 16, 4, 15), 58);
        let seen = 16384 * MIB - 16384 * MIB / 1000 * 75;
        assert_eq!(holds.memory, seen - (255 + 11 * 58 + 100) * MIB);
        assert_eq!(holds.cpu, 4000 - 80);
        assert_eq!(allocatable(&instance(1, 1, 2, 2), 4).cpu, 940);
        assert_eq!(allocatable(&instance(8, 32, 4, 15), 58).cpu, 8000 - 90);
        assert_eq!(allocatable(&instance(0, 0, 0, 0), 0), Allocatable::default());
    }
}
