//! Instances: types, images, how they are bought, how large a group is.

use super::Context;
use crate::model::cluster_config::{AmiFamily, VolumeType};
use crate::model::kops::Spec;

/// Which operating system nodes run.
pub(in super::super) const IMAGE: &str = "kops.group.image";
/// How on-demand and spot instances of one group are told apart.
pub(in super::super) const MIXED: &str = "kops.group.mixed-capacity";
/// Whether a group of Karpenter's becomes a node group.
pub(in super::super) const MANAGER: &str = "kops.group.manager";
/// Which instance type a group without one has.
pub(in super::super) const TYPE: &str = "kops.group.machine-type";
/// Which instance types a group with several has.
pub(in super::super) const TYPES: &str = "kops.group.machine-types";
/// Where those stand.
const INSTANCES: &str = "mixedInstancesPolicy.instances";
/// Nodes of a group that does not say how many (kops `populate_instancegroup_spec.go`).
const NODES: u32 = 2;
/// Instance types of a managed node group (EKS quotas).
pub(in super::super) const MOST_TYPES: usize = 20;

/// How a group's instances are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Capacity {
    /// On demand.
    OnDemand,
    /// Spot.
    Spot,
    /// A number on demand, and of those above it a percentage.
    Mixed { base: u32, percent: u32 },
}

/// How a group's instances are bought: Auto Scaling's defaults are 0 at first, and 100 % above.
pub(in super::super) fn capacity(group: &Spec) -> Capacity {
    let policy = group.at("mixedInstancesPolicy");
    if !policy.is_object() {
        return if group.text("maxPrice").is_some() { Capacity::Spot } else { Capacity::OnDemand };
    }
    let number = |field: &str| {
        group.number(&format!("mixedInstancesPolicy.{field}")).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    };
    let base = number("onDemandBase").unwrap_or(0);
    let percent = number("onDemandAboveBase").unwrap_or(100).min(100);
    match (base, percent) {
        (_, 100) => Capacity::OnDemand,
        (0, 0) => Capacity::Spot,
        _ => Capacity::Mixed { base, percent },
    }
}

/// Instance types of a group, the best first, each once: those of `mixedInstancesPolicy`, and where it has none the
/// `machineType`, which kops starts then alone. An old `machineType` may be a list with commas.
pub(in super::super) fn types(context: &Context<'_>, group: &Spec) -> Vec<String> {
    let subject = group.subject();
    let known = &context.facts.instance_types;
    let mut types: Vec<String> = Vec::new();
    for (name, rule, path) in named_types(group) {
        let is_unknown = !known.is_empty() && !known.contains_key(name);
        let chosen = is_unknown.then(|| context.chosen(rule, &subject, &pointer(group, &path))).flatten();
        let name = chosen.unwrap_or(name);
        if !types.iter().any(|other| other == name) {
            types.push(name.to_owned());
        }
    }
    if types.is_empty() {
        types.push(context.chosen(TYPE, &subject, "").unwrap_or("m5.large").to_owned());
    }
    types.truncate(MOST_TYPES);
    types
}

/// The types that a group is started with: each with the rule on it, and where it stands.
fn named_types(group: &Spec) -> Vec<(&str, &'static str, String)> {
    let listed = group.items(INSTANCES).iter().enumerate();
    let listed =
        listed.filter_map(|(nth, name)| Some((name.as_str()?.trim(), TYPES, format!("{INSTANCES}.{nth}"))));
    let listed: Vec<_> = listed.filter(|(name, ..)| !name.is_empty()).collect();
    if !listed.is_empty() {
        return listed;
    }
    let first = group.text("machineType").into_iter().flat_map(|text| text.split(','));
    let first = first.map(|name| (name.trim(), TYPE, "machineType".to_owned()));
    first.filter(|(name, ..)| !name.is_empty()).collect()
}

/// Whether a group is started with the types of `mixedInstancesPolicy`, whatever `machineType` says.
pub(in super::super) fn lists_types(group: &Spec) -> bool {
    group.texts(INSTANCES).next().is_some()
}

