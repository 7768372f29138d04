//! Reading the answers of the Query APIs (EC2, IAM, Auto Scaling): element names as keys, every value a string, an empty
//! element an empty string.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The items of a list; none when the element is missing or empty.
#[must_use]
pub fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An element's text; empty when it is missing.
#[must_use]
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An element's text, if it has any.
#[must_use]
pub fn some_text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    Some(text(value, name)).filter(|text| !text.is_empty())
}

/// Whether an element says `true`.
#[must_use]
pub fn flag(value: &Value, name: &str) -> bool {
    text(value, name) == "true"
}

/// An element's whole number.
#[must_use]
pub fn number(value: &Value, name: &str) -> Option<i64> {
    text(value, name).parse().ok()
}

/// A list of plain texts, sorted.
#[must_use]
pub fn texts(value: &Value, name: &str) -> Vec<String> {
    let mut texts: Vec<String> =
        items(value, name).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    texts.sort();
    texts
}

/// The tags of a thing, wherever its API puts them: `tagSet` with `key` and `value` (EC2, and `tags` for newer EC2
/// answers), `Tags` with `Key` and `Value` (IAM, Auto Scaling, load balancing).
#[must_use]
pub fn tags(value: &Value) -> BTreeMap<String, String> {
    let sets = ["tagSet", "tags", "Tags", "TagSet"].iter().flat_map(|name| items(value, name));
    sets.map(|tag| {
        let either =
            |lower: &str, upper: &str| some_text(tag, lower).unwrap_or_else(|| text(tag, upper)).to_owned();
        (either("key", "Key"), either("value", "Value"))
    })
    .collect()
}

/// Tags as calls take them, sorted by key.
#[must_use]
pub fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// An object's members, none for anything else.
#[must_use]
pub fn members(value: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&EMPTY)
}

/// An object without the members that are null.
#[must_use]
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let present = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The members of an object that are named, for a call that takes only these.
#[must_use]
pub fn only(value: &Value, names: &[&str]) -> Map<String, Value> {
    let named = names.iter().filter_map(|name| Some((*name, value.get(name)?.clone())));
    named.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value without its empty members, at any depth. Strings and booleans stay as they are.
#[must_use]
pub fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().map(|(name, value)| (name, without_nothing(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nothing).collect(),
        other => other,
    }
}

/// Null, or an empty string, list or object.
#[must_use]
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A part of a JSON pointer: `~` and `/` escaped (RFC 6901).
#[must_use]
pub fn pointer(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}
