//! Which subnets a cluster has: existing ones by what the file says, or new ones laid out in zones and address blocks.

use super::cidr::Ipv4Block;
use super::declared::Problem;
use super::drivers::ZONES;
use crate::model::cluster_config::{AzSubnetSpec, ClusterConfig};
use crate::provision::resource::{Key, Kind, Owner, Snapshot};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Addresses of a new VPC where the file names none.
pub const DEFAULT_CIDR: &str = "192.168.0.0/16";

/// Where subnets stand that the file says nothing of, neither of them nor of their zones.
pub const LAID_OUT_AT: &str = "/vpc";

/// Zones where EKS places no control plane (EKS User Guide, network requirements of VPCs and subnets).
const REFUSED_ZONES: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// Whether a subnet has a way to the internet gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Yes.
    Public,
    /// No.
    Private,
}

impl Side {
    /// `public`, `private`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// A subnet as laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSubnet {
    /// Its name in the file; for a VPC laid out here, its zone.
    pub name: String,
    /// Its zone; empty for an existing one that was not read yet.
    pub zone: String,
    /// On which side it is.
    pub side: Side,
    /// Its addresses; none for an existing one.
    pub block: Option<Ipv4Block>,
    /// Which of the VPC's /64 blocks it has in an IPv6 cluster.
    pub ipv6_index: u8,
    /// What the file says of it.
    pub spec: AzSubnetSpec,
    /// Where it stands in the file.
    pub at: String,
}

impl PlannedSubnet {
    /// `Subnet/public-eu-central-1a`.
    #[must_use]
    pub fn key(&self) -> Key {
        subnet_key(self.side, &self.name)
    }
}

/// The key of a subnet by its side and its name in the file or its zone.
#[must_use]
pub fn subnet_key(side: Side, name: &str) -> Key {
    Key::new(Kind::Subnet, format!("{}-{name}", side.as_str()))
}

/// Whether the cluster uses a VPC that exists: the file gives its id, or the id of a subnet.
#[must_use]
pub fn uses_existing_vpc(config: &ClusterConfig) -> bool {
    let Some(vpc) = &config.vpc else { return false };
    let by_subnet = vpc.subnets.as_ref().is_some_and(|subnets| {
        subnets.public.values().chain(subnets.private.values()).any(|subnet| subnet.id.is_some())
    });
    vpc.id.is_some() || by_subnet
}

/// Whether the cluster has no way to or from the internet.
#[must_use]
pub fn is_fully_private(config: &ClusterConfig) -> bool {
    config.private_cluster.as_ref().is_some_and(|private| private.enabled == Some(true))
}

/// The subnets in the file's order of sides and names, and what stands in the way.
#[must_use]
pub fn subnets(config: &ClusterConfig, known: &Snapshot) -> (Vec<PlannedSubnet>, Vec<Problem>) {
    let in_file = in_file(config, known);
    if uses_existing_vpc(config) {
        let mut problems = Vec::new();
        if in_file.is_empty() {
            problems.push(Problem::refused(
                "/vpc/subnets",
                "an existing VPC was named without its subnets: list them under vpc.subnets.private and vpc.subnets.public",
            ));
        }
        return (in_file, problems);
    }
    let whole = match vpc_block(config) {
        Ok(block) => block,
        Err(problem) => return (Vec::new(), vec![problem]),
    };
    if !in_file.is_empty() {
        return given(in_file, whole);
    }
    match zones(config, known) {
        Ok(zones) => laid_out(config, &zones, whole, known),
        Err(problem) => (Vec::new(), vec![problem]),
    }
}

/// The addresses of a new VPC.
fn vpc_block(config: &ClusterConfig) -> Result<Ipv4Block, Problem> {
    let text = config.vpc.as_ref().and_then(|vpc| vpc.cidr.as_deref()).unwrap_or(DEFAULT_CIDR);
    Ipv4Block::parse(text).filter(|block| (16..=24).contains(&block.prefix())).ok_or_else(|| {
        Problem::refused(
            "/vpc/cidr",
            format!("{text} is not an IPv4 block of /16 to /24 that begins at its own first address"),
        )
    })
}

