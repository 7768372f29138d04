//! What becomes of a thing of the old cluster: the word that every part of an assessment speaks.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a person has to do about something.
///
/// The order is that of urgency: what comes later asks more of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// EKS has no such thing and needs none.
    Irrelevant,
    /// It is carried over.
    Mapped,
    /// It works, and differs.
    Warning,
    /// There are several ways, and a person has to choose.
    Choice,
    /// The move cannot begin before something is done.
    Blocker,
}

impl Level {
    /// Every level, the most urgent first, as reports list them.
    pub const ALL: [Self; 5] = [Self::Blocker, Self::Choice, Self::Warning, Self::Mapped, Self::Irrelevant];

    /// The level's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Irrelevant => "Irrelevant",
            Self::Mapped => "Mapped",
            Self::Warning => "Warning",
            Self::Choice => "Choice",
            Self::Blocker => "Blocker",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One way out of a [`Level::Choice`] or a [`Level::Blocker`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Offer {
    /// What is written into the `Migration` document to take it.
    pub id: String,
    /// What it means.
    pub says: String,
    /// Whether it is what Portolan would do.
    #[serde(default)]
    pub proposed: bool,
}

/// What becomes of one thing, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Which object or file it is about, such as `InstanceGroup nodes`.
    pub subject: String,
    /// The field as the subject's author wrote it: a JSON pointer. Empty: the subject as a whole.
    pub field: String,
    /// How much a person has to do.
    pub level: Level,
    /// The rule's stable id, such as `kops.network.service-range`.
    pub rule: String,
    /// Where the rule comes from: an API's model, a document, an issue.
    pub source: String,
    /// What becomes of it, in words for a person. Never holds a secret value.
    pub says: String,
    /// What it becomes, such as a path of the ClusterConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<String>,
    /// Ways out, for a choice or a blocker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Offer>,
}
