//! Managed node groups: CreateNodegroup, DescribeNodegroup, ListNodegroups, DeleteNodegroup.

use super::clusters::of_issue;
use super::error::ApiError;
use super::faults::Outcome;
use super::paging::{names, page};
use super::service::{Asked, Service};
use super::state::{copy, text, texts};
use super::updates::{Target, health};
use super::{access, arn, entry_rules, node_rules, tags};
use crate::local::aws::world::{Issue, NodegroupFacts};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most node groups of a cluster (service quotas).
const NODEGROUPS: usize = 30;

/// What is answered when there is none of that name.
#[must_use]
pub fn not_found(cluster: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("No node group found for name: {name}."))
        .cluster(cluster)
        .with("nodegroupName", name)
}

/// CreateNodegroup.
pub async fn create(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName"), asked.text("nodegroupName"));
    let refused = |error: ApiError| error.cluster(cluster_name).with("nodegroupName", name);
    let (cluster_view, view) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster(cluster_name)?;
        if cluster.nodegroups.contains_key(name) {
            return Err(refused(ApiError::in_use(format!(
                "NodeGroup already exists with name {name} and cluster name {cluster_name}"
            ))));
        }
        cluster.require_active("InvalidRequestException").map_err(refused)?;
        if cluster.nodegroups.len() >= NODEGROUPS {
            return Err(refused(ApiError::limit(format!(
                "the cluster has {NODEGROUPS} node groups already"
            ))));
        }
        let view = described(service, asked, cluster.version(), &id).map_err(refused)?;
        (cluster.view.clone(), view)
    };
    if let Err(issue) = service.world.check_nodegroup(&cluster_view, &asked.input).await {
        return Err(refused(of_issue(service, &issue)));
    }
    let turn = {
        let mut state = service.state();
        let Some(mut cluster) = state.clusters.remove(cluster_name) else {
            return Err(refused(ApiError::request("the cluster is gone")));
        };
        let role = text(&view, "nodeRole");
        access::add_for_nodes(service, &mut state, &mut cluster, role, entry_rules::of_nodes(&view));
        cluster.nodegroups.insert(name.into(), view.clone());
        let turn = cluster.turn.clone();
        state.clusters.insert(cluster_name.into(), cluster);
        turn
    };
    let (cluster_name, name) = (cluster_name.to_owned(), name.to_owned());
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    service.later(turn, service.options.delays.create, async move |service: Arc<Service>| {
        let result = match &outcome {
            Some(Outcome::Fail(issue)) => Err(issue.clone()),
            _ => made(&service, &cluster_name, &before).await,
        };
        let now = service.seconds();
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        let Some(view) = cluster.nodegroups.get_mut(&name) else { return };
        view["modifiedAt"] = now;
        match result {
            Ok(facts) => {
                take_facts(view, &facts);
                view["status"] = "ACTIVE".into();
                if let Some(Outcome::Degrade(issue)) = &outcome {
                    view["status"] = "DEGRADED".into();
                    view["health"] = health(&service.model, "NodegroupIssueCode", issue, "InternalFailure");
                }
            }
            Err(issue) => {
                view["status"] = "CREATE_FAILED".into();
                view["health"] = health(&service.model, "NodegroupIssueCode", &issue, "InternalFailure");
            }
        }
    });
    Ok(json!({"nodegroup": view}))
}

async fn made(service: &Service, cluster: &str, view: &Value) -> Result<NodegroupFacts, Issue> {
    access::tell_the_world(service, cluster).await?;
    let cluster_view =
        service.state().cluster(cluster).map(|cluster| cluster.view.clone()).unwrap_or_default();
    service.world.create_nodegroup(&cluster_view, view).await
}

/// What only the outside knows, put into the description.
pub fn take_facts(view: &mut Value, facts: &NodegroupFacts) {
    let groups: Vec<Value> = facts.auto_scaling_groups.iter().map(|name| json!({"name": name})).collect();
    view["resources"] = json!({"autoScalingGroups": groups});
    if let Some(group) = &facts.remote_access_security_group {
        view["resources"]["remoteAccessSecurityGroup"] = group.as_str().into();
    }
    view["releaseVersion"] = facts.release_version.as_str().into();
    if facts.release_version.starts_with("ami-") {
        view["amiType"] = "CUSTOM".into();
    }
    if let Some(described) = facts.described.as_object() {
        for (member, value) in described {
            view[member] = value.clone();
        }
    }
}

