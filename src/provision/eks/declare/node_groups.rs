//! Managed node groups and Fargate profiles.

use super::{or_unread, put, tags};
use crate::model::cluster::{DesiredSize, EksRef, WarmPool};
use crate::model::cluster_config::{
    AmiFamily, ClusterConfig, FargateProfile, ManagedNodeGroup, NodeGroupTaint, TaintEffect,
};
use crate::provision::eks::api::aside;
use crate::provision::iam;
use crate::provision::network::{Declared, Problem, fargate_subnets, node_subnets, resource};
use crate::provision::nodes::{self, Accelerator, Architecture, accelerator, architecture};
use crate::provision::resource::{Key, Kind, Resource, Scope, Snapshot};
use serde_json::{Value, json};

/// eksctl's instance type where the file names none.
const DEFAULT_INSTANCE_TYPE: &str = "m5.large";

pub(super) fn managed(
    config: &ClusterConfig,
    written: &ClusterConfig,
    settings: &EksRef,
    scope: &Scope,
    known: &Snapshot,
) -> Declared {
    let mut declared = Declared::default();
    for (nth, group) in config.managed_node_groups.iter().enumerate() {
        let written = written.managed_node_groups.get(nth).unwrap_or(group);
        match of_group(config, settings, scope, known, (group, written), &format!("/managedNodeGroups/{nth}"))
        {
            Ok(resource) => declared.resources.push(resource),
            Err(problem) => declared.problems.push(problem),
        }
    }
    declared
}

fn of_group(
    config: &ClusterConfig,
    settings: &EksRef,
    scope: &Scope,
    known: &Snapshot,
    (group, written): (&ManagedNodeGroup, &ManagedNodeGroup),
    at: &str,
) -> Result<Resource, Problem> {
    let base = &group.base;
    let mut desired = json!({
        "nodegroupName": base.name,
        "subnets": or_unread(node_subnets(config, known, base, at)?),
        "nodeRole": iam::node_role(base),
        "labels": nodes::labels(scope, base),
        "taints": taints(&base.taints),
        "capacityType": capacity_type(group),
    });
    match nodes::template_of(group, known) {
        Some(template) => desired["launchTemplate"] = template,
        None => without_template(&mut desired, written),
    }
    let types = instance_types(group);
    let of_template = group.launch_template.is_some() && types.is_empty();
    if !of_template {
        let types = if types.is_empty() { vec![DEFAULT_INSTANCE_TYPE.to_owned()] } else { types };
        if base.ami.is_none() && group.launch_template.is_none() {
            desired["amiType"] = json!(ami_type(base.ami_family.unwrap_or_default(), &types, at)?);
        }
        desired["instanceTypes"] = json!(types);
    }
    let (least, most, wanted) = nodes::sizes(base);
    // EKS takes no group that can have no node at all.
    desired["scalingConfig"] = json!({"minSize": least, "maxSize": most.max(1)});
    if settings.desired_size_of(&base.name) == DesiredSize::Declared {
        desired["scalingConfig"]["desiredSize"] = json!(wanted);
    } else {
        desired[aside::CREATE] = json!({"scalingConfig": {"desiredSize": wanted}});
    }
    put(&mut desired, "updateConfig", base.update_config);
    put(&mut desired, "nodeRepairConfig", group.node_repair_config.as_ref());
    put(&mut desired, "releaseVersion", group.release_version.as_ref());
    let pool = settings.node_groups.get(&base.name).and_then(|group| group.warm_pool.as_ref());
    put(&mut desired, "warmPoolConfig", pool.map(warm_pool));
    if config.metadata.force_update_version == Some(true) {
        desired[aside::UPDATE] = json!({"force": true});
    }
    let key = Key::new(Kind::Nodegroup, base.name.as_str());
    Ok(resource(key, desired, tags(config, &base.tags), at))
}

/// A group that somebody made without a launch template: what EKS itself keeps of volume and SSH is compared where the file
/// says it, and what the file asks beyond that is told.
fn without_template(desired: &mut Value, written: &ManagedNodeGroup) {
    put(desired, "diskSize", written.base.volume_size);
    if let Some(ssh) = written.base.ssh.as_ref().filter(|ssh| ssh.allow == Some(true)) {
        let mut access = json!({});
        put(&mut access, "ec2SshKey", ssh.public_key_name.as_ref());
        if !ssh.source_security_group_ids.is_empty() {
            access["sourceSecurityGroups"] = json!(ssh.source_security_group_ids);
        }
        desired["remoteAccess"] = access;
    }
    let asked = nodes::only_by_template(written);
    if !asked.is_empty() {
        desired[aside::BY_TEMPLATE] = json!(asked);
    }
}

fn taints(taints: &[NodeGroupTaint]) -> Value {
    let mut all: Vec<Value> = taints
        .iter()
        .map(|taint| {
            let effect = match taint.effect {
                TaintEffect::NoSchedule => "NO_SCHEDULE",
                TaintEffect::PreferNoSchedule => "PREFER_NO_SCHEDULE",
                TaintEffect::NoExecute => "NO_EXECUTE",
            };
            let mut shown = json!({"key": taint.key, "effect": effect});
            if !taint.value.is_empty() {
                shown["value"] = json!(taint.value);
            }
            shown
        })
        .collect();
    all.sort_by_key(Value::to_string);
    all.into()
}

