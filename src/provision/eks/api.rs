//! What the EKS kinds share: calls and answers of the EKS API, tags, and how fields are compared.

use crate::model::cloud::{Call, Service};
use crate::provision::owner::{owner, settable, tags_of};
use crate::provision::resource::{Difference, Key, Kind, Live, Mend, Scope, Snapshot, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A member of a resource's declaration that no call takes: it says what the driver has to know beside.
pub mod aside {
    /// Members for the create call only, never compared: a node group's desired size that an autoscaler changes later.
    pub const CREATE: &str = "$create";
    /// Members for update calls only: `force`, `rollbackConfig`.
    pub const UPDATE: &str = "$update";
    /// What is asked of a node group that has no launch template and that only one could give, by the file's names.
    pub const BY_TEMPLATE: &str = "$byTemplate";
}

/// A call of EKS.
#[must_use]
pub fn eks(operation: &str, input: Value) -> Call {
    Call::new(Service::Eks, operation, input)
}

/// Whether the cluster is there to be asked about: it was found, or could not be read.
#[must_use]
pub fn has_cluster(known: &Snapshot) -> bool {
    known.unread.contains_key(&Kind::Cluster)
        || known.live.values().any(|live| live.key.kind == Kind::Cluster && !is_new(live))
}

/// While a cluster is being created nothing can be in it.
fn is_new(cluster: &Live) -> bool {
    matches!(&cluster.state, State::Pending(word) if word == "CREATING")
}

/// The calls that list things of the cluster, if there is one.
#[must_use]
pub fn list(scope: &Scope, known: &Snapshot, operation: &str) -> Vec<Call> {
    if has_cluster(known) { vec![eks(operation, json!({"clusterName": scope.cluster}))] } else { Vec::new() }
}

/// One describing call for each name in a list.
#[must_use]
pub fn describe(scope: &Scope, answer: &Value, names: &str, operation: &str, member: &str) -> Vec<Call> {
    strings(&answer[names])
        .into_iter()
        .map(|name| eks(operation, json!({"clusterName": scope.cluster, (member): name})))
        .collect()
}

/// How the things of a kind are found: one list of them, then a description of each.
pub struct Listing {
    /// `ListNodegroups`.
    pub list: &'static str,
    /// Member of the list's answer that holds names, or what stands for them: `nodegroups`.
    pub items: &'static str,
    /// `DescribeNodegroup`.
    pub describe: &'static str,
    /// What one item's description is asked with, beside the cluster's name; `None` for what is another kind's.
    pub which: fn(&Value) -> Option<Value>,
    /// Where a description's answer holds the thing, as a JSON pointer: `/nodegroup`.
    pub thing: &'static str,
    /// What was described.
    pub read: fn(&Scope, &Value) -> Live,
}

impl Listing {
    /// The list, if there is a cluster.
    #[must_use]
    pub fn reads(&self, scope: &Scope, known: &Snapshot) -> Vec<Call> {
        list(scope, known, self.list)
    }

    /// Reads one answer: a list asks for descriptions, and what is described goes into the snapshot.
    pub fn absorb(&self, scope: &Scope, call: &Call, answer: &Value, into: &mut Snapshot) -> Vec<Call> {
        if call.operation == self.list {
            let items = answer[self.items].as_array().into_iter().flatten().filter_map(self.which);
            return items
                .map(|mut input| {
                    input["clusterName"] = json!(scope.cluster);
                    eks(self.describe, input)
                })
                .collect();
        }
        let found = (self.read)(scope, answer.pointer(self.thing).unwrap_or(&Value::Null));
        into.live.insert(found.key.clone(), found);
        Vec::new()
    }
}

/// A state by the service's status. What is degraded is there and can be changed, which may be what mends it (what ails
/// it is in the output `issues`); after a failed update the version before is still in place.
#[must_use]
pub fn state(thing: &Value) -> State {
    match text(thing, "status") {
        "ACTIVE" | "DEGRADED" | "UPDATE_FAILED" => State::Ready,
        "DELETING" => State::Deleting,
        "FAILED" | "CREATE_FAILED" | "DELETE_FAILED" => State::Failed(status_in_words(thing)),
        other => State::Pending(other.to_owned()),
    }
}

/// The strings of an array, as they stand.
#[must_use]
pub fn strings(array: &Value) -> Vec<String> {
    array.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A member's text; empty where there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// An array in a fixed order, for sets. Anything else as it is.
#[must_use]
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items = items.clone();
            items.sort_by_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// An object without its empty members: nulls, and what `members` names where it is empty (EKS answers `[]` and `{}`
/// where nothing was given).
#[must_use]
pub fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().map(|(name, value)| (name.clone(), without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The members of an answer that have the same meaning in the create call.
#[must_use]
pub fn only(value: &Value, members: &[&str]) -> Map<String, Value> {
    members
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), value.get(*member)?.clone())))
        .filter(|(_, value)| !is_empty(value))
        .collect()
}

