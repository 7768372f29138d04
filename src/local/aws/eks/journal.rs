//! What was asked of the server, and what was wrong with it.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    /// From 1, in the order of arrival.
    pub number: u64,
    /// Operation.
    pub operation: String,
    /// Its input; the token too.
    pub input: Value,
    /// HTTP status of the answer; 0 where the connection was cut or no answer came.
    pub status: u16,
    /// The exception, if it was one.
    pub error: Option<String>,
    /// ARN of the caller.
    pub caller: String,
}

/// Something that does not fit the service's model, or that this server does not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What kind.
    pub kind: ViolationKind,
    /// Operation, or method and path where there is none.
    pub operation: String,
    /// In words.
    pub what: String,
}

/// Kinds of violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ViolationKind {
    /// The model has no operation for this method and path.
    UnknownOperation,
    /// The model has the operation; this server does not.
    NotImplemented,
    /// The input does not fit the model.
    Input,
    /// This server's own answer does not fit the model.
    Output,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.operation, self.what)
    }
}

/// Calls and violations since the start.
#[derive(Debug, Default)]
pub struct Journal {
    calls: Vec<CallRecord>,
    violations: Vec<Violation>,
}

impl Journal {
    /// Notes a call that arrived; gives its number.
    pub fn arrived(&mut self, operation: &str, input: Value, caller: &str) -> u64 {
        let number = self.calls.len() as u64 + 1;
        self.calls.push(CallRecord {
            number,
            operation: operation.into(),
            input,
            status: 0,
            error: None,
            caller: caller.into(),
        });
        number
    }

    /// Notes its answer.
    pub fn answered(&mut self, number: u64, status: u16, error: Option<String>) {
        let index = usize::try_from(number).unwrap_or(0).saturating_sub(1);
        if let Some(call) = self.calls.get_mut(index) {
            (call.status, call.error) = (status, error);
        }
    }

    /// Notes a violation.
    pub fn violated(&mut self, kind: ViolationKind, operation: &str, what: impl Into<String>) {
        self.violations.push(Violation { kind, operation: operation.into(), what: what.into() });
    }

    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &[CallRecord] {
        &self.calls
    }

    /// The violations.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}
