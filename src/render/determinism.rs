//! Whether a chart renders the same twice, and which fields may differ.
//!
//! A chart with `randAlphaNum`, `genCA`, `uuidv4` or `now` gives other objects each time. Applied as they come, every
//! heal would rotate passwords and certificates under running workloads. So what differs is found by rendering twice
//! and has to be named: pinned (the first rendering's value stays) or ignored live.

use super::pinned::{Pattern, as_stored, covers};
use crate::model::{IgnoreRule, Object, ResourceId};
use crate::ports::renderer::RenderedObject;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields in which two renderings of one source differ, as JSON pointers. An object that only one of them has is
/// named with the empty pointer, a Secret's `stringData` as the `data` it becomes. No value is given away: they are secrets more often than not.
#[must_use]
pub fn nondeterminism(first: &[RenderedObject], second: &[RenderedObject]) -> Vec<(ResourceId, String)> {
    let mut others: BTreeMap<ResourceId, Vec<&Object>> = BTreeMap::new();
    for entry in second.iter().rev() {
        others.entry(entry.object.id()).or_default().push(&entry.object);
    }
    let mut found = Vec::new();
    for entry in first {
        let id = entry.object.id();
        match others.get_mut(&id).and_then(Vec::pop) {
            None => found.push((id, String::new())),
            Some(other) => {
                let mut pointers = Vec::new();
                differences(&as_stored(&entry.object), &as_stored(other), &mut String::new(), &mut pointers);
                found.extend(pointers.into_iter().map(|pointer| (id.clone(), pointer)));
            }
        }
    }
    for (id, left) in others {
        found.extend(left.into_iter().map(|_| (id.clone(), String::new())));
    }
    found
}

fn differences(first: &Value, second: &Value, at: &mut String, found: &mut Vec<String>) {
    let mut below = |name: &str, first: &Value, second: &Value| {
        let length = at.len();
        at.push('/');
        at.push_str(name);
        differences(first, second, at, found);
        at.truncate(length);
    };
    match (first, second) {
        (Value::Object(first), Value::Object(second)) => {
            let keys: std::collections::BTreeSet<&String> = first.keys().chain(second.keys()).collect();
            for key in keys {
                let name = key.replace('~', "~0").replace('/', "~1");
                below(&name, first.get(key).unwrap_or(&Value::Null), second.get(key).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(first), Value::Array(second)) if first.len() == second.len() => {
            for (index, (first, second)) in first.iter().zip(second).enumerate() {
                below(&index.to_string(), first, second);
            }
        }
        _ if first == second => {}
        _ => found.push(at.clone()),
    }
}

/// Sets aside what the settings cover, and gives the rest.
///
/// Every field that a pattern matches becomes one that is sent at creation only, whether it differed this time or
/// not: a date may well be the same in two renderings of the same second.
pub(super) fn settle(
    objects: &mut [RenderedObject],
    different: Vec<(ResourceId, String)>,
    pinned: &[Pattern],
    ignored: &[IgnoreRule],
    namespace: &str,
) -> Vec<(ResourceId, String)> {
    for entry in objects.iter_mut() {
        let mut pointers: Vec<String> =
            pinned.iter().flat_map(|pattern| pattern.expand(&entry.object)).collect();
        pointers.sort();
        pointers.dedup();
        entry.create_only = pointers;
    }
    let by_id: BTreeMap<ResourceId, &RenderedObject> =
        objects.iter().map(|entry| (entry.object.id(), entry)).collect();
    let mut left = different;
    left.retain(|(id, pointer)| {
        let Some(entry) = by_id.get(id).filter(|_| !pointer.is_empty()) else {
            return true;
        };
        let is_pinned = entry.create_only.iter().any(|pinned| is_at_or_below(pointer, pinned));
        !is_pinned && !ignored.iter().any(|rule| covers(rule, &entry.object, namespace, pointer))
    });
    left
}

fn is_at_or_below(pointer: &str, parent: &str) -> bool {
    pointer.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The refusal of a chart whose renderings differ in these fields: those that can be pinned as the setting to write.
pub(super) fn refusal(different: &[(ResourceId, String)]) -> String {
    const MOST_NAMED: usize = 24;
    let pin = |(id, pointer): &(ResourceId, String)| {
        (!pointer.is_empty()).then(|| format!("\"{}/{}:{pointer}\"", id.group_kind(), id.name))
    };
    let mut pins: Vec<String> = different.iter().filter_map(pin).collect();
    pins.dedup();
    let nameless = different.iter().filter(|(_, pointer)| pointer.is_empty());
    let mut names: Vec<String> = nameless.map(|(id, _)| format!("{id} (its name)")).collect();
    let mut parts = Vec::new();
    for (list, what) in [(&mut names, "give the values that make these names"), (&mut pins, "")] {
        let more = list.len().saturating_sub(MOST_NAMED);
        list.truncate(MOST_NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        match what {
            _ if list.is_empty() => {}
            "" => parts.push(format!(
                "give the values of these fields, or keep those of the first rendering with \
                 `spec.source.helm.pinned: [{}]`{more}",
                list.join(", ")
            )),
            what => parts.push(format!("{what}: {}{more}", list.join(", "))),
        }
    }
    format!(
        "the chart renders differently each time, so that every heal would change it; {}",
        parts.join("; ")
    )
}

/// Whether templates ask for the time. Two renderings of the same second would then agree by chance.
pub(super) fn asks_for_time(template: &[u8]) -> bool {
    let text = String::from_utf8_lossy(template);
    text.split("{{").skip(1).any(|rest| {
        let action = rest.split("}}").next().unwrap_or_default();
        action.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).any(|word| word == "now")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_in_actions_only() {
        assert!(asks_for_time(b"a: {{ now | date \"2006\" }}"));
        assert!(asks_for_time(b"a: {{- (now) }}"));
        assert!(!asks_for_time(b"# now\na: {{ .Values.now }} {{ known }}"));
    }
}
