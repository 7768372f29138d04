//! Pod identity associations.

use super::error::ApiError;
use super::paging::page;
use super::service::{Asked, Service};
use super::state::{State, copy, text};
use super::{arn, tags};
use serde_json::{Value, json};

/// What a summary has of an association.
const SUMMARY: [&str; 6] =
    ["clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn"];

fn not_found(cluster: &str, id: &str) -> ApiError {
    ApiError::not_found(format!("No association found with ID: {id}")).cluster(cluster)
}

fn existing<'a>(state: &'a State, cluster: &str, namespace: &str, account: &str) -> Option<&'a Value> {
    state
        .clusters
        .get(cluster)?
        .associations
        .values()
        .find(|association| association["namespace"] == namespace && association["serviceAccount"] == account)
}

fn new_association(
    service: &Service,
    state: &mut State,
    cluster: &str,
    namespace: &str,
    account: &str,
    role: &str,
) -> (String, Value) {
    let id = format!("a-{}", &state.hex()[..17]);
    let now = service.seconds();
    let view = json!({
        "clusterName": cluster,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": role,
        "associationArn": service.arn(&format!("podidentityassociation/{cluster}/{id}")),
        "associationId": id,
        "tags": {},
        "createdAt": now,
        "modifiedAt": now,
        "disableSessionTags": false,
    });
    (id, view)
}

fn check(service: &Service, after: &Value) -> Result<(), ApiError> {
    arn::require_role(&service.options, text(after, "roleArn"), "roleArn")?;
    if let Some(target) = after["targetRoleArn"].as_str()
        && !arn::Principal::of(target).is_some_and(|principal| principal.is_role())
    {
        return Err(ApiError::parameter(format!("targetRoleArn: {target:?} is not the ARN of an IAM role")));
    }
    let Some(policy) = after["policy"].as_str() else { return Ok(()) };
    if !serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.is_object()) {
        return Err(ApiError::parameter("policy is not a JSON object"));
    }
    if after["disableSessionTags"] != true {
        return Err(ApiError::parameter("policy: disableSessionTags has to be true when a policy is given"));
    }
    Ok(())
}

/// The external id with which the target role is assumed.
fn external_id(service: &Service, view: &mut Value) {
    if view["targetRoleArn"].is_string() {
        let part = |member: &str| text(view, member).to_owned();
        view["externalId"] = format!(
            "{}/{}/{}/{}/{}",
            service.options.region,
            service.options.account,
            part("clusterName"),
            part("namespace"),
            part("serviceAccount")
        )
        .into();
    } else if let Some(members) = view.as_object_mut() {
        members.remove("externalId");
    }
}

/// CreatePodIdentityAssociation.
pub fn create(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, namespace, account) =
        (asked.text("clusterName"), asked.text("namespace"), asked.text("serviceAccount"));
    let refused = |error: ApiError| error.cluster(cluster);
    let mut state = service.state();
    state.cluster(cluster)?.require_usable()?;
    tags::check(&asked.input["tags"], "InvalidParameterException").map_err(refused)?;
    if namespace.is_empty() || account.is_empty() {
        return Err(refused(ApiError::parameter("namespace and serviceAccount cannot be empty")));
    }
    if let Some(other) = existing(&state, cluster, namespace, account) {
        let message = format!("Association already exists: {}", text(other, "associationId"));
        return Err(refused(ApiError::in_use(message)));
    }
    let (id, mut view) =
        new_association(service, &mut state, cluster, namespace, account, asked.text("roleArn"));
    copy(&asked.input, &["tags", "disableSessionTags", "targetRoleArn", "policy"], &mut view);
    check(service, &view).map_err(refused)?;
    external_id(service, &mut view);
    state.cluster_mut(cluster)?.associations.insert(id, view.clone());
    Ok(json!({"association": view}))
}

