//! Tags: TagResource, UntagResource, ListTagsForResource, and the rules that hold for every create.

use super::error::ApiError;
use super::service::{Asked, Service};
use super::state::{Cluster, State, texts};
use serde_json::{Map, Value, json};

/// Most tags of a resource.
const TAGS: usize = 50;

/// Tags that a create is asked for.
///
/// # Errors
/// The given code, where a key begins with `aws:`, which is kept for AWS.
pub fn check(tags: &Value, code: &str) -> Result<(), ApiError> {
    let keys = tags.as_object().into_iter().flat_map(Map::keys);
    for key in keys {
        require_own(key, code)?;
    }
    Ok(())
}

fn require_own(key: &str, code: &str) -> Result<(), ApiError> {
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(ApiError::new(code, format!("the tag key {key:?} begins with aws:, which is reserved")));
    }
    Ok(())
}

/// The tags as described: an empty object where none are given.
#[must_use]
pub fn or_none(tags: &Value) -> Value {
    if tags.is_object() { tags.clone() } else { json!({}) }
}

/// TagResource.
pub fn tag(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    check(&asked.input["tags"], "BadRequestException")?;
    let mut state = service.state();
    let tags = tags_of(&mut state, asked.text("resourceArn"))?;
    let mut after = tags.clone();
    if let Some(new) = asked.input["tags"].as_object() {
        after.extend(new.clone());
    }
    if after.len() > TAGS {
        let message = format!("a resource has at most {TAGS} tags, this one would have {}", after.len());
        return Err(ApiError::new("BadRequestException", message));
    }
    *tags = after;
    Ok(json!({}))
}

/// UntagResource.
pub fn untag(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let keys = texts(&asked.input, "tagKeys");
    for key in &keys {
        require_own(key, "BadRequestException")?;
    }
    let mut state = service.state();
    let tags = tags_of(&mut state, asked.text("resourceArn"))?;
    tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// ListTagsForResource.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let mut state = service.state();
    let tags = tags_of(&mut state, asked.text("resourceArn"))?;
    Ok(json!({"tags": tags}))
}

fn tags_of<'a>(state: &'a mut State, arn: &str) -> Result<&'a mut Map<String, Value>, ApiError> {
    let mut parts = arn.splitn(6, ':');
    let resource = match (parts.next(), parts.next(), parts.next(), parts.nth(2)) {
        (Some("arn"), Some(_), Some("eks"), Some(resource)) => resource,
        _ => {
            let message = format!("{arn:?} is not the ARN of an EKS resource");
            return Err(ApiError::new("BadRequestException", message));
        }
    };
    let mut parts = resource.split('/');
    let (kind, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let cluster = state.clusters.get_mut(cluster);
    let view = cluster.and_then(|cluster| of_kind(cluster, kind, arn));
    let tags = view.and_then(|view| {
        if view["tags"].is_null() {
            view["tags"] = json!({});
        }
        view["tags"].as_object_mut()
    });
    tags.ok_or_else(|| ApiError::new("NotFoundException", format!("there is no resource {arn}")))
}

fn of_kind<'a>(cluster: &'a mut Cluster, kind: &str, arn: &str) -> Option<&'a mut Value> {
    let (views, member): (Vec<&mut Value>, &str) = match kind {
        "cluster" => (vec![&mut cluster.view], "arn"),
        "nodegroup" => (cluster.nodegroups.values_mut().collect(), "nodegroupArn"),
        "fargateprofile" => (cluster.fargate_profiles.values_mut().collect(), "fargateProfileArn"),
        "addon" => (cluster.addons.values_mut().collect(), "addonArn"),
        "access-entry" => {
            (cluster.entries.values_mut().map(|entry| &mut entry.view).collect(), "accessEntryArn")
        }
        "podidentityassociation" => (cluster.associations.values_mut().collect(), "associationArn"),
        "identityproviderconfig" => (cluster.providers.values_mut().collect(), "identityProviderConfigArn"),
        _ => return None,
    };
    views.into_iter().find(|view| view[member] == arn)
}
