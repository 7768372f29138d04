//! Rules of `iam`: roles, service accounts, pod identity associations.

use super::control_plane::tags;
use super::{Findings, syntax};
use crate::model::cluster_config::{
    ClusterConfig, ClusterIamServiceAccount, InlineDocument, PodIdentityAssociation, WellKnownPolicies,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The add-on that gives pods the credentials of their associations.
const AGENT: &str = "eks-pod-identity-agent";

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let Some(iam) = &config.iam else { return };
    let roles = [
        ("serviceRoleARN", &iam.service_role_arn),
        ("fargatePodExecutionRoleARN", &iam.fargate_pod_execution_role_arn),
    ];
    let boundaries = [
        ("serviceRolePermissionsBoundary", &iam.service_role_permissions_boundary),
        ("fargatePodExecutionRolePermissionsBoundary", &iam.fargate_pod_execution_role_permissions_boundary),
    ];
    for ((role_field, role), (boundary_field, boundary)) in roles.into_iter().zip(boundaries) {
        if let Some(role) = role {
            findings.require(&format!("/iam/{role_field}"), syntax::role(role));
        }
        if let Some(boundary) = boundary {
            let at = format!("/iam/{boundary_field}");
            findings.require(&at, syntax::policy(boundary));
            if role.is_some() {
                let message = format!("belongs to a new role, and `{role_field}` names an existing one");
                findings.wrong(&at, message, "keep one of them");
            }
        }
    }
    if !iam.service_accounts.is_empty() && iam.with_oidc != Some(true) {
        let hint = "set `iam.withOIDC: true`, or use `iam.podIdentityAssociations`";
        findings.wrong("/iam/serviceAccounts", "needs the OIDC provider", hint);
    }
    let mut seen = BTreeSet::new();
    for (index, account) in iam.service_accounts.iter().enumerate() {
        let at = format!("/iam/serviceAccounts/{index}");
        service_account(&at, account, findings);
        let namespace = account.metadata.namespace.as_deref().unwrap_or("default");
        if !seen.insert((namespace, account.metadata.name.as_str())) {
            let message = format!("declares `{namespace}/{}` a second time", account.metadata.name);
            findings.wrong(&at, message, "take one of them out");
        }
    }
    let mut seen = BTreeSet::new();
    for (index, association) in iam.pod_identity_associations.iter().enumerate() {
        let at = format!("/iam/podIdentityAssociations/{index}");
        association_rules(&at, association, findings);
        match &association.namespace {
            None => findings.wrong(&at, "has no namespace", "set `namespace`"),
            Some(namespace) => {
                findings.require(&format!("{at}/namespace"), syntax::dns(namespace, 63));
                if !seen.insert((namespace, &association.service_account_name)) {
                    let message =
                        format!("declares `{namespace}/{}` a second time", association.service_account_name);
                    findings.wrong(
                        &at,
                        message,
                        "take one of them out: a service account has one association",
                    );
                }
            }
        }
    }
    if !iam.pod_identity_associations.is_empty() {
        agent("/iam/podIdentityAssociations", config, findings);
    }
}

/// Pods get nothing from an association without the agent; Auto Mode has it built in.
pub(super) fn agent(pointer: &str, config: &ClusterConfig, findings: &mut Findings) {
    let auto = config.auto_mode_config.as_ref().is_some_and(|auto| auto.enabled == Some(true));
    if !auto && !config.addons.iter().any(|addon| addon.name == AGENT) {
        findings.wrong(
            pointer,
            format!("needs the add-on `{AGENT}`"),
            format!("list `{AGENT}` under `addons`"),
        );
    }
}

fn service_account(at: &str, account: &ClusterIamServiceAccount, findings: &mut Findings) {
    if account.metadata.name.is_empty() {
        findings.wrong(at, "has no `metadata.name`", "name the service account");
    } else {
        findings.require(&format!("{at}/metadata/name"), syntax::dns(&account.metadata.name, 253));
    }
    if let Some(namespace) = &account.metadata.namespace {
        findings.require(&format!("{at}/metadata/namespace"), syntax::dns(namespace, 63));
    }
    let of_new = Policies {
        arns: ("attachPolicyARNs", &account.attach_policy_arns),
        document: ("attachPolicy", account.attach_policy.as_ref()),
        well_known: account.well_known_policies,
        boundary: ("permissionsBoundary", account.permissions_boundary.as_deref()),
    };
    of_new.check(at, findings);
    if let Some(name) = &account.role_name {
        findings.require(&format!("{at}/roleName"), syntax::role_name(name));
    }
    if let Some(role) = &account.attach_role_arn {
        findings.require(&format!("{at}/attachRoleARN"), syntax::role(role));
        of_new.refuse(at, "attachRoleARN", account.role_name.is_some(), findings);
        if account.role_only == Some(true) {
            let hint = "take one of them out";
            findings.wrong(&format!("{at}/roleOnly"), "leaves nothing to do: the role exists already", hint);
        }
    } else if of_new.is_empty() {
        let hint = "set `attachPolicyARNs`, `attachPolicy`, `wellKnownPolicies` or `attachRoleARN`";
        findings.wrong(at, "would have a role without permissions", hint);
    }
    tags(&format!("{at}/tags"), &account.tags, findings);
}

