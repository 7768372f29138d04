//! Access entries and the policies associated with them.

use super::arn::Principal;
use super::error::ApiError;
use super::paging::{names, page};
use super::service::{Asked, Service};
use super::state::{Cluster, Entry, State, copy, text};
use super::{entry_rules, policies, tags};
use crate::local::aws::world::Issue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What every operation on entries answers while the cluster does not use them.
fn require_entries(cluster: &Cluster) -> Result<(), ApiError> {
    if cluster.has_access_entries() {
        return Ok(());
    }
    Err(ApiError::request(
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    )
    .cluster(cluster.name()))
}

fn entry<'a>(cluster: &'a mut Cluster, principal: &str) -> Result<&'a mut Entry, ApiError> {
    let name = cluster.name().to_owned();
    cluster.entries.get_mut(principal).ok_or_else(|| {
        ApiError::not_found(format!("The specified principalArn could not be found: {principal}"))
            .cluster(&name)
    })
}

/// A new entry, as described.
fn new_entry(service: &Service, state: &mut State, cluster: &str, principal: &str, kind: &str) -> Entry {
    let now = service.seconds();
    let (of, account, name) = match Principal::of(principal) {
        Some(principal) => (principal.kind, principal.account, principal.short_name()),
        None => ("role", service.options.account.as_str(), principal),
    };
    let id = state.uuid();
    let view = json!({
        "clusterName": cluster,
        "principalArn": principal,
        "kubernetesGroups": entry_rules::groups(kind),
        "accessEntryArn": service.arn(&format!("access-entry/{cluster}/{of}/{account}/{name}/{id}")),
        "createdAt": now,
        "modifiedAt": now,
        "tags": {},
        "username": entry_rules::username(principal, kind),
        "type": kind,
    });
    Entry { view, policies: BTreeMap::new(), of_service: false }
}

/// Makes the entries that the service makes itself: for the creator, and for the roles of managed node groups and of
/// Fargate profiles. Nothing while the cluster does not use entries; none is made twice.
pub fn add_those_of_the_service(service: &Service, state: &mut State, cluster: &mut Cluster) {
    if !cluster.has_access_entries() {
        return;
    }
    let name = cluster.name().to_owned();
    if cluster.creator_is_admin && !cluster.entries.contains_key(&cluster.creator) {
        let mut entry = new_entry(service, state, &name, &cluster.creator, "STANDARD");
        let policy = policies::arn(&service.options, "AmazonEKSClusterAdminPolicy");
        let scope = json!({"type": "cluster", "namespaces": []});
        entry.policies.insert(policy.clone(), associated(service, &policy, scope));
        if cluster.view["status"] == "CREATING" {
            // Born with the cluster: that is how it is known later.
            for member in ["createdAt", "modifiedAt"] {
                entry.view[member] = cluster.view["createdAt"].clone();
            }
        }
        cluster.entries.insert(cluster.creator.clone(), entry);
    }
    for nodegroup in cluster.nodegroups.clone().values() {
        add_for_nodes(service, state, cluster, text(nodegroup, "nodeRole"), entry_rules::of_nodes(nodegroup));
    }
    for profile in cluster.fargate_profiles.clone().values() {
        add_for_nodes(service, state, cluster, text(profile, "podExecutionRoleArn"), "FARGATE_LINUX");
    }
    add_for_auto_mode(service, state, cluster);
}

/// The nodes of Auto Mode's built-in pools log in with an entry of their own kind, which has a policy in place of a group.
fn add_for_auto_mode(service: &Service, state: &mut State, cluster: &mut Cluster) {
    let Some(role) = cluster.view["computeConfig"]["nodeRoleArn"].as_str().map(str::to_owned) else { return };
    add_for_nodes(service, state, cluster, &role, "EC2");
    let policy = policies::arn(&service.options, "AmazonEKSAutoNodePolicy");
    let policy_of = associated(service, &policy, json!({"type": "cluster", "namespaces": []}));
    if let Some(entry) =
        cluster.entries.get_mut(&role).filter(|entry| entry.of_service && entry.view["type"] == "EC2")
    {
        entry.policies.insert(policy, policy_of);
    }
}

