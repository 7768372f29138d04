//! ServiceAccounts as a file has them: those whose pods get a role by an annotation, and those that were made for a pod
//! identity association.

use crate::model::ownership::APPLICATION;
use crate::provision::eks::service_account::{MANAGED_BY, ROLE_ARN};
use crate::provision::owner::{is_ours, tags_of};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What kubectl remembers on objects.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Whose ServiceAccounts a file takes over: ours, and those that eksctl made.
const MAKERS: [&str; 2] = [MANAGED_BY.1, "eksctl"];

/// What a file says of ServiceAccounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// `iam.serviceAccounts`.
    pub declared: Vec<Value>,
    /// Namespace and name of those that were made for a pod identity association, if there is one of them.
    pub made: BTreeSet<(String, String)>,
}

/// Reads ServiceAccounts. `of_addons` are the roles that add-ons give to their own.
pub(super) fn read(objects: &[Value], of_addons: &BTreeSet<String>, notes: &mut Vec<String>) -> Accounts {
    let mut accounts = Accounts::default();
    for metadata in objects.iter().map(|object| &object["metadata"]) {
        let text = |member: &str| metadata[member].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let (labels, annotations) = (tags_of(&metadata["labels"]), tags_of(&metadata["annotations"]));
        let maker = labels.get(MANAGED_BY.0).map(String::as_str);
        let known_maker = maker.is_some_and(|maker| MAKERS.contains(&maker));
        let of_application = labels.contains_key(APPLICATION);
        let Some(role) = annotations.get(ROLE_ARN).cloned() else {
            if known_maker && !of_application {
                accounts.made.insert((namespace, name));
            }
            continue;
        };
        if of_addons.contains(&role) {
            continue;
        }
        let other = labels.get(APPLICATION).map(String::as_str).or(maker.filter(|_| !known_maker));
        if let Some(other) = other {
            notes.push(format!(
                "ServiceAccount {namespace}/{name} with the role {role} is left to {other}, which keeps it"
            ));
            continue;
        }
        let without = |all: BTreeMap<String, String>| -> BTreeMap<String, String> {
            let kept = |name: &str| ![MANAGED_BY.0, ROLE_ARN, LAST_APPLIED].contains(&name) && !is_ours(name);
            all.into_iter().filter(|(name, _)| kept(name)).collect()
        };
        accounts.declared.push(json!({
            "metadata": {
                "name": name, "namespace": namespace, "labels": without(labels), "annotations": without(annotations),
            },
            "attachRoleARN": role,
        }));
    }
    accounts
}
