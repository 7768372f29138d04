//! Roles and policies.

use super::KOPS;
use super::identity::default_or;
use crate::migrate::assess::rule::{Rule, Ruling, Set, accepted, irrelevant, mapped, offer, offers, warning};
use crate::migrate::assess::translate::iam::{self, WILDCARD};
use crate::model::cluster_config::is_policy_arn;

const ROLES: &str = "EKS User Guide, node role; kops, pkg/model/iam";
const PODS: &str = "EKS API, CreatePodIdentityAssociation";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.iam.inline", &["spec.additionalPolicies.*"], ROLES, "").to("managedNodeGroups[].iam.attachPolicy").by(|_, set| {
        if set.field.path.last_key() != "node" {
            return Ruling::irrelevant("EKS runs the control plane, and a bastion is not carried over");
        }
        match iam::policy(&set.field.text()) {
            Some(_) => Ruling::mapped("an inline policy of the node role; a role for the pods that need it would be narrower"),
            None => Ruling::blocker("it is no IAM policy: a list of statements with `Effect` and `Action`", accepted("nodes do without it")),
        }
    }),
    mapped("kops.iam.managed", &["spec.externalPolicies.*[]"], ROLES, "").to("managedNodeGroups[].iam.attachPolicyARNs").by(|_, set| {
        if set.field.path.last_key() != "node" {
            return Ruling::irrelevant("EKS runs the control plane, and a bastion is not carried over");
        }
        policy_arn(set, "attached to the node role, beside those that EKS nodes need", "nodes do without it")
    }),
    irrelevant("kops.iam.empty", &["spec.iam", "spec.additionalPolicies", "spec.externalPolicies"], KOPS, "it says nothing"),
    mapped("kops.iam.registry", &["spec.iam.allowContainerRegistry"], ROLES, "nodes may pull from ECR (AmazonEC2ContainerRegistryPullOnly)"),
    mapped("kops.iam.boundary", &["spec.iam.permissionsBoundary"], "IAM API, CreateRole.PermissionsBoundary", "the boundary of every role that is made")
        .to("iam.serviceRolePermissionsBoundary, managedNodeGroups[].iam.instanceRolePermissionsBoundary")
        .by(|_, set| policy_arn(set, "the boundary of every role that is made", "roles are made without a boundary")),
    warning("kops.iam.legacy", &["spec.iam.legacy"], ROLES, "nodes had wide permissions, and pods may rely on them: give each a role of its own").by(|_, set| {
        if set.field.text() == "true" { Ruling::as_written() } else { Ruling::irrelevant("nodes had the narrow permissions already") }
    }),
    mapped("kops.iam.service-account", &["spec.iam.serviceAccountExternalPermissions[].name"], PODS, "the service account gets a role")
        .to("iam.podIdentityAssociations[]"),
    mapped(WILDCARD, &["spec.iam.serviceAccountExternalPermissions[].namespace"], PODS, "the service account's namespace")
        .to("iam.podIdentityAssociations[].namespace")
        .by(|context, set| {
            let pattern = set.field.text();
            if !iam::is_pattern(&pattern) {
                return Ruling::as_written();
            }
            let found = iam::expand(context, &pattern);
            let expand = offer("expand", format!("an association for each namespace that there is: {}", told(&found)));
            let irsa = offer("irsa", "one role that trusts every such service account, by the OIDC provider");
            let ways = if found.is_empty() { offers([irsa, expand]) } else { offers([expand, irsa]) };
            Ruling::choice("pod identity knows no patterns of namespaces", ways)
        }),
    mapped("kops.iam.service-account-policy", &["spec.iam.serviceAccountExternalPermissions[].aws.policyARNs[]"], PODS, "attached to its role")
        .to("iam.podIdentityAssociations[].permissionPolicyARNs")
        .by(|_, set| policy_arn(set, "attached to its role", "the service account does without it")),
    mapped("kops.iam.service-account-inline", &["spec.iam.serviceAccountExternalPermissions[].aws.inlinePolicy"], PODS, "its role's inline policy")
        .to("iam.podIdentityAssociations[].permissionPolicy")
        .by(|_, set| match iam::policy(&set.field.text()) {
            Some(_) => Ruling::as_written(),
            None => Ruling::blocker("it is no IAM policy: a list of statements with `Effect` and `Action`", accepted("the service account does without it")),
        }),
    irrelevant("kops.iam.service-account-none", &["spec.iam.serviceAccountExternalPermissions", "spec.iam.serviceAccountExternalPermissions[].aws", "spec.iam.serviceAccountExternalPermissions[].aws.policyARNs"], KOPS, "it says nothing"),
    mapped(
        "kops.iam.oidc",
        &["spec.iam.useServiceAccountExternalPermissions", "spec.serviceAccountIssuerDiscovery", "spec.serviceAccountIssuerDiscovery.enableAWSOIDCProvider"],
        "eksctl, iam.withOIDC",
        "the new cluster's issuer becomes an identity provider in IAM; roles with service accounts have to trust it beside the old one",
    )
    .to("iam.withOIDC")
    .by(|_, set| if set.field.text() == "false" { Ruling::irrelevant("it was off") } else { Ruling::as_written() }),
    warning(
        "kops.iam.discovery",
        &["spec.serviceAccountIssuerDiscovery.discoveryStore", "spec.serviceAccountIssuerDiscovery.discoveryService.url", "spec.serviceAccountIssuerDiscovery.additionalAudiences[]"],
        "EKS API, DescribeCluster.identity",
        "EKS publishes its issuer itself: every role that trusts the old issuer has to trust the new one too, and the old one stays for the way back",
    )
    .by(|_, set| default_or(set, "kops' default")),
    irrelevant("kops.iam.webhook", &["spec.cloudProvider.aws.podIdentityWebhook", "spec.cloudProvider.aws.podIdentityWebhook.*"], "EKS User Guide, IAM roles for service accounts", "EKS has the webhook built in"),
];

/// What is no ARN of a policy would make the whole ClusterConfig one that nobody takes.
fn policy_arn(set: &Set<'_>, says: &str, without: &str) -> Ruling {
    if is_policy_arn(&set.field.text()) {
        return Ruling::mapped(says);
    }
    Ruling::blocker("it is no ARN of an IAM policy, `arn:aws:iam::ACCOUNT:policy/NAME`", accepted(without))
}

fn told(names: &[String]) -> String {
    match names {
        [] => "the facts name none".to_owned(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        names => names.join(", "),
    }
}
