//! Evictions: a pod asked to go, with its budget respected by the server.

use super::url::Query;
use super::wire::{Call, Wire};
use crate::model::ResourceId;
use crate::ports::{ApiFailure, ApiFailureKind};
use bytes::Bytes;
use http::Method;
use serde_json::json;

/// Asks for an eviction of exactly this pod. One that is gone already is a success; a budget that lets it not go is
/// [`ApiFailureKind::Throttled`].
pub(super) async fn evict(wire: &Wire, id: &ResourceId, uid: &str) -> Result<(), ApiFailure> {
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let path = format!("{}/eviction", super::url::object(&super::kinds::pod(), Some(namespace), &id.name));
    let body = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": { "namespace": namespace, "name": id.name },
        "deleteOptions": { "preconditions": { "uid": uid } },
    });
    let content = Some(("application/json", Bytes::from(body.to_string())));
    match wire.exchange(Call::write(Method::POST, path, Query::default(), content)).await {
        Err(failure) if failure.kind != ApiFailureKind::NotFound => Err(failure),
        _ => Ok(()),
    }
}
