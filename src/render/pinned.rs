//! Patterns that name fields of objects: `pinned` of the Helm settings, and ignore rules.

use crate::model::{GroupKind, IgnoreRule, Object};
use crate::ports::renderer::RenderFailure;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// `Kind[.group]/name:/json/pointer`; name and pointer may hold `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    kind: GroupKind,
    name: String,
    /// Segments of the pointer, unescaped.
    segments: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, RenderFailure> {
        let failure = || RenderFailure {
            origin: "spec.source.helm.pinned".into(),
            message: format!(
                "`{text}` is not written as Kind.group/name:/json/pointer, such as Secret/db-*:/data/password"
            ),
        };
        let (object, pointer) = text.split_once(":/").ok_or_else(failure)?;
        let (kind, name) = object.split_once('/').ok_or_else(failure)?;
        if kind.is_empty() || name.is_empty() || pointer.is_empty() {
            return Err(failure());
        }
        let kind = kind.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        let mut segments: Vec<String> = pointer.split('/').map(unescape).collect();
        if kind == GroupKind::new("", "Secret") && segments[0] == "stringData" {
            segments[0] = "data".into();
        }
        Ok(Self { kind, name: name.into(), segments })
    }

    /// The pointers to the fields of an object that the pattern names.
    pub fn expand(&self, object: &Object) -> Vec<String> {
        let mut found = Vec::new();
        if object.gvk().group_kind() == self.kind && matches(&self.name, object.name()) {
            expand(&as_stored(object), &self.segments, &mut String::new(), &mut found);
        }
        found
    }
}

/// The body with a Secret's `stringData` in `data`, where the plan puts it and where it is found live. The values are
/// not encoded: only where they stand counts here.
pub(super) fn as_stored(object: &Object) -> Cow<'_, Value> {
    let body = object.body();
    let Some(Value::Object(texts)) = body.get("stringData").filter(|_| object.is_secret()) else {
        return Cow::Borrowed(body);
    };
    let mut stored = body.clone();
    if let Value::Object(body) = &mut stored {
        body.remove("stringData");
        let data = body.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(data) = data {
            data.extend(texts.clone());
        }
    }
    Cow::Owned(stored)
}

fn expand(value: &Value, segments: &[String], at: &mut String, found: &mut Vec<String>) {
    let Some((segment, rest)) = segments.split_first() else {
        found.push(at.clone());
        return;
    };
    for (name, entry) in entries(value) {
        if names(segment, &name, entry) {
            let length = at.len();
            at.push('/');
            at.push_str(&name.replace('~', "~0").replace('/', "~1"));
            expand(entry, rest, at, found);
            at.truncate(length);
        }
    }
}

fn entries(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(map) => map.iter().map(|(key, entry)| (key.clone(), entry)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an ignore rule covers a field of an object, or a field around it.
pub(super) fn covers(rule: &IgnoreRule, object: &Object, default_namespace: &str, pointer: &str) -> bool {
    let gvk = object.gvk();
    let namespace = object.namespace().unwrap_or(default_namespace);
    let is_meant = (rule.kind == "*" || rule.kind == gvk.kind)
        && rule.group.as_ref().is_none_or(|group| *group == gvk.group)
        && rule.name.as_ref().is_none_or(|name| matches(name, object.name()))
        && rule.namespace.as_ref().is_none_or(|pattern| matches(pattern, namespace));
    is_meant && rule.paths.iter().any(|path| leads_to(path, &as_stored(object), pointer))
}

/// Whether a rule's path matches the beginning of a pointer into a body.
fn leads_to(path: &str, body: &Value, pointer: &str) -> bool {
    let mut actual = pointer.split('/').skip(1).map(unescape);
    let mut at = Some(body);
    for segment in path.split('/').skip(1).map(unescape) {
        let Some(name) = actual.next() else { return false };
        at = at.and_then(|value| match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            value => value.get(&name),
        });
        if !names(&segment, &name, at.unwrap_or(&Value::Null)) {
            return false;
        }
    }
    true
}

/// Whether a segment of a pattern names an entry: by its key or index, with `*`, or, in a list, by a field's value
/// (`name=web`).
fn names(segment: &str, name: &str, entry: &Value) -> bool {
    matches(segment, name)
        || segment
            .split_once('=')
            .is_some_and(|(field, value)| entry.get(field).and_then(Value::as_str) == Some(value))
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// Whether a text matches a pattern in which `*` stands for any number of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("db-*", "db-main", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "ab-", false),
            ("db", "db-main", false),
            ("*ab*ab", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_names_fields_that_are_there() {
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db-a"}, "data": {"x/y": "1", "b": "2"}});
        let object = Object::new(body).unwrap();
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        assert_eq!(pattern("Secret/db-*:/data/*").expand(&object), ["/data/b", "/data/x~1y"]);
        assert_eq!(pattern("Secret/db-*:/data/x~1y").expand(&object), ["/data/x~1y"]);
        assert!(pattern("Secret/other:/data/b").expand(&object).is_empty());
        assert!(Pattern::parse("Secret/db").is_err());

        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "v"}});
        let object = Object::new(body).unwrap();
        for text in ["Secret/a:/data/k", "Secret/a:/stringData/k"] {
            assert_eq!(pattern(text).expand(&object), ["/data/k"]);
        }
    }

    #[test]
    fn ignore_rules_name_list_items_by_a_field() {
        let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "web", "image": "x"}]}});
        let object = Object::new(body).unwrap();
        let rule =
            |path: &str| IgnoreRule { kind: "Pod".into(), paths: vec![path.into()], ..IgnoreRule::default() };
        assert!(covers(&rule("/spec/containers/name=web/image"), &object, "", "/spec/containers/0/image"));
        assert!(covers(&rule("/spec/*"), &object, "", "/spec/containers/0/image"));
        assert!(!covers(&rule("/spec/containers/name=db"), &object, "", "/spec/containers/0/image"));
        assert!(!covers(&rule("/spec/containers/0/image/more"), &object, "", "/spec/containers/0/image"));
    }
}
