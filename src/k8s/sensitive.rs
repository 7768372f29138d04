//! Keeps a Secret's values out of the messages that a server sends back.

use crate::ports::{ApiFailure, ApiFailureKind};
use k8s_openapi::ByteString;
use serde_json::Value;

const HIDDEN: &str = "(sensitive)";
/// The API's own words about a field that only a new object can have another value of.
const IMMUTABLE: &str = "field is immutable";

/// The values of one request's body that must not be seen.
///
/// Two lines of defence: refusals that are about content (invalid, or by an admission webhook) lose the server's
/// words, because they may quote a value in any form; from all other messages the values themselves are cut.
pub(super) fn hide(failure: &mut ApiFailure, subject: &str, body: &[u8]) {
    let about_content = match failure.kind {
        ApiFailureKind::Invalid | ApiFailureKind::Server | ApiFailureKind::TooLarge => true,
        ApiFailureKind::Forbidden => {
            failure.message.contains("admission") || failure.message.contains("denied")
        }
        _ => false,
    };
    if about_content {
        failure.message = without_words(failure, subject);
        for cause in &mut failure.causes {
            // That a field cannot be changed holds no value, and says that the Secret has to be replaced.
            let words = if cause.message.contains(IMMUTABLE) { IMMUTABLE } else { HIDDEN };
            cause.message = words.into();
        }
        return;
    }
    let values = values(body);
    let cut = |text: &mut String| {
        for value in &values {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), HIDDEN);
            }
        }
    };
    cut(&mut failure.message);
    failure.causes.iter_mut().for_each(|cause| cut(&mut cause.message));
}

fn without_words(failure: &ApiFailure, subject: &str) -> String {
    let status = failure.status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
    let fields: Vec<&str> =
        failure.causes.iter().map(|cause| cause.field.as_str()).filter(|f| !f.is_empty()).collect();
    let place = if fields.is_empty() { String::new() } else { format!(" at {}", fields.join(", ")) };
    // The webhook's name is the cluster's own configuration and the one thing a person needs to go on.
    let hook = failure
        .message
        .split_once("admission webhook \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or_else(String::new, |(name, _)| format!(" by the admission webhook {name}"));
    format!(
        "{subject} was refused{hook}{place}{status}; the server's words are left out because they may hold the Secret's \
         values: `kubectl apply --server-side --dry-run=server` shows them"
    )
}

/// Every value of `data` and `stringData`, as written and decoded.
fn values(body: &[u8]) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for section in ["data", "stringData"] {
        let Some(entries) = body.get(section).and_then(Value::as_object) else {
            continue;
        };
        for value in entries.values() {
            found.extend(value.as_str().map(str::to_owned));
            let decoded = serde_json::from_value::<ByteString>(value.clone()).ok();
            found.extend(decoded.and_then(|bytes| String::from_utf8(bytes.0).ok()));
        }
    }
    found.retain(|value| !value.is_empty());
    // The longest first: a value that is part of another one must not leave the rest of it behind.
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ApiCause;

    const BODY: &[u8] =
        br#"{"kind":"Secret","data":{"password":"aHVudGVyMg=="},"stringData":{"pin":"4711-0815"}}"#;

    fn failure(kind: ApiFailureKind, message: &str) -> ApiFailure {
        let cause = ApiCause {
            field: "data[password]".into(),
            message: "Invalid value: \"hunter2\"".into(),
            reason: "FieldValueInvalid".into(),
        };
        ApiFailure { causes: vec![cause], status: Some(422), ..ApiFailure::new(kind, message) }
    }

    #[test]
    fn a_refusal_of_content_names_fields_and_no_words() {
        let mut refused = failure(
            ApiFailureKind::Invalid,
            "Secret \"s\" is invalid: data[password]: Invalid value: \"hunt...\"",
        );
        hide(&mut refused, "Secret shop/s", BODY);
        assert!(
            refused.message.contains("data[password]") && refused.message.contains("Secret shop/s"),
            "{}",
            refused.message
        );
        assert!(!format!("{refused:?}").contains("hunt"), "{refused:?}");
    }

    #[test]
    fn a_webhooks_name_is_kept_and_its_words_are_not() {
        let mut denied = failure(
            ApiFailureKind::Forbidden,
            "admission webhook \"no.weak.example\" denied the request: hunter2 is weak",
        );
        hide(&mut denied, "Secret shop/s", BODY);
        assert!(
            denied.message.contains("no.weak.example") && !format!("{denied:?}").contains("hunter2"),
            "{denied:?}"
        );
    }

    #[test]
    fn a_field_that_cannot_be_changed_is_told_without_its_value() {
        let cause = |field: &str, message: &str| crate::ports::ApiCause {
            field: field.into(),
            message: message.into(),
            reason: "FieldValueInvalid".into(),
        };
        let mut failure = ApiFailure::new(ApiFailureKind::Invalid, "Secret \"s\" is invalid: hunter2");
        failure.causes = vec![
            cause("type", "Invalid value: \"hunter2\": field is immutable"),
            cause("data", "Invalid value: \"hunter2\""),
        ];
        hide(&mut failure, "Secret s", b"{}");
        let said: Vec<&str> = failure.causes.iter().map(|cause| cause.message.as_str()).collect();
        assert_eq!(said, [IMMUTABLE, HIDDEN]);
        assert!(!failure.message.contains("hunter2"), "{}", failure.message);
    }

    #[test]
    fn other_messages_lose_the_values_alone() {
        let mut forbidden =
            failure(ApiFailureKind::Conflict, "user may not use hunter2, aHVudGVyMg== or 4711-0815 here");
        hide(&mut forbidden, "Secret shop/s", BODY);
        assert_eq!(forbidden.message, "user may not use (sensitive), (sensitive) or (sensitive) here");
        assert_eq!(forbidden.causes[0].message, "Invalid value: \"(sensitive)\"");
    }
}
