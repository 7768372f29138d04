//! What reading a ClusterConfig gives beside it: the places of its fields, or what is wrong.

use crate::model::document::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that is wrong with a file, from its top to its end. At least one of them is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

/// One line for each, as compilers write them.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Where the fields of a ClusterConfig stand in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) places: BTreeMap<String, (u32, u32)>,
    pub(super) warnings: Vec<Problem>,
}

impl Positions {
    /// The file, as the reader was told its name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column of a field, from 1, by its JSON pointer; of what would hold it when it is not written out.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> (u32, u32) {
        let mut pointer = pointer;
        loop {
            match (self.places.get(pointer), pointer.rfind('/')) {
                (Some(place), _) => return *place,
                (None, Some(parent)) => pointer = &pointer[..parent],
                (None, None) => return (self.line, 1),
            }
        }
    }

    /// A problem at a field, for what turns out wrong later: a zone that the region does not have.
    #[must_use]
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        let (line, column) = self.nearest(pointer);
        Problem::of_file(&self.file, message).at(line, column)
    }

    /// What a person should look at although the file can be taken.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// The JSON pointers of everything in a value, the root apart.
pub(super) fn pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    open.push((format!("{pointer}/{name}"), field));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    open.push((format!("{pointer}/{index}"), item));
                }
            }
            _ => {}
        }
        if !pointer.is_empty() {
            found.push(pointer);
        }
    }
    found
}
