//! Two objects, field by field.

use super::defaults::{Lines, TABLE};
use super::forms::{Around, explains};
use super::lists::{Pair, pairs};
use crate::model::quantity;
use crate::transform::{pointer_at, pointer_key};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A field that is not the same on both sides.
pub(super) struct Found {
    /// JSON pointer into the object as it is held.
    pub pointer: String,
    /// What was expected; `None`: nothing.
    pub expected: Option<Value>,
    /// What is there.
    pub actual: Option<Value>,
    /// The line that explains it; `None`: nothing does.
    pub explained_by: Option<String>,
}

/// Bounds of an autoscaler, which writes the replicas of what it scales.
pub(super) type Scaled = BTreeMap<String, (i64, i64)>;

/// One comparison.
pub(super) struct Comparison<'a> {
    actual: &'a Value,
    lines: &'a Lines,
    /// Whether it is a kind of Kubernetes's own, whose API server leaves out empty lists.
    typed: bool,
    service_range: Option<&'a str>,
    scaled: Option<(i64, i64)>,
    found: Vec<Found>,
}

/// What differs between an object as expected and as it is held. `kind` is `Kind.group`.
pub(super) fn compare(
    expected: &Value,
    actual: &Value,
    kind: &str,
    service_range: Option<&str>,
    scaled: Option<(i64, i64)>,
) -> Vec<Found> {
    let group = kind.split_once('.').map_or("", |(_, group)| group);
    let typed = !group.contains('.') || group.ends_with(".k8s.io");
    let mut comparison =
        Comparison { actual, lines: TABLE.of(kind), typed, service_range, scaled, found: Vec::new() };
    comparison.object(expected, actual);
    comparison.found
}

/// What the server keeps for itself beside the declared object, and nobody declares.
const SERVER_ONLY: [(&str, &str); 3] = [
    ("/status", "server-default:status"),
    ("/metadata/managedFields", "server-default:metadata/managedFields"),
    ("/metadata/selfLink", "server-default:metadata/selfLink"),
];

