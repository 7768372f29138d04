//! Values against shapes of the model.

use super::service_model::{Model, Shape};
use serde_json::Value;
use std::fmt;

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the service: every limit holds.
    In,
    /// From the service: least lengths do not hold, for the service itself answers `tags: {}` and `resourceIds: []`.
    Out,
}

/// Where a value does not fit its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// `resourcesVpcConfig.subnetIds[0]`; empty for the whole.
    pub path: String,
    /// In words.
    pub what: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

/// Everything about `value` that the shape does not allow.
#[must_use]
pub fn misfits(model: &Model, shape: &str, value: &Value, way: Way) -> Vec<Misfit> {
    let mut check = Check { model, way, found: Vec::new() };
    check.value(shape, value, &mut String::new());
    check.found
}

struct Check<'a> {
    model: &'a Model,
    way: Way,
    found: Vec<Misfit>,
}

impl Check<'_> {
    fn misfit(&mut self, path: &str, what: impl Into<String>) {
        self.found.push(Misfit { path: path.into(), what: what.into() });
    }

    fn value(&mut self, name: &str, value: &Value, path: &mut String) {
        let Some(shape) = self.model.shape(name) else {
            return self.misfit(path, format!("the model has no shape {name}"));
        };
        match (shape.kind.as_str(), value) {
            ("structure", Value::Object(_)) => self.structure(shape, value, path),
            ("list", Value::Array(items)) => {
                self.size(shape, items.len(), "elements", path);
                let Some(member) = &shape.member else { return };
                for (index, item) in items.iter().enumerate() {
                    let length = path.len();
                    path.push_str(&format!("[{index}]"));
                    self.value(&member.shape, item, path);
                    path.truncate(length);
                }
            }
            ("map", Value::Object(entries)) => {
                self.size(shape, entries.len(), "entries", path);
                for (key, value) in entries {
                    let length = path.len();
                    path.push_str(&format!("[{key}]"));
                    if let Some(of_key) = &shape.key {
                        self.value(&of_key.shape, &Value::String(key.clone()), path);
                    }
                    if let Some(of_value) = &shape.value {
                        self.value(&of_value.shape, value, path);
                    }
                    path.truncate(length);
                }
            }
            ("string", Value::String(text)) => self.string(shape, text, path),
            ("integer", Value::Number(number))
                if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) =>
            {
                self.number(shape, number.as_f64(), path);
            }
            ("long", Value::Number(number)) if number.is_i64() => self.number(shape, number.as_f64(), path),
            ("float" | "double" | "timestamp", Value::Number(number)) => {
                self.number(shape, number.as_f64(), path);
            }
            ("boolean", Value::Bool(_)) | ("blob", Value::String(_)) => {}
            (kind, _) => {
                let got = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "a boolean",
                    Value::Number(_) => "a number",
                    Value::String(_) => "a string",
                    Value::Array(_) => "a list",
                    Value::Object(_) => "an object",
                };
                self.misfit(path, format!("{got} where the model has a value of type {kind}"));
            }
        }
    }

    fn structure(&mut self, shape: &Shape, value: &Value, path: &mut String) {
        let Value::Object(members) = value else { return };
        for required in &shape.required {
            if !members.contains_key(required) {
                self.misfit(path, format!("the required member {required} is missing"));
            }
        }
        for (name, value) in members {
            let length = path.len();
            if length > 0 {
                path.push('.');
            }
            path.push_str(name);
            match shape.members.get(name) {
                Some(member) => self.value(&member.shape, value, path),
                None => self.misfit(path, "the model has no such member"),
            }
            path.truncate(length);
        }
    }

    fn string(&mut self, shape: &Shape, text: &str, path: &str) {
        if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
            let values = shape.values.join(", ");
            self.misfit(path, format!("{text:?} is not one of [{values}]"));
        }
        self.size(shape, text.chars().count(), "characters", path);
        if let Some(pattern) = &shape.pattern
            && !pattern.matches(text)
        {
            self.misfit(path, format!("{text:?} does not match {}", pattern.text()));
        }
    }

    #[allow(clippy::cast_precision_loss)] // Lengths of what was held in memory.
    fn size(&mut self, shape: &Shape, size: usize, of: &str, path: &str) {
        let size = size as f64;
        if let Some(min) = shape.min
            && size < min
            && self.way == Way::In
        {
            self.misfit(path, format!("{size} {of}, at least {min} are required"));
        }
        if let Some(max) = shape.max
            && size > max
        {
            self.misfit(path, format!("{size} {of}, at most {max} are allowed"));
        }
    }

    fn number(&mut self, shape: &Shape, number: Option<f64>, path: &str) {
        let number = number.unwrap_or(f64::NAN);
        if shape.min.is_some_and(|min| number < min) || shape.max.is_some_and(|max| number > max) {
            let (min, max) = (shape.min.unwrap_or(f64::MIN), shape.max.unwrap_or(f64::MAX));
            self.misfit(path, format!("{number} is not between {min} and {max}"));
        }
    }
}
