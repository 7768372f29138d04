//! Roles: of the cluster, of nodes and of service accounts.

use super::{Context, Draft, network};
use crate::model::cluster_config::{
    ClusterIam, ClusterIamMeta, ClusterIamServiceAccount, InlineDocument, PodIdentityAssociation,
    is_policy_arn,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How a service account in a namespace of a pattern gets its role.
pub(in super::super) const WILDCARD: &str = "kops.iam.wildcard-namespace";

/// A policy as kops has it: a list of statements, or a whole document.
pub(in super::super) fn policy(text: &str) -> Option<InlineDocument> {
    let value: Value = serde_json::from_str(text).ok()?;
    let statements = match value {
        Value::Array(statements) => Value::Array(statements),
        Value::Object(mut document) => document.remove("Statement")?,
        _ => return None,
    };
    let one = |statement: &Value| {
        matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"))
            && (statement.get("Action").is_some() || statement.get("NotAction").is_some())
    };
    let whole = match &statements {
        Value::Array(all) => !all.is_empty() && all.iter().all(one),
        other => one(other),
    };
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    document.as_object().filter(|_| whole).cloned()
}

/// The boundary of every role that is made.
pub(in super::super) fn boundary(context: &Context<'_>) -> Option<String> {
    context.state.text("iam.permissionsBoundary").filter(|arn| is_policy_arn(arn)).map(str::to_owned)
}

/// Whether a namespace is a pattern.
pub(in super::super) fn is_pattern(namespace: &str) -> bool {
    namespace.contains(['*', '?'])
}

/// Namespaces of the source that a pattern means.
pub(in super::super) fn expand(context: &Context<'_>, pattern: &str) -> Vec<String> {
    let fits = |name: &&String| glob(pattern.as_bytes(), name.as_bytes());
    context.facts.namespaces.iter().filter(fits).cloned().collect()
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, text)| glob(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => glob(rest, text),
        (Some((a, rest)), Some((b, text))) if a == b => glob(rest, text),
        _ => false,
    }
}

/// How a pattern is carried over: an association for each namespace, or one role for all by the OIDC provider.
pub(in super::super) fn wildcard_way(context: &Context<'_>, pattern: &str, pointer: &str) -> &'static str {
    let ways: &[&'static str] =
        if expand(context, pattern).is_empty() { &["irsa", "expand"] } else { &["expand", "irsa"] };
    context.way(WILDCARD, &context.cluster().subject(), pointer, ways)
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let boundary = boundary(context);
    let mut iam = ClusterIam { service_role_permissions_boundary: boundary.clone(), ..ClusterIam::default() };
    let irsa = context.state.flag("iam.useServiceAccountExternalPermissions") == Some(true)
        || context.state.at("serviceAccountIssuerDiscovery").is_object()
        || network::is_ipv6(context);
    let mut seen = BTreeSet::new();
    for (index, account) in context.state.items("iam.serviceAccountExternalPermissions").iter().enumerate() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, namespace) = (text(&account["name"]), text(&account["namespace"]));
        let arns: Vec<String> = account["aws"]["policyARNs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .filter(|arn| is_policy_arn(arn))
            .collect();
        let document = account["aws"]["inlinePolicy"].as_str().and_then(policy);
        if name.is_empty() || (arns.is_empty() && document.is_none()) {
            continue;
        }
        let pointer = context.pointer(&format!("iam.serviceAccountExternalPermissions.{index}.namespace"));
        if is_pattern(&namespace) && wildcard_way(context, &namespace, &pointer) == "irsa" {
            iam.service_accounts.push(ClusterIamServiceAccount {
                metadata: ClusterIamMeta {
                    name: name.clone(),
                    // The role's own name is made of this; whom it trusts is the pattern.
                    namespace: Some(any_namespace(&namespace, index)),
                    ..ClusterIamMeta::default()
                },
                attach_policy_arns: arns,
                attach_policy: document,
                permissions_boundary: boundary.clone(),
                role_only: Some(true),
                subject_pattern: Some(format!("system:serviceaccount:{namespace}:{name}")),
                ..ClusterIamServiceAccount::default()
            });
            continue;
        }
        let namespaces = if is_pattern(&namespace) { expand(context, &namespace) } else { vec![namespace] };
        for namespace in namespaces.into_iter().filter(|namespace| !namespace.is_empty()) {
            if seen.insert((namespace.clone(), name.clone())) {
                iam.pod_identity_associations.push(PodIdentityAssociation {
                    namespace: Some(namespace),
                    service_account_name: name.clone(),
                    permission_policy_arns: arns.clone(),
                    permission_policy: document.clone(),
                    permissions_boundary_arn: boundary.clone(),
                    ..PodIdentityAssociation::default()
                });
            }
        }
    }
    if irsa || !iam.service_accounts.is_empty() {
        iam.with_oidc = Some(true);
    }
    draft.config.iam = Some(iam);
}

/// A name for a pattern that Kubernetes would take.
fn any_namespace(pattern: &str, index: usize) -> String {
    let word: String =
        pattern.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit()).take(40).collect();
    if word.is_empty() { format!("any-{index}") } else { format!("{word}-any-{index}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_namespaces_match_as_iam_matches() {
        for (pattern, text, expected) in [
            ("test-*", "test-a", true),
            ("test-*", "test", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a*c", "abbc", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn policies_are_lists_or_documents() {
        assert!(policy(r#"[{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]}]"#).is_some());
        assert!(
            policy(r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":"x"}}"#).is_some()
        );
        assert!(
            ["", "{}", "[]", "5", r#"[{"Effect":"Maybe","Action":"x"}]"#]
                .iter()
                .all(|text| policy(text).is_none())
        );
    }
}
