//! What a transformation says about itself: each change with its rule, and what a person has to know.

use super::owners::Relink;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What stands for a value that must not be seen.
pub const SENSITIVE: &str = "(sensitive)";

/// One change that a rule made to an object.
///
/// Values of a Secret are never in it: [`SENSITIVE`] stands in their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Where, as a JSON pointer into the object as the rule found it (earlier rules may have changed it).
    pub pointer: String,
    /// What was there; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What is there now; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// The rule's id, such as `service.cluster-ip`.
    pub rule: String,
    /// Why, in words for a person.
    pub reason: String,
}

/// How much a person has to do about a [`Remark`]. The names are those of the assessment's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Weight {
    /// It works, and differs.
    Warning,
    /// There are several ways, and a person has to choose.
    Choice,
    /// The object cannot work in the target before something is done.
    Blocker,
}

impl Weight {
    /// The level's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Choice => "Choice",
            Self::Blocker => "Blocker",
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something about an object that no edit settles.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Remark {
    /// Which object it is about, as `Kind.group namespace/name`.
    pub subject: String,
    /// Where, as a JSON pointer; empty: the object as a whole.
    pub pointer: String,
    /// How much a person has to do.
    pub weight: Weight,
    /// The rule's id.
    pub rule: String,
    /// Where the rule comes from.
    pub source: String,
    /// What is the matter and what to do, in words for a person. Never holds a secret value.
    pub says: String,
    /// Ways out as (id, what it means); the first is the one proposed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<(String, String)>,
}

/// Why an object is not carried over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dropped {
    /// The rule's id.
    pub rule: String,
    /// Why, in words for a person.
    pub reason: String,
}

/// What became of one object.
#[derive(Clone, PartialEq, Default)]
pub struct Transformed {
    /// What the target gets: nothing when [`dropped`](Self::dropped), several when the object was a list.
    pub objects: Vec<Value>,
    /// Every change, in the order in which the rules made them.
    pub edits: Vec<Edit>,
    /// What a person has to know, the most urgent first.
    pub remarks: Vec<Remark>,
    /// Why the object does not go over, where it does not.
    pub dropped: Option<Dropped>,
    /// Owners that it has to be linked to again, by their uids in the target.
    pub relinks: Vec<Relink>,
}

/// Shows everything but the objects, which may hold secrets.
impl fmt::Debug for Transformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformed")
            .field("objects", &self.objects.len())
            .field("edits", &self.edits)
            .field("remarks", &self.remarks)
            .field("dropped", &self.dropped)
            .field("relinks", &self.relinks)
            .finish()
    }
}
