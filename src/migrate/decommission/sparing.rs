//! The guard as steps: re-tags that spare what the target uses, then the approval of what is left.

use super::guard::{Refused, guard};
use super::listing::{Cluster, LEGACY_TAG};
use super::reads::AwsReads;
use super::shape::{tags, text};
use super::spare::Spare;
use super::usage::InUse;
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Gate, Outcome, Stage, Step};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is next before `kops delete cluster`: re-tags of everything there that the target uses, then `KubernetesCluster`
/// off the handed-over volumes, then the approval of the list. Portolan never runs it.
///
/// `handed_over` are the EBS volumes that the target has: as long as they carry the legacy tag, the source can attach them.
/// `approved` are digests of lists that a person has approved.
#[must_use]
pub fn sparing(
    reads: &AwsReads,
    cluster: &Cluster,
    used: &InUse,
    handed_over: &BTreeSet<String>,
    approved: &BTreeSet<String>,
) -> Outcome {
    let mut outcome = Outcome::default();
    match guard(reads, cluster, used) {
        Err(Refused::CannotTell(why)) => outcome.gates.push(Gate::Blocked {
            what: why.to_string(),
            way_out: "read what is missing, or mend what kops itself stops at; nothing is cleared before"
                .into(),
        }),
        Err(Refused::InUse(refusals)) => {
            let tags = all_tags(reads);
            for refusal in refusals {
                match refusal.spare {
                    Spare::Retag { call, says } => outcome.steps.push(Step {
                        key: format!("spare/{}/{}", refusal.kind, refusal.id),
                        stage: Stage::Decommission,
                        wave: None,
                        undo: inverse(&call, tags.get(refusal.id.as_str()), cluster),
                        effect: Effect::Call { call, token: None },
                        says: format!(
                            "spare {} {}, which the target uses ({}): {says}",
                            refusal.kind, refusal.id, refusal.used_by
                        ),
                        final_: false,
                    }),
                    Spare::Impossible { says } => outcome.gates.push(Gate::Blocked {
                        what: format!(
                            "kops delete cluster would take {} {}, which the target uses ({})",
                            refusal.kind, refusal.id, refusal.used_by
                        ),
                        way_out: says,
                    }),
                }
            }
        }
        Ok(cleared) => {
            outcome.steps.extend(unnamed(reads, cluster, handed_over));
            if outcome.steps.is_empty() && !approved.contains(&cleared.digest) {
                outcome.gates.push(Gate::Approval { digest: cleared.digest });
            }
        }
    }
    outcome
}

/// `KubernetesCluster` off the volumes that were handed over: the source's role can attach them no more.
fn unnamed(reads: &AwsReads, cluster: &Cluster, handed_over: &BTreeSet<String>) -> Vec<Step> {
    let volumes = reads.items("ec2", "DescribeVolumes", &["Volumes"]);
    let named = volumes.into_iter().filter_map(|volume| {
        let id = text(volume, "VolumeId").filter(|id| handed_over.contains(*id))?;
        (tags(volume).get(LEGACY_TAG) == Some(&cluster.name.as_str())).then_some(id)
    });
    let tag = json!([{"Key": LEGACY_TAG, "Value": cluster.name}]);
    named
        .map(|id| {
            let call = |operation: &str| {
                let call = Call::new(Service::Ec2, operation, json!({"Resources": [id], "Tags": tag}));
                Effect::Call { call, token: None }
            };
            Step {
                key: format!("unname/{id}"),
                stage: Stage::Decommission,
                wave: None,
                effect: call("DeleteTags"),
                undo: vec![call("CreateTags")],
                says: format!("take {LEGACY_TAG} off {id}: from now on the source cannot attach it"),
                final_: false,
            }
        })
        .collect()
}

