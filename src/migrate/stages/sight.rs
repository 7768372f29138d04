//! What a pass has seen of one API server.

use crate::model::{GroupKind, Gvk, ResourceId};
use crate::transform::{Served, identity};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One side as it was read.
#[derive(Clone, Default, PartialEq)]
pub struct Sight {
    /// `gitVersion` of the server, such as `v1.24.17`.
    pub version: String,
    /// What it serves.
    pub served: Served,
    /// Whether objects of a kind live in namespaces, by `Kind.group`.
    pub namespaced: BTreeMap<String, bool>,
    /// Every object of every kind that can be listed, each in the version that the other side serves where both do.
    pub objects: Vec<Value>,
    /// Kinds that could not be read, with the server's words.
    pub unread: BTreeMap<String, String>,
}

/// Shows no object: they hold secrets.
impl std::fmt::Debug for Sight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sight({}, {} objects)", self.version, self.objects.len())
    }
}

impl Sight {
    /// The minor of Kubernetes 1.
    #[must_use]
    pub fn minor(&self) -> u32 {
        let minor = self.version.trim_start_matches('v').split('.').nth(1).unwrap_or_default();
        minor.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or_default()
    }

    /// Objects of a kind in some namespaces.
    pub fn of<'a>(
        &'a self,
        group: &'a str,
        kind: &'a str,
        namespaces: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| is(object, group, kind) && is_in(object, namespaces))
    }

    /// The object of an identity.
    #[must_use]
    pub fn find(&self, id: &ResourceId) -> Option<&Value> {
        self.objects.iter().find(|object| object["kind"] == *id.kind && identity(object).as_ref() == Some(id))
    }

    /// Objects by identity, for many questions.
    #[must_use]
    pub fn index(&self) -> BTreeMap<ResourceId, &Value> {
        self.objects.iter().filter_map(|object| Some((identity(object)?, object))).collect()
    }

    /// Whether objects of a kind live in namespaces; where that is not known, whether the object says one.
    #[must_use]
    pub fn is_namespaced(&self, kind: &GroupKind) -> Option<bool> {
        self.namespaced.get(&kind.to_string()).copied()
    }
}

/// Whether an object is of a kind.
#[must_use]
pub fn is(object: &Value, group: &str, kind: &str) -> bool {
    object["kind"] == kind
        && Gvk::from_api_version(object["apiVersion"].as_str().unwrap_or_default(), kind).group == group
}

/// Whether an object lives in one of some namespaces.
#[must_use]
pub fn is_in(object: &Value, namespaces: &BTreeSet<String>) -> bool {
    namespace(object).is_some_and(|namespace| namespaces.contains(namespace))
}

/// An object's namespace.
#[must_use]
pub fn namespace(object: &Value) -> Option<&str> {
    object.pointer("/metadata/namespace").and_then(Value::as_str)
}

/// An object's name.
#[must_use]
pub fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}
