//! JSON Schema of a ClusterConfig: from the types, completed by the field table.

use super::ClusterConfig;
use super::fields::{self, Support};
use crate::model::document::schema::complete;
use crate::model::document::validate::Validator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The schema that the types have: acted fields only.
pub(super) fn of_types() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let schema = Value::from(generator.root_schema_for::<ClusterConfig>());
        complete(schema, "ClusterConfig", &mut generator)
    });
    &SCHEMA
}

/// The schema to publish: every field of eksctl's, with those that are refused marked as such, and no others.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let mut schema = of_types().clone();
        let names: Vec<String> =
            schema["$defs"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        close(&mut schema, "ClusterConfig");
        for name in names {
            close(&mut schema["$defs"][&name], &name);
        }
        schema
    });
    &SCHEMA
}

/// Adds what the rows of a definition know, and allows nothing else.
fn close(definition: &mut Value, name: &str) {
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for property in properties.values_mut() {
        // What serde takes for a missing field is no advice to the reader.
        property.as_object_mut().map(|property| property.remove("default"));
    }
    for row in fields::rows(name) {
        match row.support {
            Support::Acted(_) => {
                if let Some(default) = row.default {
                    mention(properties, row.field, default);
                }
            }
            Support::Refused { because, instead } => {
                let description = format!("Not supported, because {because}. Instead: {instead}.");
                properties.insert(row.field.into(), json!({"description": description, "deprecated": true}));
            }
        }
    }
    definition["additionalProperties"] = Value::Bool(false);
}

fn mention(properties: &mut Map<String, Value>, field: &str, default: &str) {
    let Some(property) = properties.get_mut(field) else { return };
    let description = property["description"].as_str().unwrap_or_default();
    if !description.contains("Default: ") {
        property["description"] = format!("{description} Default: {default}.").into();
    }
}

/// The validator, made once.
#[must_use]
pub fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        Validator::new(schema().clone())
            .expect("a test holds that the schema uses only what the validator knows")
    });
    &VALIDATOR
}

/// A schema without `$ref` and without the null that an optional field may be, with the name of its definition.
pub(super) fn unwrapped<'a>(root: &'a Value, mut schema: &'a Value) -> (Option<&'a str>, &'a Value) {
    if let Some(other) =
        schema["anyOf"].as_array().and_then(|either| either.iter().find(|one| one["type"] != "null"))
    {
        schema = other;
    }
    match schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
        Some(name) => (Some(name), &root["$defs"][name]),
        None => (None, schema),
    }
}

/// The texts that a schema of constants allows.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let constants = schema["oneOf"].as_array().into_iter().flatten().map(|branch| &branch["const"]);
    let listed = schema["enum"].as_array().into_iter().flatten();
    constants.chain(listed).chain(schema.get("const")).filter_map(Value::as_str).collect()
}
