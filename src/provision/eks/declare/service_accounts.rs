//! The ServiceAccounts that a ClusterConfig has made in the cluster.

use crate::model::cluster_config::ClusterConfig;
use crate::provision::eks::service_account::{MANAGED_BY, ROLE_ARN, key};
use crate::provision::iam;
use crate::provision::network::resource;
use crate::provision::resource::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEFAULT_NAMESPACE: &str = "default";

/// One for each of `iam.serviceAccounts` that is not `roleOnly`, and one for each pod identity association with
/// `createServiceAccount`, unless the former declares it already.
pub(super) fn resources(config: &ClusterConfig) -> Vec<Resource> {
    let mut declared: Vec<Resource> = Vec::new();
    let iam = config.iam.iter();
    for (nth, account) in iam.clone().flat_map(|iam| &iam.service_accounts).enumerate() {
        if account.role_only == Some(true) {
            continue;
        }
        let meta = &account.metadata;
        let mut annotations = json!(meta.annotations);
        annotations[ROLE_ARN] = iam::service_account_role(account);
        let namespace = meta.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let at = format!("/iam/serviceAccounts/{nth}");
        declared.push(account_of(namespace, &meta.name, &meta.labels, annotations, at));
    }
    for (nth, association) in iam.flat_map(|iam| &iam.pod_identity_associations).enumerate() {
        let (namespace, name) = (
            association.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE),
            &association.service_account_name,
        );
        let is_declared = declared.iter().any(|other| other.key == key(namespace, name));
        if association.create_service_account == Some(true) && !is_declared {
            let at = format!("/iam/podIdentityAssociations/{nth}");
            declared.push(account_of(namespace, name, &BTreeMap::new(), json!({}), at));
        }
    }
    declared
}

fn account_of(
    namespace: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: Value,
    at: String,
) -> Resource {
    let mut labels = labels.clone();
    labels.entry(MANAGED_BY.0.to_owned()).or_insert_with(|| MANAGED_BY.1.to_owned());
    let desired = json!({"namespace": namespace, "name": name, "labels": labels, "annotations": annotations});
    resource(key(namespace, name), desired, BTreeMap::new(), at)
}
