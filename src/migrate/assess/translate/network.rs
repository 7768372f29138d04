//! Endpoints, addresses of Services, IP family, and which program makes the pod network.

use super::block::Block;
use super::{Context, Draft, instances, subnets};
use crate::migrate::assess::rule::{Ruling, accepted, offer, offers};
use crate::model::cluster_config::{ClusterEndpoints, IpFamily, KubernetesNetworkConfig};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

pub(in super::super) const PROVIDER: &str = "kops.network.provider";
pub(in super::super) const FAMILY: &str = "kops.network.ip-family";
pub(in super::super) const DENSITY: &str = "kops.network.pod-density";
pub(in super::super) const ACCESS: &str = "kops.network.api-access";

/// Programs that make the pod network, by the names that kops has for them (newest spelling), and whether they enforce
/// NetworkPolicies.
const PROVIDERS: [(&str, bool); 18] = [
    ("amazonVPC", false),
    ("calico", true),
    ("canal", true),
    ("cilium", true),
    ("classic", false),
    ("cni", false),
    ("external", false),
    ("flannel", false),
    ("gcp", false),
    ("kindnet", true),
    ("kopeio", false),
    ("kubeRouter", true),
    ("kubenet", false),
    ("lyftvpc", false),
    ("romana", true),
    ("weave", true),
    ("ipalias", false),
    ("gce", false),
];

/// The program that makes the pod network: its name in the spec, and whether it enforces NetworkPolicies.
pub(in super::super) fn provider(context: &Context<'_>) -> Option<(&'static str, bool)> {
    let networking = context.state.at("networking").as_object()?;
    PROVIDERS.into_iter().find(|(name, _)| networking.contains_key(*name))
}

/// Whether the old program stays and EKS's own is not installed.
pub(in super::super) fn keeps_provider(context: &Context<'_>) -> bool {
    let Some((name, _)) = provider(context) else { return false };
    name != "amazonVPC" && way(context, name) == "keep"
}

fn way(context: &Context<'_>, name: &str) -> &'static str {
    let pointer = context.pointer(&format!("networking.{name}"));
    context.way(PROVIDER, &context.cluster().subject(), &pointer, &["vpc-cni", "keep"])
}

/// Objects of the source that only its own program understands.
fn foreign_policies(context: &Context<'_>) -> Vec<String> {
    let kinds = context.facts.kinds.iter().filter(|(kind, count)| {
        **count > 0
            && (kind.ends_with(".crd.projectcalico.org")
                || kind.ends_with(".cilium.io")
                || kind.ends_with(".projectcalico.org"))
            && kind.contains("Policy")
    });
    kinds.map(|(kind, count)| format!("{count} {kind}")).collect()
}

/// What becomes of the program that makes the pod network.
pub(in super::super) fn provider_ruling(context: &Context<'_>, name: &str) -> Ruling {
    let enforces = PROVIDERS.iter().any(|(other, enforces)| *other == name && *enforces);
    let replaced = "pods get addresses of the VPC instead of an overlay's, so subnets need room, and firewalls that name the pod \
                    network have to name the VPC";
    if name == "amazonVPC" {
        return Ruling::mapped("the add-on vpc-cni makes the pod network, as the same program did");
    }
    if !enforces {
        return Ruling::warning(format!("the add-on vpc-cni takes the place of {name}: {replaced}"));
    }
    let ways = offers([
        offer("vpc-cni", format!("the add-on vpc-cni with NetworkPolicies on: {replaced}")),
        offer(
            "keep",
            format!(
                "{name}, delivered by an Application of yours; EKS's own network add-on is not installed"
            ),
        ),
    ]);
    let foreign = foreign_policies(context);
    if foreign.is_empty() {
        let says = format!(
            "{name} makes the pod network and enforces NetworkPolicies; vpc-cni does both, standard policies only"
        );
        return Ruling::choice(says, ways);
    }
    let says = format!(
        "{} enforce nothing under vpc-cni: rewrite them as NetworkPolicies, or keep {name}",
        foreign.join(", ")
    );
    Ruling::blocker(says, ways)
}

/// Whether pods shall have IPv6 addresses. EKS has no clusters with both.
pub(in super::super) fn is_ipv6(context: &Context<'_>) -> bool {
    let pointer = family_pointer(context);
    wants_ipv6(context)
        && context.way(FAMILY, &context.cluster().subject(), &pointer, &["ipv6", "ipv4"]) == "ipv6"
}

fn family_pointer(context: &Context<'_>) -> String {
    context.pointer("networking.nonMasqueradeCIDR")
}

/// Whether the source has IPv6 pods.
pub(in super::super) fn wants_ipv6(context: &Context<'_>) -> bool {
    context.state.text("networking.nonMasqueradeCIDR").is_some_and(|cidr| cidr.contains(':'))
        || context.state.text("networking.podCIDR").is_some_and(|cidr| cidr.contains(':'))
}

/// The choice of the IP family.
pub(in super::super) fn family_ruling() -> Ruling {
    let ways = offers([
        offer("ipv6", "IPv6 for pods and Services, which cannot be changed later"),
        offer("ipv4", "IPv4 for pods and Services; what is reached by IPv6 has to be reached otherwise"),
    ]);
    Ruling::choice(
        "pods have IPv6 addresses; EKS has one family for a cluster, and no Services with both",
        ways,
    )
}

/// Whether the API server is reached from within the VPC only.
pub(in super::super) fn is_internal(context: &Context<'_>) -> bool {
    context.state.text("api.loadBalancer.type") == Some("Internal")
}

/// What becomes of one entry of `api.access`.
pub(in super::super) enum Access {
    /// Blocks that may reach the endpoint.
    Blocks(Vec<String>),
    /// A prefix list whose addresses are not known.
    UnknownList,
    /// IPv6 addresses, where the endpoint has none.
    Ipv6,
    /// No addresses at all.
    Unreadable,
}

/// Reads an entry of `api.access`.
pub(in super::super) fn access(context: &Context<'_>, entry: &str) -> Access {
    if entry.starts_with("pl-") {
        let known = context.facts.prefix_lists.get(entry);
        return known.map_or(Access::UnknownList, |blocks| Access::Blocks(blocks.clone()));
    }
    if entry.contains(':') {
        return match (is_ipv6(context), ipv6_block(entry)) {
            (_, None) => Access::Unreadable,
            (true, Some(block)) => Access::Blocks(vec![block]),
            (false, Some(_)) => Access::Ipv6,
        };
    }
    let entry = if entry.contains('/') { entry.to_owned() } else { format!("{entry}/32") };
    Block::parse(&entry).map_or(Access::Unreadable, |block| Access::Blocks(vec![block.to_string()]))
}

/// A block of IPv6 addresses; one address is a block of one.
fn ipv6_block(text: &str) -> Option<String> {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "128"));
    let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
    let address = u128::from(address.parse::<Ipv6Addr>().ok()?);
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    Some(format!("{}/{prefix}", Ipv6Addr::from(address & mask)))
}

