//! The VPC and its subnets: existing ones by their ids, or a new one.

use super::block::Block;
use super::{Context, Draft, identity};
use crate::migrate::assess::rule::{Ruling, offer, offers};
use crate::model::cluster_config::{AzSubnetSpec, ClusterSubnets, ClusterVpc};
use crate::model::kops::Field;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Whether the cluster goes into the VPC of the old one.
pub(in super::super) const VPC: &str = "kops.network.vpc";
/// Which VPC it is.
pub(in super::super) const VPC_ID: &str = "kops.network.vpc-id";
/// Which subnet it is.
pub(in super::super) const SUBNET_ID: &str = "kops.network.subnet-id";
/// Where subnets in a second zone come from.
pub(in super::super) const ZONES: &str = "kops.network.zones";
/// Zones, by id, that EKS puts no control plane into (EKS User Guide, network requirements).
const REFUSED_ZONES: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];
/// Free addresses that EKS needs in a subnet, and those that it recommends (EKS User Guide, network requirements).
const FEWEST_FREE: u32 = 6;
const ENOUGH_FREE: u32 = 16;
const SOURCE: &str = "EKS User Guide, VPC and subnet requirements";

/// A subnet of the specs.
#[derive(Clone, Debug)]
pub(in super::super) struct Planned {
    pub name: String,
    pub zone: String,
    pub public: bool,
    pub id: Option<String>,
    pub cidr: Option<String>,
    pub pointer: String,
    /// Addresses that are free, where the facts say so.
    pub free: Option<u32>,
    /// How late its turn is for nodes of a group that names no subnets: those with the lowest number are taken.
    pub reserve: u8,
    /// Whether it has IPv6 addresses alone, as kops makes private subnets of IPv6 clusters. EKS takes no such subnets: its
    /// nodes have an IPv4 address in every cluster (EKS User Guide, IPv6 addresses to clusters).
    pub only_ipv6: bool,
}

/// Whether a new VPC is made.
pub(in super::super) fn is_new(context: &Context<'_>) -> bool {
    context.way(
        VPC,
        &context.cluster().subject(),
        &context.pointer("networking.networkCIDR"),
        &["reuse", "new"],
    ) == "new"
}

/// The VPC's id: of the spec, of the choices, or of the facts by kops' tags.
pub(in super::super) fn vpc_id(context: &Context<'_>) -> Option<String> {
    let of_spec = context.state.text("networking.networkID").map(str::to_owned);
    of_spec.or_else(|| context.chosen_of_cluster(VPC_ID).map(str::to_owned)).or_else(|| {
        let name = &context.cluster().name;
        let owned = format!("kubernetes.io/cluster/{name}");
        let tagged = |tags: &BTreeMap<String, String>| {
            tags.get("KubernetesCluster").is_some_and(|of| of == name) || tags.contains_key(&owned)
        };
        let mut found = context.facts.vpcs.iter().filter(|(_, vpc)| tagged(&vpc.tags)).map(|(id, _)| id);
        let first = found.next()?;
        found.next().is_none().then(|| first.clone())
    })
}

