//! Objects of the target that nobody declared.

use super::defaults::{DerivedRow, TABLE};
use crate::model::{GroupKind, ResourceId};
use crate::transform::identity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the target holds, for looking up owners and namesakes.
pub(super) struct Held {
    uids: BTreeSet<String>,
    ids: BTreeSet<ResourceId>,
}

impl Held {
    pub(super) fn of(actual: &BTreeMap<ResourceId, &Value>) -> Self {
        let uid = |object: &&Value| object.pointer("/metadata/uid").and_then(Value::as_str).map(String::from);
        Self { uids: actual.values().filter_map(uid).collect(), ids: actual.keys().cloned().collect() }
    }

    /// Who makes an object that nobody declared; `None`: nobody that is known.
    pub(super) fn maker(&self, object: &Value) -> Option<&'static str> {
        let id = identity(object)?;
        let kind = id.group_kind().to_string();
        let rows: &'static [DerivedRow] = &TABLE.derived;
        rows.iter().find(|row| row.kind == kind && self.fits(row, object, &id)).map(|row| row.by.as_str())
    }

    fn fits(&self, row: &DerivedRow, object: &Value, id: &ResourceId) -> bool {
        let label = |wanted: &String| {
            let (key, value) = wanted.split_once('=').map_or((wanted.as_str(), None), |(k, v)| (k, Some(v)));
            let found =
                object.pointer("/metadata/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str);
            found.is_some() && (value.is_none() || value == found)
        };
        let namesake = |kind: &String| {
            let Ok(kind) = kind.parse::<GroupKind>();
            let namespace = id.namespace.as_deref().unwrap_or_default();
            self.ids.contains(&ResourceId::new(&kind.group, &kind.kind, namespace, &id.name))
        };
        row.name.as_ref().is_none_or(|name| *name == id.name)
            && row.label.as_ref().is_none_or(label)
            && row.same_name.as_ref().is_none_or(namesake)
            && (!row.owner || self.is_owned(object))
    }

    fn is_owned(&self, object: &Value) -> bool {
        let owners =
            object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        let mut controllers = owners.filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
        controllers
            .any(|owner| owner.get("uid").and_then(Value::as_str).is_some_and(|uid| self.uids.contains(uid)))
    }
}
