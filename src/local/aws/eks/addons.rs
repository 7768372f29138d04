//! Add-ons of clusters: CreateAddon, DescribeAddon, ListAddons, UpdateAddon, DeleteAddon.

use super::catalogue::Product;
use super::error::ApiError;
use super::faults::Outcome;
use super::paging::{names, page};
use super::service::{Asked, Service};
use super::state::{copy, text};
use super::updates::{Target, health};
use super::{addon_schemas, arn, pods, schema, tags};
use crate::local::aws::world::Issue;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is answered when a cluster does not have it.
#[must_use]
pub fn not_found(cluster: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("No addon: {name} found in cluster: {cluster}"))
        .cluster(cluster)
        .with("addonName", name)
}

/// CreateAddon.
pub fn create(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName"), asked.text("addonName"));
    let refused = |error: ApiError| error.cluster(cluster_name).with("addonName", name);
    let product =
        Product::of(name).ok_or_else(|| refused(ApiError::parameter("Addon specified is not supported")))?;
    let configuration = configuration(product, &asked.input).map_err(refused)?;
    check_roles(service, product, &asked.input).map_err(refused)?;
    tags::check(&asked.input["tags"], "InvalidParameterException").map_err(refused)?;
    let now = service.seconds();
    let (view, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster(cluster_name)?;
        cluster.require_active("InvalidRequestException").map_err(refused)?;
        if cluster.addons.contains_key(name) {
            return Err(refused(ApiError::in_use("Addon already exists.")));
        }
        let version = version(service, product, &asked.input, cluster.version()).map_err(refused)?;
        let addon_arn = service.arn(&format!("addon/{cluster_name}/{name}/{id}"));
        let namespace = asked.input["namespaceConfig"]["namespace"].as_str().unwrap_or(product.namespace);
        let mut view = json!({
            "addonName": name,
            "clusterName": cluster_name,
            "status": "CREATING",
            "addonVersion": version,
            "health": {"issues": []},
            "addonArn": addon_arn,
            "createdAt": now,
            "modifiedAt": now,
            "tags": tags::or_none(&asked.input["tags"]),
            "publisher": "eks",
            "owner": "aws",
            "namespaceConfig": {"namespace": namespace},
        });
        copy(&asked.input, &["serviceAccountRoleArn", "configurationValues"], &mut view);
        if !asked.input["podIdentityAssociations"].is_null() {
            let wanted = &asked.input["podIdentityAssociations"];
            let arns = pods::of_addon(service, &mut state, cluster_name, namespace, &addon_arn, wanted)
                .map_err(refused)?;
            view["podIdentityAssociations"] = json!(arns);
        }
        let cluster = state.cluster_mut(cluster_name)?;
        cluster.addons.insert(name.into(), view.clone());
        (view, cluster.turn.clone())
    };
    let (cluster_name, name) = (cluster_name.to_owned(), name.to_owned());
    let outcome = asked.outcome.clone();
    let for_the_world = with_conflicts(&view, &asked.input);
    service.later(turn, service.options.delays.create, async move |service: Arc<Service>| {
        let result = match &outcome {
            Some(Outcome::Fail(issue)) => Err(issue.clone()),
            _ => applied(&service, &cluster_name, &for_the_world, &configuration).await,
        };
        let issue = match (result, outcome) {
            (Err(issue), _) => Some((status_of(&issue, "CREATE_FAILED"), issue)),
            (Ok(()), Some(Outcome::Degrade(issue))) => Some(("DEGRADED", issue)),
            (Ok(()), _) => None,
        };
        let now = service.seconds();
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        let Some(view) = cluster.addons.get_mut(&name) else { return };
        view["modifiedAt"] = now;
        view["status"] = issue.as_ref().map_or("ACTIVE", |(status, _)| status).into();
        if let Some((_, issue)) = issue {
            view["health"] = health(&service.model, "AddonIssueCode", &issue, "InternalFailure");
        }
    });
    Ok(json!({"addon": view}))
}

