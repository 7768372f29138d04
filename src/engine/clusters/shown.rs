//! Values of declarations as people are shown them: short, and without what may hold secrets.

use crate::model::event::FieldDrift;
use crate::provision::resource::Difference;
use serde_json::Value;

/// Longest value that is shown.
const LONGEST: usize = 160;
/// Parts of field names whose values may hold secrets: what nodes run at their start, and what add-ons are told.
const CONFIDENTIAL: [&str; 4] = ["userdata", "configurationvalues", "bootstrap", "password"];

/// A field that left its declared value.
#[must_use]
pub fn field(difference: &Difference) -> FieldDrift {
    FieldDrift {
        path: if difference.field.is_empty() { "/".into() } else { difference.field.clone() },
        declared: value(&difference.field, &difference.declared),
        live: value(&difference.field, &difference.actual),
        manager: None,
        time: None,
    }
}

/// A value of a field.
#[must_use]
pub fn value(field: &str, value: &Value) -> String {
    if value.is_null() {
        return "(none)".into();
    }
    let name = field.to_ascii_lowercase();
    if CONFIDENTIAL.iter().any(|part| name.contains(part)) {
        return format!("(hidden, {} bytes)", value.to_string().len());
    }
    let text = match masked(value) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The value with the contents of confidential members taken out.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let lower = name.to_ascii_lowercase();
                    let hidden = CONFIDENTIAL.iter().any(|part| lower.contains(part));
                    (name.clone(), if hidden { "(hidden)".into() } else { masked(value) })
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(masked).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_short_and_keep_what_nodes_run_to_themselves() {
        assert_eq!(value("/labels/team", &json!("shop")), "shop");
        assert_eq!(value("/subnets", &json!(["a", "b"])), r#"["a","b"]"#);
        assert_eq!(value("", &Value::Null), "(none)");
        assert!(!value("/LaunchTemplateData/UserData", &json!("c2VjcmV0")).contains("c2V"));
        assert!(!value("", &json!({"LaunchTemplateData": {"UserData": "c2VjcmV0"}})).contains("c2V"));
        assert_eq!(value("/x", &json!("y".repeat(400))).chars().count(), LONGEST);
    }
}
