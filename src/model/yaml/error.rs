//! What can be wrong with a document, told with the place and the way out.

use std::fmt;

/// A place in a file. Both numbers start at 1; the column counts characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Line in the file.
    pub line: u32,
    /// Column in the line.
    pub column: u32,
}

impl Mark {
    /// The first character of a file.
    pub const START: Mark = Mark { line: 1, column: 1 };
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The sort of a [`YamlError`], for callers that treat some of them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// The text is not YAML 1.1 (or JSON) as kubectl understands it.
    Syntax,
    /// A line begins with `---` and goes on with something else than a comment.
    Separator,
    /// The bytes are no valid UTF-8 or UTF-16, or hold control characters.
    Encoding,
    /// A key occurs twice in one mapping. kubectl would keep the last one without a word.
    DuplicateKey {
        /// Where the key stands first; the error itself points at the second place.
        first: Mark,
    },
    /// A key that JSON cannot express: null, a collection, a number beyond 64 bits signed.
    Key,
    /// A number that JSON cannot express: an infinity, not-a-number, or one out of range.
    Number,
    /// An explicit tag such as `!!int` does not fit its text.
    Tag,
    /// An alias to an unknown anchor, to itself, or far too many of them.
    Alias,
    /// `<<` with something else than mappings.
    Merge,
    /// The document is a scalar or a sequence where an object is needed.
    NotAnObject,
    /// One of [`super::Limits`] is exceeded.
    Limit,
}

/// Why a document could not be read.
///
/// The message is a sentence for a person and names the way out. Of the document it quotes only keys: all else may be
/// a secret, even an alias, for a password without quotes can begin with `*`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line in the file, from 1.
    pub line: u32,
    /// Column in the line in characters, from 1.
    pub column: u32,
    /// What sort of error it is.
    pub kind: YamlErrorKind,
    /// What is wrong and what to do.
    pub message: String,
}

impl YamlError {
    /// An error at a place.
    pub(super) fn new(kind: YamlErrorKind, mark: Mark, message: impl Into<String>) -> Self {
        YamlError { line: mark.line, column: mark.column, kind, message: message.into() }
    }

    /// A syntax error at a place.
    pub(super) fn syntax(mark: Mark, message: impl Into<String>) -> Self {
        YamlError::new(YamlErrorKind::Syntax, mark, message)
    }

    /// Where it is wrong.
    pub fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column }
    }
}
