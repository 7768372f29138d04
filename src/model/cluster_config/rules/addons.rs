//! Rules of `addons`.

use super::control_plane::tags;
use super::iam::{self, Policies};
use super::{Findings, set, syntax};
use crate::model::cluster_config::{Addon, ClusterConfig, ResolveConflicts, WellKnownPolicies};
use crate::model::yaml::{self, Limits};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, addon) in config.addons.iter().enumerate() {
        let at = format!("/addons/{index}");
        findings.require(&format!("{at}/name"), syntax::eks_name(&addon.name, 100));
        if !seen.insert(&addon.name) {
            findings.wrong(
                &format!("{at}/name"),
                format!("lists `{}` a second time", addon.name),
                "take one of them out",
            );
        }
        texts(&at, addon, findings);
        permissions(&at, addon, config, findings);
    }
}

fn texts(at: &str, addon: &Addon, findings: &mut Findings) {
    if let Some(version) = &addon.version {
        let number = version.strip_prefix('v').unwrap_or(version);
        if version != "latest" && !number.starts_with(|c: char| c.is_ascii_digit()) {
            let hint = "write it as `v1.20.1-eksbuild.1`, or `latest`";
            findings.wrong(&format!("{at}/version"), "is no version of an add-on", hint);
        }
    }
    if let Some(text) = &addon.configuration_values
        && !is_settings(text)
    {
        let hint = "write a mapping as JSON or YAML text, after `configurationValues: |-`";
        findings.wrong(&format!("{at}/configurationValues"), "is no mapping of settings", hint);
    }
    let namespace = addon.namespace_config.as_ref().and_then(|config| config.namespace.as_deref());
    if let Some(namespace) = namespace {
        findings.require(&format!("{at}/namespaceConfig/namespace"), syntax::dns(namespace, 63));
    }
    if addon.resolve_conflicts == Some(ResolveConflicts::Preserve) {
        let message =
            "is preserve, which holds for updates: when the add-on is created, EKS takes it as none";
        findings.doubtful(
            &format!("{at}/resolveConflicts"),
            message,
            "use overwrite where the cluster has the program already",
        );
    }
    tags(&format!("{at}/tags"), &addon.tags, findings);
}

fn is_settings(text: &str) -> bool {
    if serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()) {
        return true;
    }
    match &yaml::read_stream(text.as_bytes(), &Limits::default())[..] {
        [] => true,
        [Ok(document)] => document.value().is_object(),
        _ => false,
    }
}

/// Permissions come one way: an existing role, a new role by the OIDC provider, or pod identity (eksctl's rules).
fn permissions(at: &str, addon: &Addon, config: &ClusterConfig, findings: &mut Findings) {
    let well_known =
        addon.well_known_policies.is_some_and(|policies| policies != WellKnownPolicies::default());
    let by_oidc = set(&[
        ("serviceAccountRoleARN", addon.service_account_role_arn.is_some()),
        ("attachPolicyARNs", !addon.attach_policy_arns.is_empty()),
        ("attachPolicy", addon.attach_policy.is_some()),
        ("wellKnownPolicies", well_known),
    ]);
    let policies = Policies {
        arns: ("attachPolicyARNs", &addon.attach_policy_arns),
        document: ("attachPolicy", addon.attach_policy.as_ref()),
        well_known: None,
        boundary: ("permissionsBoundary", addon.permissions_boundary.as_deref()),
    };
    policies.check(at, findings);
    if let Some(role) = &addon.service_account_role_arn {
        findings.require(&format!("{at}/serviceAccountRoleARN"), syntax::role(role));
    }
    if by_oidc.len() > 1 {
        let message = format!("contradicts `{}`", by_oidc[0]);
        findings.wrong(&format!("{at}/{}", by_oidc[1]), message, "keep one of them: an add-on has one role");
    }
    let makes_role = by_oidc.iter().any(|field| *field != "serviceAccountRoleARN");
    if addon.permissions_boundary.is_some() && !makes_role {
        let hint = "take it out, or give the add-on policies";
        findings.wrong(&format!("{at}/permissionsBoundary"), "has no new role to bound", hint);
    }
    if let Some(field) = by_oidc.first()
        && config.iam.as_ref().and_then(|iam| iam.with_oidc) != Some(true)
    {
        let hint = "set `iam.withOIDC: true`, or use `podIdentityAssociations`";
        findings.wrong(&format!("{at}/{field}"), "needs the OIDC provider", hint);
    }
    let associations = addon.pod_identity_associations.as_deref();
    let defaults = addon.use_default_pod_identity_associations == Some(true);
    if let Some(field) = by_oidc.first()
        && (associations.is_some_and(|associations| !associations.is_empty()) || defaults)
    {
        let hint = "keep one of them: a service account has one role";
        findings.wrong(&format!("{at}/{field}"), "contradicts the add-on's pod identity associations", hint);
    }
    if defaults && associations.is_some() {
        let at = format!("{at}/useDefaultPodIdentityAssociations");
        findings.wrong(&at, "contradicts `podIdentityAssociations`", "keep one of them");
    }
    if defaults || associations.is_some_and(|associations| !associations.is_empty()) {
        iam::agent(at, config, findings);
    }
    for (index, association) in associations.unwrap_or_default().iter().enumerate() {
        let at = format!("{at}/podIdentityAssociations/{index}");
        iam::association_rules(&at, association, findings);
        if association.namespace.is_some() {
            let hint = "take it out: the add-on's namespace is known";
            findings.wrong(&format!("{at}/namespace"), "cannot be set for an add-on", hint);
        }
    }
}
