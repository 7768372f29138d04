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
    if !pruned {
        work.set_for(
            &at(&pointer, "x-kubernetes-preserve-unknown-fields"),
            true,
            "unknown fields were kept, and are kept so",
        );
    }
    let mut problems = Vec::new();
    if let Some(schema) = work.get(&pointer) {
        unstructured(schema, &pointer, &mut problems);
    }
    for place in problems {
        // Below such a field anything is taken, which is what a schema without types did.
        work.set_for(
            &at(&place, "x-kubernetes-preserve-unknown-fields"),
            true,
            "the schema says no type here: anything was taken, and is taken so",
        );
        work.remark(
            Weight::Warning,
            &place,
            "the schema is not structural here: what lies below is not validated any more",
        );
    }
}

/// Places of a schema that say no type.
fn unstructured(schema: &Value, pointer: &str, found: &mut Vec<String>) {
    let Some(map) = schema.as_object() else { return };
    let says = ["type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    if !says.iter().any(|key| map.contains_key(*key)) {
        found.push(pointer.to_owned());
        return;
    }
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        for (name, below) in properties {
            unstructured(below, &at(&at(pointer, "properties"), name), found);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(below) = map.get(key).filter(|below| below.is_object()) {
            unstructured(below, &at(pointer, key), found);
        }
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
