//! What a ClusterConfig needs of each quota.

use crate::migrate::assess::Facts;
use crate::model::cluster_config::{ClusterConfig, NatGateway, NodeGroupBase};
use std::collections::BTreeMap;

/// Families of instance types that share a quota of vCPUs (EC2 user guide, "On-Demand Instance quotas", "Spot Instance
/// quotas").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A, C, D, H, I, M, R, T and Z.
    Standard,
    /// G and VT.
    Graphics,
    /// P.
    Accelerated,
    /// Inf.
    Inference,
    /// Trn.
    Training,
    /// X.
    Memory,
    /// F.
    Programmable,
    /// DL.
    Gaudi,
    /// High memory, `u-`.
    HighMemory,
    /// HPC.
    Computing,
}

impl Family {
    /// The family of an instance type, such as `m5.large`; none for what has no quota of vCPUs (Mac).
    #[must_use]
    pub fn of(instance_type: &str) -> Option<Self> {
        let letters: String = instance_type.chars().take_while(char::is_ascii_lowercase).collect();
        Some(match letters.as_str() {
            "inf" => Self::Inference,
            "trn" => Self::Training,
            "dl" => Self::Gaudi,
            "hpc" => Self::Computing,
            "mac" | "" => return None,
            "u" => Self::HighMemory,
            "vt" => Self::Graphics,
            other => match other.chars().next()? {
                'a' | 'c' | 'd' | 'h' | 'i' | 'm' | 'r' | 't' | 'z' => Self::Standard,
                'g' => Self::Graphics,
                'p' => Self::Accelerated,
                'x' => Self::Memory,
                'f' => Self::Programmable,
                _ => return None,
            },
        })
    }

    /// The codes of its quotas, on demand and spot.
    const fn codes(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Standard => ("L-1216C47A", Some("L-34B43A08")),
            Self::Graphics => ("L-DB2E81BA", Some("L-3819A6DF")),
            Self::Accelerated => ("L-417A185B", Some("L-7212CCBC")),
            Self::Inference => ("L-1945791B", Some("L-B5D1601B")),
            Self::Training => ("L-2C3B7624", Some("L-6B0D517C")),
            Self::Memory => ("L-7295265B", Some("L-E3A00192")),
            Self::Programmable => ("L-74FC7D96", Some("L-88CF9481")),
            Self::Gaudi => ("L-6E869C2A", Some("L-85EED4F7")),
            Self::HighMemory => ("L-43DA4232", None),
            Self::Computing => ("L-F7808C92", None),
        }
    }
}

/// What a quota counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Vpcs,
    Addresses,
    NatGateways,
    Clusters,
    /// Something that a new cluster has none of yet.
    InNewCluster,
    Vcpus {
        family: Family,
        spot: bool,
    },
}

/// How much of a quota a config needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The quota's code.
    pub code: &'static str,
    /// What it counts, in words.
    pub what: String,
    /// What is needed at once.
    pub now: f64,
    /// What may be needed.
    pub at_most: f64,
    pub(super) of: Of,
}

/// Zones of a new VPC where the config names none; the largest of the defaults.
const ZONES: usize = 3;

