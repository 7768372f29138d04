//! A JSON Schema validator for documents that people write: all mistakes at once, in plain sentences.
//!
//! It knows the part of JSON Schema (drafts 7 to 2020-12) that schemars and eksctl's published schema use. A schema
//! that asserts something else is refused by [`Validator::new`]: silently checking less than a schema says would be
//! worse than not taking it. `pattern` is allowed beside a `format` of ours, which says the same in words. Keywords
//! beside a `$ref` are taken as annotations, as draft 7 has it.

use super::format;
pub use super::keywords::UnknownKeyword;
use super::keywords::{DEEPEST, agrees, branches, closed_choices, resolve, supported};
use super::pointer::{Path, shown};
use super::wording::{self, type_names};
use serde_json::{Map, Value};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the value; for an unknown field, to that field; for a missing one, to where it is missing.
    pub pointer: String,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What may have been meant, or what to do.
    pub hint: Option<String>,
}

/// A schema, ready to be checked against.
#[derive(Clone, Debug)]
pub struct Validator {
    schema: Value,
}

impl Validator {
    /// Takes a schema.
    ///
    /// # Errors
    /// When it asserts something that would not be checked, or refers outside itself.
    pub fn new(schema: Value) -> Result<Self, UnknownKeyword> {
        let validator = Self { schema };
        supported(&validator.schema, &validator.schema, "")?;
        Ok(validator)
    }

    /// The schema itself.
    #[must_use]
    pub const fn schema(&self) -> &Value {
        &self.schema
    }

