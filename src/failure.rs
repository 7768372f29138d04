//! The one error of the edge: what kind it is (the exit code), what is wrong, and what to do next.

use crate::model::document::Problem;
use std::fmt;

/// Kinds of failures, each with its exit code. The codes are a promise: see `portolan --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// What was asked for cannot be done as asked: a wrong name, an unknown application.
    User,
    /// A file is wrong.
    Config,
    /// Something outside failed: a cluster, a git server, a program, the disk.
    Environment,
    /// A chapter of the demo, or another check, did not hold.
    Unmet,
}

impl FailureKind {
    /// The exit code of the process. `1` is left to `plan`, where it says that there are changes.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Config => 3,
            Self::Environment => 4,
            Self::Unmet => 5,
        }
    }
}

/// A failure as a person sees it.
#[derive(Debug)]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do next, one sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), hints: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\nHint: {hint}")?;
        }
        Ok(())
    }
}

/// All problems of a file.
impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::new(FailureKind::Config, lines.join("\n"))
    }
}

impl From<crate::k8s::ConnectError> for Failure {
    fn from(error: crate::k8s::ConnectError) -> Self {
        Self::new(FailureKind::Environment, error)
    }
}

impl From<crate::ports::StateFailure> for Failure {
    fn from(error: crate::ports::StateFailure) -> Self {
        Self::new(FailureKind::Environment, format!("the daemon's state: {error}"))
    }
}

impl From<crate::ports::ApiFailure> for Failure {
    fn from(error: crate::ports::ApiFailure) -> Self {
        Self::new(FailureKind::Environment, error)
    }
}

impl From<crate::git::GitError> for Failure {
    fn from(error: crate::git::GitError) -> Self {
        Self::new(FailureKind::Environment, error)
    }
}

impl From<crate::local::Error> for Failure {
    fn from(error: crate::local::Error) -> Self {
        Self::new(FailureKind::Environment, error)
    }
}

impl From<crate::render::ToolFailure> for Failure {
    fn from(error: crate::render::ToolFailure) -> Self {
        Self::new(FailureKind::Config, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(FailureKind::Environment, error)
    }
}
