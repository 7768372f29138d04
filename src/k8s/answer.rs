//! An API server's answer, read whole.

use super::failure;
use crate::model::Object;
use crate::ports::{ApiFailure, ServedKind};
use bytes::Bytes;
use http::{HeaderMap, response};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Status, headers and body of an answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn new(head: response::Parts, body: Bytes) -> Self {
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The body as JSON. The error never quotes the body.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, ApiFailure> {
        serde_json::from_slice(&self.body).map_err(|error| failure::unreadable(what, &place(&error)))
    }

    /// The body as one object.
    pub(super) fn object(&self, what: &str) -> Result<Object, ApiFailure> {
        let body: Value = self.json(what)?;
        Object::new(body).map_err(|error| failure::unreadable(what, &error))
    }

    /// Texts of the `Warning` headers (RFC 7234 5.5: `299 - "text"`), as the API server sends them.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.headers
            .get_all(http::header::WARNING)
            .iter()
            .filter_map(|value| warning_text(&String::from_utf8_lossy(value.as_bytes())))
            .collect()
    }
}

/// `serde_json`'s message may quote what it met; line, column and category may not.
pub(super) fn place(error: &serde_json::Error) -> String {
    format!("not the JSON that was expected, at line {} column {}", error.line(), error.column())
}

/// An item of a list as an object: built-in lists leave `apiVersion` and `kind` to the list itself.
pub(super) fn list_item(kind: &ServedKind, mut body: Value) -> Result<Object, ApiFailure> {
    if let Some(map) = body.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| Value::String(kind.gvk.api_version()));
        map.entry("kind").or_insert_with(|| Value::String(kind.gvk.kind.clone()));
    }
    Object::new(body).map_err(|error| failure::unreadable(&format!("a list of {}", kind.gvk), &error))
}

fn warning_text(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1;
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(
            warning_text(r#"299 - "policy/v1beta1 is deprecated""#).as_deref(),
            Some("policy/v1beta1 is deprecated")
        );
        assert_eq!(
            warning_text(r#"299 - "unknown field \"spec.x\"" "Sat, 25 Aug""#).as_deref(),
            Some(r#"unknown field "spec.x""#)
        );
        assert_eq!(warning_text("nonsense"), None);
    }

    #[test]
    fn an_item_without_a_kind_takes_the_lists() {
        let kind = crate::k8s::kinds::config_map();
        let item = list_item(&kind, serde_json::json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!((item.gvk(), item.name()), (kind.gvk.clone(), "a"));
        assert!(list_item(&kind, serde_json::json!({"metadata": {}})).is_err());
    }
}