/// Everything that a config needs. Sizes that it does not say are those of eksctl: two nodes.
#[must_use]
pub fn needs(config: &ClusterConfig, facts: &Facts) -> Vec<Need> {
    let same =
        |code, what: &str, count: f64, of| Need { code, what: what.into(), now: count, at_most: count, of };
    let mut needs = vec![same("L-1194D53C", "EKS clusters", 1.0, Of::Clusters)];
    let vpc = config.vpc.clone().unwrap_or_default();
    let given = vpc.subnets.as_ref().is_some_and(|subnets| {
        subnets.public.values().chain(subnets.private.values()).any(|subnet| subnet.id.is_some())
    });
    if vpc.id.is_none() && !given {
        needs.push(same("L-F678F1CE", "VPCs of the region", 1.0, Of::Vpcs));
        let zones =
            if config.availability_zones.is_empty() { ZONES } else { config.availability_zones.len() };
        let gateways = match vpc.nat.as_ref().and_then(|nat| nat.gateway).unwrap_or_default() {
            NatGateway::Disable => 0,
            NatGateway::Single => 1,
            NatGateway::HighlyAvailable => zones,
        };
        if gateways > 0 {
            needs.push(same("L-0263D0A3", "Elastic IP addresses", gateways as f64, Of::Addresses));
            needs.push(same("L-FE5A380F", "NAT gateways of a zone", 1.0, Of::NatGateways));
        }
    }
    if !config.managed_node_groups.is_empty() {
        let groups = config.managed_node_groups.len() as f64;
        needs.push(same("L-6D54EA21", "managed node groups of the cluster", groups, Of::InNewCluster));
        let sizes = config.managed_node_groups.iter().map(|group| size(&group.base));
        let (now, at_most) =
            sizes.fold((0.0, 0.0), |(now, most), one| (f64::max(now, one.0), f64::max(most, one.1)));
        let what = "nodes of a managed node group".into();
        needs.push(Need { code: "L-BD136A63", what, now, at_most, of: Of::InNewCluster });
    }
    needs.extend(vcpus(config, facts));
    needs
}

/// Nodes of a group: at once, and at most.
fn size(base: &NodeGroupBase) -> (f64, f64) {
    let now = base.desired_capacity.or(base.min_size).unwrap_or(2);
    (f64::from(now), f64::from(base.max_size.unwrap_or(now).max(now)))
}

fn vcpus(config: &ClusterConfig, facts: &Facts) -> Vec<Need> {
    let mut sums: BTreeMap<(Family, bool), (f64, f64)> = BTreeMap::new();
    let mut add = |types: &[String], base: &NodeGroupBase, share: f64, spot: bool| {
        let types = types.iter().chain(&base.instance_type);
        // Whichever type is taken, the largest is what may have to fit.
        let known =
            types.filter_map(|one| Some((Family::of(one)?, f64::from(facts.instance_types.get(one)?.vcpus))));
        if let Some((family, vcpus)) = known.max_by(|one, other| one.1.total_cmp(&other.1)) {
            let (now, at_most) = size(base);
            let sum = sums.entry((family, spot)).or_default();
            *sum = (sum.0 + now * vcpus * share, sum.1 + at_most * vcpus * share);
        }
    };
    for group in &config.managed_node_groups {
        add(&group.instance_types, &group.base, 1.0, group.spot.unwrap_or_default());
    }
    for group in &config.node_groups {
        match &group.instances_distribution {
            Some(mixed) => {
                let on_demand =
                    f64::from(mixed.on_demand_percentage_above_base_capacity.unwrap_or(100)) / 100.0;
                add(&mixed.instance_types, &group.base, on_demand, false);
                add(&mixed.instance_types, &group.base, 1.0 - on_demand, true);
            }
            None => add(&[], &group.base, 1.0, false),
        }
    }
    let need = |((family, spot), (now, at_most)): ((Family, bool), (f64, f64))| {
        let (on_demand, of_spot) = family.codes();
        let code = if spot { of_spot? } else { on_demand };
        let kind = if spot { "spot" } else { "on demand" };
        let what = format!("vCPUs of {family:?} instances {kind}");
        (at_most > 0.0).then_some(Need { code, what, now, at_most, of: Of::Vcpus { family, spot } })
    };
    sums.into_iter().filter_map(need).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_those_of_the_quotas() {
        let table = [
            ("m5.large", Some(Family::Standard)),
            ("im4gn.large", Some(Family::Standard)),
            ("inf2.xlarge", Some(Family::Inference)),
            ("g5.xlarge", Some(Family::Graphics)),
            ("u-6tb1.56xlarge", Some(Family::HighMemory)),
            ("x2idn.16xlarge", Some(Family::Memory)),
            ("mac2.metal", None),
        ];
        for (instance_type, family) in table {
            assert_eq!(Family::of(instance_type), family, "{instance_type}");
        }
    }
}
