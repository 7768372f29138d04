//! Fargate profiles: they never change, and one at a time is made or deleted.

use super::error::ApiError;
use super::faults::Outcome;
use super::paging::{names, page};
use super::service::{Asked, Service};
use super::state::{Cluster, text, texts};
use super::updates::health;
use super::{access, arn, node_rules, tags};
use crate::local::aws::world::Issue;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most profiles of a cluster, most selectors of a profile, most labels of a selector (service quotas).
const PROFILES: usize = 10;
const SELECTORS: usize = 5;
const LABELS: usize = 5;

fn not_found(cluster: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("No Fargate Profile found with name: {name}."))
        .cluster(cluster)
        .with("fargateProfileName", name)
}

/// Refuses while another profile is being made or deleted (terraform#25059, terraform-provider-aws#13372).
fn require_alone(cluster: &Cluster, verb: &str, name: &str) -> Result<(), ApiError> {
    let busy = cluster
        .fargate_profiles
        .iter()
        .find(|(_, profile)| matches!(text(profile, "status"), "CREATING" | "DELETING"));
    match busy {
        None => Ok(()),
        Some((other, profile)) => Err(ApiError::in_use(format!(
            "Cannot {verb} Fargate Profile {name} because cluster {} currently has Fargate profile {other} in status {}",
            cluster.name(),
            text(profile, "status")
        ))
        .cluster(cluster.name())),
    }
}

/// CreateFargateProfile.
pub fn create(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName"), asked.text("fargateProfileName"));
    let refused = |error: ApiError| error.cluster(cluster_name).with("fargateProfileName", name);
    let (view, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster(cluster_name)?;
        if cluster.fargate_profiles.contains_key(name) {
            return Err(refused(ApiError::in_use(
                "A Fargate Profile already exists with this name in this cluster.",
            )));
        }
        cluster.require_active("InvalidRequestException")?;
        require_alone(cluster, "create", name)?;
        if cluster.fargate_profiles.len() >= PROFILES {
            return Err(refused(ApiError::limit(format!(
                "the cluster has {PROFILES} Fargate profiles already"
            ))));
        }
        let view = described(service, asked, cluster, &id).map_err(refused)?;
        let Some(mut cluster) = state.clusters.remove(cluster_name) else {
            return Err(not_found(cluster_name, name));
        };
        let role = text(&view, "podExecutionRoleArn");
        access::add_for_nodes(service, &mut state, &mut cluster, role, "FARGATE_LINUX");
        cluster.fargate_profiles.insert(name.into(), view.clone());
        let turn = cluster.turn.clone();
        state.clusters.insert(cluster_name.into(), cluster);
        (view, turn)
    };
    let (cluster_name, name) = (cluster_name.to_owned(), name.to_owned());
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    service.later(turn, service.options.delays.create, async move |service: Arc<Service>| {
        let result = match &outcome {
            Some(Outcome::Fail(issue)) => Err(issue.clone()),
            _ => made(&service, &cluster_name, &before).await,
        };
        let issue = match (result, outcome) {
            (Err(issue), _) => Some(("CREATE_FAILED", issue)),
            (Ok(()), Some(Outcome::Degrade(issue))) => Some(("ACTIVE", issue)),
            (Ok(()), _) => None,
        };
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        let Some(view) = cluster.fargate_profiles.get_mut(&name) else { return };
        view["status"] = issue.as_ref().map_or("ACTIVE", |(status, _)| status).into();
        if let Some((_, issue)) = issue {
            view["health"] = health(&service.model, "FargateProfileIssueCode", &issue, "InternalFailure");
        }
    });
    Ok(json!({"fargateProfile": view}))
}

async fn made(service: &Service, cluster: &str, view: &Value) -> Result<(), Issue> {
    access::tell_the_world(service, cluster).await?;
    let cluster_view =
        service.state().cluster(cluster).map(|cluster| cluster.view.clone()).unwrap_or_default();
    service.world.create_fargate_profile(&cluster_view, view).await
}

