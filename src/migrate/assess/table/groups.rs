//! Fields of InstanceGroups.

use super::KOPS;
use super::identity::default_or;
use crate::migrate::assess::context::Context;
use crate::migrate::assess::rule::{
    Rule, Ruling, Set, accepted, choice, irrelevant, mapped, offer, offers, warning,
};
use crate::migrate::assess::translate::groups::{LOAD_BALANCERS, PROFILE, profile_role, subnets_of};
use crate::migrate::assess::translate::identity::{is_local_zone, unfit_tag};
use crate::migrate::assess::translate::instances::{
    self, Capacity, IMAGE, MANAGER, MIXED, capacity, family_of_image, volume_type,
};
use crate::migrate::assess::translate::labels::{LabelFate, node_label, node_label_value};
use crate::migrate::assess::translate::marks::{self, taint};
use crate::migrate::assess::translate::{groups, subnets};
use crate::migrate::verdict::Level;
use crate::model::kops::Kind::InstanceGroup;
use crate::model::kops::Role;

const TEMPLATE: &str = "EC2 API, CreateLaunchTemplate";
const SCALING: &str = "EKS API, NodegroupScalingConfig";
const SPOT: &str = "EKS User Guide, managed node groups (Spot)";
const MIXED_SOURCE: &str = "EKS API, CreateNodegroup.capacityType";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.group.role", &["spec.role"], KOPS, "").of(InstanceGroup).by(|_, set| match set.spec.role() {
        Role::Node => Ruling::mapped("a managed node group").to("managedNodeGroups[]"),
        Role::ControlPlane => Ruling::irrelevant("EKS runs the control plane; pods that are bound to its nodes need another home"),
        Role::Bastion => Ruling::warning("the bastion is kops' and goes with it: log in by AWS Systems Manager, or keep a bastion of your own"),
        Role::Other(name) => Ruling::blocker(format!("kops has no role `{name}`"), accepted("the group is left out")),
    }),
    choice(MANAGER, &["spec.manager"], "Karpenter, NodePool and EC2NodeClass", "").of(InstanceGroup).by(|_, set| {
        if set.field.text() != "Karpenter" {
            return Ruling::irrelevant("an Auto Scaling group, as by default");
        }
        let ways = offers([
            offer("node-group", "a managed node group of its sizes, which the pods find until Karpenter's pools are there"),
            offer("karpenter", "no node group: Karpenter's pools are written anew"),
        ]);
        Ruling::choice("Karpenter ran the group's nodes", ways)
    }),
    mapped(instances::TYPE, &["spec.machineType"], "EKS API, CreateNodegroup.instanceTypes", "").of(InstanceGroup).to("managedNodeGroups[].instanceTypes").by(machine_type),
    mapped(instances::TYPES, &["spec.mixedInstancesPolicy.instances[]"], "EKS API, CreateNodegroup.instanceTypes", "one of the group's instance types")
        .of(InstanceGroup)
        .to("managedNodeGroups[].instanceTypes")
        .by(|context, set| {
            if set.field.path.0.last() >= Some(&crate::model::kops::Step::Index(instances::MOST_TYPES)) {
                return Ruling::warning("EKS takes 20 types for a group; this one is left out");
            }
            known_type(context, &set.field.text())
        }),
    choice("kops.group.requirements", &["spec.mixedInstancesPolicy.instanceRequirements.**"], "EKS API, CreateNodegroup (no attributes of instances)", "")
        .of(InstanceGroup)
        .to("managedNodeGroups[].instanceTypes")
        .by(|_, _| {
            let ways = offers([offer("types", "the types that the group names, or m5.large"), offer("karpenter", "Karpenter, which chooses by requirements")]);
            Ruling::choice("managed node groups take instance types by name, and no requirements", ways)
        }),
    choice(MIXED, &["spec.mixedInstancesPolicy.onDemandBase", "spec.mixedInstancesPolicy.onDemandAboveBase"], MIXED_SOURCE, "").of(InstanceGroup).by(|_, set| {
        match capacity(set.spec) {
            Capacity::OnDemand => Ruling::mapped("every instance on demand"),
            Capacity::Spot => Ruling::mapped("every instance on spot").to("managedNodeGroups[].spot"),
            Capacity::Mixed { base, percent } => {
                let ways = offers([
                    offer("split", "two managed node groups, one on demand and one on spot, together as large"),
                    offer("self-managed", "one Auto Scaling group of our own, mixed as it was"),
                ]);
                let says = format!("{base} instances and {percent} % of the others are on demand; a managed node group is one or the other");
                Ruling::choice(says, ways).to("managedNodeGroups[], nodeGroups[].instancesDistribution")
            }
        }
    }),
    warning("kops.group.spot-strategy", &["spec.mixedInstancesPolicy.spotAllocationStrategy", "spec.mixedInstancesPolicy.spotInstancePools", "spec.mixedInstancesPolicy.onDemandAllocationStrategy"], SPOT, "managed node groups choose spot pools by price and capacity themselves")
        .of(InstanceGroup),
    irrelevant("kops.group.empty", &["spec.mixedInstancesPolicy", "spec.nodeLabels", "spec.taints", "spec.subnets", "spec.zones", "spec.cloudLabels", "spec", "spec.rootVolume"], KOPS, "it says nothing").of(InstanceGroup),
    irrelevant("kops.document.empty", &["spec"], KOPS, "it says nothing"),
    warning("kops.group.max-price", &["spec.maxPrice"], SPOT, "spot instances of managed node groups cost up to the on-demand price").of(InstanceGroup).to("managedNodeGroups[].spot"),
    warning("kops.group.spot-duration", &["spec.spotDurationInMinutes", "spec.instanceInterruptionBehavior"], SPOT, "EC2 and EKS have no such setting any more").of(InstanceGroup),
    mapped("kops.group.size", &["spec.minSize", "spec.maxSize"], SCALING, "").of(InstanceGroup).to("managedNodeGroups[].minSize, maxSize, desiredCapacity").by(|context, set| {
        let sizes = instances::sizes(context, set.spec);
        let live = if context.facts.groups.contains_key(&set.spec.name) { "as are now" } else { "the fewest, as nobody says how many there are" };
        if set.spec.number("maxSize") == Some(0) {
            return Ruling::warning("EKS takes no group of at most 0 nodes: 1 at most, and none wanted");
        }
        Ruling::mapped(format!("{} to {} nodes, {} wanted ({live})", sizes.min, sizes.max, sizes.desired))
    }),
    warning("kops.group.autoscale", &["spec.autoscale", "spec.autoscalePriority"], "Cluster Autoscaler on AWS", "which groups are scaled, and in which order, is told by tags and by the priority expander's ConfigMap").of(InstanceGroup).by(|_, set| {
        if set.field.text() == "true" { Ruling::mapped("the Cluster Autoscaler finds managed node groups by itself") } else { Ruling::as_written() }
    }),
    choice(IMAGE, &["spec.image"], "EKS API, AMITypes; EKS User Guide, end of Amazon Linux 2", "").of(InstanceGroup).to("managedNodeGroups[].amiFamily").by(|_, set| {
        if let Some(family) = family_of_image(&set.field.text()) {
            return Ruling::mapped(format!("EKS's image of the same family: {family:?}"));
        }
        let ways = offers([
            offer("AmazonLinux2023", "EKS's Amazon Linux 2023"),
            offer("Bottlerocket", "Bottlerocket, which has no shell and no packages"),
        ]);
        Ruling::choice("an image of kops does not join an EKS cluster", ways)
    }),
    mapped("kops.group.volume", &["spec.rootVolume.size", "spec.rootVolume.encryption", "spec.rootVolume.encryptionKey", "spec.rootVolume.throughput"], TEMPLATE, "the same root volume")
        .of(InstanceGroup)
        .to("managedNodeGroups[].volumeSize, volumeEncrypted, volumeKmsKeyID, volumeThroughput"),
    mapped("kops.group.volume-optimized", &["spec.rootVolume.optimization"], TEMPLATE, "instances optimised for EBS").of(InstanceGroup).to("managedNodeGroups[].ebsOptimized"),
    mapped("kops.group.volume-type", &["spec.rootVolume.type"], TEMPLATE, "the same type").of(InstanceGroup).to("managedNodeGroups[].volumeType").by(|_, set| {
        if volume_type(&set.field.text()).is_some() { Ruling::as_written() } else { Ruling::warning("EC2 has no such volumes any more; gp3 takes its place") }
    }),
    mapped("kops.group.volume-iops", &["spec.rootVolume.iops"], TEMPLATE, "as many operations").of(InstanceGroup).to("managedNodeGroups[].volumeIOPS").by(|_, set| {
        let kind = set.spec.text("rootVolume.type").and_then(volume_type).unwrap_or_default();
        let iops = set.field.value.as_u64().and_then(|iops| u32::try_from(iops).ok());
        match iops.and_then(|iops| groups::fitting_iops(kind, iops)) {
            Some(fitting) if Some(fitting) == iops => Ruling::as_written(),
            Some(fitting) => Ruling::warning(format!("such volumes take another number: {fitting}")),
            None => Ruling::irrelevant("such volumes have operations by their size"),
        }
    }),
    warning("kops.group.volume-kept", &["spec.rootVolume.deleteOnTermination"], TEMPLATE, "EKS deletes root volumes with their instances").of(InstanceGroup).by(|_, set| {
        if set.field.text() == "true" { Ruling::irrelevant("EKS does the same") } else { Ruling::as_written() }
    }),
    mapped("kops.group.more-volumes", &["spec.volumes[].*"], TEMPLATE, "the same further volume").of(InstanceGroup).to("managedNodeGroups[].additionalVolumes").by(|_, set| {
        match (set.field.path.last_key(), set.field.text().as_str()) {
            ("deleteOnTermination", "false") => Ruling::warning("volumes of nodes go with their instances"),
            ("deleteOnTermination", _) => Ruling::irrelevant("volumes of nodes go with their instances"),
            _ => Ruling::as_written(),
        }
    }),
    warning("kops.group.mounts", &["spec.volumeMounts[].**"], "EKS User Guide, launch templates (user data)", "the volume is there, and nothing formats and mounts it: put that into preBootstrapCommands").of(InstanceGroup).to("managedNodeGroups[].preBootstrapCommands"),
    mapped("kops.group.subnets", &["spec.subnets[]", "spec.zones[]"], "EKS API, CreateNodegroup.subnets", "").of(InstanceGroup).to("managedNodeGroups[].subnets").by(|context, set| {
        let planned = subnets::planned(context);
        let name = set.field.text();
        let by_zone = set.field.path.to_string().starts_with("spec.zones");
        let is_it = |subnet: &&subnets::Planned| if by_zone { subnet.zone == name } else { subnet.name == name };
        if !planned.iter().any(|subnet| is_it(&subnet)) {
            return Ruling::blocker(format!("the cluster has no subnet `{name}`"), accepted("the group does without it"));
        }
        let of_group = subnets_of(set.spec, &planned);
        if let Some(bare) = planned.iter().filter(is_it).find(|subnet| subnet.only_ipv6) {
            let says = "EKS takes no subnet with IPv6 addresses alone";
            let names: Vec<&str> = of_group.iter().filter(|other| other.zone == bare.zone).map(|other| other.name.as_str()).collect();
            return if names.is_empty() {
                Ruling::blocker(format!("{says}, and its zone has no private one of both families: make one"), accepted("the group does without the zone"))
            } else {
                Ruling::warning(format!("{says}: the group's nodes are in {} of the same zone", names.join(", ")))
            };
        }
        if planned.iter().filter(is_it).any(|subnet| is_local_zone(&subnet.zone)) {
            let others = of_group.iter().any(|subnet| !is_local_zone(&subnet.zone));
            let says = "EKS makes no managed nodes in a local zone";
            return if others {
                Ruling::warning(format!("{says}: the group does without this subnet; nodes there need a self-managed group or Karpenter"))
            } else {
                Ruling::blocker(format!("{says}, and the group has no other subnet: give it one, or run its nodes by Karpenter"), accepted("the group is looked after by hand"))
            };
        }
        let private = of_group.iter().filter(|subnet| !subnet.public).count();
        if private > 0 && private < of_group.len() {
            return Ruling::warning("the group has public and private subnets: nodes in public ones need public addresses");
        }
        Ruling::mapped("the same subnet")
    }),
    warning("kops.group.public-address", &["spec.associatePublicIP"], "EKS User Guide, managed node groups (public subnets)", "").of(InstanceGroup).by(|context, set| {
        let planned = subnets::planned(context);
        let public = subnets_of(set.spec, &planned).iter().any(|subnet| subnet.public);
        match (set.field.text() == "true", public) {
            (true, true) => Ruling::warning("whether nodes get public addresses is the subnet's to say: MapPublicIpOnLaunch has to be on"),
            (true, false) => Ruling::irrelevant("nodes in private subnets have no public addresses"),
            (false, true) => Ruling::warning("nodes in public subnets need public addresses, or NAT: put the group into private subnets"),
            (false, false) => Ruling::irrelevant("nodes in private subnets have none"),
        }
    }),
    mapped("kops.group.security-groups", &["spec.additionalSecurityGroups[]"], "EC2 API, CreateLaunchTemplate; EKS adds its cluster security group", "the same further security group").of(InstanceGroup).to("managedNodeGroups[].securityGroups.attachIDs").by(|context, set| {
        if !set.field.text().starts_with("sg-") {
            return Ruling::warning("it is no id of a security group, and is left out");
        }
        if subnets::is_new(context) { Ruling::warning("it belongs to the old VPC, and is left out of the new one") } else { Ruling::as_written() }
    }),
    warning("kops.group.security-group-override", &["spec.securityGroupOverride"], "EKS User Guide, cluster security group", "nodes are in EKS's cluster security group: rules that name the old group (databases, caches) have to name that too").of(InstanceGroup),
    mapped("kops.group.tags", &["spec.cloudLabels.*"], "AWS, tags", "a tag of the group and its instances").of(InstanceGroup).to("managedNodeGroups[].tags").by(|_, set| {
        match unfit_tag(set.field.path.last_key(), &set.field.text()) {
            Some(because) => Ruling::warning(format!("it is left out: {because}")),
            None => Ruling::as_written(),
        }
    }),
    mapped("kops.group.labels", &["spec.nodeLabels.*"], "EKS API, CreateNodegroup.labels; eksctl#4007", "the same label").of(InstanceGroup).to("managedNodeGroups[].labels").by(node_label_ruling),
    mapped("kops.group.taints", &["spec.taints[]"], "EKS API, CreateNodegroup.taints", "the same taint").of(InstanceGroup).to("managedNodeGroups[].taints").by(|_, set| {
        let Some(own) = taint(&set.field.text()) else { return taint_ruling(set) };
        let nth = set.field.path.first_index().unwrap_or_default();
        let mut earlier = set.spec.texts("taints").take(nth).filter_map(taint);
        if earlier.any(|other| (&other.key, other.effect) == (&own.key, own.effect)) {
            return Ruling::warning("a node has a key with an effect once: the one before counts, and this one is left out");
        }
        Ruling::as_written()
    }),
    mapped("kops.group.metadata-tokens", &["spec.instanceMetadata.httpTokens"], TEMPLATE, "instance metadata by tokens alone, or not, as before").of(InstanceGroup).to("managedNodeGroups[].disableIMDSv1"),
    mapped("kops.group.metadata-hops", &["spec.instanceMetadata.httpPutResponseHopLimit"], TEMPLATE, "").of(InstanceGroup).to("managedNodeGroups[].disablePodIMDS").by(|_, set| match set.field.text().as_str() {
        "1" => Ruling::mapped("pods are kept from the instance's metadata, as before"),
        "2" => Ruling::mapped("pods reach the instance's metadata, as before"),
        _ => Ruling::warning("EKS nodes have a limit of 1 or 2 hops: 2 holds"),
    }),
    mapped("kops.group.monitoring", &["spec.detailedInstanceMonitoring"], TEMPLATE, "metrics each minute, or not, as before").of(InstanceGroup).to("managedNodeGroups[].enableDetailedMonitoring"),
    warning("kops.group.tenancy", &["spec.tenancy"], TEMPLATE, "dedicated instances need a launch template of your own, named in `managedNodeGroups[].launchTemplate`").of(InstanceGroup).by(|_, set| {
        if matches!(set.field.text().as_str(), "default" | "") { Ruling::irrelevant("shared hardware, as by default") } else { Ruling::as_written() }
    }),
    warning("kops.group.credits", &["spec.cpuCredits"], TEMPLATE, "burstable instances of managed node groups have the account's default of CPU credits").of(InstanceGroup),
    irrelevant("kops.group.rebalance", &["spec.capacityRebalance", "spec.compressUserData"], SPOT, "EKS does it by itself").of(InstanceGroup),
    warning("kops.group.scaling-settings", &["spec.instanceProtection", "spec.suspendProcesses[]"], "EKS API, CreateNodegroup (EKS owns the Auto Scaling group)", "EKS owns the Auto Scaling group and needs its processes; a self-managed node group could have it").of(InstanceGroup).by(|_, set| {
        if set.field.text() == "false" { Ruling::irrelevant("it was off") } else { Ruling::as_written() }
    }),
    warning("kops.group.lifetime", &["spec.maxInstanceLifetime"], "EC2 Auto Scaling, MaxInstanceLifetime", "EKS replaces instances when their image is updated; a longest life has a self-managed node group alone").of(InstanceGroup).by(|_, set| {
        if matches!(set.field.text().as_str(), "0" | "0s" | "") { Ruling::irrelevant("there was none") } else { Ruling::as_written() }
    }),
    warning("kops.group.warm-pool", &["spec.warmPool", "spec.warmPool.*", "spec.warmPool.additionalImages[]"], "EKS API, WarmPoolConfig", "the Cluster document has a place for it: `eks.nodeGroups.NAME.warmPool`").of(InstanceGroup).to("Cluster spec.eks.nodeGroups"),
    choice(LOAD_BALANCERS, &["spec.externalLoadBalancers[].*"], "EKS API, CreateNodegroup; AWS Load Balancer Controller, TargetGroupBinding", "").of(InstanceGroup).by(|_, _| {
        let ways = offers([
            offer("target-group-binding", "a TargetGroupBinding of the Service behind it (target groups), or a Service of its own (classic load balancers)"),
            offer("self-managed", "an Auto Scaling group of our own, registered with it as before"),
        ]);
        Ruling::choice("instances were registered with a load balancer beside Kubernetes, and a managed node group is with none", ways)
    }),
    choice(PROFILE, &["spec.iam.profile"], "EKS API, CreateNodegroup.nodeRole", "").of(InstanceGroup).to("managedNodeGroups[].iam.instanceRoleARN").by(|context, set| {
        if context.chosen(PROFILE, &set.spec.subject(), &set.field.pointer).is_none() && profile_role(context, set.spec).is_some() {
            return Ruling::mapped("the role of the profile; it has to carry the policies of EKS nodes, and to outlive the old cluster");
        }
        let ways = offers([
            offer("new-role", "a new role with the policies of EKS nodes; what the profile's role may do beside is added by hand"),
            offer("<arn>", "that role, which has to carry the policies of EKS nodes"),
        ]);
        Ruling::choice("EKS takes a role and no profile, and the facts do not say which role this one has", ways)
    }),
    irrelevant("kops.group.no-profile", &["spec.iam"], KOPS, "it says nothing").of(InstanceGroup),
    warning("kops.group.other-cloud", &["spec.guestAccelerators[].*", "spec.gcpProvisioningModel"], KOPS, "").of(InstanceGroup).by(|_, _| {
        Ruling::blocker("it is about another cloud than AWS", accepted("it is a leftover, and means nothing"))
    }),
    warning("kops.group.update-policy", &["spec.updatePolicy"], KOPS, "EKS changes no node by itself: updates are commits").of(InstanceGroup).by(|_, set| default_or(set, "")),
];