/// The associations that an add-on shall own, in place of those that it owns. Gives their ARNs.
///
/// # Errors
/// Another association has the service account.
pub fn of_addon(
    service: &Service,
    state: &mut State,
    cluster: &str,
    namespace: &str,
    owner: &str,
    wanted: &Value,
) -> Result<Vec<String>, ApiError> {
    let wanted = wanted.as_array().cloned().unwrap_or_default();
    for association in &wanted {
        let account = text(association, "serviceAccount");
        if let Some(other) = existing(state, cluster, namespace, account)
            && other["ownerArn"] != owner
        {
            let message = format!("Association already exists: {}", text(other, "associationId"));
            return Err(ApiError::in_use(message));
        }
    }
    state.cluster_mut(cluster)?.associations.retain(|_, association| association["ownerArn"] != owner);
    let mut arns = Vec::new();
    for association in &wanted {
        let (account, role) = (text(association, "serviceAccount"), text(association, "roleArn"));
        let (id, mut view) = new_association(service, state, cluster, namespace, account, role);
        view["ownerArn"] = owner.into();
        arns.push(text(&view, "associationArn").to_owned());
        state.cluster_mut(cluster)?.associations.insert(id, view);
    }
    Ok(arns)
}

/// DescribePodIdentityAssociation.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, id) = (asked.text("clusterName"), asked.text("associationId"));
    let state = service.state();
    let view = state.cluster(cluster)?.associations.get(id).ok_or_else(|| not_found(cluster, id))?;
    Ok(json!({"association": view}))
}

/// ListPodIdentityAssociations: summaries, which have no role and no tags.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    let wanted =
        |view: &Value, member: &str| asked.input[member].is_null() || asked.input[member] == view[member];
    let items = cluster
        .associations
        .iter()
        .filter(|(_, view)| wanted(view, "namespace") && wanted(view, "serviceAccount"))
        .map(|(id, view)| {
            let mut summary = json!({});
            copy(view, &SUMMARY, &mut summary);
            (id.clone(), summary)
        });
    page("associations", items.collect::<Vec<_>>(), &asked.input).map(Value::Object)
}

/// UpdatePodIdentityAssociation.
pub fn update(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, id) = (asked.text("clusterName"), asked.text("associationId"));
    let now = service.seconds();
    let mut state = service.state();
    let cluster = state.cluster_mut(cluster_name)?;
    cluster.require_usable()?;
    let view = cluster.associations.get_mut(id).ok_or_else(|| not_found(cluster_name, id))?;
    require_free(view, cluster_name)?;
    let mut after = view.clone();
    copy(&asked.input, &["roleArn", "disableSessionTags", "targetRoleArn", "policy"], &mut after);
    // An empty string takes the value away.
    if let Some(members) = after.as_object_mut() {
        for member in ["targetRoleArn", "policy"] {
            if members.get(member).is_some_and(|value| value == "") {
                members.remove(member);
            }
        }
    }
    check(service, &after).map_err(|error| error.cluster(cluster_name))?;
    external_id(service, &mut after);
    after["modifiedAt"] = now;
    *view = after.clone();
    Ok(json!({"association": after}))
}

/// DeletePodIdentityAssociation.
pub fn delete(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, id) = (asked.text("clusterName"), asked.text("associationId"));
    let mut state = service.state();
    let cluster = state.cluster_mut(cluster_name)?;
    cluster.require_usable()?;
    let view = cluster.associations.get(id).ok_or_else(|| not_found(cluster_name, id))?;
    require_free(view, cluster_name)?;
    let view = cluster.associations.remove(id);
    Ok(json!({"association": view}))
}

fn require_free(view: &Value, cluster: &str) -> Result<(), ApiError> {
    match view["ownerArn"].as_str() {
        None => Ok(()),
        Some(owner) => Err(ApiError::request(format!(
            "the association is owned by {owner}; it changes with the add-on, by UpdateAddon"
        ))
        .cluster(cluster)),
    }
}
