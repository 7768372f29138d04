//! Rules of what goes into launch templates: AMI, user data, volumes, SSH, reservations.

use super::{Findings, set, syntax};
use crate::model::cluster_config::{
    AmiFamily, ManagedNodeGroup, NodeGroup, NodeGroupBase, NodeGroupSecurityGroups, VolumeMapping, VolumeType,
};
use std::collections::BTreeSet;

/// Words that eksctl takes for an AMI: each means the newest one.
pub(in crate::model::cluster_config) const NEWEST: [&str; 2] = ["auto", "auto-ssm"];

/// Fields of the kubelet's configuration that joining the cluster depends on (eksctl refuses the same).
const KUBELET_OWN: [&str; 7] = [
    "kind",
    "apiVersion",
    "address",
    "clusterDomain",
    "authentication",
    "authorization",
    "serverTLSBootstrap",
];

pub(super) fn both(at: &str, group: &NodeGroupBase, findings: &mut Findings) {
    ami(at, group, findings);
    volumes(at, group, findings);
    reservations(at, group, findings);
    let Some(ssh) = &group.ssh else { return };
    let at = |field: &str| format!("{at}/ssh/{field}");
    if ssh.allow == Some(true) && ssh.public_key_name.is_none() {
        let hint = "name a key pair of EC2 in `publicKeyName`; eksctl would import a file of your machine";
        findings.wrong(&at("allow"), "has no key to log in with", hint);
    }
    if ssh.allow != Some(true) && !ssh.source_security_group_ids.is_empty() {
        findings.wrong(
            &at("sourceSecurityGroupIds"),
            "means nothing without `allow: true`",
            "set it, or take this out",
        );
    }
    for (index, id) in ssh.source_security_group_ids.iter().enumerate() {
        let checked = syntax::id(id, "sg-", "name security groups by their ids");
        findings.require(&at(&format!("sourceSecurityGroupIds/{index}")), checked);
    }
    if ssh.enable_ssm == Some(false) {
        let hint = "take it out: EKS's images run the agent, and eksctl refuses this too";
        findings.wrong(&at("enableSsm"), "cannot be turned off", hint);
    }
}

fn ami(at: &str, group: &NodeGroupBase, findings: &mut Findings) {
    let family = group.ami_family.unwrap_or_default();
    let own = group.ami.as_deref().filter(|ami| !NEWEST.contains(ami));
    if let Some(ami) = own {
        let hint = "name an AMI by its id, or take it out for the newest one";
        findings.require(&format!("{at}/ami"), syntax::id(ami, "ami-", hint));
    }
    if group.override_bootstrap_command.is_some() && own.is_none() {
        let hint = "name the AMI, or use `preBootstrapCommands`";
        findings.wrong(&format!("{at}/overrideBootstrapCommand"), "needs an AMI of your own in `ami`", hint);
    }
    if group.bottlerocket.is_some() && !family.is_bottlerocket() {
        let hint = "set `amiFamily: Bottlerocket`, or take it out";
        findings.wrong(&format!("{at}/bottlerocket"), "means nothing for nodes of another system", hint);
    }
    if family.is_bottlerocket() {
        let given = [
            ("preBootstrapCommands", !group.pre_bootstrap_commands.is_empty()),
            ("overrideBootstrapCommand", group.override_bootstrap_command.is_some()),
        ];
        for field in set(&given) {
            let hint = "use `bottlerocket.settings`";
            findings.wrong(
                &format!("{at}/{field}"),
                "cannot be used on Bottlerocket, which has no shell",
                hint,
            );
        }
    }
    if family.is_windows() && !group.pre_bootstrap_commands.is_empty() {
        let hint = "take it out, or prepare an AMI of your own";
        findings.wrong(&format!("{at}/preBootstrapCommands"), "cannot be used on Windows", hint);
    }
}

fn volumes(at: &str, group: &NodeGroupBase, findings: &mut Findings) {
    let root = VolumeMapping {
        volume_name: group.volume_name.clone(),
        volume_size: group.volume_size,
        volume_type: group.volume_type,
        volume_iops: group.volume_iops,
        volume_throughput: group.volume_throughput,
        volume_encrypted: group.volume_encrypted,
        volume_kms_key_id: group.volume_kms_key_id.clone(),
        snapshot_id: None,
    };
    volume(at, &root, findings);
    let mut seen: BTreeSet<&str> = group.volume_name.as_deref().into_iter().collect();
    for (index, mapping) in group.additional_volumes.iter().enumerate() {
        let at = format!("{at}/additionalVolumes/{index}");
        volume(&at, mapping, findings);
        match mapping.volume_name.as_deref() {
            None => findings.wrong(&at, "has no `volumeName`", "name its device, such as `/dev/sdb`"),
            Some(name) if !seen.insert(name) => {
                findings.wrong(
                    &format!("{at}/volumeName"),
                    format!("is `{name}` a second time"),
                    "choose another device",
                );
            }
            Some(_) => {}
        }
        if let Some(id) = &mapping.snapshot_id {
            findings
                .require(&format!("{at}/snapshotID"), syntax::id(id, "snap-", "name a snapshot by its id"));
        }
    }
}