fn status_of(issue: &Issue, otherwise: &'static str) -> &'static str {
    if issue.code == "InsufficientNumberOfReplicas" { "DEGRADED" } else { otherwise }
}

fn with_conflicts(view: &Value, input: &Value) -> Value {
    let mut view = view.clone();
    view["resolveConflicts"] = input["resolveConflicts"].as_str().unwrap_or("NONE").into();
    view
}

async fn applied(
    service: &Service,
    cluster: &str,
    addon: &Value,
    configuration: &Value,
) -> Result<(), Issue> {
    let view = service.state().cluster(cluster).map(|cluster| cluster.view.clone()).unwrap_or_default();
    service.world.apply_addon(&view, addon, configuration).await
}

/// The version that is asked for, or the one that the minor has by default.
fn version(service: &Service, product: &Product, input: &Value, minor: &str) -> Result<String, ApiError> {
    let unsupported = || ApiError::parameter("Addon version specified is not supported");
    match input["addonVersion"].as_str() {
        Some(version) => product
            .versions_for(&service.options, minor)
            .into_iter()
            .find(|offered| offered == version)
            .ok_or_else(unsupported),
        None => product.default_for(&service.options, minor).ok_or_else(unsupported),
    }
}

/// The configuration values, JSON or YAML, checked against the add-on's schema.
fn configuration(product: &Product, input: &Value) -> Result<Value, ApiError> {
    let Some(text) = input["configurationValues"].as_str() else { return Ok(Value::Null) };
    let refuse = |what: String| {
        ApiError::parameter(format!("ConfigurationValue provided in request is not supported: {what}"))
    };
    let values: Value = serde_yaml::from_str(text)
        .map_err(|error| refuse(format!("it is neither JSON nor YAML: {error}")))?;
    let found = schema::violations(&addon_schemas::of(product.name), &values);
    if found.is_empty() {
        return Ok(values);
    }
    Err(refuse(format!("Json schema validation failed with error: [{}]", found.join(", "))))
}

/// Refuses roles that are none, two ways of giving them, and service accounts that the add-on does not have.
fn check_roles(service: &Service, product: &Product, input: &Value) -> Result<(), ApiError> {
    let associations = input["podIdentityAssociations"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(role) = input["serviceAccountRoleArn"].as_str() {
        arn::require_role(&service.options, role, "serviceAccountRoleArn")?;
        if !associations.is_empty() {
            return Err(ApiError::parameter(
                "serviceAccountRoleArn and podIdentityAssociations cannot be given together",
            ));
        }
    }
    for association in associations {
        arn::require_role(&service.options, text(association, "roleArn"), "podIdentityAssociations.roleArn")?;
        let account = text(association, "serviceAccount");
        if !product.roles.iter().any(|(known, _)| *known == account) {
            let message =
                format!("the add-on {} has no service account {account} that takes a role", product.name);
            return Err(ApiError::parameter(message));
        }
    }
    Ok(())
}

/// DescribeAddon.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, name) = (asked.text("clusterName"), asked.text("addonName"));
    let state = service.state();
    let view = state.cluster(cluster)?.addons.get(name).ok_or_else(|| not_found(cluster, name))?;
    Ok(json!({"addon": view}))
}

/// ListAddons.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    page("addons", names(cluster.addons.keys()), &asked.input).map(Value::Object)
}

/// UpdateAddon. A role that is not given again is dropped, and so are configuration values unless conflicts are resolved
/// by PRESERVE (terraform-provider-aws#19402).
pub fn update(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName").to_owned(), asked.text("addonName").to_owned());
    let refused = |error: ApiError| error.cluster(&cluster_name).with("addonName", &name);
    let input = asked.input.clone();
    let now = service.seconds();
    let target = Target::Addon(name.clone());
    let product = Product::of(&name).ok_or_else(|| not_found(&cluster_name, &name))?;
    let (id, mut after, configuration, answer, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster_mut(&cluster_name)?;
        let view = cluster.addons.get(&name).ok_or_else(|| not_found(&cluster_name, &name))?;
        if let Some(id) = cluster.running(&target) {
            let message = format!("Addon {name} of cluster {cluster_name} has the update {id} in progress");
            return Err(refused(ApiError::in_use(message)));
        }
        if matches!(text(view, "status"), "CREATING" | "DELETING") {
            let message = format!("Addon {name} cannot be updated while it is {}", text(view, "status"));
            return Err(refused(ApiError::in_use(message)));
        }
        cluster.require_active("InvalidRequestException").map_err(refused)?;
        let (after, params) = changed(service, product, view, &input, cluster.version()).map_err(refused)?;
        let configuration = configuration(product, &after).map_err(refused)?;
        let answer = cluster.begin(id.clone(), target, "AddonUpdate", &params, now);
        (id, after, configuration, answer, cluster.turn.clone())
    };
    let outcome = asked.outcome.clone();
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let mut result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => applied(&service, &cluster_name, &with_conflicts(&after, &input), &configuration).await,
        };
        let now = service.seconds();
        let mut state = service.state();
        if result.is_ok() && !input["podIdentityAssociations"].is_null() {
            let (namespace, owner) = (text(&after["namespaceConfig"], "namespace"), text(&after, "addonArn"));
            let wanted = &input["podIdentityAssociations"];
            match pods::of_addon(&service, &mut state, &cluster_name, namespace, owner, wanted) {
                Ok(arns) => after["podIdentityAssociations"] = json!(arns),
                Err(error) => {
                    let code = "ConfigurationConflict".to_owned();
                    result = Err(Issue { code, message: error.message, resource_ids: Vec::new() });
                }
            }
        }
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        let Some(view) = cluster.addons.get_mut(&name) else { return };
        match &result {
            Ok(()) => {
                after["tags"] = view["tags"].clone();
                *view = after;
            }
            Err(issue) => view["health"] = health(&service.model, "AddonIssueCode", issue, "InternalFailure"),
        }
        cluster.end(&service.model, &id, &now, &result);
        if let (Err(issue), Some(view)) = (&result, cluster.addons.get_mut(&name)) {
            view["status"] = status_of(issue, "UPDATE_FAILED").into();
        }
    });
    Ok(json!({"update": answer}))
}

