//! Problems at their places in a YAML document.

use super::Problem;
use super::validate::{Validator, Violation};
use crate::model::yaml::{Document, Marks};
use serde_json::Value;
use std::cell::OnceCell;

/// A document whose problems are to be told. Places are looked up only when there is something to tell, and then
/// for all problems at once.
pub struct Placed<'a> {
    file: &'a str,
    document: &'a Document,
    marks: OnceCell<Option<Marks<'a>>>,
}

impl<'a> Placed<'a> {
    /// A document of a file.
    #[must_use]
    pub const fn new(file: &'a str, document: &'a Document) -> Self {
        Self { file, document, marks: OnceCell::new() }
    }

    /// Line and column of a field's key or a list's item; `None` when it is not written out.
    #[must_use]
    pub fn find(&self, pointer: &str) -> Option<(u32, u32)> {
        let marks = self.marks.get_or_init(|| self.document.marks()).as_ref()?;
        let mark = marks.key(pointer).or_else(|| marks.value(pointer))?;
        Some((mark.line, mark.column))
    }

    /// The same; when it is not written out, the place of what would hold it.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> (u32, u32) {
        let mut pointer = pointer;
        loop {
            match (self.find(pointer), pointer.rfind('/')) {
                (Some(place), _) => return place,
                (None, Some(parent)) => pointer = &pointer[..parent],
                (None, None) => return (self.document.line(), 1),
            }
        }
    }

    /// A problem at a field.
    #[must_use]
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        let (line, column) = self.nearest(pointer);
        Problem::of_file(self.file, message).at(line, column)
    }

    /// A violation as a problem.
    #[must_use]
    pub fn violation(&self, violation: Violation) -> Problem {
        let Violation { pointer, message, hint } = violation;
        Problem { hint, ..self.problem(&pointer, message) }
    }

    /// The document's value without fields that are null where the schema has no null, and what is wrong with it,
    /// in the order of the file.
    #[must_use]
    pub fn check(&self, validator: &Validator) -> (Value, Vec<Problem>) {
        let mut value = self.document.value().clone();
        validator.drop_nulls(&mut value);
        let mut problems: Vec<_> =
            validator.check(&value).into_iter().map(|violation| self.violation(violation)).collect();
        problems.sort();
        (value, problems)
    }

    /// A warning when text follows the end of the document that nobody reads.
    #[must_use]
    pub fn ignored(&self) -> Option<Problem> {
        let mark = self.document.ignored()?;
        let problem =
            Problem::of_file(self.file, "the text from here on is not read: the document ended before it");
        Some(
            problem.at(mark.line, mark.column).hint("put `---` before it, or mend its indentation").warning(),
        )
    }
}
