//! An account to assess against: a VPC as kops would have made it, versions, instance types.

use portolan::migrate::assess::{EksVersion, Facts, InstanceType, Subnet, Vpc};
use portolan::model::kops::KopsState;
use std::collections::{BTreeMap, BTreeSet};

/// The VPC of every fixture that names none.
pub const VPC: &str = "vpc-0fixture";

fn instance(vcpus: u32, gib: u64, interfaces: u32, addresses: u32, nitro: bool) -> InstanceType {
    InstanceType {
        vcpus,
        memory_mib: gib * 1024,
        interfaces,
        addresses_per_interface: addresses,
        nitro,
        architecture: "x86_64".into(),
        gpus: 0,
        current: nitro,
        zones: BTreeSet::new(),
    }
}

/// Instance types of the fixtures and the corpus (EC2, DescribeInstanceTypes).
pub fn instance_types() -> BTreeMap<String, InstanceType> {
    let mut types = BTreeMap::from(
        [
            ("m3.medium", instance(1, 4, 2, 6, false)),
            ("m5.large", instance(2, 8, 3, 10, true)),
            ("m5.xlarge", instance(4, 16, 4, 15, true)),
            ("t2.medium", instance(2, 4, 3, 6, false)),
            ("t2.micro", instance(1, 1, 2, 2, false)),
            ("t3.medium", instance(2, 4, 3, 6, true)),
            ("t3.micro", instance(2, 1, 2, 2, true)),
            ("g4dn.xlarge", instance(4, 16, 3, 10, true)),
        ]
        .map(|(name, facts)| (name.to_owned(), facts)),
    );
    types.get_mut("g4dn.xlarge").unwrap().gpus = 1;
    types
}

/// The facts of an account of two zones at least: the cluster's subnets as kops names them, and one more in a zone that
/// the cluster does not have, if it has one only.
pub fn facts(state: &KopsState) -> Facts {
    let name = &state.cluster.name;
    let vpc = state.text("networking.networkID").unwrap_or(VPC).to_owned();
    let cidr = state.text("networking.networkCIDR").unwrap_or("172.20.0.0/16").to_owned();
    let mut facts = Facts { instance_types: instance_types(), ..Facts::default() };
    for (minor, extended) in [(31, true), (32, true), (33, false), (34, false), (35, false)] {
        facts.versions.push(EksVersion { version: format!("1.{minor}"), extended });
    }
    let tags = BTreeMap::from([("KubernetesCluster".to_owned(), name.clone())]);
    facts.vpcs.insert(vpc.clone(), Vpc { cidrs: vec![cidr], tags });
    let mut region = String::new();
    let zones = state.items("networking.subnets").iter().filter_map(|subnet| subnet["zone"].as_str());
    let first = zones.min().unwrap().to_owned();
    for (index, subnet) in state.items("networking.subnets").iter().enumerate() {
        let zone = subnet["zone"].as_str().unwrap_or(&first).to_owned();
        if region.is_empty() {
            region = zone[..zone.len() - 1].to_owned();
        }
        let id = subnet["id"].as_str().map_or_else(|| format!("subnet-0{index}"), str::to_owned);
        facts.zones.insert(zone.clone(), format!("id-of-{zone}"));
        facts.subnets.insert(
            id,
            Subnet {
                vpc: vpc.clone(),
                zone,
                cidr: subnet["cidr"].as_str().unwrap_or_default().to_owned(),
                free_addresses: Some(4000),
                public: matches!(subnet["type"].as_str(), Some("Public" | "Utility")),
                tags: BTreeMap::from([(
                    "Name".to_owned(),
                    format!("{}.{name}", subnet["name"].as_str().unwrap()),
                )]),
            },
        );
    }
    for letter in ["a", "b"] {
        let zone = format!("{region}{letter}");
        if facts.zones.contains_key(&zone) {
            continue;
        }
        facts.zones.insert(zone.clone(), format!("id-of-{zone}"));
        let spare = Subnet {
            vpc: vpc.clone(),
            zone,
            cidr: "172.20.200.0/22".into(),
            free_addresses: Some(1000),
            public: true,
            tags: BTreeMap::new(),
        };
        facts.subnets.insert("subnet-0spare".into(), spare);
    }
    facts
}

/// Every choice as it is proposed, and a spare subnet for a second zone.
pub fn choices(verdicts: &[portolan::migrate::Verdict]) -> BTreeMap<String, String> {
    let mut choices = BTreeMap::new();
    for verdict in verdicts {
        let proposed = verdict.choices.iter().find(|offer| offer.proposed && !offer.id.starts_with('<'));
        let offer = proposed.or_else(|| verdict.choices.iter().find(|offer| !offer.id.starts_with('<')));
        if let Some(offer) = offer {
            choices
                .insert(format!("{}@{}{}", verdict.rule, verdict.subject, verdict.field), offer.id.clone());
        }
    }
    choices
}
