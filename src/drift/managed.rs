//! `metadata.managedFields`: who owns which field of an object, as the API server keeps it.

use super::fieldset::FieldSet;
use super::path::{Path, PathElement};
use crate::model::Object;
use crate::model::ownership::FIELD_MANAGER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// By server-side apply: the manager says what the fields shall be.
    Apply,
    /// By any other write: create, update, patch.
    Update,
}

impl Operation {
    /// The word in `managedFields`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who owns fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Field manager, such as `kubectl-edit`.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// Subresource it wrote through, such as `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When it last wrote, RFC 3339 in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// `kubectl-edit (Update)`, `kubectl (Update, scale)`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.manager, self.operation)?;
        if let Some(subresource) = &self.subresource {
            write!(f, ", {subresource}")?;
        }
        f.write_str(")")
    }
}

/// One entry of `managedFields`, borrowed from the object.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) manager: &'a str,
    pub(super) operation: Operation,
    pub(super) subresource: &'a str,
    /// Version whose field names the entry uses; it may differ from the object's own.
    pub(super) api_version: &'a str,
    pub(super) time: Option<&'a str>,
    pub(super) fields: &'a Value,
    /// The entry as it stands.
    pub(super) raw: &'a Value,
}

impl<'a> Entry<'a> {
    fn read(raw: &'a Value) -> Option<Self> {
        let text = |key: &str| raw.get(key).and_then(Value::as_str);
        let operation = match text("operation")? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Self {
            manager: text("manager").unwrap_or_default(),
            operation,
            subresource: text("subresource").unwrap_or_default(),
            api_version: text("apiVersion").unwrap_or_default(),
            time: text("time"),
            fields: raw.get("fieldsV1").unwrap_or(&Value::Null),
            raw,
        })
    }

    /// Our own writes are applies of the whole object. A patch of ours (operation Update) proves nothing.
    pub(super) fn is_ours(&self) -> bool {
        self.manager == FIELD_MANAGER && self.operation == Operation::Apply && self.subresource.is_empty()
    }

    /// The fields; what cannot be read counts as none.
    pub(super) fn set(&self) -> FieldSet {
        FieldSet::from_fields_v1(self.fields).unwrap_or_default()
    }

    pub(super) fn owner(&self) -> Owner {
        Owner {
            manager: self.manager.into(),
            operation: self.operation,
            subresource: (!self.subresource.is_empty()).then(|| self.subresource.into()),
            time: self.time.map(Into::into),
        }
    }
}

/// The entries of an object that can be read, in the server's order.
pub(super) fn entries(object: &Object) -> impl Iterator<Item = Entry<'_>> {
    raw_entries(object).iter().filter_map(Entry::read)
}

/// The entries as they stand.
pub(super) fn raw_entries(object: &Object) -> &[Value] {
    let metadata = object.body().get("metadata");
    metadata.and_then(|m| m.get("managedFields")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The fields that our server-side apply owns. `None`: the object has no Apply entry of ours, so by this sign it is
/// not ours.
///
/// The server keeps one Apply entry for a manager whatever the `apiVersion`; should there be several, they count
/// together.
#[must_use]
pub fn owned_by_us(object: &Object) -> Option<FieldSet> {
    entries(object).filter(Entry::is_ours).map(|entry| entry.set()).reduce(|all, set| all.union(&set))
}

/// Whether the object has an Apply entry of ours.
#[must_use]
pub fn has_our_entry(object: &Object) -> bool {
    entries(object).any(|entry| entry.is_ours())
}

/// Every owner of fields but ourselves, the latest first. For the question whose object this is.
#[must_use]
pub fn managers(object: &Object) -> Vec<Owner> {
    let mut owners: Vec<Owner> = entries(object).filter(|e| !e.is_ours()).map(|e| e.owner()).collect();
    owners.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.cmp(b)));
    owners
}

/// The foreign manager that most recently came to own a field: the field itself, else the atomic value it is part of,
/// else something within it. `None` for a field that was removed: the server keeps no trace of who did it.
#[must_use]
pub fn owner_of(object: &Object, path: &Path) -> Option<Owner> {
    let claims = entries(object).filter(|entry| !entry.is_ours()).filter_map(|entry| {
        let claim = Claim::of(&entry.set(), &path.0)?;
        Some((claim, entry))
    });
    // The nearest claim first; of equal ones the latest; then by name, so that the answer never depends on order.
    let best = claims.max_by(|(a, x), (b, y)| {
        a.cmp(b).then_with(|| x.time.cmp(&y.time)).then_with(|| y.manager.cmp(x.manager))
    });
    best.map(|(_, entry)| entry.owner())
}

/// Whether a foreign manager owns something strictly below a path. Then the value there is not atomic: what is in
/// it belongs to whoever put it there.
pub(super) fn foreign_below(object: &Object, path: &Path) -> bool {
    entries(object).filter(|entry| !entry.is_ours()).any(|entry| entry.set().descend(&path.0).is_some())
}

/// How a set of fields touches a path, from far to near.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Within,
    Around,
    Exact,
}

impl Claim {
    fn of(set: &FieldSet, path: &[PathElement]) -> Option<Self> {
        let mut set = set;
        for (depth, element) in path.iter().enumerate() {
            let node = set.get(element)?;
            let last = depth + 1 == path.len();
            match &node.below {
                _ if last && node.member => return Some(Self::Exact),
                None => return Some(Self::Around),
                Some(_) if last => return Some(Self::Within),
                Some(below) => set = below,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(managed: Value) -> Object {
        Object::new(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields": managed}}),
        )
        .unwrap()
    }

    fn entry(manager: &str, operation: &str, time: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": time,
               "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn only_an_apply_of_the_whole_object_is_ours() {
        let mut status = entry("portolan", "Apply", "t", json!({"f:status": {}}));
        status["subresource"] = json!("status");
        let none = live(json!([entry("portolan", "Update", "t", json!({"f:spec": {}})), status]));
        assert!(owned_by_us(&none).is_none() && !has_our_entry(&none));
        let two = live(json!([
            entry("portolan", "Apply", "t", json!({"f:a": {}})),
            entry("portolan", "Apply", "t", json!({"f:b": {}})),
        ]));
        assert_eq!(owned_by_us(&two).unwrap().leaf_count(), 2);
        assert!(managers(&two).is_empty());
    }

    #[test]
    fn the_latest_of_the_nearest_owners_is_named() {
        let spec = |fields: Value| json!({"f:spec": fields});
        let object = live(json!([
            entry("portolan", "Apply", "2026-01-09T00:00:00Z", spec(json!({"f:replicas": {}}))),
            entry("old", "Update", "2026-01-01T00:00:00Z", spec(json!({"f:replicas": {}}))),
            entry("new", "Update", "2026-01-02T00:00:00Z", spec(json!({"f:replicas": {}}))),
            entry("atomic", "Update", "2026-01-03T00:00:00Z", spec(json!({"f:selector": {}}))),
        ]));
        let owner = |names: &[&str]| owner_of(&object, &Path::fields(names)).map(|o| o.manager);
        assert_eq!(owner(&["spec", "replicas"]).as_deref(), Some("new"));
        assert_eq!(owner(&["spec", "selector", "matchLabels", "app"]).as_deref(), Some("atomic"));
        assert_eq!(owner(&["spec"]).as_deref(), Some("atomic"));
        assert_eq!(owner(&["spec", "paused"]), None);
    }
}
