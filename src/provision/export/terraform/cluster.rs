//! The cluster's parts.

use super::facts::Facts;
use super::{File, control_plane, managed, tags};
use crate::provision::export::OF_EKS;
use crate::provision::export::hcl::Block;
use crate::provision::resource::{Kind, Live, Scope, Snapshot};
use serde_json::{Value, json};

pub(super) fn write(scope: &Scope, snapshot: &Snapshot, live: &Live, facts: &Facts, file: &mut File) {
    control_plane::write(live, file);
    let name = reference(&live.id);
    for entry in &facts.entries_of_nodes {
        entry_of_nodes(entry, &name, &scope.cluster, file);
    }
    for live in snapshot.live.values() {
        let import = |part: &str| format!("{}:{part}", scope.cluster);
        match live.key.kind {
            Kind::Nodegroup => managed::write(live, &name, &import(&live.id), file),
            Kind::Addon => addon(live, &name, &import(&live.id), file),
            Kind::FargateProfile => fargate(live, &name, &import(&live.id), file),
            Kind::AccessEntry => access_entry(live, &name, &scope.cluster, file),
            Kind::PodIdentityAssociation => {
                pod_identity(live, &name, &format!("{},{}", scope.cluster, live.id), file);
            }
            Kind::IdentityProvider => identity_provider(live, &name, &import(&live.id), file),
            _ => {}
        }
    }
}

/// What stands for the cluster's name; no name of anything else is like it.
pub(super) fn reference(name: &str) -> String {
    format!("\u{0}cluster {name}")
}

fn addon(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let associations = actual["podIdentityAssociations"].as_array().into_iter().flatten();
    file.add("aws_eks_addon", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("addon_name", &actual["addonName"])
            .plain("addon_version", &actual["addonVersion"])
            .plain("configuration_values", &actual["configurationValues"])
            .with("service_account_role_arn", &actual["serviceAccountRoleArn"])
            .plain("tags", &tags(live))
            .block(
                Block::new("namespace_config", &[])
                    .plain("namespace", &actual["namespaceConfig"]["namespace"]),
            )
            .blocks(associations.map(|association| {
                Block::new("pod_identity_association", &[])
                    .with("role_arn", &association["roleArn"])
                    .plain("service_account", &association["serviceAccount"])
            }))
    });
}

fn fargate(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let selectors = actual["selectors"].as_array().into_iter().flatten();
    file.add("aws_eks_fargate_profile", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("fargate_profile_name", &actual["fargateProfileName"])
            .with("pod_execution_role_arn", &actual["podExecutionRoleArn"])
            .with("subnet_ids", &actual["subnets"])
            .plain("tags", &tags(live))
            .blocks(selectors.map(|selector| {
                Block::new("selector", &[])
                    .plain("namespace", &selector["namespace"])
                    .plain("labels", &selector["labels"])
            }))
    });
}

/// By which self-managed nodes join: of their role, made by a person.
fn entry_of_nodes(entry: &Value, cluster: &str, of: &str, file: &mut File) {
    let principal = entry["principalArn"].as_str().unwrap_or_default();
    let short = principal.rsplit('/').next().unwrap_or(principal);
    file.add("aws_eks_access_entry", short, &format!("{of}:{principal}"), &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .with("principal_arn", &json!(principal))
            .plain("type", &entry["type"])
            .plain("tags", &entry["tags"])
    });
}

fn access_entry(live: &Live, cluster: &str, of: &str, file: &mut File) {
    let actual = &live.actual;
    // EKS makes those of managed nodes and of Fargate, and takes them away.
    if OF_EKS.contains(&actual["type"].as_str().unwrap_or_default()) {
        return;
    }
    let principal = actual["principalArn"].as_str().unwrap_or_default();
    let short = principal.rsplit([':', '/']).next().unwrap_or(principal);
    let import = format!("{of}:{principal}");
    file.add("aws_eks_access_entry", short, &import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .with("principal_arn", &actual["principalArn"])
            .plain("kubernetes_groups", &actual["kubernetesGroups"])
            .plain("type", &actual["type"])
            .plain("user_name", &actual["username"])
            .plain("tags", &tags(live))
    });
    for policy in actual["accessPolicies"].as_array().into_iter().flatten() {
        let arn = policy["policyArn"].as_str().unwrap_or_default();
        let name = format!("{short}_{}", arn.rsplit('/').next().unwrap_or(arn));
        let import = format!("{of}#{principal}#{arn}");
        file.add("aws_eks_access_policy_association", &name, &import, &[], |block| {
            let scope = &policy["accessScope"];
            block
                .with("cluster_name", &json!(cluster))
                .with("principal_arn", &actual["principalArn"])
                .plain("policy_arn", &json!(arn))
                .block(
                    Block::new("access_scope", &[])
                        .plain("type", &scope["type"])
                        .plain("namespaces", &scope["namespaces"]),
                )
        });
    }
}

fn pod_identity(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    file.add("aws_eks_pod_identity_association", &live.key.name, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("namespace", &actual["namespace"])
            .plain("service_account", &actual["serviceAccount"])
            .with("role_arn", &actual["roleArn"])
            .with("target_role_arn", &actual["targetRoleArn"])
            .plain("disable_session_tags", &actual["disableSessionTags"])
            .plain("policy", &actual["policy"])
            .plain("tags", &tags(live))
    });
}

fn identity_provider(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let oidc = &live.actual["oidc"];
    file.add("aws_eks_identity_provider_config", &live.id, import, &[], |block| {
        block.with("cluster_name", &json!(cluster)).plain("tags", &tags(live)).block(
            Block::new("oidc", &[])
                .plain("identity_provider_config_name", &oidc["identityProviderConfigName"])
                .plain("issuer_url", &oidc["issuerUrl"])
                .plain("client_id", &oidc["clientId"])
                .plain("username_claim", &oidc["usernameClaim"])
                .plain("username_prefix", &oidc["usernamePrefix"])
                .plain("groups_claim", &oidc["groupsClaim"])
                .plain("groups_prefix", &oidc["groupsPrefix"])
                .plain("required_claims", &oidc["requiredClaims"]),
        )
    });
}
