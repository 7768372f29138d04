//! From an HTTP answer that refuses to an [`ApiFailure`].

use crate::ports::{ApiCause, ApiFailure, ApiFailureKind};
use http::HeaderMap;
use serde::Deserialize;
use std::time::Duration;

/// How the server begins when a body does not fit its schema.
const UNFIT: [&str; 3] = [
    "failed to create typed patch object",
    "failed to convert new object",
    "failed to create typed live object",
];
/// All that the server says of a JSON patch whose `test` or path does not hold.
const PATCH_DOES_NOT_FIT: &str = "the server rejected our request due to an error in our request";

/// The server's words for a resource that it does not serve.
const UNSERVED: &str = "the server could not find the requested resource";
const NO_STATUS_404: &str = "HTTP 404 without";

/// `metav1.Status`, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    kind: String,
    message: String,
    reason: String,
    code: Option<u16>,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    causes: Vec<Cause>,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    field: String,
    message: String,
    reason: String,
}

/// Reads a refusal: status code, `Retry-After`, and the `Status` in the body when there is one.
pub(super) fn from_answer(code: u16, headers: &HeaderMap, body: &[u8]) -> ApiFailure {
    let status: Status =
        serde_json::from_slice(body).ok().filter(|s: &Status| s.kind == "Status").unwrap_or_default();
    let header = headers
        .get(http::header::RETRY_AFTER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.trim().parse().ok());
    from_status(code, header, status, body)
}

/// Reads the `Status` object of a watch's `ERROR` event.
pub(super) fn from_status_object(object: &serde_json::Value) -> ApiFailure {
    let status = Status::deserialize(object).unwrap_or_default();
    from_status(status.code.unwrap_or(500), None, status, b"")
}

fn from_status(code: u16, retry_after: Option<u64>, status: Status, body: &[u8]) -> ApiFailure {
    let details = status.details.unwrap_or_default();
    let seconds = retry_after.or((details.retry_after_seconds > 0).then_some(details.retry_after_seconds));
    let causes: Vec<ApiCause> = details
        .causes
        .into_iter()
        .map(|c| ApiCause { field: c.field, message: on_one_line(&c.message), reason: c.reason })
        .collect();
    let kind = classify(code, &status.reason, &status.message, &causes, retry_after.is_some());
    let message = match status.message {
        empty if empty.is_empty() => no_status(code, body),
        patch if patch == PATCH_DOES_NOT_FIT => {
            "the patch does not fit the object as it is now: a test or a path in it does not hold".into()
        }
        words => on_one_line(&words),
    };
    ApiFailure { kind, status: Some(code), message, causes, retry_after: seconds.map(Duration::from_secs) }
}

/// A message as one line of a log or a status: its lines joined, up to where validation appends a diff of Go values (of
/// the spec of a Pod or a PersistentVolumeClaim), which says nothing to whoever wrote YAML.
fn on_one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let said = lines.take_while(|line| !line.starts_with("@@ ") && !line.ends_with('{'));
    let said: Vec<&str> = said.filter(|line| !line.is_empty()).collect();
    if said.is_empty() { message.to_owned() } else { said.join(" ") }
}

fn classify(
    code: u16,
    reason: &str,
    message: &str,
    causes: &[ApiCause],
    retry_after: bool,
) -> ApiFailureKind {
    // etcd's and gRPC's limits come back as 500 or 400; the way out is the same as for 413.
    if message.contains("request is too large")
        || message.contains("Request entity too large")
        || message.contains("message larger than max")
    {
        return ApiFailureKind::TooLarge;
    }
    match code {
        401 | 403 => ApiFailureKind::Forbidden,
        404 => ApiFailureKind::NotFound,
        409 if reason == "AlreadyExists" => ApiFailureKind::AlreadyExists,
        409 if causes.iter().any(|cause| cause.reason == "FieldManagerConflict") => {
            ApiFailureKind::FieldConflict
        }
        409 => ApiFailureKind::Conflict,
        410 => ApiFailureKind::Expired,
        413 => ApiFailureKind::TooLarge,
        429 => ApiFailureKind::Throttled,
        503 if retry_after => ApiFailureKind::Throttled,
        408 | 504 => ApiFailureKind::Timeout,
        // What the schema does not have or cannot hold is answered with a bare 500 (kubernetes#122480,
        // kubernetes#139253, both open): the same body will never be taken.
        500 if UNFIT.iter().any(|words| message.starts_with(words)) => ApiFailureKind::Invalid,
        // The uid in an apply's body is our precondition; on another object it is "changing an immutable field".
        422 if causes.iter().any(|cause| cause.field == "metadata.uid") => ApiFailureKind::Conflict,
        422 if causes.is_empty() && message == PATCH_DOES_NOT_FIT => ApiFailureKind::Conflict,
        400..=499 => ApiFailureKind::Invalid,
        _ => ApiFailureKind::Server,
    }
}

/// A proxy or load balancer answers in its own words; a line of them says which.
fn no_status(code: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("an empty answer");
    let line: String = line.chars().take(160).collect();
    format!("HTTP {code} without a Kubernetes status, from the API server or something before it: {line}")
}

