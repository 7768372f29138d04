//! What `managedFields` say of the migration's own objects (server-side apply, KEP-555): which are its own, and which
//! fields of them it applied once and wants no longer.

use serde_json::{Map, Value};

/// The field manager of everything that a migration applies. It is not the one of Applications: as long as it stands
/// on an object, the migration keeps it.
pub const MANAGER: &str = "portolan-migration";

/// The migration's entry of an object; `None`: it never applied it, or gave it away.
#[must_use]
pub fn entry(live: &Value) -> Option<&Value> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    entries.iter().find(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply")
}

/// Whether a live object has every field of the migration's that it wants no longer gone: no field that it owns is
/// missing in what it wants.
#[must_use]
pub fn covers(desired: &Value, live: &Value) -> bool {
    let Some(fields) = entry(live).and_then(|entry| entry.get("fieldsV1")) else { return true };
    fields.as_object().is_none_or(|fields| wanted(fields, Some(desired)))
}

/// Whether everything that a field set names is in a value. A set is as in `fieldsV1`: `f:` a field, `k:` an item of a
/// list by its keys, `v:` an item by its value, `.` the thing itself.
fn wanted(fields: &Map<String, Value>, value: Option<&Value>) -> bool {
    fields.iter().all(|(key, below)| {
        let Some((kind, named)) = key.split_once(':') else { return true };
        let found = match kind {
            "f" => value.and_then(|value| value.get(named)),
            "k" => {
                let keys: Value = serde_json::from_str(named).unwrap_or_default();
                let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                items.iter().find(|item| matches(item, &keys))
            }
            "v" => {
                let wanted: Value = serde_json::from_str(named).unwrap_or_default();
                let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                items.iter().find(|item| **item == wanted)
            }
            "i" => named.parse::<usize>().ok().and_then(|place| value?.get(place)),
            _ => return true,
        };
        // A default key of an item, such as a port's protocol, need not be written.
        let below = below.as_object();
        match found {
            Some(found) => below.is_none_or(|below| wanted(below, Some(found))),
            None => false,
        }
    })
}

/// Whether an item has the keys; one that it does not write is left to its default.
fn matches(item: &Value, keys: &Value) -> bool {
    let keys = keys.as_object();
    keys.is_none_or(|keys| keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_that_is_wanted_no_longer_is_seen() {
        let live = json!({"metadata": {"managedFields": [{
            "manager": MANAGER, "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:type": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
                "f:selector": {"f:app": {}}}},
        }]}});
        let desired =
            json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}], "selector": {"app": "web"}}});
        assert!(covers(&desired, &live));
        assert!(!covers(&json!({"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}}), &live));
        assert!(!covers(
            &json!({"spec": {"type": "ClusterIP", "ports": [{"port": 81}], "selector": {"app": "web"}}}),
            &live
        ));
        assert!(entry(&json!({"metadata": {}})).is_none());
    }
}
