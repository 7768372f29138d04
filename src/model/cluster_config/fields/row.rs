//! What a row of the field table says, before it has its path.

use std::fmt;

/// What Portolan does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Support {
    /// It is acted on: where it goes in AWS, as `service:Operation member`, or what it decides.
    Acted(&'static str),
    /// A file that uses it is refused.
    Refused {
        /// Why; goes on after "not supported, because ".
        because: &'static str,
        /// The way out.
        instead: &'static str,
    },
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acted(how) => f.write_str(how),
            Self::Refused { because, instead } => {
                write!(f, "not supported, because {because}; instead: {instead}")
            }
        }
    }
}

/// A field of a definition of eksctl's schema.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::cluster_config) struct Row {
    /// The field's name.
    pub field: &'static str,
    /// What holds when it is not written.
    pub default: Option<&'static str>,
    /// Its kind in words. Of acted fields the types know it.
    pub kind: &'static str,
    /// What is done with it.
    pub support: Support,
    /// What eksctl has below it, where all of it is refused: dotted paths and kinds.
    pub below: &'static [(&'static str, &'static str)],
}

impl Row {
    /// The same with a default.
    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// The same with what is below it.
    pub(super) const fn with(mut self, below: &'static [(&'static str, &'static str)]) -> Self {
        self.below = below;
        self
    }
}

/// A field that is acted on.
pub(super) const fn acted(field: &'static str, how: &'static str) -> Row {
    Row { field, default: None, kind: "", support: Support::Acted(how), below: &[] }
}

/// A field that is refused.
pub(super) const fn refused(
    field: &'static str,
    kind: &'static str,
    because: &'static str,
    instead: &'static str,
) -> Row {
    Row { field, default: None, kind, support: Support::Refused { because, instead }, below: &[] }
}

/// Kinds of values, as the table names them.
pub(super) const TEXT: &str = "text";
pub(super) const TEXTS: &str = "list of text";
pub(super) const TEXT_MAP: &str = "map of text";
pub(super) const FLAG: &str = "true or false";
pub(super) const WHOLE: &str = "whole number";
pub(super) const MAPPING: &str = "mapping";
/// The kind of a mapping whose names the file's author chooses, with a mapping below each.
pub const BY_NAME: &str = "mappings by name";
pub(super) const MAPPINGS: &str = "list of mappings";

/// A value of an acted field that eksctl knows and Portolan refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedValue {
    /// The field's name, in whatever part of the file it stands.
    pub field: &'static str,
    /// The value.
    pub value: &'static str,
    /// Why.
    pub because: &'static str,
    /// The way out.
    pub instead: &'static str,
}
