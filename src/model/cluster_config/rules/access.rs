//! Rules of `accessConfig`.

use super::{Findings, syntax};
use crate::model::cluster_config::{AccessEntry, AccessScopeType, AuthenticationMode, ClusterConfig};
use std::collections::BTreeSet;

/// Types of access entries (`CreateAccessEntryRequest.type` in the EKS API).
const TYPES: [&str; 7] =
    ["STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];

/// Beginnings of names that EKS keeps for itself (EKS User Guide, creating access entries).
const RESERVED: [&str; 5] = ["system:", "eks:", "aws:", "amazon:", "iam:"];

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let Some(access) = &config.access_config else { return };
    if access.authentication_mode == Some(AuthenticationMode::ConfigMap) {
        let at = "/accessConfig/authenticationMode";
        if !access.access_entries.is_empty() {
            findings.wrong(at, "is CONFIG_MAP, which has no access entries", "use API or API_AND_CONFIG_MAP");
        }
        if access.bootstrap_cluster_creator_admin_permissions == Some(false) {
            let hint = "use API or API_AND_CONFIG_MAP, or take `bootstrapClusterCreatorAdminPermissions` out";
            findings.wrong(at, "is CONFIG_MAP, where the creator is always administrator", hint);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, entry) in access.access_entries.iter().enumerate() {
        let at = format!("/accessConfig/accessEntries/{index}");
        check_entry(&at, entry, findings);
        if !entry.principal_arn.is_empty() && !seen.insert(&entry.principal_arn) {
            let hint = "put groups and policies into one entry";
            findings.wrong(&at, format!("is a second entry of `{}`", entry.principal_arn), hint);
        }
    }
}

fn check_entry(at: &str, entry: &AccessEntry, findings: &mut Findings) {
    if entry.principal_arn.is_empty() {
        findings.wrong(at, "has no `principalARN`", "name the role or user");
    } else {
        let pointer = format!("{at}/principalARN");
        let hint = "write it as `arn:aws:iam::111122223333:role/NAME` or `…:user/NAME`; a session has the ARN of its role";
        let of_user = syntax::arn_of(&entry.principal_arn, "iam", "user/", hint);
        if of_user.is_err() {
            findings.require(&pointer, syntax::arn_of(&entry.principal_arn, "iam", "role/", hint));
        }
    }
    let entry_type = entry.entry_type.as_deref().unwrap_or("STANDARD");
    if !TYPES.contains(&entry_type) {
        findings.wrong(
            &format!("{at}/type"),
            "is no type of an access entry",
            format!("there are {}", TYPES.join(", ")),
        );
    }
    if entry_type != "STANDARD" {
        // Auto Mode's node role is the one node type that is given a policy.
        let given = [
            ("kubernetesGroups", !entry.kubernetes_groups.is_empty()),
            ("kubernetesUsername", entry.kubernetes_username.is_some()),
            ("accessPolicies", !entry.access_policies.is_empty() && entry_type != "EC2"),
        ];
        for field in super::set(&given) {
            let message = format!("cannot be set where `type` is {entry_type}: EKS sets it itself");
            findings.wrong(&format!("{at}/{field}"), message, "take it out, or use STANDARD");
        }
    }
    let reserved = |name: &str| RESERVED.into_iter().find(|prefix| name.starts_with(prefix));
    for (index, group) in entry.kubernetes_groups.iter().enumerate() {
        if let Some(prefix) = reserved(group) {
            let hint = match group.as_str() {
                "system:masters" => "use the access policy AmazonEKSClusterAdminPolicy",
                _ => "bind a group of your own to the role, or use an access policy",
            };
            let message = format!("begins with `{prefix}`, which EKS refuses");
            findings.wrong(&format!("{at}/kubernetesGroups/{index}"), message, hint);
        }
    }
    if let Some(prefix) = entry.kubernetes_username.as_deref().and_then(reserved) {
        let message = format!("begins with `{prefix}`, which EKS refuses");
        findings.wrong(
            &format!("{at}/kubernetesUsername"),
            message,
            "take it out, and EKS makes one of the ARN",
        );
    }
    policies(at, entry, findings);
}

fn policies(at: &str, entry: &AccessEntry, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, policy) in entry.access_policies.iter().enumerate() {
        let at = format!("{at}/accessPolicies/{index}");
        let hint = "write it as `arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy`; IAM policies are no access policies";
        if policy.policy_arn.is_empty() {
            findings.wrong(&at, "has no `policyARN`", hint);
        } else {
            let checked = syntax::arn_of(&policy.policy_arn, "eks", "cluster-access-policy/", hint);
            findings.require(&format!("{at}/policyARN"), checked);
            if !seen.insert(&policy.policy_arn) {
                let hint = "list its namespaces in one";
                findings.wrong(&at, "gives the same policy a second time", hint);
            }
        }
        let scope = &policy.access_scope;
        match (scope.scope_type, scope.namespaces.is_empty()) {
            (AccessScopeType::Namespace, true) => {
                findings.wrong(
                    &format!("{at}/accessScope"),
                    "has no namespaces",
                    "list them, or use `type: cluster`",
                );
            }
            (AccessScopeType::Cluster, false) => {
                let hint = "take them out, or use `type: namespace`";
                findings.wrong(
                    &format!("{at}/accessScope/namespaces"),
                    "mean nothing for the whole cluster",
                    hint,
                );
            }
            _ => {}
        }
    }
}
