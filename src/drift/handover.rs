//! Handing fields over: patches of `metadata.managedFields`.
//!
//! The server lets a client write `managedFields` by an ordinary patch (apimachinery
//! `util/managedfields/internal/fieldmanager.go`). Its rules, which every patch here follows:
//!
//! - Taking the list away, or writing one it cannot decode, changes nothing: it falls back to what it has. An empty
//!   set of entries is written as `[{}]`.
//! - Of two Apply entries of one manager only one survives, whatever their `apiVersion`: so there is one of ours.
//! - Every entry needs `operation`, `apiVersion` and `fieldsType: FieldsV1`.
//! - Fields that no entry names belong to nobody: an apply that leaves them out leaves them alone.
//! - The server compares the resourceVersion that a patch writes with the one it has, so `replace` makes a stale patch
//!   a 409, where a failing `test` would be a 422 (as client-go `util/csaupgrade` notes). The uid is written likewise.

use super::baseline::Baseline;
use super::fieldset::FieldSet;
use super::managed::{Entry, Operation, entries, raw_entries};
use super::path::{Path, PathElement};
use crate::model::Object;
use crate::model::ownership::{APPLICATION, FIELD_MANAGER, PART_OF};
use serde_json::{Map, Value, json};

/// A field manager whose entries are meant. Entries of subresources (`status`, `scale`) never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignManager<'a> {
    /// Name in `managedFields`.
    pub name: &'a str,
    /// How it wrote.
    pub operation: Operation,
}

impl<'a> ForeignManager<'a> {
    /// A manager by server-side apply, such as `argocd-controller`.
    #[must_use]
    pub const fn apply(name: &'a str) -> Self {
        Self { name, operation: Operation::Apply }
    }

    /// A manager by other writes, such as `kubectl-client-side-apply`.
    #[must_use]
    pub const fn update(name: &'a str) -> Self {
        Self { name, operation: Operation::Update }
    }

    fn wrote(&self, entry: &Entry<'_>) -> bool {
        entry.manager == self.name
            && entry.operation == self.operation
            && entry.subresource.is_empty()
            && !entry.is_ours()
    }
}

/// The managers behind which the manifest's author stands: what they wrote was declared, and declaring is ours now.
///
/// Not among them: `kubectl-edit` and other single edits, controllers, and `before-first-apply`, under which the server
/// puts all fields of an object without managers, those of controllers too.
pub const CLIENT_SIDE: [ForeignManager<'static>; 8] = [
    ForeignManager::update("kubectl-client-side-apply"),
    ForeignManager::update("kubectl-create"),
    ForeignManager::update("kubectl-replace"),
    ForeignManager::update("kubectl"),
    ForeignManager::apply("kubectl"),
    ForeignManager::update("helm"),
    ForeignManager::apply("helm"),
    ForeignManager::update("Helm"),
];

/// What client-side `kubectl apply` keeps to itself; of a Secret it holds all values.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Gives fields of our Apply entry to nobody, so that the next apply without them leaves their live values alone.
/// `None` when we own none of them.
#[must_use]
pub fn release_paths(live: &Object, paths: &FieldSet) -> Option<Value> {
    let mut changed = false;
    let kept = rewrite(live, |entry| {
        if !entry.is_ours() {
            return Some(entry.raw.clone());
        }
        let set = entry.set();
        let rest = set.difference(paths);
        changed |= rest != set;
        (!rest.is_empty()).then(|| with_fields(entry.raw, &rest))
    });
    changed.then(|| patch(live, kept, Vec::new()))
}

/// Orphans an object: takes our labels and our Apply entry away, leaves every other field as it is. `None` when the
/// object has neither.
#[must_use]
pub fn release_all(live: &Object) -> Option<Value> {
    let labels = [PART_OF, APPLICATION].into_iter().filter(|label| live.label(label).is_some());
    let removals: Vec<Value> = labels
        .map(|label| json!({"op": "remove", "path": format!("/metadata/labels/{}", escaped(label))}))
        .collect();
    let kept = rewrite(live, |entry| (!entry.is_ours()).then(|| entry.raw.clone()));
    let changed = kept.len() != raw_entries(live).len() || !removals.is_empty();
    changed.then(|| patch(live, kept, removals))
}

