//! Who controls whom in an export.

use super::names::{settled, settled_group};
use crate::model::{Gvk, Object, ResourceId};
use serde_json::Value;
use std::collections::BTreeMap;

/// Objects of an export by identity and by UID, as places in the list they came in.
#[derive(Default)]
pub(in crate::migrate) struct References<'a> {
    by_key: BTreeMap<ResourceId, usize>,
    by_uid: BTreeMap<&'a str, usize>,
}

impl<'a> References<'a> {
    /// The references among objects. Of two with one identity the first counts.
    pub(in crate::migrate) fn among(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut references = Self::default();
        for (at, object) in objects.into_iter().enumerate() {
            references.by_key.entry(settled(&object.id())).or_insert(at);
            if let Some(uid) = object.uid() {
                references.by_uid.entry(uid).or_insert(at);
            }
        }
        references
    }

    /// The place of an object, by its settled identity.
    pub(in crate::migrate) fn find(&self, id: &ResourceId) -> Option<usize> {
        self.by_key.get(id).copied()
    }

    /// The place of the object that controls another, where the export has it.
    pub(in crate::migrate) fn controller(&self, object: &Object) -> Option<usize> {
        let reference = controller(object)?;
        let by_uid = reference["uid"].as_str().and_then(|uid| self.by_uid.get(uid).copied());
        // An export without UIDs still knows names; an owner is in the same namespace, or in none.
        by_uid
            .or_else(|| self.find(&named(reference, object.namespace().unwrap_or_default())))
            .or_else(|| self.find(&named(reference, "")))
    }
}

/// The reference to the controller of an object.
pub(in crate::migrate) fn controller(object: &Object) -> Option<&Value> {
    let references = object.body().pointer("/metadata/ownerReferences")?.as_array()?;
    references.iter().find(|reference| reference["controller"] == true)
}

/// The settled identity that a reference names.
pub(in crate::migrate) fn named(reference: &Value, namespace: &str) -> ResourceId {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
    ResourceId::new(settled_group(&gvk.group, &gvk.kind), &gvk.kind, namespace, text("name"))
}