/// Blocks that may reach the API server.
pub(in super::super) fn allowed(context: &Context<'_>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut allowed = Vec::new();
    for entry in context.state.items("api.access").iter().filter_map(Value::as_str) {
        if let Access::Blocks(blocks) = access(context, entry) {
            allowed.extend(blocks.into_iter().filter(|block| seen.insert(block.clone())));
        }
    }
    allowed
}

/// The Services' block of the spec, and whether EKS takes it.
pub(in super::super) fn service_block(context: &Context<'_>) -> Option<(Block, Result<(), &'static str>)> {
    let block = Block::parse(context.state.text("networking.serviceClusterIPRange")?)?;
    let checked = if !block.is_private() {
        Err("EKS takes blocks of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 only")
    } else if !(12..=24).contains(&block.prefix) {
        Err("EKS takes prefixes from /12 to /24 only")
    } else if vpc_blocks(context).iter().any(|other| other.overlaps(block)) {
        Err("it overlaps the VPC, which EKS refuses")
    } else {
        Ok(())
    };
    Some((block, checked))
}

fn vpc_blocks(context: &Context<'_>) -> Vec<Block> {
    let own = context.state.text("networking.networkCIDR").into_iter();
    let more = context.state.items("networking.additionalNetworkCIDRs").iter().filter_map(Value::as_str);
    own.chain(more).filter_map(Block::parse).collect()
}

/// Whether nodes give their pods whole prefixes of addresses, sixteen for each slot.
pub(in super::super) fn delegates_prefixes(context: &Context<'_>) -> bool {
    if keeps_provider(context) || is_ipv6(context) {
        return false;
    }
    match provider(context) {
        Some(("amazonVPC", _)) => {
            env(context, "ENABLE_PREFIX_DELEGATION").is_some_and(|value| value == "true")
        }
        _ => context.way_of_cluster(DENSITY, &density_ways(context)) == "prefix-delegation",
    }
}

/// Prefixes first, unless no group has an instance type that could take any.
fn density_ways(context: &Context<'_>) -> [&'static str; 2] {
    let mut types = context.state.node_groups().flat_map(|group| instances::types(context, group));
    if types.any(|name| instances::is_nitro(context, &name)) {
        ["prefix-delegation", "one-address"]
    } else {
        ["one-address", "prefix-delegation"]
    }
}

