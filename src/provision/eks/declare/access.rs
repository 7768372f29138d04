//! Who may log in, and which roles pods have.

use super::{put, tags};
use crate::model::cluster_config::{
    AccessPolicy, AmiFamily, AuthenticationMode, ClusterConfig, NodeGroupBase, PodIdentityAssociation,
};
use crate::provision::eks::{identity_provider, pod_identity};
use crate::provision::iam;
use crate::provision::network::{Declared, Problem, resource};
use crate::provision::resource::{Key, Kind, Resource, Scope};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn resources(config: &ClusterConfig, scope: &Scope) -> Declared {
    let mut declared = Declared::default();
    let entries = config.access_config.iter().flat_map(|access| &access.access_entries);
    for (nth, entry) in entries.enumerate() {
        let mut desired = json!({"principalArn": entry.principal_arn});
        put(&mut desired, "type", entry.entry_type.as_ref());
        put(&mut desired, "username", entry.kubernetes_username.as_ref());
        // Entries of nodes take neither groups nor policies; for people both are a whole.
        let of_people = entry.entry_type.as_deref().is_none_or(|kind| kind == "STANDARD");
        if of_people {
            desired["kubernetesGroups"] = json!(entry.kubernetes_groups);
            desired["accessPolicies"] = entry.access_policies.iter().map(policy).collect();
        }
        let key = Key::new(Kind::AccessEntry, entry.principal_arn.as_str());
        let at = format!("/accessConfig/accessEntries/{nth}");
        declared.resources.push(resource(key, desired, config.metadata.tags.clone(), at));
    }
    let associations = config.iam.iter().flat_map(|iam| &iam.pod_identity_associations);
    for (nth, association) in associations.enumerate() {
        declared.resources.push(pod(config, association, &format!("/iam/podIdentityAssociations/{nth}")));
    }
    if config.identity_providers.len() > 1 {
        let words = "EKS associates a cluster with one identity provider: keep one of them";
        declared.problems.push(Problem::refused("/identityProviders/1", words));
    }
    for (nth, provider) in config.identity_providers.iter().take(1).enumerate() {
        let mut oidc = json!({
            "identityProviderConfigName": provider.name,
            "issuerUrl": provider.issuer_url,
            "clientId": provider.client_id,
        });
        put(&mut oidc, "usernameClaim", provider.username_claim.as_ref());
        put(&mut oidc, "usernamePrefix", provider.username_prefix.as_ref());
        put(&mut oidc, "groupsClaim", provider.groups_claim.as_ref());
        put(&mut oidc, "groupsPrefix", provider.groups_prefix.as_ref());
        let claims = Some(&provider.required_claims).filter(|claims| !claims.is_empty());
        put(&mut oidc, "requiredClaims", claims);
        declared.resources.push(resource(
            identity_provider::key(),
            json!({"oidc": oidc}),
            tags(config, &provider.tags),
            format!("/identityProviders/{nth}"),
        ));
    }
    of_own_nodes(config, scope, &mut declared);
    declared
}

/// Self-managed nodes join by an access entry of their role; EKS makes those of managed ones itself.
fn of_own_nodes(config: &ClusterConfig, scope: &Scope, declared: &mut Declared) {
    let mode = config.access_config.as_ref().and_then(|access| access.authentication_mode);
    for (nth, group) in config.node_groups.iter().enumerate() {
        let at = format!("/nodeGroups/{nth}");
        if mode == Some(AuthenticationMode::ConfigMap) {
            declared.problems.push(Problem::refused(
                at,
                "self-managed nodes join by an access entry, which authenticationMode CONFIG_MAP does not know: take \
                 API_AND_CONFIG_MAP (the way back is closed then), or a managed node group",
            ));
            continue;
        }
        let Some((principal, needs)) = role_of_nodes(config, scope, &group.base) else {
            declared.problems.push(Problem::warning(
                format!("{at}/iam/instanceProfileARN"),
                "the role of this instance profile is not known here: its nodes can join only if \
                 accessConfig.accessEntries has an entry of type EC2_LINUX for that role; name it as instanceRoleARN",
            ));
            continue;
        };
        let key = Key::new(Kind::AccessEntry, principal.as_str());
        if declared.resources.iter().any(|other| other.key == key) {
            continue;
        }
        let windows = group.base.ami_family.is_some_and(AmiFamily::is_windows);
        let kind = if windows { "EC2_WINDOWS" } else { "EC2_LINUX" };
        let desired = json!({"principalArn": principal, "type": kind});
        let mut entry = resource(key, desired, config.metadata.tags.clone(), at);
        entry.needs.extend(needs);
        declared.resources.push(entry);
    }
}

/// The ARN of the nodes' role, told before it is made, for the entry is found by it; and the role, if it is made here.
fn role_of_nodes(
    config: &ClusterConfig,
    scope: &Scope,
    group: &NodeGroupBase,
) -> Option<(String, Option<Key>)> {
    let iam = group.iam.as_ref();
    if let Some(given) = iam.and_then(|iam| iam.instance_role_arn.clone()) {
        return Some((given, None));
    }
    if iam.is_some_and(|iam| iam.instance_profile_arn.is_some()) {
        return None;
    }
    let key = iam::role(format!("nodegroup-{}", group.name));
    let name =
        iam.and_then(|iam| iam.instance_role_name.clone()).unwrap_or_else(|| iam::role_name(scope, &key));
    let arn =
        format!("arn:{}:iam::{}:role{}{name}", scope.partition, scope.account, iam::path(config, scope));
    Some((arn, Some(key)))
}

fn policy(policy: &AccessPolicy) -> Value {
    let mut scope = json!({"type": super::json_of(&policy.access_scope.scope_type)});
    let mut namespaces = policy.access_scope.namespaces.clone();
    namespaces.sort();
    if !namespaces.is_empty() {
        scope["namespaces"] = json!(namespaces);
    }
    json!({"policyArn": policy.policy_arn, "accessScope": scope})
}

fn pod(config: &ClusterConfig, association: &PodIdentityAssociation, at: &str) -> Resource {
    let namespace = association.namespace.as_deref().unwrap_or("default");
    let account = association.service_account_name.as_str();
    let mut desired = json!({
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": iam::pod_role(association),
    });
    put(&mut desired, "targetRoleArn", association.target_role_arn.as_ref());
    put(&mut desired, "disableSessionTags", association.disable_session_tags);
    put(&mut desired, "policy", association.policy.as_ref());
    let own: &BTreeMap<String, String> = &association.tags;
    resource(pod_identity::key(namespace, account), desired, tags(config, own), at)
}