/// Rules of an association, in `iam` or in an add-on.
pub(super) fn association_rules(at: &str, association: &PodIdentityAssociation, findings: &mut Findings) {
    if association.service_account_name.is_empty() {
        findings.wrong(at, "has no `serviceAccountName`", "name the service account");
    } else {
        findings.require(
            &format!("{at}/serviceAccountName"),
            syntax::dns(&association.service_account_name, 253),
        );
    }
    let of_new = Policies {
        arns: ("permissionPolicyARNs", &association.permission_policy_arns),
        document: ("permissionPolicy", association.permission_policy.as_ref()),
        well_known: association.well_known_policies,
        boundary: ("permissionsBoundaryARN", association.permissions_boundary_arn.as_deref()),
    };
    of_new.check(at, findings);
    for (field, role) in [("roleARN", &association.role_arn), ("targetRoleARN", &association.target_role_arn)]
    {
        if let Some(role) = role {
            findings.require(&format!("{at}/{field}"), syntax::role(role));
        }
    }
    if let Some(name) = &association.role_name {
        findings.require(&format!("{at}/roleName"), syntax::role_name(name));
    }
    if association.role_arn.is_some() {
        of_new.refuse(at, "roleARN", association.role_name.is_some(), findings);
    } else if of_new.is_empty() {
        let hint = "set `roleARN`, `permissionPolicyARNs`, `permissionPolicy` or `wellKnownPolicies`";
        findings.wrong(at, "would have a role without permissions", hint);
    }
    if association.permission_policy_name.is_some() && association.permission_policy.is_none() {
        let hint = "set `permissionPolicy`, or take it out";
        findings.wrong(&format!("{at}/permissionPolicyName"), "names no policy", hint);
    }
    if let Some(policy) = &association.policy {
        let at_policy = format!("{at}/policy");
        if !serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.is_object()) {
            findings.wrong(
                &at_policy,
                "is no IAM policy as JSON text",
                "write the policy document as JSON in quotes",
            );
        }
        if association.disable_session_tags != Some(true) {
            findings.wrong(
                &at_policy,
                "needs `disableSessionTags: true`",
                "set it: EKS takes no policy without it",
            );
        }
    }
    tags(&format!("{at}/tags"), &association.tags, findings);
}

/// What makes the permissions of a new role, by the names that it has there.
pub(super) struct Policies<'a> {
    pub arns: (&'static str, &'a [String]),
    pub document: (&'static str, Option<&'a InlineDocument>),
    pub well_known: Option<WellKnownPolicies>,
    pub boundary: (&'static str, Option<&'a str>),
}

impl Policies<'_> {
    pub(super) fn is_empty(&self) -> bool {
        let none_known = self.well_known.is_none_or(|policies| policies == WellKnownPolicies::default());
        self.arns.1.is_empty() && self.document.1.is_none() && none_known
    }

    /// How the texts and documents look.
    pub(super) fn check(&self, at: &str, findings: &mut Findings) {
        let (field, arns) = self.arns;
        for (index, arn) in arns.iter().enumerate() {
            findings.require(&format!("{at}/{field}/{index}"), syntax::policy(arn));
        }
        if let (field, Some(document)) = self.document {
            policy_document(&format!("{at}/{field}"), document, findings);
        }
        if let (field, Some(boundary)) = self.boundary {
            findings.require(&format!("{at}/{field}"), syntax::policy(boundary));
        }
    }

    /// None of them goes with an existing role.
    fn refuse(&self, at: &str, role: &str, named: bool, findings: &mut Findings) {
        let given = [
            (self.arns.0, !self.arns.1.is_empty()),
            (self.document.0, self.document.1.is_some()),
            ("wellKnownPolicies", self.well_known.is_some()),
            (self.boundary.0, self.boundary.1.is_some()),
            ("roleName", named),
        ];
        for field in super::set(&given) {
            let message = format!("belongs to a new role, and `{role}` names an existing one");
            findings.wrong(
                &format!("{at}/{field}"),
                message,
                "keep one of them: an existing role is not changed",
            );
        }
    }
}

/// An IAM policy document has statements, each with an effect and actions.
pub(super) fn policy_document(at: &str, document: &InlineDocument, findings: &mut Findings) {
    let statements: Vec<&Value> = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    if statements.is_empty() {
        findings.wrong(
            at,
            "is no IAM policy: it has no `Statement`",
            "write `Version: \"2012-10-17\"` and `Statement`",
        );
        return;
    }
    for (index, statement) in statements.into_iter().enumerate() {
        let has = |field: &str| statement.get(field).is_some();
        let effect = statement["Effect"].as_str();
        if !matches!(effect, Some("Allow" | "Deny")) || !(has("Action") || has("NotAction")) {
            let message = format!("is no IAM policy: statement {} needs `Effect` and `Action`", index + 1);
            findings.wrong(at, message, "`Effect` is Allow or Deny; names begin with capital letters");
        }
    }
}
