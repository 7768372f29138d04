//! JSON Schema for editors: `portolan schema [KIND]`.

use super::ConfigFile;
use crate::model::document::validate::Validator;
use crate::model::document::{DocumentKind, nearest, schema as documents};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The kind of the daemon's file.
const CONFIG: &str = "Config";

/// A kind that there is no schema of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind `{given}`{}", .near.as_ref().map_or_else(|| ": there are Application, Cluster, Migration and Config".into(), |near| format!("; did you mean `{near}`?")))]
pub struct UnknownKind {
    /// What was asked for.
    pub given: String,
    /// What may have been meant.
    pub near: Option<&'static str>,
}

/// The JSON Schema (2020-12) of a kind (capital letters do not count), or of all kinds, told apart by `kind`.
///
/// # Errors
/// When there is no such kind.
pub fn schema(kind: Option<&str>) -> Result<Value, UnknownKind> {
    let Some(given) = kind else { return Ok(all()) };
    if given.eq_ignore_ascii_case(CONFIG) {
        return Ok(config());
    }
    if let Some(kind) = DocumentKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(given)) {
        return Ok(documents::of_kind(kind));
    }
    let names = DocumentKind::ALL.map(DocumentKind::as_str).into_iter().chain([CONFIG]);
    Err(UnknownKind { given: given.into(), near: nearest(given, names) })
}

fn config() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = ConfigFile::json_schema(&mut generator).into();
    documents::complete(schema, CONFIG, &mut generator)
}

fn all() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut kinds = Map::new();
    for kind in DocumentKind::ALL {
        kinds.insert(kind.as_str().into(), documents::document(kind, &mut generator));
    }
    kinds.insert(CONFIG.into(), config_document(&mut generator));
    let choice: Vec<Value> = kinds.keys().map(|kind| json!({"$ref": format!("#/$defs/{kind}")})).collect();
    let mut schema = documents::complete(json!({"oneOf": choice}), "Portolan", &mut generator);
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.extend(kinds);
    }
    schema
}

fn config_document(generator: &mut SchemaGenerator) -> Value {
    ConfigFile::json_schema(generator).into()
}

/// The validator of the daemon's file, made once.
pub(super) fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        Validator::new(config()).expect("a test holds that our schemas use only what the validator knows")
    });
    &VALIDATOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_that_the_validator_knows() {
        for kind in [None, Some("Config"), Some("cluster"), Some("Migration"), Some("APPLICATION")] {
            assert_eq!(Validator::new(schema(kind).unwrap()).map(drop), Ok(()), "{kind:?}");
        }
        assert_eq!(schema(Some("Aplication")).unwrap_err().near, Some("Application"));
        assert!(schema(Some("Pod")).unwrap_err().to_string().contains("Config"));
    }

    #[test]
    fn the_schema_of_all_kinds_tells_them_apart() {
        let validator = Validator::new(all()).unwrap();
        let cluster = json!({"apiVersion": "portolan.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "a"}, "spec": {"inCluste": true}});
        let found = validator.check(&cluster);
        assert_eq!(
            found.iter().map(|violation| violation.pointer.as_str()).collect::<Vec<_>>(),
            ["/spec/inCluste"]
        );
    }
}