impl Comparison<'_> {
    fn object(&mut self, expected: &Value, actual: &Value) {
        let mut held = actual.clone();
        for (pointer, line) in SERVER_ONLY {
            let (above, key) = pointer.rsplit_once('/').unwrap_or_default();
            if expected.pointer(pointer).is_none()
                && let Some(map) = held.pointer_mut(above).and_then(Value::as_object_mut)
                && map.remove(key).is_some()
            {
                self.found.push(Found {
                    pointer: pointer.into(),
                    expected: None,
                    actual: None,
                    explained_by: Some(line.into()),
                });
            }
        }
        self.values(Some(expected), Some(&held), "");
    }

    fn values(&mut self, expected: Option<&Value>, actual: Option<&Value>, pointer: &str) {
        // To the server an explicit null is the same as nothing.
        let expected = expected.filter(|value| !value.is_null());
        let actual = actual.filter(|value| !value.is_null());
        match (expected, actual) {
            (None, None) => {}
            (Some(expected), Some(actual)) if expected == actual => {}
            (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
                self.maps(expected, actual, pointer)
            }
            (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
                self.lists(expected, actual, pointer)
            }
            (Some(expected), Some(actual)) => self.different(expected, actual, pointer),
            (None, Some(actual)) => self.added(actual, pointer),
            (Some(expected), None) => self.missing(expected, pointer),
        }
    }

    fn maps(&mut self, expected: &Map<String, Value>, actual: &Map<String, Value>, pointer: &str) {
        for (key, value) in expected {
            self.values(Some(value), actual.get(key), &pointer_at(pointer, key));
        }
        for (key, value) in actual.iter().filter(|(key, _)| !expected.contains_key(*key)) {
            self.values(None, Some(value), &pointer_at(pointer, key));
        }
    }

    fn lists(&mut self, expected: &[Value], actual: &[Value], pointer: &str) {
        let mut last = None;
        let mut ordered = true;
        for pair in pairs(expected, actual) {
            match pair {
                Pair::Both(one, place) => {
                    ordered &= last.is_none_or(|last| last < place);
                    last = Some(place);
                    self.values(
                        Some(&expected[one]),
                        Some(&actual[place]),
                        &pointer_at(pointer, place.to_string()),
                    );
                }
                Pair::Missing(one) => self.missing(&expected[one], &pointer_at(pointer, format!("-{one}"))),
                Pair::Added(place) => self.added(&actual[place], &pointer_at(pointer, place.to_string())),
            }
        }
        if !ordered {
            let (expected, actual) = (Value::from(expected.to_vec()), Value::from(actual.to_vec()));
            self.push(pointer, Some(&expected), Some(&actual), None);
        }
    }

    fn different(&mut self, expected: &Value, actual: &Value, pointer: &str) {
        let explained = self.with_keys(pointer, |this, keys| {
            if this.lines.is_number(keys) && quantity::equal(expected, actual) {
                return Some("server-default:quantities are written in their shortest form".to_owned());
            }
            if keys == ["spec", "replicas"]
                && let (Some((least, most)), Some(now)) = (this.scaled, actual.as_i64())
                && (least..=most).contains(&now)
            {
                return Some(format!("its HorizontalPodAutoscaler ({least} to {most})"));
            }
            None
        });
        self.push(pointer, Some(expected), Some(actual), explained);
    }

    fn added(&mut self, actual: &Value, pointer: &str) {
        if let Some(line) = self.explained(actual, pointer) {
            return self.push(pointer, None, Some(actual), Some(line));
        }
        if let Value::Number(now) = actual
            && pointer == "/spec/replicas"
            && let (Some((least, most)), Some(now)) = (self.scaled, now.as_i64())
            && (least..=most).contains(&now)
        {
            let line = format!("its HorizontalPodAutoscaler ({least} to {most})");
            return self.push(pointer, None, Some(actual), Some(line));
        }
        // Each field has to be explained by itself; an empty part is a field.
        match actual {
            Value::Object(map) if !map.is_empty() => self.maps(&Map::new(), map, pointer),
            Value::Array(list) if !list.is_empty() => self.lists(&[], list, pointer),
            Value::Array(_) if self.typed => {
                self.push(pointer, None, Some(actual), Some("server-default:an empty list is none".into()));
            }
            actual => self.push(pointer, None, Some(actual), None),
        }
    }

    fn missing(&mut self, expected: &Value, pointer: &str) {
        let omitted = self.with_keys(pointer, |this, keys| this.lines.omits(keys, expected));
        if omitted {
            let line = "server-default:stored as nothing".to_owned();
            return self.push(pointer, Some(expected), None, Some(line));
        }
        match expected {
            Value::Array(list) if list.is_empty() && self.typed => {
                self.push(pointer, Some(expected), None, Some("server-default:an empty list is none".into()));
            }
            // What has only nulls and such in it can be stored as nothing as well; anything else is missing as a whole.
            Value::Object(map) if !map.is_empty() && self.is_hollow(expected, pointer) => {
                self.maps(map, &Map::new(), pointer);
            }
            expected => self.push(pointer, Some(expected), None, None),
        }
    }

    /// Whether all that a mapping declares is stored as nothing.
    fn is_hollow(&self, expected: &Value, pointer: &str) -> bool {
        match expected {
            Value::Null => true,
            Value::Array(list) if list.is_empty() => self.typed,
            value if self.with_keys(pointer, |this, keys| this.lines.omits(keys, value)) => true,
            Value::Object(map) => {
                !map.is_empty()
                    && map.iter().all(|(key, value)| self.is_hollow(value, &pointer_at(pointer, key)))
            }
            _ => false,
        }
    }

    /// The line that explains a value that nobody declared.
    fn explained(&self, value: &Value, pointer: &str) -> Option<String> {
        let (parent, last) = pointer.rsplit_once('/')?;
        let key = pointer_key(last);
        let around = Around { object: self.actual, parent, key: &key, service_range: self.service_range };
        self.with_keys(pointer, |this, keys| {
            this.lines.of(keys).find(|line| explains(line, value, &around)).map(|line| line.id.clone())
        })
    }

    fn with_keys<T>(&self, pointer: &str, look: impl FnOnce(&Self, &[&str]) -> T) -> T {
        let keys: Vec<_> = pointer.split('/').skip(1).map(pointer_key).collect();
        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        look(self, &keys)
    }

    fn push(
        &mut self,
        pointer: &str,
        expected: Option<&Value>,
        actual: Option<&Value>,
        line: Option<String>,
    ) {
        self.found.push(Found {
            pointer: pointer.to_owned(),
            expected: expected.cloned(),
            actual: actual.cloned(),
            explained_by: line,
        });
    }
}
