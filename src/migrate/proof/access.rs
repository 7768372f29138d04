//! Rights: every question that the source's RBAC answers with yes, asked again in the target.

use super::prove::Difference;
use crate::transform::Identity;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A question for a `SubjectAccessReview`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// Who, as `User name`, `Group name` or `ServiceAccount namespace/name`.
    pub subject: String,
    /// What is done, such as `get`.
    pub verb: String,
    /// To what, as `resource.group`, `resource.group/subresource`, or the path of a non-resource URL.
    pub resource: String,
    /// Name of the one object that the rule allows; empty: any.
    pub name: String,
    /// Where; empty: everywhere.
    pub namespace: String,
}

/// Answers to questions.
pub type Answers = BTreeMap<Question, bool>;

/// Every question that the roles and bindings among the objects raise. Subjects of the source's own machinery
/// (`system:` users and nodes) are left out.
#[must_use]
pub fn questions(objects: &[Value]) -> BTreeSet<Question> {
    let mut roles: BTreeMap<(String, String), &Value> = BTreeMap::new();
    for object in objects.iter().filter(|object| is_rbac(object)) {
        if let Some("Role" | "ClusterRole") = object["kind"].as_str() {
            roles.insert((text(object, "/metadata/namespace"), text(object, "/metadata/name")), object);
        }
    }
    let mut questions = BTreeSet::new();
    for binding in objects.iter().filter(|object| is_rbac(object)) {
        let wide = binding["kind"] == "ClusterRoleBinding";
        if !wide && binding["kind"] != "RoleBinding" {
            continue;
        }
        let namespace = text(binding, "/metadata/namespace");
        let home = if text(binding, "/roleRef/kind") == "Role" { namespace.clone() } else { String::new() };
        let Some(role) = roles.get(&(home, text(binding, "/roleRef/name"))) else { continue };
        for subject in
            binding["subjects"].as_array().into_iter().flatten().filter_map(|s| subject(s, &namespace))
        {
            ask(&mut questions, &subject, role, if wide { "" } else { &namespace });
        }
    }
    questions
}

fn is_rbac(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("rbac.authorization.k8s.io/"))
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn subject(subject: &Value, namespace: &str) -> Option<String> {
    let name = text(subject, "/name");
    match subject["kind"].as_str()? {
        "ServiceAccount" => {
            let own = text(subject, "/namespace");
            let namespace = if own.is_empty() { namespace } else { &own };
            Some(format!("ServiceAccount {namespace}/{name}"))
        }
        kind @ ("User" | "Group") => {
            let everyone = name.starts_with("system:serviceaccount")
                || matches!(name.as_str(), "system:authenticated" | "system:unauthenticated");
            (everyone || !name.starts_with("system:")).then(|| format!("{kind} {name}"))
        }
        _ => None,
    }
}

fn ask(questions: &mut BTreeSet<Question>, subject: &str, role: &Value, namespace: &str) {
    for rule in role["rules"].as_array().into_iter().flatten() {
        let list = |key: &str| -> Vec<String> {
            let items = rule[key].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(String::from)).collect()
        };
        let mut resources = list("nonResourceURLs");
        for group in list("apiGroups") {
            for resource in list("resources") {
                let (resource, sub) =
                    resource.split_once('/').map_or((resource.as_str(), None), |(r, s)| (r, Some(s)));
                let group = if group.is_empty() { String::new() } else { format!(".{group}") };
                let sub = sub.map(|sub| format!("/{sub}")).unwrap_or_default();
                resources.push(format!("{resource}{group}{sub}"));
            }
        }
        let names = Some(list("resourceNames"))
            .filter(|names| !names.is_empty())
            .unwrap_or_else(|| vec![String::new()]);
        for verb in list("verbs") {
            for resource in &resources {
                for name in &names {
                    questions.insert(Question {
                        subject: subject.into(),
                        verb: verb.clone(),
                        resource: resource.clone(),
                        name: name.clone(),
                        namespace: namespace.into(),
                    });
                }
            }
        }
    }
}

/// A question as it is asked in the target; `None`: the subject has its rights there in another way, and is not asked
/// about.
#[must_use]
pub fn mapped(question: &Question, identities: &BTreeMap<String, Identity>) -> Option<Question> {
    match identities.get(&question.subject) {
        None => Some(question.clone()),
        Some(Identity::Drop(_)) => None,
        Some(Identity::Rename(new)) => {
            let kind = question.subject.split(' ').next().unwrap_or_default();
            Some(Question { subject: format!("{kind} {new}"), ..question.clone() })
        }
    }
}

/// Whether a question is about PodSecurityPolicies, which were removed with 1.25.
fn is_pod_security_policy(resource: &str) -> bool {
    matches!(resource, "podsecuritypolicies.policy" | "podsecuritypolicies.extensions")
}

/// What the two clusters answer differently. `expected` holds the source's answers under the names of the source, `actual`
/// those of the target under its own.
#[must_use]
pub fn prove_access(
    expected: &Answers,
    actual: &Answers,
    identities: &BTreeMap<String, Identity>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (question, before) in expected {
        let Question { subject, verb, resource, name, namespace } = question;
        let place = if namespace.is_empty() { "everywhere".to_owned() } else { format!("in {namespace}") };
        let object = format!("{subject} {verb} {resource} {name} {place}").replace("  ", " ");
        let (after, mut explained_by) = match mapped(question, identities) {
            None => (None, Some("binding.subjects".to_owned())),
            Some(asked) => (actual.get(&asked).copied(), None),
        };
        if after == Some(*before) {
            continue;
        }
        // The rule takes the right out of the roles: there is nothing left that it would be a right to.
        if after == Some(false) && is_pod_security_policy(resource) {
            explained_by = Some("role.pod-security-policies".to_owned());
        }
        let shown = |answer: bool| Value::from(if answer { "allowed" } else { "denied" });
        differences.push(Difference {
            object,
            pointer: String::new(),
            expected: Some(shown(*before)),
            actual: after.map(shown).or_else(|| Some("not asked".into())),
            explained_by,
        });
    }
    differences
}
