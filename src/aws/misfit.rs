//! An input that does not fit the API model.

use serde_json::Value;
use std::fmt;

/// Where an input does not fit the API model, and why. Never shows a value: it may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// JSON pointer into the input.
    at: String,
    reason: String,
}

impl Misfit {
    /// A misfit at the value itself.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { at: String::new(), reason: reason.into() }
    }

    /// Another kind of value than what the model has.
    pub(super) fn expected(what: &str, value: &Value) -> Self {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self::new(format!("{what} is expected, this is {kind}"))
    }

    /// A member that the model does not have.
    pub(super) fn unknown(member: &str) -> Self {
        Self::new("the API has no such member here; look for a typing error").within(member)
    }

    /// The same, seen from the value around it.
    pub(super) fn within(mut self, member: impl fmt::Display) -> Self {
        self.at.insert_str(0, &format!("/{member}"));
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.at.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.at, self.reason)
    }
}
