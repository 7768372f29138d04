//! The field table as a whole: every path with what it holds, what it means and what is done with it.

use super::row::{BY_NAME, MAPPING, MAPPINGS, Row, Support, TEXT};
use super::{refused_there, rows};
use crate::model::cluster_config::schema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A row of `portolan cluster explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// The path: `managedNodeGroups[].labels`; `*` stands for a name that the file's author chooses.
    pub path: String,
    /// What it holds, in words.
    pub kind: String,
    /// Whether it has to be there where its parent is.
    pub required: bool,
    /// What holds when it is not written.
    pub default: Option<&'static str>,
    /// What it means; empty for refused fields.
    pub description: String,
    /// What is done with it.
    pub support: Support,
}

impl FieldRow {
    /// Whether a file that uses the field is refused.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.support, Support::Refused { .. })
    }
}

/// Every field of eksctl's schema, each followed by the fields below it.
pub fn explain() -> impl Iterator<Item = &'static FieldRow> {
    table().iter()
}

/// The row of a path.
#[must_use]
pub fn by_path(path: &str) -> Option<&'static FieldRow> {
    static PLACES: LazyLock<BTreeMap<&'static str, &'static FieldRow>> =
        LazyLock::new(|| table().iter().map(|row| (row.path.as_str(), row)).collect());
    PLACES.get(path).copied()
}

fn table() -> &'static [FieldRow] {
    static TABLE: LazyLock<Vec<FieldRow>> = LazyLock::new(|| {
        let mut table = Vec::new();
        definition(schema::of_types(), "ClusterConfig", "", &mut table);
        table
    });
    &TABLE
}

/// Adds the fields of a definition below a path.
fn definition(schema: &Value, name: &str, path: &str, table: &mut Vec<FieldRow>) {
    let of_type = if path.is_empty() { schema } else { &schema["$defs"][name] };
    for row in rows(name) {
        let path = if path.is_empty() { row.field.to_owned() } else { format!("{path}.{}", row.field) };
        match row.support {
            Support::Refused { .. } => refused(row, &path, table),
            Support::Acted(_) => {
                let field = &of_type["properties"][row.field];
                let (kind, inner) = described(schema, field);
                let required =
                    of_type["required"].as_array().into_iter().flatten().any(|name| name == row.field);
                table.push(FieldRow {
                    path: path.clone(),
                    kind,
                    required,
                    default: row.default,
                    description: field["description"].as_str().unwrap_or_default().to_owned(),
                    support: refused_there(&path).unwrap_or(row.support),
                });
                if let Some((suffix, inner)) = inner {
                    definition(schema, inner, &format!("{path}{suffix}"), table);
                }
            }
        }
    }
}

fn refused(row: &Row, path: &str, table: &mut Vec<FieldRow>) {
    let own = [(path.to_owned(), row.kind)];
    let item = if row.kind == MAPPINGS { "[]" } else { "" };
    let below = row.below.iter().map(|(below, kind)| (format!("{path}{item}.{below}"), *kind));
    table.extend(own.into_iter().chain(below).map(|(path, kind)| FieldRow {
        path,
        kind: kind.to_owned(),
        required: false,
        default: row.default,
        description: String::new(),
        support: row.support,
    }));
}

/// A field's kind in words, and the definition below it with what its path adds.
fn described<'a>(root: &'a Value, field: &'a Value) -> (String, Option<(&'static str, &'a str)>) {
    let (name, schema) = schema::unwrapped(root, field);
    let choices = schema::choices(schema);
    if !choices.is_empty() {
        return (format!("one of {}", choices.join(", ")), None);
    }
    if let Some(name) = name.filter(|_| schema.get("properties").is_some()) {
        return (MAPPING.to_owned(), Some(("", name)));
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match kind {
        "string" => (TEXT.to_owned(), None),
        "boolean" => ("true or false".to_owned(), None),
        "number" => ("number".to_owned(), None),
        "integer" => (range(schema), None),
        "array" => match described(root, &schema["items"]) {
            (_, Some((_, name))) => (MAPPINGS.to_owned(), Some(("[]", name))),
            (kind, None) => (format!("list of {kind}"), None),
        },
        _ => match schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            Some(inner) => match described(root, inner) {
                (_, Some((_, name))) => (BY_NAME.to_owned(), Some((".*", name))),
                (kind, None) => (format!("map of {kind}"), None),
            },
            None => ("mapping of any content".to_owned(), None),
        },
    }
}

fn range(schema: &Value) -> String {
    match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
        (Some(least), None) => format!("whole number from {least}"),
        _ => "whole number".to_owned(),
    }
}