/// What EC2 takes for a volume (its API reference, `EbsBlockDevice`).
fn volume(at: &str, volume: &VolumeMapping, findings: &mut Findings) {
    let of_type = volume.volume_type.unwrap_or_default();
    let range = match of_type {
        VolumeType::Gp3 => Some((3000, 80_000)),
        VolumeType::Io1 => Some((100, 64_000)),
        VolumeType::Io2 => Some((100, 256_000)),
        VolumeType::Gp2 | VolumeType::Sc1 | VolumeType::St1 => None,
    };
    match (volume.volume_iops, range) {
        (Some(_), None) => {
            let hint = "use gp3, io1 or io2, or take it out";
            findings.wrong(&format!("{at}/volumeIOPS"), "cannot be set for this type of volume", hint);
        }
        (Some(iops), Some((least, most))) if !(least..=most).contains(&iops) => {
            let message = format!("is {iops}, and this type of volume takes {least} to {most}");
            findings.wrong(&format!("{at}/volumeIOPS"), message, "choose another number");
        }
        (None, _) if of_type == VolumeType::Io2 => {
            findings.wrong(&format!("{at}/volumeType"), "is io2, which needs `volumeIOPS`", "set it");
        }
        _ => {}
    }
    if volume.volume_throughput.is_some() && of_type != VolumeType::Gp3 {
        let hint = "use gp3, or take it out";
        findings.wrong(&format!("{at}/volumeThroughput"), "can be set for gp3 only", hint);
    }
    if volume.volume_kms_key_id.is_some() && volume.volume_encrypted != Some(true) {
        let hint = "set `volumeEncrypted: true`";
        findings.wrong(&format!("{at}/volumeKmsKeyID"), "means nothing without encryption", hint);
    }
    let least = if matches!(of_type, VolumeType::Sc1 | VolumeType::St1) { 125 } else { 1 };
    if volume.volume_size.is_some_and(|size| size < least) {
        findings.wrong(
            &format!("{at}/volumeSize"),
            format!("is too small: such volumes have {least} GiB at least"),
            "raise it",
        );
    }
}

fn reservations(at: &str, group: &NodeGroupBase, findings: &mut Findings) {
    if let Some(market) =
        group.instance_market_options.as_ref().and_then(|options| options.market_type.as_deref())
    {
        let target =
            group.capacity_reservation.as_ref().and_then(|it| it.capacity_reservation_target.as_ref());
        let pointer = format!("{at}/instanceMarketOptions/marketType");
        if market != "capacity-block" {
            let hint =
                "write `capacity-block`; spot instances are asked for by `spot` or `instancesDistribution`";
            findings.wrong(&pointer, "is no way to buy instances that can be named here", hint);
        } else if target.is_none_or(|target| target.capacity_reservation_id.is_none()) {
            let hint = "name it in `capacityReservation.capacityReservationTarget.capacityReservationID`";
            findings.wrong(&pointer, "needs a reserved block", hint);
        }
    }
    let Some(reservation) = &group.capacity_reservation else { return };
    let at = |field: &str| format!("{at}/capacityReservation/{field}");
    let preference = reservation.capacity_reservation_preference.as_deref();
    if preference.is_some_and(|word| !matches!(word, "open" | "none" | "capacity-reservations-only")) {
        let hint = "there are open, none and capacity-reservations-only";
        findings.wrong(&at("capacityReservationPreference"), "is no such preference", hint);
    }
    let Some(target) = &reservation.capacity_reservation_target else { return };
    if matches!(preference, Some("open" | "none")) {
        let hint = "take one of them out";
        findings.wrong(&at("capacityReservationPreference"), "contradicts `capacityReservationTarget`", hint);
    }
    let by_id = target.capacity_reservation_id.is_some();
    if by_id == target.capacity_reservation_resource_group_arn.is_some() {
        let said = if by_id { "names a reservation in two ways" } else { "names no reservation" };
        let hint = "set one of `capacityReservationID` and `capacityReservationResourceGroupARN`";
        findings.wrong(&at("capacityReservationTarget"), said, hint);
    }
}

