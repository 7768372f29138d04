//! InstanceGroups become managed node groups.

use super::instances::{self, Capacity, Sizes, capacity};
use super::labels::SPOT;
use super::marks;
use super::names::node_group_name;
use super::subnets::{self, Planned};
use super::{Context, Draft, access, iam, identity, network, node_defaults};
use crate::migrate::assess::rule::{Ruling, offer, offers};
use crate::model::cluster_config::{
    ManagedNodeGroup, NodeGroup, NodeGroupBase, NodeGroupIam, NodeGroupInstancesDistribution,
    NodeGroupNodeRepairConfig, NodeGroupSecurityGroups, NodeGroupSsh, NodeGroupUpdateConfig, VolumeMapping,
    VolumeType, is_policy_arn,
};
use crate::model::kops::{Role, Spec};
use std::collections::{BTreeMap, BTreeSet};

/// The role of a group that had an instance profile of its own.
pub(in super::super) const PROFILE: &str = "kops.group.profile";
/// How people log in to nodes.
pub(in super::super) const SSH: &str = "kops.identity.ssh-key";
/// What becomes of load balancers that a group is registered with.
pub(in super::super) const LOAD_BALANCERS: &str = "kops.group.load-balancers";
/// Policies of a node's role where the config names any (eksctl's default ones).
const NODE_POLICIES: [&str; 3] =
    ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore"];
/// The one by which the VPC CNI gives pods their addresses, unless it has a role of its own by the OIDC provider.
const CNI_POLICY: &str = "AmazonEKS_CNI_Policy";

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let mut names = BTreeSet::new();
    for group in &context.state.groups {
        match group.role() {
            Role::Node if instances::is_node_group(context, group) => one(context, group, &mut names, draft),
            Role::Node => draft.notes.push(format!(
                "InstanceGroup {} stays Karpenter's: write a NodePool and an EC2NodeClass for it in the new cluster",
                group.name
            )),
            _ => {}
        }
    }
}

fn one(context: &Context<'_>, group: &Spec, names: &mut BTreeSet<String>, draft: &mut Draft) {
    if !instances::names_types(group) {
        let ways = offers([offer("m5.large", "m5.large"), offer("<type>", "that instance type")]);
        let says = "the group names no instance type, since Karpenter chose among all";
        let source = "EKS API, CreateNodegroup.instanceTypes";
        let ruling = Ruling::choice(says, ways).to("managedNodeGroups[].instanceTypes");
        draft.verdicts.push(context.verdict(&group.subject(), "", instances::TYPE, source, ruling));
    }
    let base = base(context, group, draft);
    node_defaults::tell(context, group, draft);
    let sizes = instances::sizes(context, group);
    let types = instances::types(context, group);
    let mut managed = |name: &str, spot: bool, sizes: Sizes, draft: &mut Draft| {
        let name = unique(name, names);
        warm_pool(context, group, &name, draft);
        let mut base = sized(NodeGroupBase { name, ..base.clone() }, sizes);
        if spot {
            base.labels.insert(SPOT.to_owned(), "true".to_owned());
        }
        draft.config.managed_node_groups.push(ManagedNodeGroup {
            base,
            instance_types: types.clone(),
            spot: spot.then_some(true),
            node_repair_config: (context.state.flag("nodeProblemDetector.enabled") == Some(true)).then(
                || NodeGroupNodeRepairConfig { enabled: Some(true), ..NodeGroupNodeRepairConfig::default() },
            ),
            ..ManagedNodeGroup::default()
        });
    };
    let own = is_own(context, group);
    match capacity(group) {
        _ if own => self_managed(context, group, &base, sizes, types, names, draft),
        Capacity::OnDemand => managed(&group.name, false, sizes, draft),
        Capacity::Spot => managed(&group.name, true, sizes, draft),
        Capacity::Mixed { base: first, percent } => {
            let (on_demand, spot) = sizes.split(first, percent);
            managed(&format!("{}-on-demand", group.name), false, on_demand, draft);
            managed(&format!("{}-spot", group.name), true, spot, draft);
        }
    }
}

