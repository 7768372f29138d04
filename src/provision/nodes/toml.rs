//! Settings as TOML, the form in which Bottlerocket reads its user data, and back.

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

/// Settings from TOML as [`toml`] writes it: tables, plain values on one line each. `None` of anything else that the
/// language has (dates, literal and multi-line strings, arrays of tables).
#[must_use]
pub fn from_toml(text: &str) -> Option<Value> {
    let mut whole = Map::new();
    let mut path: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut rest = Rest(line);
        if rest.take("[") {
            path = vec![rest.key()?];
            while rest.take(".") {
                path.push(rest.key()?);
            }
            (rest.take("]") && rest.0.is_empty()).then_some(())?;
            at(&mut whole, &path)?;
        } else {
            let key = rest.key()?;
            rest.take("=").then_some(())?;
            let value = rest.value()?;
            (rest.0.is_empty() && at(&mut whole, &path)?.insert(key, value).is_none()).then_some(())?;
        }
    }
    Some(Value::Object(whole))
}

/// The table at a path, made where it is not there.
fn at<'a>(whole: &'a mut Map<String, Value>, path: &[String]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(whole, |table, part| {
        table.entry(part.as_str()).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
    })
}

/// What of a line is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let found = self.0.trim_start().strip_prefix(sign);
        self.0 = found.unwrap_or(self.0).trim_start();
        found.is_some()
    }

    fn key(&mut self) -> Option<String> {
        self.0 = self.0.trim_start();
        if self.0.starts_with('"') {
            return self.text();
        }
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let end = self.0.find(|c: char| !bare(c)).unwrap_or(self.0.len());
        let (key, rest) = self.0.split_at(end);
        self.0 = rest;
        (!key.is_empty()).then(|| key.to_owned())
    }

    /// A basic string: JSON's escapes are those that are written.
    fn text(&mut self) -> Option<String> {
        let mut strings = serde_json::Deserializer::from_str(self.0).into_iter::<String>();
        let text = strings.next()?.ok()?;
        self.0 = &self.0[strings.byte_offset()..];
        Some(text)
    }

    fn value(&mut self) -> Option<Value> {
        if self.take("[") {
            let mut items = Vec::new();
            while !self.take("]") {
                items.push(self.value()?);
                (self.take(",") || self.0.starts_with(']')).then_some(())?;
            }
            return Some(Value::Array(items));
        }
        if self.take("{") {
            let mut members = Map::new();
            while !self.take("}") {
                let key = self.key()?;
                self.take("=").then_some(())?;
                members.insert(key, self.value()?);
                (self.take(",") || self.0.starts_with('}')).then_some(())?;
            }
            return Some(Value::Object(members));
        }
        if self.0.starts_with('"') {
            return self.text().map(Value::String);
        }
        let end = self.0.find([',', ']', '}', ' ']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest.trim_start();
        serde_json::from_str(word).ok().filter(|value: &Value| !value.is_null())
    }
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

    #[test]
    fn what_is_written_is_read_back_and_anything_else_is_not_guessed_at() {
        let settings = json!({"settings": {
            "kubernetes": {
                "max-pods": 20,
                "eviction": [1.5, true, "a, ]", []],
                "list": [{"a": "b", "c d": 1}, {}],
                "node-labels": {"example.com/team": "a \"b\" \\ \u{7f}"},
                "empty": {},
            },
            "motd": "hi\nthere",
        }});
        assert_eq!(from_toml(&toml(&settings)), Some(settings));
        assert_eq!(from_toml("# nothing\n"), Some(json!({})));
        for other in ["a = 'literal'", "a", "[[a]]", "[a", "a = 1979-05-27", "a = 1\na = 2", "a = [1 2]"] {
            assert_eq!(from_toml(other), None, "{other}");
        }
    }
}
