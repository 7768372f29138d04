//! Settings as TOML, the form in which Bottlerocket reads its user data.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// An object as TOML. Null is left out: TOML has none.
#[must_use]
pub fn toml(value: &Value) -> String {
    let mut text = String::new();
    if let Value::Object(members) = value {
        table(members, &mut Vec::new(), &mut text);
    }
    text
}

/// Plain members first, then tables: after a table's head every member belongs to it.
fn table(members: &Map<String, Value>, path: &mut Vec<String>, text: &mut String) {
    let plain: Vec<_> = members.iter().filter(|(_, value)| !is_table(value) && !value.is_null()).collect();
    if !path.is_empty() && (!plain.is_empty() || members.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[{}]", path.join("."));
    }
    for (name, value) in plain {
        let _ = writeln!(text, "{} = {}", key(name), scalar(value));
    }
    for (name, value) in members.iter().filter(|(_, value)| is_table(value)) {
        path.push(key(name));
        if let Value::Object(members) = value {
            table(members, path, text);
        }
        path.pop();
    }
}

const fn is_table(value: &Value) -> bool {
    matches!(value, Value::Object(_))
}

/// A key, quoted unless it is bare: labels have dots and slashes, and a dot would begin a table.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{} = {}", key(name), scalar(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A basic string. JSON escapes what TOML wants escaped in the same way, but leaves DEL alone.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_keys_and_values() {
        let settings = json!({"settings": {
            "kubernetes": {
                "max-pods": 20,
                "node-labels": {"example.com/team": "a \"b\""},
                "node-taints": {"dedicated": ["x:NoSchedule"]},
                "nothing": null,
            },
            "motd": "hi\nthere",
            "host-containers": {"admin": {"enabled": true}},
        }});
        let expected = "[settings]\nmotd = \"hi\\nthere\"\n\n[settings.host-containers.admin]\nenabled = true\n\n\
                        [settings.kubernetes]\nmax-pods = 20\n\n[settings.kubernetes.node-labels]\n\
                        \"example.com/team\" = \"a \\\"b\\\"\"\n\n[settings.kubernetes.node-taints]\n\
                        dedicated = [\"x:NoSchedule\"]\n";
        assert_eq!(toml(&settings), expected);
    }
}