/// Whether a group needs settings that only an Auto Scaling group of our own has, and they were chosen.
fn is_own(context: &Context<'_>, group: &Spec) -> bool {
    let subject = group.subject();
    let mixed = matches!(capacity(group), Capacity::Mixed { .. })
        && context.way(instances::MIXED, &subject, &mixed_pointer(group), &["split", "self-managed"])
            == "self-managed";
    let balancers =
        group.fields.iter().filter(|field| field.path.to_string().starts_with("spec.externalLoadBalancers"));
    let ways = ["target-group-binding", "self-managed"];
    let mut registered =
        balancers.map(|field| context.way(LOAD_BALANCERS, &subject, &field.pointer, &ways) == "self-managed");
    let registered = registered.any(|own| own);
    (mixed || registered) && !network::is_ipv6(context)
}

/// Where a group says how its instances are mixed.
pub(in super::super) fn mixed_pointer(group: &Spec) -> String {
    let field = if group.at("mixedInstancesPolicy")["onDemandAboveBase"].is_null() {
        "onDemandBase"
    } else {
        "onDemandAboveBase"
    };
    instances::pointer(group, &format!("mixedInstancesPolicy.{field}"))
}

fn self_managed(
    context: &Context<'_>,
    group: &Spec,
    base: &NodeGroupBase,
    sizes: Sizes,
    types: Vec<String>,
    names: &mut BTreeSet<String>,
    draft: &mut Draft,
) {
    let (first, percent) = match capacity(group) {
        Capacity::OnDemand => (0, 100),
        Capacity::Spot => (0, 0),
        Capacity::Mixed { base, percent } => (base, percent),
    };
    let text = |path: &str| group.text(path).map(str::to_owned);
    let strategy = text("mixedInstancesPolicy.spotAllocationStrategy");
    let pools = group.number("mixedInstancesPolicy.spotInstancePools").and_then(|n| u32::try_from(n).ok());
    let name = unique(&group.name, names);
    let mut registered = group.items("externalLoadBalancers").iter();
    let names_of = |field: &str, all: &mut dyn Iterator<Item = &serde_json::Value>| -> Vec<String> {
        all.filter_map(|item| item[field].as_str()).map(str::to_owned).collect()
    };
    let classic = names_of("loadBalancerName", &mut registered.clone());
    let targets = names_of("targetGroupARN", &mut registered);
    draft.config.node_groups.push(NodeGroup {
        base: sized(NodeGroupBase { name, ..base.clone() }, sizes),
        instances_distribution: Some(NodeGroupInstancesDistribution {
            instance_types: types,
            max_price: text("maxPrice").and_then(|price| price.parse().ok()).filter(|price| *price > 0.0),
            on_demand_base_capacity: Some(first),
            on_demand_percentage_above_base_capacity: Some(percent),
            spot_instance_pools: pools
                .filter(|_| strategy.as_deref().is_none_or(|strategy| strategy == "lowest-price")),
            spot_allocation_strategy: strategy,
            capacity_rebalance: group.flag("capacityRebalance"),
        }),
        asg_suspend_processes: group.texts("suspendProcesses").map(str::to_owned).collect(),
        classic_load_balancer_names: classic,
        target_group_arns: targets,
        cpu_credits: text("cpuCredits"),
        propagate_asg_tags: (context.state.flag("clusterAutoscaler.enabled") == Some(true)).then_some(true),
        ..NodeGroup::default()
    });
}

fn unique(name: &str, names: &mut BTreeSet<String>) -> String {
    let name = node_group_name(name);
    let mut candidate = name.clone();
    let mut nth = 2;
    while !names.insert(candidate.clone()) {
        let most = name.len().min(59);
        candidate = format!("{}-{nth}", &name[..most]);
        nth += 1;
    }
    candidate
}

