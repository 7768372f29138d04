//! An object on the bench: every change to it goes through here and is written down.

use super::context::Context;
use super::edit::{Dropped, Edit, Remark, SENSITIVE, Weight};
use super::owners::Relink;
use super::pointer::{at, put, split, take};
use super::rule::Rule;
use crate::model::{Gvk, ResourceId};
use serde_json::Value;

/// See the module.
pub struct Work<'a> {
    /// The object as it is by now. Rules read it; they write it with the methods below.
    pub object: Value,
    /// What it was before any rule.
    pub original: &'a Value,
    /// Everything else that is known.
    pub context: &'a Context,
    pub(super) rule: &'static Rule,
    pub(super) edits: Vec<Edit>,
    pub(super) remarks: Vec<Remark>,
    pub(super) dropped: Option<Dropped>,
    pub(super) relinks: Vec<Relink>,
    secret: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(original: &'a Value, context: &'a Context, rule: &'static Rule) -> Self {
        let object = original.clone();
        let secret = original["apiVersion"] == "v1" && original["kind"] == "Secret";
        Self {
            object,
            original,
            context,
            rule,
            edits: Vec::new(),
            remarks: Vec::new(),
            dropped: None,
            relinks: Vec::new(),
            secret,
        }
    }

    /// The kind by now.
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.text("/apiVersion").unwrap_or_default(), self.kind())
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// `Kind.group`.
    pub fn group_kind(&self) -> String {
        self.gvk().group_kind().to_string()
    }

    /// The identity by now.
    pub fn id(&self) -> ResourceId {
        let gvk = self.gvk();
        ResourceId::new(&gvk.group, &gvk.kind, self.namespace(), self.name())
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`; empty where there is none.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    /// What a pointer names.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.object.pointer(pointer)
    }

    /// The text that a pointer names.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.get(pointer)?.as_str()
    }

    /// Whether a pointer names `true`.
    pub fn is_true(&self, pointer: &str) -> bool {
        self.get(pointer) == Some(&Value::Bool(true))
    }

    /// How many items the list has that a pointer names; 0 where there is none.
    pub fn len(&self, pointer: &str) -> usize {
        self.get(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Pointers to the items of a list, the last first, so that items can be taken out on the way.
    pub fn items(&self, pointer: &str) -> Vec<String> {
        (0..self.len(pointer)).rev().map(|place| at(pointer, place.to_string())).collect()
    }

    /// The keys of the mapping that a pointer names.
    pub fn keys(&self, pointer: &str) -> Vec<String> {
        let map = self.get(pointer).and_then(Value::as_object);
        map.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.get("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Takes out what a pointer names, for the rule's reason.
    pub fn remove(&mut self, pointer: &str) -> Option<Value> {
        self.remove_for(pointer, self.rule.reason)
    }

    /// Takes out what a pointer names, and the mapping of labels or annotations above it that is empty then.
    pub fn remove_for(&mut self, pointer: &str, reason: &str) -> Option<Value> {
        let old = take(&mut self.object, pointer)?;
        self.record(pointer, Some(old.clone()), None, reason);
        self.prune(pointer);
        Some(old)
    }

    /// Takes out something large, or something that nobody should read: the record says only that it was there.
    pub fn discard(&mut self, pointer: &str) {
        if take(&mut self.object, pointer).is_some() {
            let reason = self.rule.reason;
            self.record(pointer, Some(Value::String("(not shown)".into())), None, reason);
            self.prune(pointer);
        }
    }

    /// Takes out a mapping of labels or annotations that is empty since one of its keys went.
    fn prune(&mut self, pointer: &str) {
        if let Some((above, _)) = split(pointer)
            && (above.ends_with("/annotations") || above.ends_with("/labels"))
            && self.get(above).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
        {
            take(&mut self.object, above);
        }
    }

    /// Writes a value, for the rule's reason. Nothing happens where it is there already.
    pub fn set(&mut self, pointer: &str, value: impl Into<Value>) {
        self.set_for(pointer, value, self.rule.reason);
    }

    /// [`set`](Self::set) with a reason of its own.
    pub fn set_for(&mut self, pointer: &str, value: impl Into<Value>, reason: &str) {
        let value = value.into();
        if self.get(pointer) == Some(&value) {
            return;
        }
        let old = put(&mut self.object, pointer, value.clone()).filter(|old| !old.is_null());
        self.record(pointer, old, Some(value), reason);
    }

    /// Writes a value where there is none.
    pub fn set_default(&mut self, pointer: &str, value: impl Into<Value>) {
        if self.get(pointer).is_none_or(Value::is_null) {
            self.set(pointer, value);
        }
    }

    /// Writes an annotation.
    pub fn annotate(&mut self, key: &str, value: &str) {
        self.set(&at("/metadata/annotations", key), value);
    }

    /// Gives a field another name or place. Nothing happens where it is not there.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.remove(from) {
            self.set(to, value);
        }
    }

    /// Writes down what no edit settles.
    pub fn remark(&mut self, weight: Weight, pointer: &str, says: impl Into<String>) {
        self.offer(weight, pointer, says, &[]);
    }

    /// [`remark`](Self::remark) with ways out, the proposed one first.
    pub fn offer(&mut self, weight: Weight, pointer: &str, says: impl Into<String>, offers: &[(&str, &str)]) {
        self.remarks.push(Remark {
            subject: self.id().to_string(),
            pointer: pointer.into(),
            weight,
            rule: self.rule.id.into(),
            source: self.rule.source.into(),
            says: says.into(),
            offers: offers.iter().map(|(id, says)| ((*id).into(), (*says).into())).collect(),
        });
    }

    /// Leaves the object behind. No further rule sees it.
    pub fn drop(&mut self, reason: impl Into<String>) {
        if self.dropped.is_none() {
            self.dropped = Some(Dropped { rule: self.rule.id.into(), reason: reason.into() });
        }
    }

    fn record(&mut self, pointer: &str, old: Option<Value>, new: Option<Value>, reason: &str) {
        let hide = self.secret && is_hidden(pointer);
        let shown = |value: Option<Value>| value.map(|value| if hide { SENSITIVE.into() } else { value });
        self.edits.push(Edit {
            pointer: pointer.into(),
            old: shown(old),
            new: shown(new),
            rule: self.rule.id.into(),
            reason: reason.into(),
        });
    }
}

/// Fields of a Secret that may be seen. Annotations may not: the last-applied configuration is one.
const PUBLIC: [&str; 12] = [
    "/apiVersion",
    "/kind",
    "/type",
    "/immutable",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/labels",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/creationTimestamp",
    "/metadata/finalizers",
    "/metadata/ownerReferences",
];

/// Whether a field of a Secret must not be seen.
#[must_use]
pub fn is_hidden(pointer: &str) -> bool {
    let below = |public: &str| {
        pointer.strip_prefix(public).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !PUBLIC.iter().any(|public| below(public))
}
