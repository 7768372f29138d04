//! Who may log in: mappings of the IAM authenticator become access entries.

use super::{Context, Draft};
use crate::migrate::assess::rule::Ruling;
use crate::model::cluster_config::{AccessConfig, AccessEntry, AccessPolicy, AuthenticationMode};
use std::collections::BTreeMap;

/// What becomes of a group of Kubernetes' own.
pub(in super::super) const SYSTEM_GROUP: &str = "kops.access.group";
/// The prefix of a group of Kubernetes' own that EKS refuses, in its new name.
const RENAMED: &str = "migrated:";
/// Beginnings of user names that EKS keeps for itself (EKS User Guide, creating access entries).
pub(in super::super) const RESERVED: [&str; 5] = ["system:", "eks:", "aws:", "amazon:", "iam:"];

/// What a group of a mapping becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Group {
    /// The administrator's access policy.
    Admin,
    /// The entry of a node.
    Node,
    /// A group under its own name.
    Same(String),
    /// A group of Kubernetes' own, renamed; bindings are rewritten.
    Renamed(String),
    /// Left out.
    Dropped,
}

/// What a group becomes, by its name and the recorded choice.
pub(in super::super) fn group(context: &Context<'_>, name: &str, pointer: &str) -> Group {
    match name {
        "system:masters" => return Group::Admin,
        "system:nodes" | "system:bootstrappers" => return Group::Node,
        _ => {}
    }
    let Some(bare) = RESERVED.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return Group::Same(name.to_owned());
    };
    match context.way(SYSTEM_GROUP, &context.cluster().subject(), pointer, &["rename", "drop"]) {
        "drop" => Group::Dropped,
        _ => Group::Renamed(format!("{RENAMED}{bare}")),
    }
}

/// Whether EKS takes an ARN as a principal: a role or user, not a session.
pub(in super::super) fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, "iam", _, _, resource]
        if partition.starts_with("aws") && ["role/", "user/"].iter().any(|kind| resource.starts_with(kind)))
}

/// The user name of an entry; none where EKS shall make one of the ARN.
pub(in super::super) fn username(name: &str) -> Option<String> {
    let reserved = RESERVED.iter().any(|prefix| name.starts_with(prefix));
    (!name.is_empty() && !reserved).then(|| name.to_owned())
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let mut entries: BTreeMap<String, AccessEntry> = BTreeMap::new();
    let partition = partition(&draft.config.metadata.region);
    for (index, mapping) in context.state.items("authentication.aws.identityMappings").iter().enumerate() {
        let Some(arn) = mapping["arn"].as_str().filter(|arn| is_principal(arn)) else { continue };
        let entry = entries
            .entry(arn.to_owned())
            .or_insert_with(|| AccessEntry { principal_arn: arn.to_owned(), ..AccessEntry::default() });
        entry.kubernetes_username =
            mapping["username"].as_str().and_then(username).or(entry.kubernetes_username.take());
        for (nth, name) in mapping["groups"].as_array().into_iter().flatten().enumerate() {
            let pointer =
                context.pointer(&format!("authentication.aws.identityMappings.{index}.groups.{nth}"));
            match group(context, name.as_str().unwrap_or_default(), &pointer) {
                Group::Admin if entry.access_policies.is_empty() => {
                    entry.access_policies.push(AccessPolicy {
                        policy_arn: format!(
                            "arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
                        ),
                        ..AccessPolicy::default()
                    })
                }
                Group::Admin | Group::Dropped => {}
                Group::Node => entry.entry_type = Some("EC2_LINUX".into()),
                Group::Same(name) | Group::Renamed(name) if !entry.kubernetes_groups.contains(&name) => {
                    entry.kubernetes_groups.push(name);
                }
                Group::Same(_) | Group::Renamed(_) => {}
            }
        }
    }
    for entry in entries.values_mut().filter(|entry| entry.entry_type.is_some()) {
        // EKS gives nodes their name and groups itself.
        entry.kubernetes_username = None;
        entry.kubernetes_groups.clear();
        entry.access_policies.clear();
    }
    draft.config.access_config = Some(AccessConfig {
        authentication_mode: Some(AuthenticationMode::Api),
        bootstrap_cluster_creator_admin_permissions: Some(true),
        access_entries: entries.into_values().collect(),
    });
    let subject = context.cluster().subject();
    let says = "logins by client certificate end: kops' certificate authority and its administrator's kubeconfig (`kops export \
                kubecfg`) mean nothing to EKS; people and programs log in as roles with access entries";
    let ruling = Ruling::warning(says).to("accessConfig.accessEntries");
    let source = "EKS User Guide, access entries";
    draft.verdicts.push(context.verdict(&subject, "", "kops.access.certificates", source, ruling));
}

/// The partition of a region, as ARNs name it.
pub(in super::super) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
