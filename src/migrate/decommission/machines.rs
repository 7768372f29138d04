//! Auto Scaling groups, instances, launch templates, volumes, network interfaces.

use super::listing::{Cluster, Found, is_named, is_owned, is_shared, is_tagged};
use super::network::address_of;
use super::reads::AwsReads;
use super::shape::{flag, list, member, tags, text};
use serde_json::Value;
use std::collections::BTreeSet;

const EC2: &str = "ec2";

/// Auto Scaling groups that are not being deleted already: only those have a status.
pub(super) fn groups(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    for group in reads.items("autoscaling", "DescribeAutoScalingGroups", &["AutoScalingGroups"]) {
        if let Some(id) = text(group, "AutoScalingGroupName")
            && is_named(&tags(group), cluster)
            && text(group, "Status").is_none()
        {
            found.put("autoscaling-group", id, false);
        }
    }
}

/// Instances. Since kops 1.29 running ones in the cluster's VPC, before every one that is not on its way out.
pub(super) fn instances(reads: &AwsReads, cluster: &Cluster, vpc: Option<&str>, found: &mut Found) {
    for reservation in reads.items(EC2, "DescribeInstances", &["Reservations"]) {
        for instance in list(reservation, &["Instances"]) {
            let Some(id) = text(instance, "InstanceId").filter(|_| is_named(&tags(instance), cluster)) else {
                continue;
            };
            let state = member(instance, "State").and_then(|state| text(state, "Name")).unwrap_or_default();
            let counts = if cluster.is_before(29) {
                !matches!(state, "terminated" | "shutting-down")
            } else {
                state == "running" && vpc.is_some() && text(instance, "VpcId") == vpc
            };
            if counts {
                found.put("instance", id, false);
            }
        }
    }
}

/// Launch templates, which kops calls launch configurations still.
pub(super) fn launch_templates(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let key = cluster.tag_key();
    for template in reads.items(EC2, "DescribeLaunchTemplates", &["LaunchTemplates"]) {
        if let Some(id) = text(template, "LaunchTemplateId")
            && tags(template).get(key.as_str()) == Some(&"owned")
        {
            found.put("autoscaling-config", id, false);
        }
    }
}

/// Volumes that do not go with their instance, and addresses that their tags name.
pub(super) fn volumes(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for volume in reads.items(EC2, "DescribeVolumes", &["Volumes"]) {
        let tags = tags(volume);
        let Some(id) = text(volume, "VolumeId").filter(|_| is_named(&tags, cluster)) else { continue };
        if list(volume, &["Attachments"])
            .into_iter()
            .any(|attachment| flag(attachment, "DeleteOnTermination"))
        {
            continue;
        }
        found.put("volume", id, is_shared(&tags, cluster));
        named.extend(tags.get("kubernetes.io/master-ip").filter(|ip| !ip.is_empty()));
    }
    for address in reads.items(EC2, "DescribeAddresses", &["Addresses"]) {
        if text(address, "PublicIp").is_some_and(|ip| named.contains(ip)) {
            address_of(address, false, cluster, found);
        }
    }
}

/// Network interfaces that nothing holds. Since kops 1.29 in the cluster's VPC only.
pub(super) fn interfaces(reads: &AwsReads, cluster: &Cluster, vpc: Option<&str>, found: &mut Found) {
    for interface in reads.items(EC2, "DescribeNetworkInterfaces", &["NetworkInterfaces"]) {
        let tags = tags(interface);
        let Some(id) = text(interface, "NetworkInterfaceId").filter(|_| is_tagged(&tags, cluster)) else {
            continue;
        };
        let free = if cluster.is_before(29) {
            !member(interface, "Attachment").is_some_and(Value::is_object)
        } else {
            text(interface, "Status") == Some("available") && vpc.is_some() && text(interface, "VpcId") == vpc
        };
        if free {
            found.put("network-interface", id, !is_owned(&tags, cluster));
        }
    }
}
