//! `CustomResourceDefinition` of `apiextensions.k8s.io/v1beta1` to v1.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::work::Work;
use serde_json::{Value, json};

/// What stood beside the versions stands in each of them, and a schema is required.
pub(super) fn definition(work: &mut Work<'_>) {
    if work.len("/spec/versions") == 0 {
        let name = work.text("/spec/version").unwrap_or("v1").to_owned();
        work.set("/spec/versions", json!([{"name": name, "served": true, "storage": true}]));
    }
    work.remove("/spec/version");
    if work.get("/spec/scope").is_none_or(Value::is_null) {
        work.set_for("/spec/scope", "Namespaced", "v1 requires it; this was the default");
    }
    let validation =
        work.remove("/spec/validation").and_then(|mut v| v.get_mut("openAPIV3Schema").map(Value::take));
    let subresources = work.remove("/spec/subresources");
    let columns = work.remove("/spec/additionalPrinterColumns");
    // Only a definition that said `false` had its unknown fields pruned.
    let pruned = work.get("/spec/preserveUnknownFields") == Some(&Value::Bool(false));
    for version in work.items("/spec/versions") {
        let shared = [("subresources", &subresources), ("additionalPrinterColumns", &columns)];
        for (key, value) in shared {
            let pointer = at(&version, key);
            if let Some(value) = value
                && work.get(&pointer).is_none()
            {
                work.set_for(&pointer, value.clone(), "each version has its own in v1");
            }
        }
        for column in work.items(&at(&version, "additionalPrinterColumns")) {
            work.rename(&at(&column, "JSONPath"), &at(&column, "jsonPath"));
        }
        schema(work, &version, validation.as_ref(), pruned);
    }
    if !pruned {
        work.remove_for("/spec/preserveUnknownFields", "v1 knows it in the schema only");
    }
    conversion(work);
}

fn schema(work: &mut Work<'_>, version: &str, shared: Option<&Value>, pruned: bool) {
    let pointer = format!("{version}/schema/openAPIV3Schema");
    if work.get(&pointer).is_none() {
        let schema = shared.cloned().unwrap_or_else(|| json!({}));
        work.set_for(&pointer, schema, "each version has its schema in v1, and one is required");
    }
    if work.get(&at(&pointer, "type")).is_none() {
        work.set_for(&at(&pointer, "type"), "object", "a structural schema says its type");
    }
    structural(work, &pointer, pruned);
}

/// Makes a schema structural, as v1 asks for; `pruned`: whether unknown fields were thrown away so far.
pub fn structural(work: &mut Work<'_>, pointer: &str, pruned: bool) {
    let mut changes = Vec::new();
    if let Some(schema) = work.get(pointer) {
        structured(schema, pointer, Level { pruned, is_root: true }, &mut changes);
    }
    for change in changes {
        match change {
            Change::Type(place, of) => {
                work.set_for(&at(&place, "type"), of, "a structural schema says its type")
            }
            Change::IntOrString(place) => {
                work.set_for(&at(&place, "x-kubernetes-int-or-string"), true, "v1 says it so");
                work.remove(&at(&place, "anyOf"));
            }
            Change::Keep(place) => work.set_for(
                &at(&place, PRESERVE),
                true,
                "unknown fields were kept, and are kept so; v1 asks at every level",
            ),
            Change::Anything(place) => {
                work.set_for(
                    &at(&place, PRESERVE),
                    true,
                    "the schema says no type here: anything was taken, and is taken so",
                );
                work.remark(
                    Weight::Warning,
                    &place,
                    "the schema is not structural here: what lies below is not validated any more",
                );
            }
            Change::Loosen(place) => {
                work.remove_for(&place, "a structural schema says types outside of it");
                work.remark(
                    Weight::Warning,
                    &place,
                    "v1 takes no types in alternatives: they are not validated any more",
                );
            }
        }
    }
}

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
/// What combines schemas.
const JUNCTORS: [&str; 4] = ["allOf", "anyOf", "not", "oneOf"];
/// What a structural schema has outside of these only (KEP-1693; kubernetes.io, structural schemas).
const OUTSIDE_ONLY: [&str; 6] =
    ["additionalProperties", "default", "description", "nullable", "title", "type"];

/// What makes a schema structural, by its place.
enum Change {
    Type(String, &'static str),
    IntOrString(String),
    Keep(String),
    Anything(String),
    Loosen(String),
}

/// Where in a schema.
#[derive(Clone, Copy)]
struct Level {
    /// Whether unknown fields were pruned.
    pruned: bool,
    is_root: bool,
}

/// What has to change for a schema to be structural, and to keep what it kept.
fn structured(schema: &Value, pointer: &str, level: Level, changes: &mut Vec<Change>) {
    let Some(map) = schema.as_object() else { return };
    let has = |key: &str| map.get(key).is_some_and(|value| !value.is_null());
    let below = Level { is_root: false, ..level };
    let typed = ["type", "x-kubernetes-int-or-string", PRESERVE].into_iter().any(has);
    let mut is_object = schema["type"] == "object";
    if !typed {
        if is_int_or_string(schema) {
            changes.push(Change::IntOrString(pointer.to_owned()));
            return;
        }
        is_object = has("properties") || has("additionalProperties");
        match (is_object, has("items")) {
            (true, _) => changes.push(Change::Type(pointer.to_owned(), "object")),
            (false, true) => changes.push(Change::Type(pointer.to_owned(), "array")),
            (false, false) => changes.push(Change::Anything(pointer.to_owned())),
        }
    }
    for key in JUNCTORS.into_iter().filter(|key| has(key) && says_outside(&schema[*key])) {
        changes.push(Change::Loosen(at(pointer, key)));
    }
    if is_object && !level.pruned && !has(PRESERVE) && !has("additionalProperties") {
        changes.push(Change::Keep(pointer.to_owned()));
    }
    for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let place = at(&at(pointer, "properties"), name);
        // The server has the schema of every object's metadata.
        if level.is_root && name == "metadata" {
            if property["type"].is_null() {
                changes.push(Change::Type(place, "object"));
            }
            continue;
        }
        structured(property, &place, below, changes);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(schema) = map.get(key).filter(|schema| schema.is_object()) {
            structured(schema, &at(pointer, key), below, changes);
        }
    }
}

/// `anyOf` a number and a text, as schemas said before there was a word for it.
fn is_int_or_string(schema: &Value) -> bool {
    let types: Vec<&str> =
        schema["anyOf"].as_array().into_iter().flatten().filter_map(|one| one["type"].as_str()).collect();
    types.len() == 2 && types.contains(&"integer") && types.contains(&"string")
}

/// Whether a combination of schemas says anything that has to stand outside of it.
fn says_outside(schema: &Value) -> bool {
    match schema {
        Value::Array(all) => all.iter().any(says_outside),
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            OUTSIDE_ONLY.iter().any(|key| map.contains_key(*key))
                || properties.is_some_and(|all| all.values().any(says_outside))
                || ["items", "allOf", "anyOf", "oneOf", "not"]
                    .iter()
                    .filter_map(|key| map.get(*key))
                    .any(says_outside)
        }
        _ => false,
    }
}

fn conversion(work: &mut Work<'_>) {
    let client = work.remove("/spec/conversion/webhookClientConfig");
    let versions = work.remove("/spec/conversion/conversionReviewVersions");
    if let Some(client) = client {
        work.set("/spec/conversion/webhook/clientConfig", client);
        // The old default.
        work.set(
            "/spec/conversion/webhook/conversionReviewVersions",
            versions.unwrap_or_else(|| json!(["v1beta1"])),
        );
    }
}
