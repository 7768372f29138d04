//! JSON Schema's keywords: which of them the validator knows, and how a schema is looked at.

use super::format;
use serde_json::{Map, Value};

/// A schema says something that the validator would not check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema uses `{keyword}` at {at}, which this validator does not know")]
pub struct UnknownKeyword {
    /// The keyword.
    pub keyword: String,
    /// JSON pointer into the schema.
    pub at: String,
}

/// Keywords that assert something and are not implemented.
const UNSUPPORTED: [&str; 17] = [
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "prefixItems",
    "contains",
    "additionalItems",
    "unevaluatedProperties",
    "unevaluatedItems",
    "multipleOf",
    "uniqueItems",
    "$dynamicRef",
    "$recursiveRef",
];

/// Deepest nesting of `$ref`s and values; a schema may refer to itself, a document of finite depth may not outlast it.
pub const DEEPEST: usize = 256;

/// Whether a part of a schema asserts only what the validator checks.
///
/// # Errors
/// The first keyword that it does not know.
pub fn supported(root: &Value, schema: &Value, at: &str) -> Result<(), UnknownKeyword> {
    let unknown = |keyword: &str| UnknownKeyword { keyword: keyword.into(), at: at.into() };
    let Some(fields) = schema.as_object() else {
        return Ok(());
    };
    for (keyword, inner) in fields {
        let below = format!("{at}/{keyword}");
        match keyword.as_str() {
            name if UNSUPPORTED.contains(&name) => return Err(unknown(name)),
            "pattern" => {
                let format = fields.get("format").and_then(Value::as_str).unwrap_or_default();
                if format::check(format, "").is_none() {
                    return Err(unknown("pattern"));
                }
            }
            "$ref" => {
                let known = inner
                    .as_str()
                    .and_then(|target| target.strip_prefix('#'))
                    .and_then(|target| root.pointer(target));
                known.ok_or_else(|| unknown("$ref"))?;
            }
            "properties" | "$defs" | "definitions" => {
                for (name, schema) in inner.as_object().into_iter().flatten() {
                    supported(root, schema, &format!("{below}/{name}"))?;
                }
            }
            "items" if inner.is_array() => return Err(unknown("items")),
            "items" | "additionalProperties" | "propertyNames" => supported(root, inner, &below)?,
            "anyOf" | "oneOf" | "allOf" => {
                inner
                    .as_array()
                    .into_iter()
                    .flatten()
                    .try_for_each(|schema| supported(root, schema, &below))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Follows `$ref`s; [`supported`] proved that the targets exist. Chains longer than a schema can sensibly
/// have end in a schema that accepts everything.
pub fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..DEEPEST {
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else {
            return schema;
        };
        schema =
            target.strip_prefix('#').and_then(|target| root.pointer(target)).unwrap_or(&Value::Bool(true));
    }
    &Value::Bool(true)
}

/// The schemas below `anyOf`, `oneOf` and `allOf`.
pub fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten()
}

/// The values that a schema made of constants allows: `const`, `enum`, or `oneOf` of such (schemars writes an enum
/// with documented variants so).
pub fn closed_choices(keywords: &Map<String, Value>) -> Option<Vec<&Value>> {
    if let Some(only) = keywords.get("const") {
        return Some(vec![only]);
    }
    if let Some(choices) = keywords.get("enum").and_then(Value::as_array) {
        return Some(choices.iter().collect());
    }
    let branches = keywords.get("oneOf").or_else(|| keywords.get("anyOf"))?.as_array()?;
    let choices: Option<Vec<_>> = branches.iter().map(|branch| closed_choices(branch.as_object()?)).collect();
    choices.map(|choices| choices.into_iter().flatten().collect())
}

/// Whether the constants among a schema's properties are what the value has.
pub fn agrees(schema: &Value, value: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().all(|(name, schema)| match schema.get("const") {
        Some(constant) => value.get(name) == Some(constant),
        None => true,
    })
}
