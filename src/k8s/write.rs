//! Writes beside apply: create, JSON patch, delete.

use super::failure;
use super::url::{self, Query};
use super::wire::{Call, Wire};
use crate::model::ownership::FIELD_MANAGER;
use crate::model::{Gvk, Object, Propagation, ResourceId};
use crate::ports::{ApiFailure, ApiFailureKind, DeleteRequest, Impersonation, ServedKind};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Every write names its manager, and has unknown fields refused instead of dropped.
pub(super) fn query() -> Query {
    query_as(FIELD_MANAGER)
}

/// [`query`] of another manager.
pub(super) fn query_as(manager: &str) -> Query {
    Query::default().with("fieldManager", manager).with("fieldValidation", "Strict")
}

/// How messages name a Secret; `None` for other kinds.
pub(super) fn secret_subject(gvk: &Gvk, namespace: Option<&str>, name: &str) -> Option<String> {
    (gvk.group.is_empty() && gvk.kind == "Secret")
        .then(|| format!("Secret {}/{name}", namespace.unwrap_or_default()))
}

/// Creates an object in the namespace that its body names.
pub(super) async fn create(
    wire: &Wire,
    kind: &ServedKind,
    body: &Value,
    who: Option<&Impersonation>,
) -> Result<Object, ApiFailure> {
    let metadata = |key: &str| body.get("metadata").and_then(|m| m.get(key)).and_then(Value::as_str);
    let namespace = metadata("namespace");
    let name = metadata("name").or_else(|| metadata("generateName")).unwrap_or_default();
    if kind.namespaced && namespace.is_none() {
        let message = format!("{} {name} has no namespace: set metadata.namespace", kind.gvk);
        return Err(ApiFailure::new(ApiFailureKind::Invalid, message));
    }
    let content = Some((JSON, Bytes::from(body.to_string())));
    let call = Call::write(Method::POST, url::collection(kind, namespace), query(), content)
        .impersonating(who)
        .secret(secret_subject(&kind.gvk, namespace, name));
    wire.exchange(call).await?.object(&format!("{} {name}", kind.gvk))
}

/// A `SubjectAccessReview`: the answer to its spec. It is never stored, and has no name.
pub(super) async fn review(wire: &Wire, spec: &Value) -> Result<bool, ApiFailure> {
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
    let content = Some((JSON, Bytes::from(body.to_string())));
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews".to_owned();
    let call = Call::write(Method::POST, path, Query::default(), content);
    let answer: Value = wire.exchange(call).await?.json("a SubjectAccessReview")?;
    Ok(answer.pointer("/status/allowed") == Some(&Value::Bool(true)))
}

/// JSON patch. A `test` that does not hold is an [`ApiFailureKind::Conflict`], as any precondition is.
pub(super) async fn json_patch(
    wire: &Wire,
    kind: &ServedKind,
    id: &ResourceId,
    patch: &Value,
    who: Option<&Impersonation>,
) -> Result<Object, ApiFailure> {
    patched(wire, kind, id, (JSON_PATCH, patch), who).await
}

/// JSON merge patch (RFC 7386): keys are set, `null` removes one.
pub(super) async fn merge_patch(
    wire: &Wire,
    kind: &ServedKind,
    id: &ResourceId,
    patch: &Value,
) -> Result<Object, ApiFailure> {
    patched(wire, kind, id, (MERGE_PATCH, patch), None).await
}

async fn patched(
    wire: &Wire,
    kind: &ServedKind,
    id: &ResourceId,
    (media_type, patch): (&'static str, &Value),
    who: Option<&Impersonation>,
) -> Result<Object, ApiFailure> {
    let path = url::object(kind, id.namespace.as_deref(), &id.name);
    let call = Call::write(Method::PATCH, path, query(), Some((media_type, Bytes::from(patch.to_string()))))
        .impersonating(who)
        .secret(secret_subject(&kind.gvk, id.namespace.as_deref(), &id.name));
    wire.exchange(call).await?.object(&id.to_string())
}

/// Deletes with preconditions; what is gone already is a success.
pub(super) async fn delete(wire: &Wire, request: &DeleteRequest) -> Result<(), ApiFailure> {
    let mut options = json!({
        "propagationPolicy": match request.propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
        },
    });
    // An empty precondition would be compared as an empty uid, which no object has.
    for (key, value) in [("uid", &request.uid), ("resourceVersion", &request.resource_version)] {
        if !value.is_empty() {
            options["preconditions"][key] = Value::String(value.clone());
        }
    }
    if request.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    let id = &request.id;
    let path = url::object(&request.kind, id.namespace.as_deref(), &id.name);
    let query = Query::default().dry_run(request.dry_run);
    let call = Call::write(Method::DELETE, path, query, Some((JSON, Bytes::from(options.to_string()))))
        .impersonating(request.impersonate.as_ref())
        .secret(secret_subject(&request.kind.gvk, id.namespace.as_deref(), &id.name));
    match wire.exchange(call).await {
        Err(failure) if failure.kind != ApiFailureKind::NotFound || failure::is_unserved(&failure) => {
            Err(failure)
        }
        _ => Ok(()),
    }
}

/// Deletes one of our own records, whatever its state; what is gone already is a success.
pub(super) async fn delete_record(wire: &Wire, kind: &ServedKind, id: &ResourceId) -> Result<(), ApiFailure> {
    let request = DeleteRequest {
        kind: kind.clone(),
        id: id.clone(),
        uid: String::new(),
        resource_version: String::new(),
        propagation: Propagation::Background,
        impersonate: None,
        dry_run: false,
    };
    delete(wire, &request).await
}