fn described(service: &Service, asked: &Asked, cluster: &Cluster, id: &str) -> Result<Value, ApiError> {
    let input = &asked.input;
    let name = asked.text("fargateProfileName");
    node_rules::name(name, "fargateProfileName")?;
    if name.starts_with("eks-") {
        return Err(ApiError::parameter("fargateProfileName cannot begin with eks-"));
    }
    arn::require_role(&service.options, asked.text("podExecutionRoleArn"), "podExecutionRoleArn")?;
    tags::check(&input["tags"], "InvalidParameterException")?;
    let selectors = input["selectors"].as_array().map_or(&[][..], Vec::as_slice);
    if selectors.is_empty() || selectors.len() > SELECTORS {
        let message = format!("{} selectors, there have to be 1 to {SELECTORS}", selectors.len());
        return Err(ApiError::parameter(message));
    }
    for selector in selectors {
        if text(selector, "namespace").is_empty() {
            return Err(ApiError::parameter("every selector needs a namespace"));
        }
        if selector["labels"].as_object().is_some_and(|labels| labels.len() > LABELS) {
            return Err(ApiError::parameter(format!("a selector has at most {LABELS} labels")));
        }
    }
    let mut subnets = texts(input, "subnets");
    if subnets.is_empty() {
        subnets = texts(&cluster.view["resourcesVpcConfig"], "subnetIds");
    }
    Ok(json!({
        "fargateProfileName": name,
        "fargateProfileArn": service.arn(&format!("fargateprofile/{}/{name}/{id}", cluster.name())),
        "clusterName": cluster.name(),
        "createdAt": service.seconds(),
        "podExecutionRoleArn": input["podExecutionRoleArn"],
        "subnets": subnets,
        "selectors": selectors,
        "status": "CREATING",
        "tags": tags::or_none(&input["tags"]),
        "health": {"issues": []},
    }))
}

/// DescribeFargateProfile.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, name) = (asked.text("clusterName"), asked.text("fargateProfileName"));
    let state = service.state();
    let view = state.cluster(cluster)?.fargate_profiles.get(name).ok_or_else(|| not_found(cluster, name))?;
    Ok(json!({"fargateProfile": view}))
}

/// ListFargateProfiles.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    page("fargateProfileNames", names(cluster.fargate_profiles.keys()), &asked.input).map(Value::Object)
}

/// DeleteFargateProfile.
pub fn delete(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) =
        (asked.text("clusterName").to_owned(), asked.text("fargateProfileName").to_owned());
    let (view, turn) = {
        let mut state = service.state();
        let cluster = state.cluster_mut(&cluster_name)?;
        if !cluster.fargate_profiles.contains_key(&name) {
            return Err(not_found(&cluster_name, &name));
        }
        require_alone(cluster, "delete", &name)?;
        let turn = cluster.turn.clone();
        let view = cluster.fargate_profiles.get_mut(&name).ok_or_else(|| not_found(&cluster_name, &name))?;
        view["status"] = "DELETING".into();
        (view.clone(), turn)
    };
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    service.later(turn, service.options.delays.delete, async move |service: Arc<Service>| {
        let cluster_view =
            service.state().cluster(&cluster_name).map(|cluster| cluster.view.clone()).unwrap_or_default();
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => service.world.delete_fargate_profile(&cluster_view, &before).await,
        };
        {
            let mut state = service.state();
            let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
            if let Err(issue) = result {
                if let Some(view) = cluster.fargate_profiles.get_mut(&name) {
                    view["status"] = "DELETE_FAILED".into();
                    view["health"] =
                        health(&service.model, "FargateProfileIssueCode", &issue, "InternalFailure");
                }
                return;
            }
            cluster.fargate_profiles.remove(&name);
            access::remove_unused(cluster, text(&before, "podExecutionRoleArn"));
        }
        // Not told: the nodes are gone all the same, and the next change tells it.
        let _ = access::tell_the_world(&service, &cluster_name).await;
    });
    Ok(json!({"fargateProfile": view}))
}