/// What stands in an existing launch template cannot stand here (EKS User Guide, launch template configuration basics).
pub(super) fn managed(at: &str, group: &ManagedNodeGroup, findings: &mut Findings) {
    let base = &group.base;
    if group.release_version.is_some() && base.ami.is_some() {
        let hint = "keep one of them";
        findings.wrong(&format!("{at}/releaseVersion"), "contradicts `ami`", hint);
    }
    let Some(template) = &group.launch_template else { return };
    findings.require(
        &format!("{at}/launchTemplate/id"),
        syntax::id(&template.id, "lt-", "name a launch template by its id"),
    );
    if let Some(version) = &template.version
        && version.parse::<u32>().ok().filter(|version| *version > 0).is_none()
    {
        let hint = "write a number in quotes: `$Latest` and `$Default` would change without a commit";
        findings.wrong(&format!("{at}/launchTemplate/version"), "is no number of a version", hint);
    }
    let in_template = [
        ("ami", base.ami.is_some()),
        ("instanceType", base.instance_type.is_some()),
        ("instanceName", base.instance_name.is_some()),
        ("instancePrefix", base.instance_prefix.is_some()),
        (
            "securityGroups",
            base.security_groups.as_ref().is_some_and(|sg| *sg != NodeGroupSecurityGroups::default()),
        ),
        ("ssh", base.ssh.is_some()),
        ("volumeSize", base.volume_size.is_some()),
        ("volumeType", base.volume_type.is_some()),
        ("volumeName", base.volume_name.is_some()),
        ("volumeIOPS", base.volume_iops.is_some()),
        ("volumeThroughput", base.volume_throughput.is_some()),
        ("volumeEncrypted", base.volume_encrypted.is_some()),
        ("volumeKmsKeyID", base.volume_kms_key_id.is_some()),
        ("additionalVolumes", !base.additional_volumes.is_empty()),
        ("ebsOptimized", base.ebs_optimized.is_some()),
        ("enableDetailedMonitoring", base.enable_detailed_monitoring.is_some()),
        ("disableIMDSv1", base.disable_imdsv1.is_some()),
        ("disablePodIMDS", base.disable_pod_imds.is_some()),
        ("maxPodsPerNode", base.max_pods_per_node.is_some()),
        ("preBootstrapCommands", !base.pre_bootstrap_commands.is_empty()),
        ("overrideBootstrapCommand", base.override_bootstrap_command.is_some()),
        ("bottlerocket", base.bottlerocket.is_some()),
        ("placement", base.placement.is_some()),
        ("capacityReservation", base.capacity_reservation.is_some()),
        ("instanceMarketOptions", base.instance_market_options.is_some()),
    ];
    for field in set(&in_template) {
        let hint = "put it into the launch template, or take `launchTemplate` out";
        findings.wrong(&format!("{at}/{field}"), "belongs into the existing launch template", hint);
    }
}

pub(super) fn own(at: &str, group: &NodeGroup, findings: &mut Findings) {
    let family = group.base.ami_family.unwrap_or_default();
    if family.is_windows() || family == AmiFamily::BottlerocketFips {
        let hint = "declare the group under `managedNodeGroups`";
        findings.wrong(
            &format!("{at}/amiFamily"),
            format!("is {family:?}, which only EKS can make join"),
            hint,
        );
    }
    if group.container_runtime.as_deref().is_some_and(|runtime| runtime != "containerd") {
        let hint = "take it out: Kubernetes has no other since 1.24";
        findings.wrong(&format!("{at}/containerRuntime"), "has to be containerd", hint);
    }
    if group.cpu_credits.as_deref().is_some_and(|credits| !matches!(credits, "standard" | "unlimited")) {
        findings.wrong(&format!("{at}/cpuCredits"), "has to be standard or unlimited", "write one of them");
    }
    if group.cluster_dns.as_deref().is_some_and(|address| address.parse::<std::net::IpAddr>().is_err()) {
        findings.wrong(
            &format!("{at}/clusterDNS"),
            "is no IP address",
            "write the address of the DNS Service",
        );
    }
    for field in group.kubelet_extra_config.iter().flat_map(|config| config.keys()) {
        if KUBELET_OWN.contains(&field.as_str()) {
            let at = format!("{at}/kubeletExtraConfig/{}", super::escaped(field));
            findings.wrong(&at, "decides whether a node can join, and is set by Portolan", "take it out");
        }
    }
}