fn sized(mut base: NodeGroupBase, sizes: Sizes) -> NodeGroupBase {
    base.min_size = Some(sizes.min);
    base.desired_capacity = Some(sizes.desired);
    base.max_size = Some(sizes.max);
    base
}

fn base(context: &Context<'_>, group: &Spec, draft: &mut Draft) -> NodeGroupBase {
    let mut base = NodeGroupBase {
        ami_family: Some(instances::family(context, group)),
        labels: marks::labels(context, group),
        taints: marks::taints(context, group),
        tags: tags(group),
        iam: role(context, group, draft),
        ..NodeGroupBase::default()
    };
    place(context, group, &mut base);
    volumes(context, group, &mut base);
    let attach_ids: Vec<String> = group
        .texts("additionalSecurityGroups")
        .filter(|id| id.starts_with("sg-"))
        .map(str::to_owned)
        .collect();
    if !attach_ids.is_empty() && !subnets::is_new(context) {
        base.security_groups =
            Some(NodeGroupSecurityGroups { attach_ids, ..NodeGroupSecurityGroups::default() });
    }
    let key = context.cluster().text("sshKeyName");
    if let Some(key) = key.filter(|_| {
        context.way(SSH, &context.cluster().subject(), &context.pointer("sshKeyName"), &["ssm", "key"])
            == "key"
    }) {
        base.ssh = Some(NodeGroupSsh {
            allow: Some(true),
            public_key_name: Some(key.to_owned()),
            ..NodeGroupSsh::default()
        });
    }
    base.enable_detailed_monitoring = group.flag("detailedInstanceMonitoring");
    if let Some(metadata) = node_defaults::metadata(context, group) {
        base.disable_imdsv1 = Some(metadata.tokens);
        base.disable_pod_imds = metadata.hidden.then_some(true);
    }
    let most = group.number("kubelet.maxPods").or_else(|| context.cluster().number("kubelet.maxPods"));
    base.max_pods_per_node =
        most.and_then(|most| u32::try_from(most).ok()).filter(|most| (1..=737).contains(most));
    base.update_config = update(group).or_else(|| update(context.cluster()));
    base
}

fn tags(group: &Spec) -> BTreeMap<String, String> {
    let pairs = group.at("cloudLabels").as_object().into_iter().flatten();
    let pairs = pairs
        .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    pairs.filter(|(key, value)| identity::unfit_tag(key, value).is_none()).take(45).collect()
}

/// The role behind a group's own instance profile: by the facts, or chosen.
pub(in super::super) fn profile_role(context: &Context<'_>, group: &Spec) -> Option<String> {
    let profile = group.text("iam.profile")?;
    let chosen = context.chosen(PROFILE, &group.subject(), &instances::pointer(group, "iam.profile"));
    match chosen {
        Some("new-role") => return None,
        Some(arn) if arn.starts_with("arn:") => return Some(arn.to_owned()),
        _ => {}
    }
    let name = profile.rsplit('/').next().unwrap_or(profile);
    context
        .facts
        .instance_profiles
        .get(profile)
        .or_else(|| context.facts.instance_profiles.get(name))
        .cloned()
}

fn role(context: &Context<'_>, group: &Spec, draft: &Draft) -> Option<NodeGroupIam> {
    if let Some(arn) = profile_role(context, group) {
        return Some(NodeGroupIam { instance_role_arn: Some(arn), ..NodeGroupIam::default() });
    }
    let external: Vec<String> = context
        .cluster()
        .texts("externalPolicies.node")
        .filter(|arn| is_policy_arn(arn))
        .map(str::to_owned)
        .collect();
    let mut role = NodeGroupIam {
        instance_role_permissions_boundary: iam::boundary(context),
        attach_policy: context.cluster().text("additionalPolicies.node").and_then(iam::policy),
        ..NodeGroupIam::default()
    };
    if !external.is_empty() {
        let partition = access::partition(&draft.config.metadata.region);
        let has_oidc = draft.config.iam.as_ref().is_some_and(|iam| iam.with_oidc == Some(true));
        let of_cni = (!has_oidc && !network::keeps_provider(context)).then_some(CNI_POLICY);
        let own = NODE_POLICIES.into_iter().chain(of_cni);
        let own = own.map(|name| format!("arn:{partition}:iam::aws:policy/{name}"));
        let mut seen = BTreeSet::new();
        role.attach_policy_arns = own.chain(external).filter(|arn| seen.insert(arn.clone())).collect();
    }
    (role != NodeGroupIam::default()).then_some(role)
}