/// Subnets of the specs, with ids where they can be told.
pub(in super::super) fn planned(context: &Context<'_>) -> Vec<Planned> {
    let vpc = vpc_id(context);
    let items = context.state.items("networking.subnets");
    let subnets = items.iter().enumerate().filter_map(|(index, item)| {
        let text = |field: &str| item[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let name = text("name").or_else(|| text("zone"))?;
        let pointer = context.pointer(&format!("networking.subnets.{index}"));
        let id = text("id").or_else(|| id(context, vpc.as_deref(), item, &name, &pointer));
        let facts = id.as_ref().and_then(|id| context.facts.subnets.get(id));
        Some(Planned {
            zone: text("zone").or_else(|| facts.map(|facts| facts.zone.clone())).unwrap_or_default(),
            public: is_public(item),
            cidr: text("cidr"),
            free: facts.and_then(|facts| facts.free_addresses),
            only_ipv6: text("ipv6CIDR").is_some()
                && text("cidr").is_none()
                && facts.is_none_or(|facts| facts.cidr.is_empty()),
            reserve: match item["type"].as_str() {
                Some("Utility") => 2,
                Some("DualStack") => 1,
                _ => 0,
            },
            name,
            id,
            pointer,
        })
    });
    subnets.collect()
}

/// Whether the subnet that a field of the spec is about has IPv6 addresses alone.
pub(in super::super) fn is_only_ipv6(context: &Context<'_>, field: &Field) -> bool {
    let Some(nth) = field.path.first_index() else { return false };
    let pointer = context.pointer(&format!("networking.subnets.{nth}"));
    planned(context).iter().any(|subnet| subnet.pointer == pointer && subnet.only_ipv6)
}

/// kops' types: nodes are in Private, DualStack and Public ones; Utility ones hold load balancers and bastions.
pub(in super::super) fn is_public(subnet: &Value) -> bool {
    matches!(subnet["type"].as_str().unwrap_or("Public"), "Public" | "Utility")
}

fn id(context: &Context<'_>, vpc: Option<&str>, item: &Value, name: &str, pointer: &str) -> Option<String> {
    let subject = context.cluster().subject();
    if let Some(id) = context.chosen(SUBNET_ID, &subject, pointer) {
        return Some(id.to_owned());
    }
    let called = format!("{name}.{}", context.cluster().name);
    let here: Vec<_> =
        context.facts.subnets.iter().filter(|(_, subnet)| vpc.is_none_or(|vpc| subnet.vpc == vpc)).collect();
    // kops names the subnets that it makes; of others only the addresses are known, unique within one VPC.
    let by_name = here.iter().find(|(_, subnet)| subnet.tags.get("Name") == Some(&called));
    let by_cidr = || {
        let cidr = item["cidr"].as_str()?;
        vpc.and(here.iter().find(|(_, subnet)| subnet.cidr == cidr))
    };
    by_name.or_else(by_cidr).map(|(id, _)| (*id).clone())
}

/// Whether a zone is one that EKS refuses for control planes: some by their ids, and all local ones.
pub(in super::super) fn is_refused_zone(context: &Context<'_>, zone: &str) -> bool {
    identity::is_local_zone(zone)
        || context.facts.zones.get(zone).is_some_and(|id| REFUSED_ZONES.contains(&id.as_str()))
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    if is_new(context) { new(context, draft) } else { existing(context, draft) }
}

/// Zones of a new VPC: those of the specs, then others of the facts, up to three.
pub(in super::super) fn new_zones(context: &Context<'_>) -> Vec<String> {
    let region = identity::region(context).unwrap_or_default();
    let planned = planned(context);
    let of_specs = planned.iter().map(|subnet| &subnet.zone);
    let mut zones: Vec<String> = Vec::new();
    for zone in of_specs.chain(context.facts.zones.keys()) {
        let ours = zone.starts_with(&region) && zone.len() > region.len() && !is_refused_zone(context, zone);
        if ours && !zones.contains(zone) && zones.len() < 3 {
            zones.push(zone.clone());
        }
    }
    zones.sort();
    zones
}

fn new(context: &Context<'_>, draft: &mut Draft) {
    let zones = new_zones(context);
    if zones.len() < 2 {
        let says =
            "a new VPC needs subnets in two zones, and only one is known; give the facts of the account";
        let ruling = Ruling::blocker(says, Vec::new());
        let at = context.pointer("networking.subnets");
        draft.verdicts.push(context.verdict(&context.cluster().subject(), &at, ZONES, SOURCE, ruling));
        draft.is_broken = true;
    }
    let cidr = context.state.text("networking.networkCIDR").and_then(Block::parse);
    let fits = cidr.filter(|block| (16..=24).contains(&block.prefix));
    draft.config.availability_zones = zones;
    draft.config.vpc =
        Some(ClusterVpc { cidr: fits.map(|block| block.to_string()), ..ClusterVpc::default() });
    draft.notes.push(
        "a new VPC has other egress addresses, no peerings, and none of the routes of the old one; what trusts those has to be told".into(),
    );
}

fn existing(context: &Context<'_>, draft: &mut Draft) {
    let subject = context.cluster().subject();
    let vpc = vpc_id(context);
    let mut subnets = planned(context);
    let mut seen = BTreeSet::new();
    subnets.retain(|subnet| !subnet.only_ipv6 && seen.insert(subnet.name.clone()));
    for subnet in &subnets {
        resolved(context, vpc.as_deref(), subnet, draft);
        free_addresses(context, subnet, draft);
    }
    second_zone(context, vpc.as_deref(), &mut subnets, draft);
    let mut spec = ClusterVpc { id: vpc, ..ClusterVpc::default() };
    let additional = !context.state.items("networking.additionalNetworkCIDRs").is_empty();
    let cidr = context.state.text("networking.networkCIDR").and_then(Block::parse).filter(|_| !additional);
    spec.cidr = cidr.map(|block| block.to_string());
    let mut by_side = ClusterSubnets::default();
    for subnet in &subnets {
        let side = if subnet.public { &mut by_side.public } else { &mut by_side.private };
        let az = (subnet.zone != subnet.name && !subnet.zone.is_empty()).then(|| subnet.zone.clone());
        let cidr = subnet.cidr.clone().filter(|_| subnet.id.is_none());
        side.insert(subnet.name.clone(), AzSubnetSpec { id: subnet.id.clone(), az, cidr });
    }
    spec.subnets = Some(by_side);
    let refused = |subnet: &&Planned| is_refused_zone(context, &subnet.zone);
    if subnets.iter().any(|subnet| refused(&subnet)) {
        let others = subnets.iter().filter(|subnet| !refused(subnet)).filter_map(|subnet| subnet.id.clone());
        spec.control_plane_subnet_ids = others.collect();
    }
    draft.config.vpc = Some(spec);
    let source = "AWS Load Balancer Controller, subnet discovery; eksctl#3188";
    let name = identity::name(context);
    let says = format!(
        "existing subnets are tagged by nobody but Portolan: kubernetes.io/role/elb=1 on public ones, \
         kubernetes.io/role/internal-elb=1 on private ones, kubernetes.io/cluster/{name}=shared on all"
    );
    let at = context.pointer("networking.subnets");
    draft.verdicts.push(context.verdict(
        &subject,
        &at,
        "kops.network.subnet-tags",
        source,
        Ruling::mapped(says),
    ));
}

fn resolved(context: &Context<'_>, vpc: Option<&str>, subnet: &Planned, draft: &mut Draft) {
    if subnet.id.is_some() {
        return;
    }
    let known = vpc.is_some_and(|vpc| context.facts.subnets.values().any(|other| other.vpc == vpc));
    if vpc.is_some() && subnet.cidr.is_some() && !known {
        let says = format!("subnet {} is found by its addresses when the plan is made", subnet.name);
        let verdict = context.verdict(
            &context.cluster().subject(),
            &subnet.pointer,
            SUBNET_ID,
            SOURCE,
            Ruling::warning(says),
        );
        draft.verdicts.push(verdict);
        return;
    }
    let candidates = context
        .facts
        .subnets
        .iter()
        .filter(|(_, other)| other.zone == subnet.zone && vpc.is_none_or(|vpc| other.vpc == vpc));
    let mut ways: Vec<_> = candidates
        .take(5)
        .map(|(id, other)| offer(id, format!("{id} with {} in {}", other.cidr, other.zone)))
        .collect();
    ways.push(offer("<subnet-id>", "the subnet of that id"));
    // What was not read is a question; what was, and has no such subnet, stands in the way.
    let ruling = if context.facts.subnets.is_empty() {
        let says = format!(
            "kops made subnet {} in {} and the spec has no id of it: read the account as well, where its tags tell it, or say the id",
            subnet.name, subnet.zone
        );
        Ruling::choice(says, offers(ways))
    } else {
        let says = format!(
            "kops made subnet {} in {}, and the account has no subnet that is tagged so; say which one it is",
            subnet.name, subnet.zone
        );
        Ruling::blocker(says, ways)
    };
    let subject = context.cluster().subject();
    let ruling = ruling.to("vpc.subnets");
    draft.verdicts.push(context.verdict(&subject, &subnet.pointer, SUBNET_ID, SOURCE, ruling));
    draft.is_broken = true;
}

fn free_addresses(context: &Context<'_>, subnet: &Planned, draft: &mut Draft) {
    let Some(free) = subnet.free.filter(|free| *free < ENOUGH_FREE) else { return };
    let says = format!(
        "subnet {} has {free} free addresses; EKS needs {FEWEST_FREE} and recommends {ENOUGH_FREE}",
        subnet.name
    );
    let ruling = if free < FEWEST_FREE { Ruling::blocker(says, Vec::new()) } else { Ruling::warning(says) };
    let subject = context.cluster().subject();
    draft.verdicts.push(context.verdict(
        &subject,
        &subnet.pointer,
        "kops.network.free-addresses",
        SOURCE,
        ruling,
    ));
}

/// EKS needs subnets in two zones; kops does not.
fn second_zone(context: &Context<'_>, vpc: Option<&str>, subnets: &mut Vec<Planned>, draft: &mut Draft) {
    let usable = |subnet: &Planned| !is_refused_zone(context, &subnet.zone);
    let zones: BTreeSet<String> =
        subnets.iter().filter(|subnet| usable(subnet)).map(|subnet| subnet.zone.clone()).collect();
    if zones.len() >= 2 {
        return;
    }
    let others = context.facts.subnets.iter().filter(|(_, subnet)| {
        !zones.contains(&subnet.zone)
            && !is_refused_zone(context, &subnet.zone)
            && vpc.is_none_or(|vpc| subnet.vpc == vpc)
    });
    let mut ways: Vec<_> = others
        .take(5)
        .map(|(id, subnet)| offer(id, format!("{id} with {} in {}", subnet.cidr, subnet.zone)))
        .collect();
    ways.push(offer("<subnet-id>", "subnets by their ids, with commas between them"));
    let ways = offers(ways);
    let only = zones.iter().next().map_or("no zone", String::as_str);
    let says = format!(
        "its subnets are in {only} alone, and EKS needs two zones: make a subnet in another zone of the VPC and choose it, or \
         choose `new` for {VPC}"
    );
    let subject = context.cluster().subject();
    let at = context.pointer("networking.subnets");
    let chosen = context.chosen(ZONES, &subject, &at);
    draft.verdicts.push(context.verdict(&subject, &at, ZONES, SOURCE, Ruling::blocker(says, ways)));
    let mut added = 0;
    for id in chosen
        .into_iter()
        .flat_map(|ids| ids.split(','))
        .map(str::trim)
        .filter(|id| id.starts_with("subnet-"))
    {
        let facts = context.facts.subnets.get(id);
        let zone = facts.map(|facts| facts.zone.clone()).unwrap_or_default();
        let taken = |name: &str| subnets.iter().any(|subnet| subnet.name == name);
        let name = if zone.is_empty() || taken(&zone) { id.to_owned() } else { zone.clone() };
        let public = facts.map_or_else(|| subnets.iter().all(|subnet| subnet.public), |facts| facts.public);
        subnets.push(Planned {
            name,
            zone,
            public,
            id: Some(id.to_owned()),
            cidr: None,
            pointer: at.clone(),
            free: facts.and_then(|facts| facts.free_addresses),
            reserve: u8::MAX,
            only_ipv6: false,
        });
        added += 1;
    }
    draft.is_broken |= added == 0;
}
