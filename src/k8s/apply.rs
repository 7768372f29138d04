//! Server-side apply.

use super::url;
use super::wire::{Call, Wire};
use super::write;
use crate::ports::{ApiFailure, Applied, ApplyRequest};
use bytes::Bytes;
use http::Method;

/// JSON is YAML, and the API server takes it as such; the body is sent as it was given, without a copy.
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// Makes the request. Unknown fields are refused (`fieldValidation=Strict`, KEP-2885; servers before 1.25 ignore it
/// and refuse those of built-in kinds anyway).
pub(super) async fn apply(wire: &Wire, request: &ApplyRequest, manager: &str) -> Result<Applied, ApiFailure> {
    let ApplyRequest { kind, id, body, force, dry_run, impersonate } = request;
    let query =
        write::query_as(manager).with("force", if *force { "true" } else { "false" }).dry_run(*dry_run);
    let path = url::object(kind, id.namespace.as_deref(), &id.name);
    let call = Call::write(Method::PATCH, path, query, Some((APPLY_PATCH, Bytes::from_owner(body.clone()))))
        .impersonating(impersonate.as_ref())
        .secret(write::secret_subject(&kind.gvk, id.namespace.as_deref(), &id.name));
    let answer = wire.exchange(call).await?;
    Ok(Applied {
        object: answer.object(&id.to_string())?,
        created: answer.status == 201,
        warnings: answer.warnings(),
    })
}