/// The node group that is asked for, as it is described while it is CREATING.
fn described(service: &Service, asked: &Asked, cluster_version: &str, id: &str) -> Result<Value, ApiError> {
    let input = &asked.input;
    let (cluster, name) = (asked.text("clusterName"), asked.text("nodegroupName"));
    node_rules::name(name, "nodegroupName")?;
    let version = input["version"].as_str().unwrap_or(cluster_version);
    if version != cluster_version {
        return Err(ApiError::parameter(format!(
            "Nodegroup version {version} is not the version {cluster_version} of the cluster"
        )));
    }
    arn::require_role(&service.options, asked.text("nodeRole"), "nodeRole")?;
    tags::check(&input["tags"], "InvalidParameterException")?;
    if texts(input, "subnets").is_empty() {
        return Err(ApiError::parameter("subnets is empty"));
    }
    let templated = !input["launchTemplate"].is_null();
    node_rules::launch_template(input)?;
    let ami_type = node_rules::ami_type(input, version)?;
    if let Some(release) = input["releaseVersion"].as_str() {
        node_rules::release(release, version, ami_type)?;
    }
    node_rules::labels(input["labels"].as_object().into_iter().flatten())?;
    node_rules::taints(&input["taints"])?;
    let now = service.seconds();
    let mut view = json!({
        "nodegroupName": name,
        "nodegroupArn": service.arn(&format!("nodegroup/{cluster}/{name}/{id}")),
        "clusterName": cluster,
        "version": version,
        "createdAt": now,
        "modifiedAt": now,
        "status": "CREATING",
        "capacityType": input["capacityType"].as_str().unwrap_or("ON_DEMAND"),
        "scalingConfig": node_rules::scaling(&json!({"minSize": 1, "maxSize": 2, "desiredSize": 2}), &input["scalingConfig"])?,
        "subnets": input["subnets"],
        "amiType": ami_type,
        "nodeRole": input["nodeRole"],
        "labels": tags::or_none(&input["labels"]),
        "health": {"issues": []},
        "updateConfig": node_rules::update_config(&input["updateConfig"])?,
        "tags": tags::or_none(&input["tags"]),
    });
    if !templated {
        view["instanceTypes"] = json!(["t3.medium"]);
        view["diskSize"] = if ami_type.starts_with("WINDOWS_") { 50 } else { 20 }.into();
    }
    copy(
        input,
        &[
            "instanceTypes",
            "diskSize",
            "remoteAccess",
            "taints",
            "launchTemplate",
            "nodeRepairConfig",
            "warmPoolConfig",
            "releaseVersion",
        ],
        &mut view,
    );
    node_rules::repair(&input["nodeRepairConfig"])?;
    Ok(view)
}

/// DescribeNodegroup. What changed outside (a scaled Auto Scaling group) becomes a part of it, as in the service.
pub async fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, name) = (asked.text("clusterName"), asked.text("nodegroupName"));
    let (cluster_view, view) = {
        let state = service.state();
        let found = state.cluster(cluster)?;
        (found.view.clone(), found.nodegroups.get(name).ok_or_else(|| not_found(cluster, name))?.clone())
    };
    let at_rest = matches!(text(&view, "status"), "ACTIVE" | "DEGRADED");
    let observed = if at_rest { service.world.observe_nodegroup(&cluster_view, &view).await } else { None };
    let mut state = service.state();
    let view =
        state.cluster_mut(cluster)?.nodegroups.get_mut(name).ok_or_else(|| not_found(cluster, name))?;
    // An update that began meanwhile knows better.
    if matches!(text(view, "status"), "ACTIVE" | "DEGRADED")
        && let (Some(Value::Object(observed)), Some(members)) = (observed, view.as_object_mut())
    {
        members.extend(observed);
    }
    Ok(json!({"nodegroup": view}))
}

/// ListNodegroups.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    page("nodegroups", names(cluster.nodegroups.keys()), &asked.input).map(Value::Object)
}

/// DeleteNodegroup.
pub fn delete(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName").to_owned(), asked.text("nodegroupName").to_owned());
    let (view, turn) = {
        let mut state = service.state();
        let cluster = state.cluster_mut(&cluster_name)?;
        let running = cluster.running(&Target::Nodegroup(name.clone())).map(String::from);
        let turn = cluster.turn.clone();
        let view = cluster.nodegroups.get_mut(&name).ok_or_else(|| not_found(&cluster_name, &name))?;
        let refuse =
            |what: String| Err(ApiError::in_use(what).cluster(&cluster_name).with("nodegroupName", &name));
        if let Some(id) = running {
            return refuse(format!("Nodegroup {name} has the update {id} in progress"));
        }
        if matches!(text(view, "status"), "CREATING" | "DELETING") {
            return refuse(format!("Nodegroup {name} is {}", text(view, "status")));
        }
        view["status"] = "DELETING".into();
        (view.clone(), turn)
    };
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    service.later(turn, service.options.delays.delete, async move |service: Arc<Service>| {
        let cluster_view =
            service.state().cluster(&cluster_name).map(|cluster| cluster.view.clone()).unwrap_or_default();
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => service.world.delete_nodegroup(&cluster_view, &before).await,
        };
        {
            let mut state = service.state();
            let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
            if let Err(issue) = result {
                if let Some(view) = cluster.nodegroups.get_mut(&name) {
                    view["status"] = "DELETE_FAILED".into();
                    view["health"] = health(&service.model, "NodegroupIssueCode", &issue, "InternalFailure");
                }
                return;
            }
            cluster.nodegroups.remove(&name);
            cluster.updates.retain(|update| update.target != Target::Nodegroup(name.clone()));
            access::remove_unused(cluster, text(&before, "nodeRole"));
        }
        // Not told: the nodes are gone all the same, and the next change tells it.
        let _ = access::tell_the_world(&service, &cluster_name).await;
    });
    Ok(json!({"nodegroup": view}))
}
