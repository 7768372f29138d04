//! JSON patches (RFC 6902) as they are planned: made against what was seen, applied to values, and asked whether they
//! are done already.

use crate::model::ResourceId;
use crate::model::migration::{Effect, Side};
use crate::transform::{identity, pointer_key};
use serde_json::{Map, Value, json};

/// A patch of a live object that is refused when another object has its name by now.
#[must_use]
pub fn patch_of(side: Side, live: &Value, operations: Vec<Value>) -> Option<Effect> {
    let id = identity(live)?;
    let version = version_of(live);
    let guard =
        live.pointer("/metadata/uid").map(|uid| json!({"op": "test", "path": "/metadata/uid", "value": uid}));
    let operations = guard.into_iter().chain(operations).collect();
    Some(Effect::Patch { side, id, version, operations })
}

/// The version that an object is written in.
#[must_use]
pub fn version_of(object: &Value) -> String {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    api_version.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Sets a field, and takes that back: (operations, undo). The parent has to be there.
#[must_use]
pub fn set(live: &Value, pointer: &str, value: Value) -> (Vec<Value>, Vec<Value>) {
    match live.pointer(pointer).filter(|old| !old.is_null()) {
        Some(old) => (
            vec![json!({"op": "replace", "path": pointer, "value": value})],
            vec![json!({"op": "replace", "path": pointer, "value": old})],
        ),
        None => (
            vec![json!({"op": "add", "path": pointer, "value": value})],
            vec![json!({"op": "remove", "path": pointer})],
        ),
    }
}

/// What is left of a patch to do on an object; `None`: it is about another object of that name.
#[must_use]
pub fn outstanding(live: &Value, operations: &[Value]) -> Option<Vec<Value>> {
    let mut left = Vec::new();
    let mut guards = Vec::new();
    for operation in operations {
        let path = operation["path"].as_str().unwrap_or_default();
        let found = live.pointer(path);
        match operation["op"].as_str() {
            Some("test") if path == "/metadata/uid" => {
                if found != operation.get("value") {
                    return None;
                }
                guards.push(operation.clone());
            }
            // Other tests guard the first attempt; what is left is judged by what is seen.
            Some("test") => {}
            Some("remove") if found.is_none() => {}
            Some("add" | "replace") if found.is_some() && found == operation.get("value") => {}
            Some("add" | "replace") => {
                let op = if found.is_some() { "replace" } else { "add" };
                left.push(json!({"op": op, "path": path, "value": operation["value"]}));
            }
            _ => left.push(operation.clone()),
        }
    }
    if left.is_empty() { Some(left) } else { Some(guards.into_iter().chain(left).collect()) }
}

/// The object with what is outstanding of a patch done to it. Operations that cannot be done are left out: what they
/// speak of is not there.
#[must_use]
pub fn patched(object: &Value, operations: &[Value]) -> Value {
    let mut object = object.clone();
    for operation in outstanding(&object, operations).unwrap_or_default() {
        let path = operation["path"].as_str().unwrap_or_default();
        let Some((above, key)) = path.rsplit_once('/') else { continue };
        let key = pointer_key(key).into_owned();
        let Some(parent) = object.pointer_mut(above) else { continue };
        match (operation["op"].as_str(), parent) {
            (Some("remove"), Value::Object(map)) => drop(map.remove(&key)),
            (Some("add" | "replace"), Value::Object(map)) => {
                map.insert(key, operation["value"].clone());
            }
            (Some("remove"), Value::Array(items)) => {
                if let Some(place) = key.parse::<usize>().ok().filter(|place| *place < items.len()) {
                    items.remove(place);
                }
            }
            (Some("add" | "replace"), Value::Array(items)) => {
                let place = key.parse::<usize>().unwrap_or(items.len()).min(items.len());
                if operation["op"] == "replace" && place < items.len() {
                    items[place] = operation["value"].clone();
                } else {
                    items.insert(place, operation["value"].clone());
                }
            }
            _ => {}
        }
    }
    object
}

/// What identifies the object of an effect; none for calls.
#[must_use]
pub fn subject(effect: &Effect) -> Option<(Side, ResourceId)> {
    match effect {
        Effect::Apply { side, object } => Some((*side, identity(object)?)),
        Effect::Patch { side, id, .. } | Effect::Delete { side, id, .. } => Some((*side, id.clone())),
        Effect::Call { .. } => None,
    }
}

/// An empty object at a pointer where there is none, so that a key can be added below it.
#[must_use]
pub fn ensured(live: &Value, pointer: &str, key: &str, value: Value) -> (Vec<Value>, Vec<Value>) {
    if live.pointer(pointer).is_some_and(Value::is_object) {
        return set(live, &crate::transform::pointer_at(pointer, key), value);
    }
    let mut map = Map::new();
    map.insert(key.into(), value);
    set(live, pointer, Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_not_done_again() {
        let live = json!({"metadata": {"uid": "1"}, "spec": {"replicas": 3, "a": 1}});
        let (to, back) = set(&live, "/spec/replicas", json!(0));
        let fenced = patched(&live, &to);
        assert_eq!(fenced["spec"]["replicas"], 0);
        assert_eq!(outstanding(&fenced, &to), Some(vec![]));
        assert_eq!(patched(&fenced, &back), live);
        let (to, back) = set(&live, "/spec/suspend", json!(true));
        let fenced = patched(&live, &to);
        assert_eq!((patched(&fenced, &back), outstanding(&live, &back)), (live.clone(), Some(vec![])));
        let guard = [json!({"op": "test", "path": "/metadata/uid", "value": "2"}), to[0].clone()];
        assert_eq!(outstanding(&live, &guard), None);
        let (to, back) = ensured(&live, "/spec/nodeSelector", "a/b", json!("c"));
        let fenced = patched(&live, &to);
        assert_eq!(fenced["spec"]["nodeSelector"]["a/b"], "c");
        assert_eq!(patched(&fenced, &back), live);
        let (to, back) = ensured(&fenced, "/spec/nodeSelector", "d/e", json!("f"));
        let twice = patched(&fenced, &to);
        assert_eq!(twice["spec"]["nodeSelector"]["d/e"], "f");
        assert_eq!(patched(&twice, &back), fenced);
    }
}
