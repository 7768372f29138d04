//! JSON Schema, as far as add-ons' configuration schemas use it: types, properties, items, enumerations, limits, patterns.

use super::pattern::Pattern;
use serde_json::Value;

/// What of `value` the schema does not allow, in the words of the service's validator.
#[must_use]
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "$", &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let actual = kind_of(value);
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let fits = |kind: &&str| *kind == actual || (*kind == "number" && actual == "integer");
    if !allowed.is_empty() && !allowed.iter().any(fits) {
        found.push(format!("{path}: {actual} found, {} expected", allowed.join(" or ")));
        return;
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        found.push(format!("{path}: does not have a value in the enumeration {}", schema["enum"]));
    }
    if let Some(number) = value.as_f64() {
        if schema["minimum"].as_f64().is_some_and(|minimum| number < minimum) {
            found.push(format!("{path}: must have a minimum value of {}", schema["minimum"]));
        }
        if schema["maximum"].as_f64().is_some_and(|maximum| number > maximum) {
            found.push(format!("{path}: must have a maximum value of {}", schema["maximum"]));
        }
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str())
        && !Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(text))
    {
        found.push(format!("{path}: does not match the regex pattern {pattern}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            check(&schema["items"], item, &format!("{path}[{index}]"), found);
        }
    }
    let Some(members) = value.as_object() else { return };
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(required) {
            found.push(format!("{path}.{required}: is missing but it is required"));
        }
    }
    for (name, member) in members {
        let path = format!("{path}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!(
                "{path}: is not defined in the schema and the schema does not allow additional properties"
            )),
            (Value::Null, other @ Value::Object(_)) => check(other, member, &path, found),
            (Value::Null, _) => {}
            (property, _) => check(property, member, &path, found),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::violations;
    use serde_json::json;

    #[test]
    fn values_are_checked_to_the_leaves() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "replicas": {"type": "integer", "minimum": 1},
                "mode": {"enum": ["iptables", "ipvs"]},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {"type": "array", "items": {"type": "object", "required": ["key"]}},
            },
        });
        let fine = json!({"replicas": 2, "mode": "ipvs", "env": {"A": "b"}, "list": [{"key": 1}]});
        assert_eq!(violations(&schema, &fine), Vec::<String>::new());
        let wrong = json!({"replicas": 0, "mode": "x", "env": {"A": 1}, "list": [{}], "other": 1});
        let found = violations(&schema, &wrong);
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(
            found.iter().any(|text| text.starts_with("$.other: is not defined in the schema")),
            "{found:?}"
        );
        assert_eq!(violations(&schema, &json!(null)), ["$: null found, object expected"]);
    }
}