type Params = Vec<(&'static str, String)>;

fn changed(
    service: &Service,
    product: &Product,
    view: &Value,
    input: &Value,
    minor: &str,
) -> Result<(Value, Params), ApiError> {
    const CHANGES: [(&str, &str); 4] = [
        ("AddonVersion", "addonVersion"),
        ("ServiceAccountRoleArn", "serviceAccountRoleArn"),
        ("ResolveConflicts", "resolveConflicts"),
        ("ConfigurationValues", "configurationValues"),
    ];
    check_roles(service, product, input)?;
    let mut after = view.clone();
    let mut params: Params = Vec::new();
    for (param, member) in CHANGES {
        if let Some(value) = input[member].as_str() {
            params.push((param, value.to_owned()));
        }
    }
    if !input["podIdentityAssociations"].is_null() {
        params.push(("PodIdentityAssociations", input["podIdentityAssociations"].to_string()));
    }
    let names_something = input["addonVersion"].is_string()
        || params.iter().any(|(param, _)| !matches!(*param, "AddonVersion" | "ResolveConflicts"));
    if !names_something && input["resolveConflicts"].is_null() {
        return Err(ApiError::parameter("the update names nothing to change"));
    }
    if input["addonVersion"].is_string() {
        after["addonVersion"] = version(service, product, input, minor)?.into();
    }
    let keeps = input["resolveConflicts"] == "PRESERVE";
    for (member, kept) in [("serviceAccountRoleArn", false), ("configurationValues", keeps)] {
        if input[member].is_null() && !kept {
            after.as_object_mut().map(|after| after.remove(member));
        }
    }
    copy(input, &["serviceAccountRoleArn", "configurationValues"], &mut after);
    Ok((after, params))
}

/// DeleteAddon. The pod identity associations that it owns go with it.
pub fn delete(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName").to_owned(), asked.text("addonName").to_owned());
    let (view, turn) = {
        let mut state = service.state();
        let cluster = state.cluster_mut(&cluster_name)?;
        let running = cluster.running(&Target::Addon(name.clone())).map(String::from);
        let turn = cluster.turn.clone();
        let view = cluster.addons.get_mut(&name).ok_or_else(|| not_found(&cluster_name, &name))?;
        if running.is_some() || matches!(text(view, "status"), "CREATING" | "DELETING") {
            let message = format!("Addon {name} cannot be deleted while it is {}", text(view, "status"));
            return Err(ApiError::request(message).cluster(&cluster_name).with("addonName", &name));
        }
        view["status"] = "DELETING".into();
        (view.clone(), turn)
    };
    let (outcome, before) = (asked.outcome.clone(), view.clone());
    let preserve = asked.input["preserve"] == true;
    service.later(turn, service.options.delays.delete, async move |service: Arc<Service>| {
        let cluster_view =
            service.state().cluster(&cluster_name).map(|cluster| cluster.view.clone()).unwrap_or_default();
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => service.world.delete_addon(&cluster_view, &before, preserve).await,
        };
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        match result {
            Ok(()) => {
                cluster.addons.remove(&name);
                cluster.associations.retain(|_, association| association["ownerArn"] != before["addonArn"]);
                cluster.updates.retain(|update| update.target != Target::Addon(name.clone()));
            }
            Err(issue) => {
                if let Some(view) = cluster.addons.get_mut(&name) {
                    view["status"] = "DELETE_FAILED".into();
                    view["health"] = health(&service.model, "AddonIssueCode", &issue, "InternalFailure");
                }
            }
        }
    });
    Ok(json!({"addon": view}))
}
