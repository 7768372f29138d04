//! One thing that is wrong with a file, told with the place and the way out.

use serde::Serialize;
use std::fmt;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document, or the file, is not taken.
    Error,
    /// It is taken, but a person should look.
    Warning,
}

/// One thing that is wrong with a file.
///
/// Ordered by file and place, so that a sorted list reads from the top of each file to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file, as the reader was told its name.
    pub file: String,
    /// Line, from 1; 0 when the problem is the file as a whole.
    pub line: u32,
    /// Column in characters, from 1; 0 when the problem is the file as a whole.
    pub column: u32,
    /// How bad it is.
    pub severity: Severity,
    /// The document it is about, such as `Application shop`, when that much could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is wrong: one sentence without a full stop. Never holds the value of a field that could be a secret.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the file as a whole.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            severity: Severity::Error,
            subject: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The same at a place in the file.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        (self.line, self.column) = (line, column);
        self
    }

    /// The same about a document.
    #[must_use]
    pub fn about(mut self, subject: Option<String>) -> Self {
        self.subject = subject;
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether it keeps the document from being taken.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `apps.yaml:4:3: error: unknown field `prun` in `spec.sync`; did you mean `prune`?`, as compilers write it, so
/// that editors can follow it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, ": {severity}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
