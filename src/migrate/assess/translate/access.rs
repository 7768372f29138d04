//! Who may log in: mappings of the IAM authenticator become access entries.

use super::{Context, Draft, identity};
use crate::migrate::assess::rule::{Ruling, accepted, offer, offers};
use crate::model::cluster_config::{AccessConfig, AccessEntry, AccessPolicy, AuthenticationMode};
use std::collections::BTreeMap;

/// What becomes of a group of Kubernetes' own.
pub(in super::super) const SYSTEM_GROUP: &str = "kops.access.group";
/// The prefix of a group of Kubernetes' own that EKS refuses, in its new name.
const RENAMED: &str = "migrated:";
/// The release of kops, 1.x, from which a spec without `authorization` means RBAC.
const TAKES_RBAC: u32 = 36;
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

/// Where the words about entries come from.
const SOURCE: &str = "EKS API, CreateAccessEntry; EKS User Guide, access entries";

/// A mapping of the IAM authenticator, of the spec or of an object.
pub(in super::super) struct Mapping<'a> {
    /// Whose it is, as verdicts name it.
    pub(in super::super) subject: String,
    /// Where in it; empty for those of the spec, whose fields have verdicts of their own.
    pub(in super::super) field: &'a str,
    /// Whom AWS knows.
    pub(in super::super) arn: &'a str,
    /// Whom Kubernetes knows.
    pub(in super::super) username: &'a str,
    /// Groups, with the pointer of each.
    pub(in super::super) groups: Vec<(&'a str, String)>,
}

/// All mappings: those of the spec first, which count before what is live.
pub(in super::super) fn mappings<'a>(context: &Context<'a>) -> Vec<Mapping<'a>> {
    let mut all = Vec::new();
    for (index, mapping) in context.state.items("authentication.aws.identityMappings").iter().enumerate() {
        let groups = mapping["groups"].as_array().into_iter().flatten().enumerate();
        let path = format!("authentication.aws.identityMappings.{index}.groups");
        let groups = groups
            .filter_map(|(nth, name)| Some((name.as_str()?, context.pointer(&format!("{path}.{nth}")))));
        all.push(Mapping {
            subject: context.cluster().subject(),
            field: "",
            arn: mapping["arn"].as_str().unwrap_or_default(),
            username: mapping["username"].as_str().unwrap_or_default(),
            groups: groups.collect(),
        });
    }
    all.extend(context.facts.mappings.iter().map(|mapping| {
        let groups = mapping.groups.iter().enumerate();
        Mapping {
            subject: mapping.subject.clone(),
            field: &mapping.field,
            arn: &mapping.arn,
            username: &mapping.username,
            groups: groups
                .map(|(nth, name)| (name.as_str(), format!("{}/groups/{nth}", mapping.field)))
                .collect(),
        }
    }));
    all
}

/// What a group of the spec becomes, by its name and the recorded choice.
pub(in super::super) fn group(context: &Context<'_>, name: &str, pointer: &str) -> Group {
    group_of(context, &context.cluster().subject(), name, pointer)
}