/// Makes the entry of a role that nodes have.
pub fn add_for_nodes(service: &Service, state: &mut State, cluster: &mut Cluster, role: &str, kind: &str) {
    if cluster.has_access_entries() && !cluster.entries.contains_key(role) {
        let mut entry = new_entry(service, state, cluster.name(), role, kind);
        entry.of_service = true;
        cluster.entries.insert(role.into(), entry);
    }
}

/// Takes an entry away that the service made for nodes, when no node group and no profile has the role any more.
pub fn remove_unused(cluster: &mut Cluster, role: &str) {
    let used = cluster.nodegroups.values().any(|nodegroup| nodegroup["nodeRole"] == role)
        || cluster.fargate_profiles.values().any(|profile| profile["podExecutionRoleArn"] == role)
        || cluster.view["computeConfig"]["nodeRoleArn"] == role;
    if !used && cluster.entries.get(role).is_some_and(|entry| entry.of_service) {
        cluster.entries.remove(role);
    }
}

/// Gives the world the entries as they are now.
pub async fn tell_the_world(service: &Service, cluster: &str) -> Result<(), Issue> {
    let (view, access) = {
        let state = service.state();
        let Some(cluster) = state.clusters.get(cluster) else { return Ok(()) };
        (cluster.view.clone(), cluster.access())
    };
    service.world.access_changed(&view, &access).await
}

/// Tells the world soon; entries are eventually consistent in the service too.
fn tell_later(service: &Arc<Service>, cluster: &Cluster) {
    let name = cluster.name().to_owned();
    service.later(cluster.turn.clone(), Duration::ZERO, async move |service: Arc<Service>| {
        if let Err(issue) = tell_the_world(&service, &name).await
            && let Ok(cluster) = service.state().cluster_mut(&name)
        {
            cluster.view["health"] =
                super::updates::health(&service.model, "ClusterIssueCode", &issue, "InternalFailure");
        }
    });
}

fn associated(service: &Service, policy: &str, scope: Value) -> Value {
    let now = service.seconds();
    json!({"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now})
}

/// CreateAccessEntry.
pub fn create(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (name, principal) = (asked.text("clusterName"), asked.text("principalArn"));
    let kind = asked.input["type"].as_str().unwrap_or("STANDARD");
    let mut state = service.state();
    let cluster = state.cluster(name)?;
    cluster.require_usable()?;
    require_entries(cluster)?;
    let refused = |error: ApiError| error.cluster(name);
    entry_rules::check_principal(&service.options, principal, kind).map_err(refused)?;
    entry_rules::check_names(&asked.input, kind).map_err(refused)?;
    tags::check(&asked.input["tags"], "InvalidParameterException").map_err(refused)?;
    if cluster.entries.contains_key(principal) {
        return Err(refused(ApiError::in_use(
            "The specified access entry resource is already in use on this cluster.",
        )));
    }
    let mut entry = new_entry(service, &mut state, name, principal, kind);
    copy(&asked.input, &["kubernetesGroups", "username", "tags"], &mut entry.view);
    let answer = json!({"accessEntry": entry.view});
    let cluster = state.cluster_mut(name)?;
    cluster.entries.insert(principal.into(), entry);
    tell_later(service, cluster);
    Ok(answer)
}

/// DescribeAccessEntry.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let mut state = service.state();
    let cluster = state.cluster_mut(asked.text("clusterName"))?;
    require_entries(cluster)?;
    Ok(json!({"accessEntry": entry(cluster, asked.text("principalArn"))?.view}))
}

/// ListAccessEntries.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    require_entries(cluster)?;
    let policy = asked.input["associatedPolicyArn"].as_str();
    let with = cluster
        .entries
        .iter()
        .filter(|(_, entry)| policy.is_none_or(|policy| entry.policies.contains_key(policy)))
        .map(|(principal, _)| principal);
    page("accessEntries", names(with), &asked.input).map(Value::Object)
}