fn in_file(config: &ClusterConfig, known: &Snapshot) -> Vec<PlannedSubnet> {
    let Some(subnets) = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref()) else { return Vec::new() };
    let sides = [(Side::Public, &subnets.public), (Side::Private, &subnets.private)];
    let all = sides.into_iter().flat_map(|(side, subnets)| subnets.iter().map(move |each| (side, each)));
    all.zip(0u8..)
        .map(|((side, (name, spec)), ipv6_index)| {
            let read = known.live.get(&subnet_key(side, name)).and_then(|live| live.outputs.get("zone"));
            let zone = spec.az.clone().or_else(|| Some(read?.as_str()?.to_owned()));
            PlannedSubnet {
                name: name.clone(),
                // A name that is not a zone is told by `given`, or found in what was read.
                zone: zone.unwrap_or_else(|| name.clone()),
                side,
                block: spec.cidr.as_deref().and_then(Ipv4Block::parse),
                ipv6_index,
                spec: spec.clone(),
                at: format!("/vpc/subnets/{}/{}", side.as_str(), super::answer::pointer(name)),
            }
        })
        .collect()
}

/// New subnets whose addresses the file gives.
fn given(subnets: Vec<PlannedSubnet>, whole: Ipv4Block) -> (Vec<PlannedSubnet>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut taken: Vec<(Ipv4Block, String)> = Vec::new();
    for subnet in &subnets {
        let Some(block) = subnet.block else {
            problems.push(Problem::refused(
                format!("{}/cidr", subnet.at),
                "a new subnet needs its addresses: give cidr, or the id of an existing subnet",
            ));
            continue;
        };
        if !whole.contains(block) || !(16..=28).contains(&block.prefix()) {
            problems.push(Problem::refused(
                format!("{}/cidr", subnet.at),
                format!("{block} is not a block of /16 to /28 within the VPC's {whole}"),
            ));
        }
        if let Some((_, other)) = taken.iter().find(|(other, _)| other.overlaps(block)) {
            problems.push(Problem::refused(
                format!("{}/cidr", subnet.at),
                format!("{block} overlaps the addresses of {other}"),
            ));
        }
        taken.push((block, subnet.at.clone()));
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    if zones.len() < 2 {
        problems.push(one_zone("/vpc/subnets", &zones.into_iter().collect::<Vec<_>>().join(", ")));
    }
    (subnets, problems)
}

/// EKS wants two zones (EKS User Guide, network requirements).
pub(super) fn one_zone(at: &str, zones: &str) -> Problem {
    Problem::refused(at, format!("EKS needs subnets in two zones at least, and these are in {zones} only"))
}

/// In how many zones a new VPC has subnets where the file names none. More than two in us-east-1 met zones without
/// capacity for control planes too often (eksctl does the same).
#[must_use]
pub fn zones_wanted(region: &str) -> usize {
    if region == "us-east-1" { 2 } else { 3 }
}

/// The zones of a new VPC: those of the file; else those that its subnets are in already, filled up from the region's.
fn zones(config: &ClusterConfig, known: &Snapshot) -> Result<Vec<String>, Problem> {
    let at = "/availabilityZones";
    if !config.availability_zones.is_empty() {
        let mut seen = BTreeSet::new();
        let zones: Vec<String> =
            config.availability_zones.iter().filter(|zone| seen.insert(zone.as_str())).cloned().collect();
        return if zones.len() < 2 { Err(one_zone(at, &zones.join(", "))) } else { Ok(zones) };
    }
    let mut chosen: BTreeSet<String> = known
        .live
        .values()
        .filter(|live| live.key.kind == Kind::Subnet && live.owner == Owner::Ours)
        .filter_map(|live| live.outputs.get("zone")?.as_str().map(str::to_owned))
        .collect();
    let wanted = zones_wanted(&config.metadata.region);
    if chosen.len() >= wanted {
        return Ok(chosen.into_iter().collect());
    }
    let Some(of_region) = known.facts.get(ZONES).and_then(Value::as_array) else {
        return if chosen.len() >= 2 {
            Ok(chosen.into_iter().collect())
        } else {
            Err(Problem::waiting(at, "the region's zones have not been read yet"))
        };
    };
    for zone in of_region {
        let refused = zone["id"].as_str().is_some_and(|id| REFUSED_ZONES.contains(&id));
        if chosen.len() < wanted && !refused {
            chosen.extend(zone["name"].as_str().map(str::to_owned));
        }
    }
    if chosen.len() < 2 {
        return Err(one_zone(at, &chosen.into_iter().collect::<Vec<_>>().join(", ")));
    }
    Ok(chosen.into_iter().collect())
}

/// One subnet for each side and zone, in equal blocks: eighths of the VPC for up to four zones, sixteenths for up to
/// eight. A subnet that exists keeps its block when zones are added or removed.
fn laid_out(
    config: &ClusterConfig,
    zones: &[String],
    whole: Ipv4Block,
    known: &Snapshot,
) -> (Vec<PlannedSubnet>, Vec<Problem>) {
    let bits = match zones.len() {
        0..=4 => 3,
        5..=8 => 4,
        _ => {
            let message = format!("{} zones are too many: eight are the most", zones.len());
            return (Vec::new(), vec![Problem::refused("/availabilityZones", message)]);
        }
    };
    let Some(blocks) = whole.split(bits) else {
        let message = format!("{whole} is too small for subnets in {} zones", zones.len());
        return (Vec::new(), vec![Problem::refused("/vpc/cidr", message)]);
    };
    let sides: &[Side] =
        if is_fully_private(config) { &[Side::Private] } else { &[Side::Public, Side::Private] };
    let live = |side: Side, zone: &str| {
        let live = known.live.get(&subnet_key(side, zone)).filter(|live| live.owner == Owner::Ours)?;
        live.actual["CidrBlock"].as_str().and_then(Ipv4Block::parse).filter(|block| whole.contains(*block))
    };
    let mut taken: BTreeMap<(Side, &str), Ipv4Block> = BTreeMap::new();
    for side in sides {
        for zone in zones {
            if let Some(block) = live(*side, zone) {
                taken.insert((*side, zone.as_str()), block);
            }
        }
    }
    let mut subnets = Vec::new();
    for side in sides {
        for (at, zone) in zones.iter().enumerate() {
            let preferred = if *side == Side::Public { at } else { at + zones.len() };
            let free = |block: &Ipv4Block| !taken.values().any(|other| other.overlaps(*block));
            let block = taken.get(&(*side, zone.as_str())).copied().or_else(|| {
                blocks.get(preferred).copied().filter(free).or_else(|| blocks.iter().copied().find(free))
            });
            let Some(block) = block else {
                let message =
                    format!("no addresses are left in {whole} for a {} subnet in {zone}", side.as_str());
                return (subnets, vec![Problem::refused("/availabilityZones", message)]);
            };
            taken.insert((*side, zone.as_str()), block);
            // The nth eighth of the IPv4 addresses goes with the nth /64.
            let nth = blocks.iter().position(|each| each.overlaps(block)).unwrap_or(preferred);
            subnets.push(PlannedSubnet {
                name: zone.clone(),
                zone: zone.clone(),
                side: *side,
                block: Some(block),
                ipv6_index: u8::try_from(nth).unwrap_or(u8::MAX),
                spec: AzSubnetSpec::default(),
                at: if config.availability_zones.is_empty() { LAID_OUT_AT } else { "/availabilityZones" }
                    .to_owned(),
            });
        }
    }
    (subnets, Vec::new())
}