/// Where the nodes are.
fn place(context: &Context<'_>, group: &Spec, base: &mut NodeGroupBase) {
    let planned = subnets::planned(context);
    let of_group = subnets_of(group, &planned);
    let all_private = !of_group.is_empty() && of_group.iter().all(|subnet| !subnet.public);
    base.private_networking = all_private.then_some(true);
    if subnets::is_new(context) {
        let zones: BTreeSet<&String> = of_group.iter().map(|subnet| &subnet.zone).collect();
        let cluster = subnets::new_zones(context);
        if zones.iter().all(|zone| cluster.contains(zone)) && zones.len() < cluster.len() {
            base.availability_zones = zones.into_iter().cloned().collect();
        }
        return;
    }
    // EKS makes no managed nodes in local zones; where a group has other subnets, it does without these.
    let is_regional = |subnet: &&&Planned| !identity::is_local_zone(&subnet.zone);
    let regional: Vec<String> =
        of_group.iter().filter(is_regional).map(|subnet| subnet.name.clone()).collect();
    let all = || of_group.iter().map(|subnet| subnet.name.clone()).collect();
    base.subnets = if regional.is_empty() { all() } else { regional };
}

/// Subnets of a group: those that it names, by name or (as once) by zone; where it names none, those that kops takes for
/// nodes (`populate_instancegroup_spec.go`): all but ones for load balancers, and ones of both families at last. In the
/// place of one with IPv6 addresses alone are those of both families in its zone.
pub(in super::super) fn subnets_of<'a>(group: &Spec, planned: &'a [Planned]) -> Vec<&'a Planned> {
    let mut seen = BTreeSet::new();
    let named: Vec<&str> = group.texts("subnets").collect();
    let zones: Vec<&str> = group.texts("zones").collect();
    let least = planned.iter().map(|subnet| subnet.reserve).min();
    let fits = |subnet: &&Planned| match (named.is_empty(), zones.is_empty()) {
        (false, _) => named.contains(&subnet.name.as_str()),
        (true, false) => zones.contains(&subnet.zone.as_str()),
        (true, true) => Some(subnet.reserve) == least,
    };
    let instead = |subnet: &'a Planned| {
        let fits = move |other: &&Planned| match subnet.only_ipv6 {
            true => other.zone == subnet.zone && !other.only_ipv6 && !other.public,
            false => other.name == subnet.name,
        };
        planned.iter().filter(fits)
    };
    planned.iter().filter(fits).flat_map(instead).filter(|subnet| seen.insert(subnet.name.as_str())).collect()
}

