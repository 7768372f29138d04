//! Values as the API server compares them: numbers by value, whatever their notation.

use serde_json::{Number, Value};
use std::fmt;

/// A value inside a path element: what a keyed list's key, or a set's item, holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(Box<str>),
    /// Anything else, as JSON: fractions and whatever a later Kubernetes may put here.
    Other(Box<str>),
}

impl Scalar {
    /// Takes a JSON value; `80.0` is the same as `80`, as it is for the API server.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Number(number) => {
                integer(number).map_or_else(|| Self::Other(value.to_string().into()), Self::Integer)
            }
            Value::Array(_) | Value::Object(_) => Self::Other(value.to_string().into()),
        }
    }

    /// The JSON value again.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Integer(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Other(json) => serde_json::from_str(json).unwrap_or(Value::Null),
        }
    }

    /// Whether a live value is this one. Allocates nothing for what keys and sets hold in practice.
    #[must_use]
    pub fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(flag), Value::Bool(live)) => flag == live,
            (Self::Integer(number), Value::Number(live)) => integer(live) == Some(*number),
            (Self::Text(text), Value::String(live)) => **text == **live,
            (Self::Other(_), live) => *self == Self::from_json(live),
            _ => false,
        }
    }
}

/// As people write it: text without quotes.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

fn integer(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // 2^53: beyond it a float no longer says which integer was meant.
        (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

/// Whether two JSON values are the same to the API server, which compares numbers by value (`1` is `1.0`).
#[must_use]
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            match (integer(a), integer(b)) {
                (Some(a), Some(b)) => a == b,
                // Integers beyond i64 are compared as they are: as floats, neighbours would be equal.
                _ => a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()),
            }
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!({"a": [1, 2.0]}), &json!({"a": [1.0, 2]})));
        assert!(!same(&json!(1), &json!("1")));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
    }
}