/// The calls that take a re-tag back: the tag's old value, or none.
fn inverse(call: &Call, now: Option<&BTreeMap<String, String>>, cluster: &Cluster) -> Vec<Effect> {
    let key = call.input["TagKeys"][0]
        .as_str()
        .or_else(|| call.input["Tags"][0]["Key"].as_str())
        .unwrap_or_default();
    let old = now.and_then(|tags| tags.get(key)).cloned();
    let removes =
        ["DeleteTags", "RemoveTags", "UntagOpenIDConnectProvider"].contains(&call.operation.as_str());
    // What a removal takes away is the cluster's name: it was found by it.
    let old = if removes { Some(old.unwrap_or_else(|| cluster.name.clone())) } else { old };
    let mut input = call.input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.remove("TagKeys");
        fields.remove("Tags");
    }
    let operation = match (call.service, old.is_some()) {
        (Service::Iam, has) => {
            let thing = call.operation.trim_start_matches("Untag").trim_start_matches("Tag");
            format!("{}{thing}", if has { "Tag" } else { "Untag" })
        }
        (Service::Ec2, true) => "CreateTags".to_owned(),
        (Service::AutoScaling, true) => "CreateOrUpdateTags".to_owned(),
        (Service::Elb | Service::ElbV2, true) => "AddTags".to_owned(),
        (Service::Elb | Service::ElbV2, false) => "RemoveTags".to_owned(),
        _ => "DeleteTags".to_owned(),
    };
    match (&old, call.service) {
        (Some(value), Service::AutoScaling) => {
            let mut tag = call.input["Tags"][0].clone();
            tag["Value"] = json!(value);
            // What was there before may have been made for new instances too; kops always does so.
            tag["PropagateAtLaunch"] = json!(true);
            input = json!({"Tags": [tag]});
        }
        (Some(value), _) => input["Tags"] = json!([{"Key": key, "Value": value}]),
        (None, Service::Iam | Service::ElbV2) => input["TagKeys"] = json!([key]),
        (None, _) => input["Tags"] = json!([{"Key": key}]),
    }
    vec![Effect::Call { call: Call::new(call.service, &operation, input), token: None }]
}

/// Tags by the id that kops prints.
fn all_tags(reads: &AwsReads) -> BTreeMap<String, BTreeMap<String, String>> {
    const PLACES: &[(&str, &str, &str, &str)] = &[
        ("ec2", "DescribeVolumes", "Volumes", "VolumeId"),
        ("ec2", "DescribeVpcs", "Vpcs", "VpcId"),
        ("ec2", "DescribeSubnets", "Subnets", "SubnetId"),
        ("ec2", "DescribeRouteTables", "RouteTables", "RouteTableId"),
        ("ec2", "DescribeSecurityGroups", "SecurityGroups", "GroupId"),
        ("ec2", "DescribeInternetGateways", "InternetGateways", "InternetGatewayId"),
        (
            "ec2",
            "DescribeEgressOnlyInternetGateways",
            "EgressOnlyInternetGateways",
            "EgressOnlyInternetGatewayId",
        ),
        ("ec2", "DescribeNatGateways", "NatGateways", "NatGatewayId"),
        ("ec2", "DescribeAddresses", "Addresses", "AllocationId"),
        ("ec2", "DescribeDhcpOptions", "DhcpOptions", "DhcpOptionsId"),
        ("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("ec2", "DescribeLaunchTemplates", "LaunchTemplates", "LaunchTemplateId"),
        ("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups", "AutoScalingGroupName"),
        ("elb", "DescribeTags", "TagDescriptions", "LoadBalancerName"),
        ("elbv2", "DescribeTags", "TagDescriptions", "ResourceArn"),
    ];
    let mut all = BTreeMap::new();
    let owned = |thing: &Value| {
        tags(thing)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    for (service, operation, list, id) in PLACES {
        for thing in reads.items(service, operation, std::slice::from_ref(list)) {
            if let Some(id) = text(thing, id) {
                all.insert(id.to_owned(), owned(thing));
            }
        }
    }
    for (ask, of, id) in
        [("GetRole", "Role", "RoleName"), ("GetInstanceProfile", "InstanceProfile", "InstanceProfileName")]
    {
        for thing in reads.of("iam", ask).filter_map(|read| super::shape::member(&read.output, of)) {
            if let Some(id) = text(thing, id) {
                all.insert(id.to_owned(), owned(thing));
            }
        }
    }
    all
}