    /// Every mistake of the value, in the order of its fields.
    #[must_use]
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        self.visit(&self.schema, value, &Path::Root, &mut found);
        found
    }

    /// Removes fields that are null where the schema has a field of that name which cannot be null: YAML reads a key
    /// with nothing (or only comments) below it as null, and Kubernetes takes null as absent.
    pub fn drop_nulls(&self, value: &mut Value) {
        self.drop_nulls_in(&self.schema, value, 0);
    }

    fn drop_nulls_in(&self, schema: &Value, value: &mut Value, depth: usize) {
        let schema = resolve(&self.schema, schema);
        if depth > DEEPEST {
            return;
        }
        for branch in branches(schema) {
            self.drop_nulls_in(branch, value, depth + 1);
        }
        match value {
            Value::Object(fields) => {
                let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                    return;
                };
                fields.retain(|name, field| {
                    !field.is_null() || properties.get(name).is_none_or(|schema| self.admits_null(schema))
                });
                for (name, field) in fields {
                    if let Some(schema) = properties.get(name) {
                        self.drop_nulls_in(schema, field, depth + 1);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    items.iter_mut().for_each(|item| self.drop_nulls_in(schema, item, depth + 1));
                }
            }
            _ => {}
        }
    }

    fn admits_null(&self, schema: &Value) -> bool {
        let mut found = Vec::new();
        self.visit(schema, &Value::Null, &Path::Root, &mut found);
        found.is_empty()
    }

    fn visit(&self, schema: &Value, value: &Value, path: &Path, found: &mut Vec<Violation>) {
        if path.depth() > DEEPEST {
            found.push(violation(path, "is nested too deeply", None));
            return;
        }
        let schema = resolve(&self.schema, schema);
        let Some(keywords) = schema.as_object() else {
            if schema == &Value::Bool(false) {
                found.push(violation(path, "is not allowed here", None));
            }
            return;
        };
        if let Some(expected) = keywords.get("type")
            && !type_names(expected).any(|name| wording::is_of_type(value, name))
        {
            found.push(wording::wrong_type(path, keywords, expected, value));
            return;
        }
        if let Some(choices) = closed_choices(keywords) {
            if !choices.contains(&value) {
                found.push(wording::wrong_choice(path, &choices, value));
            }
            return;
        }
        for inner in keywords.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.visit(inner, value, path, found);
        }
        for alternatives in ["anyOf", "oneOf"] {
            if let Some(alternatives) = keywords.get(alternatives).and_then(Value::as_array) {
                self.any_of(alternatives, value, path, found);
            }
        }
        match value {
            Value::Object(fields) => self.object(keywords, fields, path, found),
            Value::Array(items) => {
                wording::length(path, keywords, "Items", items.len(), found);
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = keywords.get("items") {
                        self.visit(schema, item, &path.item(index), found);
                    }
                }
            }
            Value::String(text) => {
                wording::length(path, keywords, "Length", text.chars().count(), found);
                let format = keywords.get("format").and_then(Value::as_str).unwrap_or_default();
                if let Some(Err(reason)) = format::check(format, text) {
                    found.push(violation(path, &reason, None));
                }
            }
            Value::Number(number) => wording::bounds(path, keywords, number, found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Takes the alternative that fits. When none does, the mistakes of the likeliest are told: one whose constants
    /// (`kind: …`) agree with the value, else of the value's type, else the one with the fewest mistakes.
    fn any_of(&self, alternatives: &[Value], value: &Value, path: &Path, found: &mut Vec<Violation>) {
        let mut likeliest: Option<((bool, bool, usize), Vec<Violation>)> = None;
        for schema in alternatives {
            let mut mistakes = Vec::new();
            self.visit(schema, value, path, &mut mistakes);
            if mistakes.is_empty() {
                return;
            }
            let schema = resolve(&self.schema, schema);
            let of_type = schema
                .get("type")
                .is_none_or(|expected| type_names(expected).any(|name| wording::is_of_type(value, name)));
            let rank = (!agrees(schema, value), !of_type, mistakes.len());
            if likeliest.as_ref().is_none_or(|(best, _)| rank < *best) {
                likeliest = Some((rank, mistakes));
            }
        }
        found.extend(likeliest.into_iter().flat_map(|(_, mistakes)| mistakes));
    }

    fn object(
        &self,
        keywords: &Map<String, Value>,
        fields: &Map<String, Value>,
        path: &Path,
        found: &mut Vec<Violation>,
    ) {
        let none = Map::new();
        let properties = keywords.get("properties").and_then(Value::as_object).unwrap_or(&none);
        wording::length(path, keywords, "Properties", fields.len(), found);
        for name in
            keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !fields.contains_key(name) {
                let message = format!("`{}` is missing", shown(&path.key(name)));
                found.push(Violation {
                    pointer: path.pointer(),
                    message,
                    hint: self.meaning(properties.get(name)),
                });
            }
        }
        for (name, field) in fields {
            let here = path.key(name);
            if let Some(names) = keywords.get("propertyNames") {
                let mut mistakes = Vec::new();
                self.visit(names, &Value::String(name.clone()), &here, &mut mistakes);
                found.extend(mistakes);
            }
            match (properties.get(name), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.visit(schema, field, &here, found),
                (None, Some(Value::Bool(false))) => {
                    let elsewhere = self.places_of(name);
                    found.push(wording::unknown_field(path, name, properties, &elsewhere));
                }
                (None, Some(schema)) => self.visit(schema, field, &here, found),
                (None, None) => {}
            }
        }
    }

    /// The first sentence that the schema has to say about a field.
    fn meaning(&self, schema: Option<&Value>) -> Option<String> {
        let schema = schema?;
        let description = schema
            .get("description")
            .or_else(|| resolve(&self.schema, schema).get("description"))?
            .as_str()?;
        let sentence =
            description.split(". ").next().unwrap_or(description).split('\n').next().unwrap_or(description);
        Some(format!("it says: {}", sentence.trim_end_matches('.')))
    }

    /// Where else in the schema a field of this name exists, as paths for people, nearest to the root first.
    fn places_of(&self, name: &str) -> Vec<String> {
        let mut places = Vec::new();
        let mut level = vec![(Vec::<String>::new(), &self.schema)];
        // Six levels are deeper than any of our documents and bound the work for schemas that refer to themselves.
        for _ in 0..6 {
            let mut next = Vec::new();
            for (path, schema) in level {
                let schema = resolve(&self.schema, schema);
                next.extend(branches(schema).map(|branch| (path.clone(), branch)));
                for (field, inner) in
                    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    if field == name && !path.is_empty() && !places.contains(&path.join(".")) {
                        places.push(path.join("."));
                    }
                    let mut below = path.clone();
                    below.push(field.clone());
                    next.push((below, inner));
                }
            }
            level = next;
        }
        places
    }
}

fn violation(path: &Path, said: &str, hint: Option<String>) -> Violation {
    let message = format!("{} {said}", wording::subject(path));
    Violation { pointer: path.pointer(), message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_would_be_checked_only_in_part_is_refused() {
        for schema in [
            json!({"properties": {"a": {"not": {}}}}),
            json!({"items": [{"type": "string"}]}),
            json!({"type": "string", "pattern": "^a"}),
            json!({"$ref": "#/$defs/none"}),
            json!({"$ref": "https://example.com/schema"}),
        ] {
            assert!(Validator::new(schema.clone()).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_schema_may_refer_to_itself() {
        let schema = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
            "type": "object", "additionalProperties": false,
            "properties": {"left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}},
        }}});
        let validator = Validator::new(schema).unwrap();
        assert_eq!(validator.check(&json!({"left": {"right": {}}})), []);
        let found = validator.check(&json!({"left": {"rigth": {}}, "right": []}));
        assert_eq!(found.iter().map(|v| v.pointer.as_str()).collect::<Vec<_>>(), ["/left/rigth", "/right"]);
    }
}