/// The same of any subject.
pub(in super::super) fn group_of(context: &Context<'_>, subject: &str, name: &str, pointer: &str) -> Group {
    match name {
        "system:masters" => return Group::Admin,
        "system:nodes" | "system:bootstrappers" => return Group::Node,
        _ => {}
    }
    let Some(bare) = RESERVED.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return Group::Same(name.to_owned());
    };
    match context.way(SYSTEM_GROUP, subject, pointer, &["rename", "drop"]) {
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
    for mapping in mappings(context) {
        if !mapping.field.is_empty() {
            live(context, &mapping, draft);
        }
        if !is_principal(mapping.arn) || is_kops_nodes(context, &mapping) {
            continue;
        }
        let entry = entries.entry(mapping.arn.to_owned()).or_insert_with(|| AccessEntry {
            principal_arn: mapping.arn.to_owned(),
            ..AccessEntry::default()
        });
        entry.kubernetes_username = entry.kubernetes_username.take().or_else(|| username(mapping.username));
        for (name, pointer) in &mapping.groups {
            match group_of(context, &mapping.subject, name, pointer) {
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
    // What a completed spec says of it is a field, and told there.
    let release = context.state.version.as_deref().and_then(identity::minor);
    let unsaid = context.state.completed.is_none() && !context.cluster().at("authorization").is_object();
    if unsaid && release.is_none_or(|release| release < TAKES_RBAC) {
        let says = "the spec does not say who may do what, and kops before 1.36 takes that for AlwaysAllow, where everybody who logs \
                    in may do everything; EKS has RBAC: look into `cluster-completed.spec` of the state store";
        let source = "kops, pkg/apis/kops/v1alpha2/defaults.go";
        let verdict = context.verdict(&subject, "", "kops.access.unsaid", source, Ruling::warning(says));
        draft.verdicts.push(verdict);
    }
}

/// Whether a mapping lets in the nodes that kops made: their roles end with the old cluster, and EKS makes the entries
/// of its own nodes.
fn is_kops_nodes(context: &Context<'_>, mapping: &Mapping<'_>) -> bool {
    let role = mapping.arn.rsplit('/').next().unwrap_or_default();
    let of_cluster =
        role.strip_suffix(context.cluster().name.as_str()).and_then(|role| role.strip_suffix('.'));
    of_cluster.is_some_and(|role| ["nodes", "masters", "control-plane"].contains(&role))
        && mapping.groups.iter().any(|(name, _)| matches!(*name, "system:nodes" | "system:bootstrappers"))
}

/// What becomes of a mapping that stands in an object.
fn live(context: &Context<'_>, mapping: &Mapping<'_>, draft: &mut Draft) {
    let mut tell = |field: &str, rule: &str, ruling: Ruling| {
        draft.verdicts.push(context.verdict(&mapping.subject, field, rule, SOURCE, ruling));
    };
    const MAPPING: &str = "kops.access.live-mapping";
    if is_kops_nodes(context, mapping) {
        let says = "it lets in the nodes that kops made; EKS makes the entries of its own nodes";
        return tell(mapping.field, MAPPING, Ruling::irrelevant(says));
    }
    if !is_principal(mapping.arn) {
        let says = format!(
            "`{}` is no role or user: an access entry is for the role behind a session, and never for an account",
            mapping.arn
        );
        return tell(mapping.field, MAPPING, Ruling::blocker(says, accepted("nobody logs in by it")));
    }
    let name = username(mapping.username);
    let known = match (&name, mapping.username) {
        (Some(name), _) => format!("as user {name}"),
        (None, "") => "as the user of its ARN".to_owned(),
        (None, reserved) => {
            format!(
                "as the user of its ARN, for EKS keeps names such as {reserved} to itself; bindings of it are rewritten"
            )
        }
    };
    let says = format!("{} logs in {known}", mapping.arn);
    tell(mapping.field, MAPPING, Ruling::mapped(says).to("accessConfig.accessEntries[]"));
    for (name, pointer) in &mapping.groups {
        let ruling = match group_of(context, &mapping.subject, name, pointer) {
            Group::Admin => Ruling::mapped(
                "EKS refuses `system:masters`; the policy AmazonEKSClusterAdminPolicy is the same",
            )
            .to("accessConfig.accessEntries[].accessPolicies"),
            Group::Node => Ruling::mapped("an entry of type EC2_LINUX, as nodes have")
                .to("accessConfig.accessEntries[].type"),
            Group::Same(name) => Ruling::mapped(format!("the same group, {name}"))
                .to("accessConfig.accessEntries[].kubernetesGroups"),
            Group::Renamed(_) | Group::Dropped => system_group(name),
        };
        tell(pointer, SYSTEM_GROUP, ruling);
    }
}

/// What can become of a group of Kubernetes' own, as a question.
pub(in super::super) fn system_group(name: &str) -> Ruling {
    let bare = RESERVED.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let ways = offers([
        offer("rename", format!("`{RENAMED}{bare}` in its place; bindings of {name} are rewritten")),
        offer("drop", "without this group"),
    ]);
    Ruling::choice(format!("EKS refuses groups that begin with `system:`, and {name} is one"), ways)
        .to("accessConfig.accessEntries[].kubernetesGroups")
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