/// What becomes of a node label, wherever the specs say it.
pub(super) fn node_label_ruling(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    let key = set.field.path.last_key();
    let empty = set.field.text().is_empty().then(|| {
        let all = marks::values_of(context, key);
        node_label_value("", all.iter().map(String::as_str)).to_owned()
    });
    let value = |key: &str| match &empty {
        None => format!("`{key}`"),
        Some(value) => format!("`{key}={value}`, since EKS takes no empty value"),
    };
    match node_label(key) {
        LabelFate::Keep if empty.is_none() => Ruling::as_written(),
        LabelFate::Keep => Ruling::warning(format!("the label is {}; selectors are rewritten", value(key))),
        LabelFate::Rewrite(new) if key.len() > 63 => Ruling::warning(format!(
            "EKS takes keys of up to 63 characters; the label is {}, and selectors are rewritten",
            value(&new)
        )),
        LabelFate::Rewrite(new) => Ruling::warning(format!(
            "EKS refuses labels of Kubernetes' own domains; the label is {}, and selectors are rewritten",
            value(&new)
        )),
        LabelFate::Drop(because) => Ruling::irrelevant(because),
    }
}

/// What becomes of a taint, wherever the specs say it.
pub(super) fn taint_ruling(set: &Set<'_>) -> Ruling {
    match taint(&set.field.text()) {
        Some(_) => Ruling::as_written(),
        None => Ruling::blocker(
            "it is no taint, `key=value:Effect`, that EKS takes",
            accepted("nodes do without it"),
        ),
    }
}

fn machine_type(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    if instances::lists_types(set.spec)
        && !set.spec.texts("mixedInstancesPolicy.instances").any(|name| name == set.field.text())
    {
        return Ruling::irrelevant("kops starts the types of `mixedInstancesPolicy.instances` in its place");
    }
    let names = set.field.text();
    let mut rulings = names.split(',').map(|name| known_type(context, name.trim()));
    let worst = rulings.find(|ruling| ruling.level != Some(Level::Mapped));
    worst.unwrap_or_else(|| Ruling::mapped("the same instance type"))
}

fn known_type(context: &Context<'_>, name: &str) -> Ruling {
    if context.facts.instance_types.is_empty() {
        return Ruling::mapped("the same instance type");
    }
    match context.facts.instance_types.get(name) {
        None => {
            let says = format!("the region has no instance type {name}");
            Ruling::blocker(says, vec![offer("<type>", "that instance type")])
        }
        Some(facts) if !facts.current => Ruling::warning(
            "the same instance type, of a previous generation: not every zone has room for it",
        ),
        Some(_) => Ruling::mapped("the same instance type"),
    }
}
