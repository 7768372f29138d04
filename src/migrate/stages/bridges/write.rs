//! Objects of bridges, written and taken away on either side. They are the migration's own by its entry in
//! `managedFields`, and parts of a bridge by their label.

use crate::migrate::stages::fence::side_word;
use crate::migrate::stages::owned::entry;
use crate::migrate::stages::patch::version_of;
use crate::migrate::stages::port::ABSENT;
use crate::migrate::stages::sight::Sight;
use crate::model::migration::{Effect, Gate, Side};
use crate::transform::identity;
use serde_json::Value;

/// What makes an object as it is wanted, with the words for it; `None`: it is. The error: it is not the migration's.
pub(super) fn applied(
    side: Side,
    sight: &Sight,
    mut wanted: Value,
) -> Result<Option<(Effect, String)>, Gate> {
    let Some(id) = identity(&wanted) else { return Ok(None) };
    match sight.find(&id) {
        Some(live) if live.pointer("/metadata/deletionTimestamp").is_some() => {
            let what = format!("{id} is being deleted on the {}", side_word(side));
            return Err(Gate::Waiting { what, limit_seconds: 0 });
        }
        Some(live) if entry(live).is_none() => {
            return Err(Gate::Blocked {
                what: format!("{id} is on the {} already, and is no bridge", side_word(side)),
                way_out: "take it away there, or take the bridge out of `spec.bridges`".into(),
            });
        }
        Some(live) if holds(&wanted, live) => return Ok(None),
        Some(live) => wanted["metadata"]["uid"] = live["metadata"]["uid"].clone(),
        None => wanted["metadata"]["resourceVersion"] = ABSENT.into(),
    }
    let says = format!("{id} is written to the {}", side_word(side));
    Ok(Some((Effect::Apply { side, object: wanted }, says)))
}

/// Whether a live object says all that is wanted, and selects no pods where none are to be selected.
fn holds(wanted: &Value, live: &Value) -> bool {
    let selects =
        |object: &Value| object.pointer("/spec/selector").is_some_and(|selector| !selector.is_null());
    contains(live, wanted) && selects(wanted) == selects(live)
}

/// Whether a value has everything of another; what the server adds is no difference.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| contains(live, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// The deletion of exactly this object.
pub(super) fn deleted(side: Side, live: &Value) -> Option<Effect> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Effect::Delete {
        side,
        id: identity(live)?,
        version: version_of(live),
        uid: text("/metadata/uid"),
        resource_version: text("/metadata/resourceVersion"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_adds_is_no_difference_and_what_it_selects_is() {
        let wanted = json!({"spec": {"ports": [{"port": 80}]}});
        assert!(holds(
            &wanted,
            &json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "clusterIP": "10.0.0.1"}})
        ));
        assert!(!holds(&wanted, &json!({"spec": {"ports": [{"port": 81}]}})));
        assert!(!holds(&wanted, &json!({"spec": {"ports": [{"port": 80}, {"port": 81}]}})));
        assert!(!holds(&wanted, &json!({"spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}})));
    }
}
