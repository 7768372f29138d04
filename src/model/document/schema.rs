//! JSON Schema (2020-12) of the documents, generated from their types.

use super::DocumentKind;
use super::format::{DnsLabel, Labels};
use super::validate::Validator;
use crate::model::application::API_VERSION;
use crate::model::{ApplicationSpec, ClusterSpec, MigrationSpec};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The dialect that the schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a kind's documents.
#[must_use]
pub fn of_kind(kind: DocumentKind) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = document(kind, &mut generator);
    complete(schema, kind.as_str(), &mut generator)
}

/// The schema of one document, its `$ref`s resolved by the generator's definitions.
pub fn document(kind: DocumentKind, generator: &mut SchemaGenerator) -> Value {
    let (spec, description, says) = match kind {
        DocumentKind::Application => (
            generator.subschema_for::<ApplicationSpec>(),
            "What to deliver, where to, and how it is kept.",
            "what to deliver, where to, and how to keep it.",
        ),
        DocumentKind::Cluster => (
            generator.subschema_for::<ClusterSpec>(),
            "A destination and how it is reached.",
            "how the cluster is reached.",
        ),
        DocumentKind::Migration => (
            generator.subschema_for::<MigrationSpec>(),
            "A kops cluster that moves to EKS.",
            "which cluster moves where, how far, and what was decided about it.",
        ),
    };
    json!({
        "type": "object",
        "description": description,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.as_str()},
            "metadata": {
                "type": "object",
                "description": "the document's name and labels.",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": described(DnsLabel::json_schema(generator).into(), "a name, unique among all documents of the kind."),
                    "labels": described(Labels::json_schema(generator).into(), "Labels. A Cluster is selected by them."),
                    "annotations": {
                        "type": "object",
                        "description": "Anything; not read.",
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "spec": described(spec.into(), says),
        },
    })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// Adds dialect, title and definitions to a schema, which makes it a file of its own.
pub fn complete(schema: Value, title: &str, generator: &mut SchemaGenerator) -> Value {
    let mut complete = Map::new();
    complete.insert("$schema".into(), DIALECT.into());
    complete.insert("title".into(), title.into());
    if let Value::Object(keywords) = schema {
        complete.extend(keywords);
    }
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        complete.insert("$defs".into(), Value::Object(definitions));
    }
    Value::Object(complete)
}

/// The validator of a kind, made once.
#[must_use]
pub fn validator(kind: DocumentKind) -> &'static Validator {
    static APPLICATION: LazyLock<Validator> = LazyLock::new(|| made(DocumentKind::Application));
    static CLUSTER: LazyLock<Validator> = LazyLock::new(|| made(DocumentKind::Cluster));
    static MIGRATION: LazyLock<Validator> = LazyLock::new(|| made(DocumentKind::Migration));
    match kind {
        DocumentKind::Application => &APPLICATION,
        DocumentKind::Cluster => &CLUSTER,
        DocumentKind::Migration => &MIGRATION,
    }
}

fn made(kind: DocumentKind) -> Validator {
    Validator::new(of_kind(kind)).expect("a test holds that our schemas use only what the validator knows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_schemas_use_only_what_the_validator_knows() {
        for kind in DocumentKind::ALL {
            assert_eq!(Validator::new(of_kind(kind)).map(drop), Ok(()), "{kind}");
        }
    }

    #[test]
    fn every_field_is_described() {
        fn undescribed(schema: &Value, at: &str, found: &mut Vec<String>) {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let here = format!("{at}.{name}");
                if field.get("description").is_none()
                    && field.get("const").is_none()
                    && field.get("$ref").is_none()
                {
                    found.push(here.clone());
                }
                undescribed(field, &here, found);
            }
            for (name, schema) in schema["$defs"].as_object().into_iter().flatten() {
                undescribed(schema, name, found);
            }
        }
        let mut found = Vec::new();
        for kind in DocumentKind::ALL {
            undescribed(&of_kind(kind), kind.as_str(), &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