/// A variable that the spec sets for the VPC CNI.
fn env(context: &Context<'_>, name: &str) -> Option<String> {
    let variables = context.state.items("networking.amazonVPC.env").iter();
    variables
        .filter(|variable| variable["name"] == name)
        .find_map(|variable| variable["value"].as_str())
        .map(str::to_owned)
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let subject = context.cluster().subject();
    endpoints(context, draft);
    let mut network = KubernetesNetworkConfig::default();
    if is_ipv6(context) {
        network.ip_family = Some(IpFamily::IPv6);
    } else if let Some((block, Ok(()))) = service_block(context) {
        network.service_ipv4_cidr = Some(block.to_string());
    }
    if network != KubernetesNetworkConfig::default() {
        draft.config.kubernetes_network_config = Some(network);
    }
    let Some((name, enforces)) = provider(context) else { return };
    // A provider without settings is a field of the spec, and told there.
    let pointer = context.pointer(&format!("networking.{name}"));
    let has_settings =
        context.cluster().at(&format!("networking.{name}")).as_object().is_some_and(|it| !it.is_empty());
    if has_settings {
        let source = "EKS User Guide, VPC CNI; vpc-cni#2928";
        draft.verdicts.push(context.verdict(
            &subject,
            &pointer,
            PROVIDER,
            source,
            provider_ruling(context, name),
        ));
    }
    if keeps_provider(context) {
        draft.notes.push(format!(
            "deliver {name} to the new cluster by an Application before its nodes join: without a pod network they stay NotReady"
        ));
        return;
    }
    if enforces {
        let says = "NetworkPolicies are enforced by vpc-cni (enableNetworkPolicy), for pods that a controller owns; until a \
                    policy reaches a new pod's node, its traffic is allowed";
        let source = "VPC CNI, network policy; vpc-cni#3068, aws-network-policy-agent#271";
        let ruling = Ruling::warning(says).to("addons[vpc-cni].configurationValues.enableNetworkPolicy");
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        draft.verdicts.push(context.verdict(&subject, parent, "kops.network.policy", source, ruling));
    }
    if name != "amazonVPC" && !is_ipv6(context) {
        let says = "kops allows 110 pods on every node; with vpc-cni the network interfaces of the instance type decide (29 on \
                    m5.large)";
        let ways = offers(density_ways(context).map(|way| match way {
            "one-address" => {
                offer(way, "one address at a time: fewer pods for each node, no free /28 blocks needed")
            }
            way => offer(way, "nodes of Nitro types take prefixes of 16 addresses and hold 110 pods or more"),
        }));
        let source = "VPC CNI, docs/prefix-and-ip-target.md and misc/eni-max-pods.txt";
        let ruling = Ruling::choice(says, ways).to("addons[vpc-cni].configurationValues.env");
        draft.verdicts.push(context.verdict(&subject, "", DENSITY, source, ruling));
    }
}

fn endpoints(context: &Context<'_>, draft: &mut Draft) {
    let internal = is_internal(context);
    let allowed = allowed(context);
    let entries = context.state.items("api.access").len();
    let blind = entries > 0 && allowed.is_empty() && !internal && !subnets::is_new(context);
    if blind || (entries > 0 && allowed.is_empty() && !internal) {
        // EKS takes an empty list as everybody, which is the opposite of what the spec says.
        let says = "who may reach the API server is told by entries that EKS cannot have, and without any the whole internet may; \
                    give the addresses of the prefix lists by the facts";
        let ways = offers([offer("private", "the endpoint is reached from within the VPC only")]);
        let at = context.pointer("api.access");
        let source = "EKS API, VpcConfigRequest.publicAccessCidrs";
        let subject = context.cluster().subject();
        draft.verdicts.push(context.verdict(&subject, &at, ACCESS, source, Ruling::blocker(says, ways)));
    }
    let at = context.pointer("api.access");
    let closed = internal
        || (entries > 0
            && allowed.is_empty()
            && context.chosen(ACCESS, &context.cluster().subject(), &at) == Some("private"));
    if entries > 0 && allowed.is_empty() && !closed {
        draft.is_broken = true;
    }
    let groups =
        context.state.items("api.loadBalancer.additionalSecurityGroups").iter().filter_map(Value::as_str);
    let groups: Vec<String> = groups.filter(|id| id.starts_with("sg-")).map(str::to_owned).collect();
    let is_new = subnets::is_new(context);
    let vpc = draft.config.vpc.get_or_insert_default();
    vpc.cluster_endpoints =
        Some(ClusterEndpoints { private_access: Some(true), public_access: Some(!closed) });
    if closed {
        // Within the VPC everybody may; what else may is told by rules of the control plane's security group.
        let everybody = ["0.0.0.0/0", "::/0"];
        let some = allowed.into_iter().filter(|block| !everybody.contains(&block.as_str()));
        (vpc.extra_ipv6_cidrs, vpc.extra_cidrs) = some.partition(|block| block.contains(':'));
    } else if is_ipv6(context) || !allowed.iter().any(|block| block == "0.0.0.0/0") {
        vpc.public_access_cidrs = allowed;
    }
    if !is_new {
        vpc.control_plane_security_group_ids = groups;
    }
}

/// What becomes of Services' addresses.
pub(in super::super) fn service_ruling(context: &Context<'_>) -> Ruling {
    match service_block(context) {
        Some((_, Ok(()))) => {
            Ruling::mapped("Services have addresses of the same block, though each has another one")
                .to("kubernetesNetworkConfig.serviceIPv4CIDR")
        }
        Some((block, Err(because))) => Ruling::warning(format!(
            "Services get other addresses than those of {block}, for {because}; whatever names a ClusterIP has to name the Service"
        )),
        None if wants_ipv6(context) => {
            Ruling::warning("EKS chooses the addresses of Services in IPv6 clusters")
        }
        None => {
            Ruling::blocker("it is no block of addresses", accepted("EKS chooses the addresses of Services"))
        }
    }
}