/// Turns entries of other managers into our Apply entry, as client-go's `csaupgrade` does: the apply that follows then
/// removes what they declared and git does not. Takes the annotation of client-side apply away. `None` when there is
/// nothing to take over.
///
/// Left to nobody, and so kept as they are: status, finalizers and owner references. Taking a finalizer that somebody
/// else relies on loses data; so would an owner reference.
///
/// Entries of another `apiVersion` than the object was read in count as far as their fields exist in the object.
#[must_use]
pub fn adopt_client_side(live: &Object, managers: &[ForeignManager<'_>]) -> Option<Value> {
    let taken = |entry: &Entry<'_>| managers.iter().any(|manager| manager.wrote(entry));
    let annotated = live.annotation(LAST_APPLIED).is_some();
    if !annotated && !entries(live).any(|entry| taken(&entry)) {
        return None;
    }
    let body = live.body();
    let version = body.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let mut union = FieldSet::new();
    let mut time = None;
    for entry in entries(live).filter(|entry| entry.is_ours() || taken(entry)) {
        let set = if entry.is_ours() { entry.set() } else { declarable(&entry.set()) };
        let set = if entry.api_version == version { set } else { existing(&set, body) };
        union = union.union(&set);
        time = time.max(entry.time);
    }
    let mut kept = rewrite(live, |entry| (!entry.is_ours() && !taken(entry)).then(|| entry.raw.clone()));
    if !union.is_empty() {
        kept.insert(0, our_entry(version, time, &union));
    }
    let path = format!("/metadata/annotations/{}", escaped(LAST_APPLIED));
    let removal = annotated.then(|| json!({"op": "remove", "path": path}));
    Some(patch(live, kept, removal.into_iter().collect()))
}

/// Takes the entries of a manager away; their fields keep their values and belong to nobody. `None` when it has none.
///
/// This does not remove what the manager added, so it does not help an apply that clashes with it: for that, the entry
/// has to become ours ([`adopt_client_side`], [`rivals`](super::rivals())) before the next apply.
#[must_use]
pub fn remove_foreign(live: &Object, manager: &ForeignManager<'_>) -> Option<Value> {
    let kept = rewrite(live, |entry| (!manager.wrote(entry)).then(|| entry.raw.clone()));
    (kept.len() != raw_entries(live).len()).then(|| patch(live, kept, Vec::new()))
}

/// Writes our Apply entry again as it was after our last apply, where somebody took it, or all of `managedFields`,
/// away. `None` when the entry is as it was.
///
/// Without it, an apply to an object without managers makes the server invent `before-first-apply`, which from then on
/// co-owns every field, so that a field that leaves git would stay.
#[must_use]
pub fn restore_entry(live: &Object, baseline: &Baseline) -> Option<Value> {
    let mut ours = entries(live).filter(Entry::is_ours);
    if ours.next().is_some_and(|entry| baseline.paths().is_fields_v1(entry.fields)) && ours.next().is_none() {
        return None;
    }
    let mut kept = rewrite(live, |entry| (!entry.is_ours()).then(|| entry.raw.clone()));
    kept.insert(0, our_entry(baseline.api_version(), None, baseline.paths()));
    Some(patch(live, kept, Vec::new()))
}

/// The entries with each one kept, changed or dropped; entries that we cannot read stay.
fn rewrite<'a>(live: &'a Object, mut keep: impl FnMut(&Entry<'a>) -> Option<Value>) -> Vec<Value> {
    let mut readable = entries(live).peekable();
    let mut kept = Vec::new();
    for raw in raw_entries(live) {
        match readable.next_if(|entry| std::ptr::eq(entry.raw, raw)) {
            Some(entry) => kept.extend(keep(&entry)),
            None => kept.push(raw.clone()),
        }
    }
    kept
}

fn with_fields(entry: &Value, fields: &FieldSet) -> Value {
    let mut entry = entry.clone();
    if let Some(entry) = entry.as_object_mut() {
        entry.insert("fieldsV1".into(), fields.to_fields_v1());
    }
    entry
}

fn our_entry(api_version: &str, time: Option<&str>, fields: &FieldSet) -> Value {
    let mut entry = json!({
        "manager": FIELD_MANAGER,
        "operation": Operation::Apply.as_str(),
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.to_fields_v1(),
    });
    if let (Some(time), Some(entry)) = (time, entry.as_object_mut()) {
        entry.insert("time".into(), time.into());
    }
    entry
}

/// Without what no manifest's author declares, whatever its entry says.
fn declarable(set: &FieldSet) -> FieldSet {
    let never = |path: &Path| {
        let name = |place: usize| match path.0.get(place) {
            Some(PathElement::Field(name)) => &**name,
            _ => "",
        };
        matches!((name(0), name(1)), ("status", _) | ("metadata", "finalizers" | "ownerReferences"))
    };
    set.paths().into_iter().filter(|path| !never(path)).collect()
}

/// The paths of a set that the object has.
fn existing(set: &FieldSet, body: &Value) -> FieldSet {
    let exists = |path: &Path| path.0.iter().try_fold(body, |value, element| element.find(value)).is_some();
    set.paths().into_iter().filter(exists).collect()
}

/// `~` and `/` of a key in a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn patch(live: &Object, managed: Vec<Value>, others: Vec<Value>) -> Value {
    let managed = if managed.is_empty() { vec![Value::Object(Map::new())] } else { managed };
    let mut operations = Vec::with_capacity(others.len() + 3);
    let guards = [("uid", live.uid()), ("resourceVersion", live.resource_version())];
    for (field, value) in guards.into_iter().filter_map(|(field, value)| Some((field, value?))) {
        operations.push(json!({"op": "replace", "path": format!("/metadata/{field}"), "value": value}));
    }
    operations.extend(others);
    // `add` replaces what is there, and also works where there is nothing.
    operations.push(json!({"op": "add", "path": "/metadata/managedFields", "value": managed}));
    Value::Array(operations)
}
