//! One Kubernetes object as JSON, with the accessors that every ring needs.

use super::{Gvk, ResourceId};
use serde_json::{Map, Value};
use std::fmt;

/// A Kubernetes object: `apiVersion`, `kind` and `metadata.name` are known to be non-empty strings.
///
/// `Debug` shows the identity only, because the body may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Object {
    body: Value,
}

/// Why a JSON value is not a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// The document is a scalar or a list.
    #[error("a Kubernetes object is a mapping with apiVersion, kind and metadata")]
    NotAMapping,
    /// A required field is absent or empty.
    #[error("`{0}` is missing or empty")]
    Missing(&'static str),
    /// A field that has to be text is not; `kubectl` refuses it as well.
    #[error("`{0}` has to be a string: put it in quotes")]
    NotAString(String),
}

impl Object {
    /// Takes a JSON body, after the checks `kubectl` makes before it sends anything.
    ///
    /// # Errors
    /// When the body is not a mapping, or one of `apiVersion`, `kind`, `metadata.name` is missing, or a metadata
    /// field has the wrong type (`name: 123`, `annotations: {a: yes}`).
    pub fn new(body: Value) -> Result<Self, NotAnObject> {
        let map = body.as_object().ok_or(NotAnObject::NotAMapping)?;
        required_string(map, "apiVersion", "apiVersion")?;
        required_string(map, "kind", "kind")?;
        let metadata = match map.get("metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => return Err(NotAnObject::Missing("metadata")),
        };
        required_string(metadata, "name", "metadata.name")?;
        if let Some(namespace) = metadata.get("namespace")
            && !namespace.is_string()
            && !namespace.is_null()
        {
            return Err(NotAnObject::NotAString("metadata.namespace".into()));
        }
        for section in ["labels", "annotations"] {
            match metadata.get(section) {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) => {
                    if let Some((key, _)) = entries.iter().find(|(_, v)| !v.is_string() && !v.is_null()) {
                        return Err(NotAnObject::NotAString(format!("metadata.{section}.{key}")));
                    }
                }
                Some(_) => return Err(NotAnObject::NotAMapping),
            }
        }
        Ok(Self { body })
    }

    /// The kind with its version.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.text("apiVersion"), self.text("kind"))
    }

    /// The identity of the object. The namespace is what the body says: scope is settled when rendering.
    #[must_use]
    pub fn id(&self) -> ResourceId {
        let gvk = self.gvk();
        ResourceId::new(&gvk.group, &gvk.kind, self.namespace().unwrap_or_default(), self.name())
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata_text("name").unwrap_or_default()
    }

    /// `metadata.namespace`, when set and not empty.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata_text("namespace").filter(|n| !n.is_empty())
    }

    /// `metadata.uid` of a live object.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.metadata_text("uid")
    }

    /// `metadata.resourceVersion` of a live object.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.metadata_text("resourceVersion")
    }

    /// Whether the live object is being deleted.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.metadata_text("deletionTimestamp").is_some()
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.body.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.body.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// Sets a label, making `metadata.labels` where there is none.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set_metadata_entry("labels", key, value);
    }

    /// Sets an annotation, making `metadata.annotations` where there is none.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.set_metadata_entry("annotations", key, value);
    }

    /// Sets `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata_mut().insert("namespace".into(), Value::String(namespace.into()));
    }

    /// Removes `metadata.namespace`: a cluster-scoped object has none.
    pub fn clear_namespace(&mut self) {
        self.metadata_mut().remove("namespace");
    }

    /// `metadata` for changes; the caller keeps `name` a non-empty string.
    pub fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        self.body
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
            .expect("Object::new refuses a body without a metadata mapping")
    }

    /// The whole body.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// The whole body for changes; the caller keeps `apiVersion`, `kind` and `metadata.name` in place.
    pub const fn body_mut(&mut self) -> &mut Value {
        &mut self.body
    }

    /// Gives the body away.
    #[must_use]
    pub fn into_body(self) -> Value {
        self.body
    }

    /// Whether this is a core `Secret`, whose values must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.text("apiVersion") == "v1" && self.text("kind") == "Secret"
    }

    fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn metadata_text(&self, key: &str) -> Option<&str> {
        self.body.get("metadata")?.get(key)?.as_str()
    }

    fn set_metadata_entry(&mut self, section: &str, key: &str, value: &str) {
        let entries = self.metadata_mut().entry(section).or_insert_with(|| Value::Object(Map::new()));
        if !entries.is_object() {
            *entries = Value::Object(Map::new());
        }
        if let Some(entries) = entries.as_object_mut() {
            entries.insert(key.into(), Value::String(value.into()));
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} {})", self.text("apiVersion"), self.id())
    }
}

fn required_string(map: &Map<String, Value>, key: &str, shown: &'static str) -> Result<(), NotAnObject> {
    match map.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        None | Some(Value::Null | Value::String(_)) => Err(NotAnObject::Missing(shown)),
        Some(_) => Err(NotAnObject::NotAString(shown.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_metadata_types_are_refused_as_kubectl_refuses_them() {
        let named =
            |name: Value| Object::new(json!({"apiVersion": "v1", "kind": "T", "metadata": {"name": name}}));
        assert_eq!(named(json!(123)), Err(NotAnObject::NotAString("metadata.name".into())));
        assert_eq!(named(json!("")), Err(NotAnObject::Missing("metadata.name")));
        let annotated =
            json!({"apiVersion": "v1", "kind": "T", "metadata": {"name": "a", "annotations": {"k": true}}});
        assert_eq!(Object::new(annotated), Err(NotAnObject::NotAString("metadata.annotations.k".into())));
    }

    #[test]
    fn debug_never_shows_the_body() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "aHVudGVyMg=="}});
        let shown = format!("{:?}", Object::new(secret).unwrap());
        assert_eq!(shown, "Object(v1 Secret a)");
    }
}
