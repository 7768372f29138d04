//! One document of a file.

use std::fmt;

use serde_json::{Map, Value};

use super::error::{Mark, YamlError, YamlErrorKind};
use super::json::JsonReader;
use super::locate::Marks;
use super::parse::parse;

/// A document with its value and its place in the file.
///
/// The text is kept so that a place can be looked up when something is wrong with a field; nothing is paid for places
/// as long as all is well.
#[derive(Clone)]
pub struct Document {
    pub(super) index: usize,
    pub(super) value: Value,
    pub(super) mark: Mark,
    pub(super) ignored: Option<Mark>,
    pub(super) source: Source,
}

/// The text of a document, and how to read it again.
#[derive(Clone)]
pub(super) struct Source {
    pub text: Box<str>,
    /// Where the text begins in the file.
    pub start: Mark,
    pub syntax: Syntax,
    pub max_depth: usize,
}

/// Which of its two parsers read a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Yaml,
    Json,
}

impl Document {
    /// Which document of the file it is, from 0. Empty documents do not count, refused ones do.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The line its first node stands on.
    pub fn line(&self) -> u32 {
        self.mark.line
    }

    /// The value, never null.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value, never null.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The value as an object.
    ///
    /// # Errors
    /// [`YamlErrorKind::NotAnObject`] if it is a scalar or a list.
    pub fn into_object(self) -> Result<Map<String, Value>, YamlError> {
        match self.value {
            Value::Object(object) => Ok(object),
            other => Err(YamlError::new(
                YamlErrorKind::NotAnObject,
                self.mark,
                format!(
                    "the document is a {}, but an object with apiVersion and kind is needed; correct it or move it to \
                     a file that is not rendered",
                    if other.is_array() { "list" } else { "single value" },
                ),
            )),
        }
    }

    /// Where text begins that stands behind the document's root node, or behind `...`, before the next separator.
    /// kubectl drops such text without a word; a linter should not.
    pub fn ignored(&self) -> Option<Mark> {
        self.ignored
    }

    /// Where the value of a JSON pointer begins in the file. To look up several, ask for [`Document::marks`] once.
    pub fn mark(&self, pointer: &str) -> Option<Mark> {
        self.marks()?.value(pointer)
    }

    /// Where the key of a JSON pointer begins in the file.
    pub fn key_mark(&self, pointer: &str) -> Option<Mark> {
        self.marks()?.key(pointer)
    }

    /// The places of all nodes, found by parsing the text again.
    pub fn marks(&self) -> Option<Marks<'_>> {
        let Source { text, start, syntax, max_depth } = &self.source;
        match syntax {
            Syntax::Yaml => {
                let parsed = parse(text, start.line, *max_depth).ok()?;
                Some(Marks { tree: parsed.tree, root: parsed.root? })
            }
            Syntax::Json => {
                let (tree, root) = JsonReader::new(text, *start, *max_depth).value().ok()?.ok()?;
                Some(Marks { tree, root })
            }
        }
    }
}

/// Without the value, which may be a Secret's.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("index", &self.index)
            .field("line", &self.mark.line)
            .finish_non_exhaustive()
    }
}