/// The issues of a `health`, in words: `NodeCreationFailure: … (i-1, i-2)`. Empty when it has none.
#[must_use]
pub fn issues(health: &Value) -> String {
    let issues = health["issues"].as_array().into_iter().flatten().map(|issue| {
        let about = strings(&issue["resourceIds"]).join(", ");
        let about = if about.is_empty() { String::new() } else { format!(" ({about})") };
        format!("{}: {}{about}", text(issue, "code"), text(issue, "message"))
    });
    issues.collect::<Vec<_>>().join("; ")
}

/// A status with its issues, in words.
fn status_in_words(thing: &Value) -> String {
    let issues = issues(&thing["health"]);
    if issues.is_empty() {
        text(thing, "status").to_owned()
    } else {
        format!("{}: {issues}", text(thing, "status"))
    }
}

/// What a describing call answered, as a live resource. `createdAt` and health issues become outputs beside `id` and
/// `arn`.
#[must_use]
pub fn live(
    scope: &Scope,
    key: Key,
    id: &str,
    arn: &str,
    described: &Value,
    actual: Value,
    state: State,
) -> Live {
    let all = tags_of(&described["tags"]);
    let mut outputs = BTreeMap::from([("id".to_owned(), json!(id)), ("arn".to_owned(), json!(arn))]);
    if let Some(created) = described.get("createdAt").filter(|value| !value.is_null()) {
        outputs.insert("createdAt".to_owned(), created.clone());
    }
    let issues = issues(&described["health"]);
    if !issues.is_empty() {
        outputs.insert("issues".to_owned(), json!(issues));
    }
    Live { key, id: id.into(), actual, outputs, tags: settable(&all), owner: owner(scope, &all), state }
}

/// The input of a create call: what is declared, with the cluster's name, tags and token. What stands aside is taken
/// out, and what is for creations only is put in its place.
#[must_use]
pub fn create_input(
    scope: &Scope,
    desired: &Value,
    not_in_call: &[&str],
    tags: &BTreeMap<String, String>,
    token: &str,
) -> Value {
    let mut input = desired.clone();
    if let Value::Object(members) = &mut input {
        members.remove(aside::UPDATE);
        let only_then = members.remove(aside::CREATE);
        for member in not_in_call {
            members.remove(*member);
        }
        members.insert("clusterName".into(), json!(scope.cluster));
        members.insert("tags".into(), json!(tags));
        members.insert("clientRequestToken".into(), json!(token));
        if let Some(only_then) = only_then {
            merge(&mut input, only_then);
        }
    }
    input
}

/// Puts the members of `other` into an object, deeply.
pub fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (name, value) in other {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, other) => *into = other,
    }
}

/// How tags differ. What is missing is put on with one call; what the file does not declare is told as well, for the plan
/// knows which of it was ours (`judge`).
#[must_use]
pub fn tag_differences(wanted: &BTreeMap<String, String>, live: &Live) -> Vec<Difference> {
    let arn = live.outputs.get("arn").cloned().unwrap_or_default();
    let missing: BTreeMap<&String, &String> =
        wanted.iter().filter(|(key, value)| live.tags.get(*key) != Some(value)).collect();
    let put = eks("TagResource", json!({"resourceArn": arn, "tags": missing}));
    let mut differences: Vec<Difference> = missing
        .iter()
        .map(|(key, value)| Difference {
            field: format!("/tags/{}", pointer(key)),
            declared: json!(value),
            actual: json!(live.tags.get(*key)),
            mend: Mend::InPlace(put.clone()),
        })
        .collect();
    let extra = live.tags.iter().filter(|(key, _)| !wanted.contains_key(*key));
    differences.extend(extra.map(|(key, value)| Difference {
        field: format!("/tags/{}", pointer(key)),
        declared: Value::Null,
        actual: json!(value),
        mend: Mend::InPlace(eks("UntagResource", json!({"resourceArn": arn, "tagKeys": [key]}))),
    }));
    differences
}

/// A part of a JSON pointer (RFC 6901).
#[must_use]
pub fn pointer(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// A field that is declared and differs; the difference between `[]` or `{}` and nothing is none.
#[must_use]
pub fn differs(desired: &Value, actual: &Value, field: &str) -> Option<(Value, Value)> {
    let declared = desired.pointer(field).filter(|value| !value.is_null())?;
    let found = actual.pointer(field).unwrap_or(&Value::Null);
    let same = declared == found || (is_empty(declared) && is_empty(found));
    (!same).then(|| (declared.clone(), found.clone()))
}

/// The difference of one declared field, if there is one.
#[must_use]
pub fn difference(desired: &Value, actual: &Value, field: &str, mend: &Mend) -> Option<Difference> {
    let (declared, actual) = differs(desired, actual, field)?;
    Some(Difference { field: field.into(), declared, actual, mend: mend.clone() })
}

/// Fields that no call changes, with the way out.
#[must_use]
pub fn fixed(desired: &Value, actual: &Value, fields: &[&str], way_out: &str) -> Vec<Difference> {
    let mend = Mend::Impossible(way_out.into());
    fields.iter().filter_map(|field| difference(desired, actual, field, &mend)).collect()
}
