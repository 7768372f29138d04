//! The sentences of the validator, in one place.

use super::format;
use super::nearest::nearest;
use super::pointer::{Path, shown};
use super::validate::Violation;
use serde_json::{Map, Number, Value};

/// The field a sentence is about: `` `spec.path` ``, or the document.
#[must_use]
pub fn subject(path: &Path) -> String {
    match path {
        Path::Root => "the document".into(),
        path => format!("`{}`", shown(path)),
    }
}

/// The names in a schema's `type`, which is one or a list of them.
pub fn type_names(expected: &Value) -> impl Iterator<Item = &str> {
    expected.as_str().into_iter().chain(expected.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// Whether a value has the type that JSON Schema calls so. `1.0` is an integer there.
#[must_use]
pub fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

/// What a value is, for people.
#[must_use]
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn type_in_words(name: &str) -> &'static str {
    match name {
        "null" => "empty",
        "boolean" => "true or false",
        "object" => "a mapping (`key: value`)",
        "array" => "a list",
        "string" => "text",
        "number" => "a number",
        "integer" => "a whole number",
        _ => "something else",
    }
}

/// A value of another type than the schema's `type` says.
#[must_use]
pub fn wrong_type(path: &Path, keywords: &Map<String, Value>, expected: &Value, value: &Value) -> Violation {
    let names: Vec<&str> = type_names(expected).filter(|name| *name != "null").collect();
    let format = keywords.get("format").and_then(Value::as_str).unwrap_or_default();
    if let (Value::Number(number), true) = (value, names.contains(&"string"))
        && let Some(Err(reason)) = format::check(format, &number.to_string())
    {
        // Quotes alone would not help: `timeout: 30` lacks its unit.
        return Violation {
            pointer: path.pointer(),
            message: format!("{} {reason}", subject(path)),
            hint: None,
        };
    }
    let fields = || keywords.get("properties").and_then(Value::as_object).map(|fields| one_of(fields.keys()));
    let wanted = names.iter().map(|name| type_in_words(name)).collect::<Vec<_>>().join(" or ");
    let hint = match value {
        Value::Bool(_) | Value::Number(_) if names.contains(&"string") => Some("put it in quotes"),
        Value::String(text) if names.contains(&"boolean") && matches!(text.as_str(), "true" | "false") => {
            Some("take the quotes away")
        }
        Value::String(text)
            if names.iter().any(|name| matches!(*name, "integer" | "number"))
                && text.parse::<f64>().is_ok() =>
        {
            Some("take the quotes away")
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) if names == ["array"] => {
            Some("write it as `[value]`, or as a line that begins with `- `")
        }
        _ => None,
    };
    let hint = hint
        .map(String::from)
        .or_else(|| fields().filter(|_| names == ["object"]).map(|fields| format!("its fields: {fields}")));
    let message = match value {
        Value::Null => format!("{} is empty and has to be {wanted}", subject(path)),
        value => format!("{} has to be {wanted}, and is {}", subject(path), kind_of(value)),
    };
    Violation { pointer: path.pointer(), message, hint }
}

fn one_of<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A value that is none of those allowed.
#[must_use]
pub fn wrong_choice(path: &Path, choices: &[&Value], value: &Value) -> Violation {
    let words: Vec<&str> = choices.iter().filter_map(|choice| choice.as_str()).collect();
    let all = choices.iter().map(|choice| text_of(choice)).collect::<Vec<_>>().join(", ");
    let message = match choices {
        [only] => format!("{} has to be {}", subject(path), text_of(only)),
        _ => format!("{} has to be one of {all}", subject(path)),
    };
    let hint = value.as_str().and_then(|given| nearest(given, words)).filter(|_| choices.len() > 1);
    Violation { pointer: path.pointer(), message, hint: hint.map(|name| format!("did you mean `{name}`?")) }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// A field that the schema does not have.
#[must_use]
pub fn unknown_field(
    path: &Path,
    name: &str,
    properties: &Map<String, Value>,
    elsewhere: &[String],
) -> Violation {
    let message = match path {
        Path::Root => format!("unknown field `{name}`"),
        path => format!("unknown field `{name}` in `{}`", shown(path)),
    };
    let known = || properties.keys().map(String::as_str);
    // The same name elsewhere says more than a similar one here, unless a single letter makes the difference.
    let near = nearest(name, known())
        .filter(|near| elsewhere.is_empty() || strsim::damerau_levenshtein(name, near) <= 1);
    let hint = match (near, elsewhere) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, [place, ..]) => format!("`{name}` belongs in `{place}`"),
        (None, []) if properties.is_empty() => "there are no fields here".into(),
        (None, []) => format!("known here: {}", one_of(properties.keys())),
    };
    Violation { pointer: path.key(name).pointer(), message, hint: Some(hint) }
}

/// Checks `minX` and `maxX`, X being `Items`, `Length` or `Properties`.
pub fn length(
    path: &Path,
    keywords: &Map<String, Value>,
    of: &str,
    actual: usize,
    found: &mut Vec<Violation>,
) {
    let limit = |bound: &str| keywords.get(&format!("{bound}{of}")).and_then(Value::as_u64);
    let noun = match of {
        "Items" => "items",
        "Length" => "characters",
        _ => "fields",
    };
    let actual = actual as u64;
    let said = match (limit("min"), limit("max")) {
        (Some(1), _) if actual == 0 => "may not be empty".into(),
        (Some(least), _) if actual < least => format!("has to have at least {least} {noun}"),
        (_, Some(most)) if actual > most => format!("may have {most} {noun} and has {actual}"),
        _ => return,
    };
    found.push(Violation {
        pointer: path.pointer(),
        message: format!("{} {said}", subject(path)),
        hint: None,
    });
}

/// Checks the bounds of a number.
pub fn bounds(path: &Path, keywords: &Map<String, Value>, number: &Number, found: &mut Vec<Violation>) {
    let Some(actual) = number.as_f64() else { return };
    let limit = |keyword: &str| keywords.get(keyword).and_then(Value::as_f64);
    let said = if let Some(least) = limit("minimum").filter(|least| actual < *least) {
        format!("has to be at least {least}")
    } else if let Some(most) = limit("maximum").filter(|most| actual > *most) {
        format!("may be at most {most}")
    } else if let Some(least) = limit("exclusiveMinimum").filter(|least| actual <= *least) {
        format!("has to be greater than {least}")
    } else if let Some(most) = limit("exclusiveMaximum").filter(|most| actual >= *most) {
        format!("has to be less than {most}")
    } else {
        return;
    };
    found.push(Violation {
        pointer: path.pointer(),
        message: format!("{} {said}", subject(path)),
        hint: None,
    });
}