fn warm_pool(pool: &WarmPool) -> Value {
    let mut config = json!({"enabled": true, "poolState": pool.pool_state.api_name()});
    put(&mut config, "minSize", pool.min_size);
    put(&mut config, "maxGroupPreparedCapacity", pool.max_group_prepared_capacity);
    put(&mut config, "reuseOnScaleIn", pool.reuse_on_scale_in);
    config
}

fn capacity_type(group: &ManagedNodeGroup) -> &'static str {
    let market = group.base.instance_market_options.as_ref().and_then(|market| market.market_type.as_deref());
    match (group.spot, market) {
        (_, Some("capacity-block")) => "CAPACITY_BLOCK",
        (Some(true), _) => "SPOT",
        _ => "ON_DEMAND",
    }
}

fn instance_types(group: &ManagedNodeGroup) -> Vec<String> {
    if group.instance_types.is_empty() {
        group.base.instance_type.iter().cloned().collect()
    } else {
        group.instance_types.clone()
    }
}

/// `amiType` by operating system and instance types.
fn ami_type(family: AmiFamily, types: &[String], at: &str) -> Result<&'static str, Problem> {
    use {Accelerator as A, AmiFamily as F, Architecture as C};
    let mut chips: Vec<(Architecture, Accelerator)> =
        types.iter().map(|name| (architecture(name), accelerator(name))).collect();
    chips.sort_unstable();
    chips.dedup();
    let refused = |words: String| Err(Problem::refused(format!("{at}/instanceTypes"), words));
    let [chip] = chips[..] else {
        return refused(format!(
            "{} need different AMIs, and a node group has one: make a group for each",
            types.join(", ")
        ));
    };
    if family.is_windows() && chip.0 == C::Arm {
        return refused(format!("Windows does not run on {}: take an x86 instance type", types.join(", ")));
    }
    let ami = match (family, chip) {
        (F::AmazonLinux2023, (C::X86, A::None)) => "AL2023_x86_64_STANDARD",
        (F::AmazonLinux2023, (C::Arm, A::None | A::Neuron)) => "AL2023_ARM_64_STANDARD",
        (F::AmazonLinux2023, (C::X86, A::Nvidia)) => "AL2023_x86_64_NVIDIA",
        (F::AmazonLinux2023, (C::Arm, A::Nvidia)) => "AL2023_ARM_64_NVIDIA",
        (F::AmazonLinux2023, (C::X86, A::Neuron)) => "AL2023_x86_64_NEURON",
        (F::Bottlerocket, (C::X86, A::None | A::Neuron)) => "BOTTLEROCKET_x86_64",
        (F::Bottlerocket, (C::Arm, A::None | A::Neuron)) => "BOTTLEROCKET_ARM_64",
        (F::Bottlerocket, (C::X86, A::Nvidia)) => "BOTTLEROCKET_x86_64_NVIDIA",
        (F::Bottlerocket, (C::Arm, A::Nvidia)) => "BOTTLEROCKET_ARM_64_NVIDIA",
        (F::BottlerocketFips, (C::X86, A::None | A::Neuron)) => "BOTTLEROCKET_x86_64_FIPS",
        (F::BottlerocketFips, (C::Arm, A::None | A::Neuron)) => "BOTTLEROCKET_ARM_64_FIPS",
        (F::BottlerocketFips, (C::X86, A::Nvidia)) => "BOTTLEROCKET_x86_64_NVIDIA_FIPS",
        (F::BottlerocketFips, (C::Arm, A::Nvidia)) => "BOTTLEROCKET_ARM_64_NVIDIA_FIPS",
        (F::WindowsServer2019CoreContainer, _) => "WINDOWS_CORE_2019_x86_64",
        (F::WindowsServer2019FullContainer, _) => "WINDOWS_FULL_2019_x86_64",
        (F::WindowsServer2022CoreContainer, _) => "WINDOWS_CORE_2022_x86_64",
        (F::WindowsServer2022FullContainer, _) => "WINDOWS_FULL_2022_x86_64",
        (F::WindowsServer2025CoreContainer, _) => "WINDOWS_CORE_2025_x86_64",
        (F::WindowsServer2025FullContainer, _) => "WINDOWS_FULL_2025_x86_64",
    };
    Ok(ami)
}

pub(super) fn fargate(config: &ClusterConfig, known: &Snapshot) -> Declared {
    let mut declared = Declared::default();
    for (nth, profile) in config.fargate_profiles.iter().enumerate() {
        match of_profile(config, known, profile, &format!("/fargateProfiles/{nth}")) {
            Ok(resource) => declared.resources.push(resource),
            Err(problem) => declared.problems.push(problem),
        }
    }
    declared
}

fn of_profile(
    config: &ClusterConfig,
    known: &Snapshot,
    profile: &FargateProfile,
    at: &str,
) -> Result<Resource, Problem> {
    let selectors: Vec<Value> = profile
        .selectors
        .iter()
        .map(|selector| {
            let mut shown = json!({"namespace": selector.namespace});
            if !selector.labels.is_empty() {
                shown["labels"] = json!(selector.labels);
            }
            shown
        })
        .collect();
    let desired = json!({
        "fargateProfileName": profile.name,
        "podExecutionRoleArn": iam::fargate_role(config, profile),
        "subnets": or_unread(fargate_subnets(config, known, profile, at)?),
        "selectors": selectors,
    });
    let key = Key::new(Kind::FargateProfile, profile.name.as_str());
    Ok(resource(key, desired, tags(config, &profile.tags), at))
}
