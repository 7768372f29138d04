//! Whose a found resource is, by its tags, and which very thing it is.

use super::resource::{CLUSTER_TAG, Live, Owner, RESOURCE_TAG, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Tag by which CloudFormation marks what a stack made.
pub const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// Whose a resource with these tags (all of them, the service's own too) is. Our tags count before a stack's: they are
/// on a stack's resource only where somebody approved that it be taken over.
#[must_use]
pub fn owner(scope: &Scope, tags: &BTreeMap<String, String>) -> Owner {
    if tags.get(CLUSTER_TAG) == Some(&scope.cluster) {
        Owner::Ours
    } else if let Some(stack) = tags.get(STACK_TAG) {
        Owner::Stack(stack.clone())
    } else {
        Owner::Other
    }
}

/// The tags that people and we set: without the service's own (`aws:`), which nobody else can.
#[must_use]
pub fn settable(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Whether a tag is one that makes a resource ours.
#[must_use]
pub fn is_ours(tag: &str) -> bool {
    tag == CLUSTER_TAG || tag == RESOURCE_TAG
}

/// Tags as EKS, IAM and others have them, a JSON object, as a map.
#[must_use]
pub fn tags_of(object: &Value) -> BTreeMap<String, String> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Which very thing was judged: another of the same name has another ARN or another time of creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incarnation {
    /// Physical id or name.
    pub id: String,
    /// ARN; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arn: String,
    /// Time of creation as the service gives it; empty where it gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_at: String,
}

impl Incarnation {
    /// Of something found. Drivers give `arn` and `createdAt` as outputs where the service has them.
    #[must_use]
    pub fn of(live: &Live) -> Self {
        let output = |name: &str| match live.outputs.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        Self { id: live.id.clone(), arn: output("arn"), created_at: output("createdAt") }
    }
}