/// UpdateAccessEntry. Groups that are given replace those that were.
pub fn update(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let now = service.seconds();
    let mut state = service.state();
    let cluster = state.cluster_mut(asked.text("clusterName"))?;
    cluster.require_usable()?;
    require_entries(cluster)?;
    let entry = entry(cluster, asked.text("principalArn"))?;
    entry_rules::check_names(&asked.input, text(&entry.view, "type"))
        .map_err(|error| error.cluster(asked.text("clusterName")))?;
    copy(&asked.input, &["kubernetesGroups", "username"], &mut entry.view);
    entry.view["modifiedAt"] = now;
    let answer = json!({"accessEntry": entry.view});
    tell_later(service, cluster);
    Ok(answer)
}

/// DeleteAccessEntry.
pub fn delete(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let mut state = service.state();
    let cluster = state.cluster_mut(asked.text("clusterName"))?;
    cluster.require_usable()?;
    require_entries(cluster)?;
    entry(cluster, asked.text("principalArn"))?;
    cluster.entries.remove(asked.text("principalArn"));
    tell_later(service, cluster);
    Ok(json!({}))
}

/// AssociateAccessPolicy. Again with another scope changes the scope.
pub fn associate(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (name, principal, policy) =
        (asked.text("clusterName"), asked.text("principalArn"), asked.text("policyArn"));
    let mut state = service.state();
    let cluster = state.cluster_mut(name)?;
    cluster.require_usable()?;
    require_entries(cluster)?;
    let entry = entry(cluster, principal)?;
    let refused = |error: ApiError| error.cluster(name);
    if !policies::exists(&service.options, policy) {
        let message = format!("The policyArn {policy} is not one that ListAccessPolicies gives");
        return Err(refused(ApiError::parameter(message)));
    }
    let kind = text(&entry.view, "type");
    if kind != "STANDARD" && kind != "EC2" {
        let message = format!("Access policies cannot be associated with an access entry of type {kind}");
        return Err(refused(ApiError::request(message)));
    }
    let scope = policies::scope(&asked.input["accessScope"]).map_err(refused)?;
    let mut view = associated(service, policy, scope);
    if let Some(before) = entry.policies.get(policy) {
        view["associatedAt"] = before["associatedAt"].clone();
    }
    entry.policies.insert(policy.into(), view.clone());
    tell_later(service, cluster);
    Ok(json!({"clusterName": name, "principalArn": principal, "associatedAccessPolicy": view}))
}

/// DisassociateAccessPolicy.
pub fn disassociate(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (name, policy) = (asked.text("clusterName"), asked.text("policyArn"));
    let mut state = service.state();
    let cluster = state.cluster_mut(name)?;
    cluster.require_usable()?;
    require_entries(cluster)?;
    let entry = entry(cluster, asked.text("principalArn"))?;
    if entry.policies.remove(policy).is_none() {
        let message = format!("The policy {policy} is not associated with the specified principalArn");
        return Err(ApiError::not_found(message).cluster(name));
    }
    tell_later(service, cluster);
    Ok(json!({}))
}

/// ListAssociatedAccessPolicies.
pub fn list_associated(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let mut state = service.state();
    let cluster = state.cluster_mut(asked.text("clusterName"))?;
    require_entries(cluster)?;
    let entry = entry(cluster, asked.text("principalArn"))?;
    let items: Vec<_> = entry.policies.iter().map(|(policy, view)| (policy.clone(), view.clone())).collect();
    let mut answer = page("associatedAccessPolicies", items, &asked.input)?;
    answer.insert("clusterName".into(), asked.text("clusterName").into());
    answer.insert("principalArn".into(), asked.text("principalArn").into());
    Ok(Value::Object(answer))
}

/// ListAccessPolicies.
pub fn list_policies(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let items: Vec<_> = policies::NAMES
        .iter()
        .map(|name| ((*name).to_owned(), json!({"name": name, "arn": policies::arn(&service.options, name)})))
        .collect();
    page("accessPolicies", items, &asked.input).map(Value::Object)
}