/// Whether instances of a type have GPUs of NVIDIA, by the facts or the family.
pub(super) fn has_gpus(context: &Context<'_>, name: &str) -> bool {
    if let Some(facts) = context.facts.instance_types.get(name) {
        return facts.gpus > 0;
    }
    let family = name.split('.').next().unwrap_or_default();
    let numbered = |letter: char| {
        family.strip_prefix(letter).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    (numbered('g') || numbered('p')) && family != "g4ad"
}

/// Whether a group names the types of its instances.
pub(in super::super) fn names_types(group: &Spec) -> bool {
    !named_types(group).is_empty()
}

/// Whether a group becomes a node group, and does not stay Karpenter's.
pub(in super::super) fn is_node_group(context: &Context<'_>, group: &Spec) -> bool {
    group.text("manager") != Some("Karpenter")
        || context.way(MANAGER, &group.subject(), &pointer(group, "manager"), &["node-group", "karpenter"])
            == "node-group"
}

/// Where a group's author wrote a field of `spec`.
pub(in super::super) fn pointer(group: &Spec, path: &str) -> String {
    use crate::model::kops::{Path, Step};
    let mut steps = vec![Step::Key("spec".into())];
    steps.extend(
        path.split('.').map(|word| word.parse().map_or_else(|_| Step::Key(word.into()), Step::Index)),
    );
    group.pointer(&Path(steps))
}

/// The family that an image belongs to, where EKS has the same one.
pub(in super::super) fn family_of_image(image: &str) -> Option<AmiFamily> {
    let image = image.to_ascii_lowercase();
    if image.contains("bottlerocket") {
        Some(AmiFamily::Bottlerocket)
    } else if image.contains("windows_server-2019") {
        Some(AmiFamily::WindowsServer2019CoreContainer)
    } else if image.contains("windows_server-2022") {
        Some(AmiFamily::WindowsServer2022CoreContainer)
    } else if image.contains("al2023-ami") || image.contains("amzn2") || image.starts_with("amazon/") {
        Some(AmiFamily::AmazonLinux2023)
    } else {
        None
    }
}

/// The operating system of a group's nodes: that of its image, else the one chosen.
pub(in super::super) fn family(context: &Context<'_>, group: &Spec) -> AmiFamily {
    if let Some(family) = group.text("image").and_then(family_of_image) {
        return family;
    }
    match context.way(IMAGE, &group.subject(), &pointer(group, "image"), &["AmazonLinux2023", "Bottlerocket"])
    {
        "Bottlerocket" => AmiFamily::Bottlerocket,
        _ => AmiFamily::AmazonLinux2023,
    }
}

/// Families that are older than Nitro and hold no prefixes (EC2 User Guide, instances on the Nitro System).
const BEFORE_NITRO: [&str; 19] = [
    "c1", "c3", "c4", "cc2", "cr1", "d2", "f1", "g2", "g3", "h1", "hs1", "i2", "i3", "m1", "m2", "m3", "m4",
    "r3", "r4",
];
const BEFORE_NITRO_MORE: [&str; 7] = ["g3s", "p2", "p3", "t1", "t2", "x1", "x1e"];

/// Whether a type's hypervisor is Nitro, by the facts or its family.
pub(in super::super) fn is_nitro(context: &Context<'_>, name: &str) -> bool {
    match context.facts.instance_types.get(name) {
        Some(facts) => facts.nitro,
        None => {
            let family = name.split('.').next().unwrap_or_default();
            let bare = name.ends_with(".metal") && family == "i3";
            bare || !(BEFORE_NITRO.contains(&family) || BEFORE_NITRO_MORE.contains(&family))
        }
    }
}

/// Sizes of a group: fewest, wanted, most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Sizes {
    pub min: u32,
    pub desired: u32,
    pub max: u32,
}

/// Sizes as the spec has them (two nodes where it says nothing, as kops takes it), and as many wanted as live.
pub(in super::super) fn sizes(context: &Context<'_>, group: &Spec) -> Sizes {
    let number = |field: &str| group.number(field).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let most = number("maxSize");
    let min = number("minSize").unwrap_or_else(|| NODES.min(most.unwrap_or(NODES)));
    let max = most.unwrap_or(NODES).max(min).max(1);
    let live = context.facts.groups.get(&group.name).map(|live| live.desired);
    Sizes { min, desired: live.unwrap_or(min).clamp(min, max), max }
}

impl Sizes {
    /// The part on demand and the part on spot, so that together they can be as large as the group was.
    pub(in super::super) fn split(self, base: u32, percent: u32) -> (Self, Self) {
        let on_demand = |nodes: u32| {
            let above = nodes.saturating_sub(base);
            let share = (u64::from(above) * u64::from(percent)).div_ceil(100);
            nodes.min(base).saturating_add(u32::try_from(share).unwrap_or(u32::MAX))
        };
        let part = |size: u32| (on_demand(size), size - on_demand(size));
        let (min, desired, max) = (part(self.min), part(self.desired), part(self.max));
        let whole = |min: u32, desired: u32, max: u32| {
            let max = max.max(1).max(min);
            Self { min, desired: desired.clamp(min, max), max }
        };
        (whole(min.0, desired.0, max.0), whole(min.1, desired.1, max.1))
    }
}

/// The type of a root volume; kops' default is gp3 since 1.22.
pub(in super::super) fn volume_type(text: &str) -> Option<VolumeType> {
    Some(match text {
        "gp2" => VolumeType::Gp2,
        "gp3" => VolumeType::Gp3,
        "io1" => VolumeType::Io1,
        "io2" => VolumeType::Io2,
        "sc1" => VolumeType::Sc1,
        "st1" => VolumeType::St1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_groups_are_split_without_losing_room() {
        let sizes = Sizes { min: 2, desired: 10, max: 20 };
        let (on_demand, spot) = sizes.split(3, 50);
        assert_eq!(on_demand, Sizes { min: 2, desired: 7, max: 12 });
        assert_eq!(spot, Sizes { min: 0, desired: 3, max: 8 });
        let (on_demand, spot) = Sizes { min: 0, desired: 0, max: 1 }.split(5, 0);
        assert_eq!((on_demand.max, spot.max), (1, 1));
    }

    #[test]
    fn images_of_known_families_are_recognised() {
        assert_eq!(family_of_image("099720109477/ubuntu/images/x"), None);
        assert_eq!(family_of_image("amazon/al2023-ami-2023.1"), Some(AmiFamily::AmazonLinux2023));
        assert_eq!(family_of_image("ami-0123"), None);
    }
}