/// Whether a 404 is about the kind, not about the object: then nothing is known of the object.
///
/// A server that does not know the path says so in its own words, or in those of its HTTP library.
pub(super) fn is_unserved(failure: &ApiFailure) -> bool {
    failure.kind == ApiFailureKind::NotFound
        && (failure.message == UNSERVED || failure.message.starts_with(NO_STATUS_404))
}

/// An answer that is not what the API promises.
pub(super) fn unreadable(what: &str, error: &dyn std::fmt::Display) -> ApiFailure {
    ApiFailure::new(
        ApiFailureKind::Server,
        format!("the API server's answer cannot be read: {what}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(code: u16, body: &serde_json::Value) -> ApiFailure {
        from_answer(code, &HeaderMap::new(), body.to_string().as_bytes())
    }

    #[test]
    fn every_code_has_its_meaning() {
        use ApiFailureKind as K;
        let plain =
            |reason: &str, message: &str| json!({"kind": "Status", "reason": reason, "message": message});
        let table = [
            (401, plain("Unauthorized", "Unauthorized"), K::Forbidden),
            (403, plain("Forbidden", "no"), K::Forbidden),
            (404, plain("NotFound", "no"), K::NotFound),
            (409, plain("AlreadyExists", "there"), K::AlreadyExists),
            (409, plain("Conflict", "the object has been modified"), K::Conflict),
            (410, plain("Expired", "too old"), K::Expired),
            (413, plain("RequestEntityTooLarge", "limit is 3145728"), K::TooLarge),
            (500, plain("", "etcdserver: request is too large"), K::TooLarge),
            (422, plain("Invalid", "bad"), K::Invalid),
            (400, plain("BadRequest", "strict decoding error: unknown field \"spec.x\""), K::Invalid),
            (405, plain("MethodNotAllowed", "no"), K::Invalid),
            (415, plain("UnsupportedMediaType", "no"), K::Invalid),
            (
                500,
                plain(
                    "",
                    "failed to create typed patch object (a/b; /v1, Kind=Service): .spec.x: field not declared in schema",
                ),
                K::Invalid,
            ),
            (
                500,
                plain(
                    "",
                    "failed to convert new object (/s; /v1, Kind=Secret) to proper version: illegal base64 data",
                ),
                K::Invalid,
            ),
            (422, plain("Invalid", PATCH_DOES_NOT_FIT), K::Conflict),
            (
                422,
                json!({"kind": "Status", "message": "bad", "details": {"causes": [{"field": "metadata.uid"}]}}),
                K::Conflict,
            ),
            (429, plain("TooManyRequests", "slow"), K::Throttled),
            (500, plain("InternalError", "webhook down"), K::Server),
            (502, plain("", ""), K::Server),
            (503, plain("ServiceUnavailable", "down"), K::Server),
            (504, plain("Timeout", "late"), K::Timeout),
        ];
        for (code, body, kind) in table {
            let failure = answered(code, &body);
            assert_eq!((failure.kind, failure.status), (kind, Some(code)), "{code} {body}");
        }
    }

    #[test]
    fn a_message_is_one_line_without_gos_values() {
        for (message, expected) in [
            (
                "spec: Forbidden: spec is immutable\n@@ -6,7 +6,7 @@\n-  \"2Gi\"\n",
                "spec: Forbidden: spec is immutable",
            ),
            (
                "pod updates may not change fields\n  core.PodSpec{\n  \t... // 3 fields\n",
                "pod updates may not change fields",
            ),
            (
                "errors:\n  .a: expected string\n  .b: expected map",
                "errors: .a: expected string .b: expected map",
            ),
            ("plain", "plain"),
        ] {
            assert_eq!(answered(422, &json!({"kind": "Status", "message": message})).message, expected);
        }
    }

    #[test]
    fn a_field_conflict_names_fields_and_managers() {
        let failure = answered(
            409,
            &json!({"kind": "Status", "reason": "Conflict", "message": "Apply failed with 1 conflict",
                "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\"", "field": ".spec.replicas"}]}}),
        );
        assert_eq!(failure.kind, ApiFailureKind::FieldConflict);
        assert_eq!(
            (failure.causes[0].field.as_str(), failure.causes[0].message.as_str()),
            (".spec.replicas", "conflict with \"kubectl-edit\"")
        );
    }

    #[test]
    fn retry_after_comes_from_the_header_or_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("Retry-After", http::HeaderValue::from_static("7"));
        let busy = from_answer(503, &headers, b"<html>busy</html>");
        assert_eq!((busy.kind, busy.retry_after), (ApiFailureKind::Throttled, Some(Duration::from_secs(7))));
        assert!(busy.message.contains("<html>busy"), "{}", busy.message);
        let body =
            answered(429, &json!({"kind": "Status", "message": "slow", "details": {"retryAfterSeconds": 2}}));
        assert_eq!(body.retry_after, Some(Duration::from_secs(2)));
    }
}