fn volumes(context: &Context<'_>, group: &Spec, base: &mut NodeGroupBase) {
    let encrypts = node_defaults::encrypts(context).then_some(true);
    let number = |path: &str| group.number(path).and_then(|number| u32::try_from(number).ok());
    let kind = group.text("rootVolume.type").and_then(instances::volume_type);
    let size = number("rootVolume.size").filter(|size| (1..=65536).contains(size));
    base.volume_size = size.or(Some(node_defaults::VOLUME_SIZE));
    base.volume_type = kind;
    base.volume_iops =
        number("rootVolume.iops").and_then(|iops| fitting_iops(kind.unwrap_or_default(), iops));
    if kind == Some(VolumeType::Io2) && base.volume_iops.is_none() {
        base.volume_iops = Some(100);
    }
    if kind.unwrap_or_default() == VolumeType::Gp3 {
        base.volume_throughput = number("rootVolume.throughput").filter(|speed| (125..=2000).contains(speed));
    }
    // kops takes the key together with the switch alone.
    let on = group.flag("rootVolume.encryption");
    base.volume_kms_key_id =
        group.text("rootVolume.encryptionKey").filter(|_| on == Some(true)).map(str::to_owned);
    base.volume_encrypted = on.or(encrypts);
    base.ebs_optimized = group.flag("rootVolume.optimization");
    let mut seen = BTreeSet::new();
    for volume in group.items("volumes") {
        let number = |field: &str| volume[field].as_u64().and_then(|number| u32::try_from(number).ok());
        let Some(device) = volume["device"].as_str().filter(|device| seen.insert(device.to_owned())) else {
            continue;
        };
        let kind = volume["type"].as_str().and_then(instances::volume_type);
        let key = volume["key"].as_str().map(str::to_owned);
        let least = if matches!(kind, Some(VolumeType::Sc1 | VolumeType::St1)) { 125 } else { 1 };
        base.additional_volumes.push(VolumeMapping {
            volume_name: Some(device.to_owned()),
            volume_size: number("size").map(|size| size.clamp(least, 65536)),
            volume_type: kind,
            volume_iops: number("iops")
                .and_then(|iops| fitting_iops(kind.unwrap_or_default(), iops))
                .or((kind == Some(VolumeType::Io2)).then_some(100)),
            volume_throughput: number("throughput")
                .filter(|speed| kind.unwrap_or_default() == VolumeType::Gp3 && (125..=2000).contains(speed)),
            volume_encrypted: if key.is_some() {
                Some(true)
            } else {
                volume["encrypted"].as_bool().or(encrypts)
            },
            volume_kms_key_id: key,
            snapshot_id: None,
        });
    }
}

/// Operations a second as EC2 takes them for a type of volume.
pub(in super::super) fn fitting_iops(kind: VolumeType, iops: u32) -> Option<u32> {
    match kind {
        VolumeType::Gp3 => Some(iops.clamp(3000, 80_000)),
        VolumeType::Io1 => Some(iops.clamp(100, 64_000)),
        VolumeType::Io2 => Some(iops.clamp(100, 256_000)),
        VolumeType::Gp2 | VolumeType::Sc1 | VolumeType::St1 => None,
    }
}

/// How many nodes an update replaces at a time.
pub(in super::super) fn update(spec: &Spec) -> Option<NodeGroupUpdateConfig> {
    let value = spec.at("rollingUpdate.maxUnavailable");
    let percent = value.as_str().and_then(|text| text.strip_suffix('%'));
    let number = match percent {
        Some(percent) => percent.parse().ok(),
        None => value.as_u64().or_else(|| value.as_str()?.parse().ok()).and_then(|n| u32::try_from(n).ok()),
    };
    let number: u32 = number.filter(|number| (1..=100).contains(number))?;
    Some(match percent {
        Some(_) => NodeGroupUpdateConfig { max_unavailable_percentage: Some(number), ..Default::default() },
        None => NodeGroupUpdateConfig { max_unavailable: Some(number), ..Default::default() },
    })
}

/// A warm pool has its place in the Cluster document, for eksctl has no word for it.
fn warm_pool(context: &Context<'_>, group: &Spec, name: &str, draft: &mut Draft) {
    let own = group.at("warmPool");
    let pool = if own.is_object() { own } else { context.state.at("cloudProvider.aws.warmPool") };
    if !pool.is_object() || pool["maxSize"].as_u64() == Some(0) {
        return;
    }
    let least = pool["minSize"].as_u64().unwrap_or(0);
    let most = pool["maxSize"]
        .as_u64()
        .map(|most| format!(", maxGroupPreparedCapacity: {most}"))
        .unwrap_or_default();
    draft.notes.push(format!(
        "put the warm pool of {name} into the Cluster document: eks.nodeGroups.{name}.warmPool: {{minSize: {least}{most}}}"
    ));
}
