//! Which content of a repository: commits and trees by id.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A commit of a repository, with the name that led to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// What was asked for: a branch, tag, semver range or commit.
    pub reference: String,
    /// Commit id, 40 hex digits.
    pub commit: String,
    /// The commit's time, in seconds since 1970-01-01 UTC.
    #[serde(default)]
    pub committed_at: i64,
    /// First line of the commit's message.
    #[serde(default)]
    pub subject: String,
}

/// `main@1a2b3c4d5e6f`.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.reference, self.short())
    }
}

impl Revision {
    /// The first twelve digits of the commit id.
    #[must_use]
    pub fn short(&self) -> &str {
        self.commit.get(..12).unwrap_or(&self.commit)
    }
}

/// One file of a tree, read or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path from the tree that was read, with `/`.
    pub path: String,
    /// Content, shared with whoever else reads the same blob.
    pub content: std::sync::Arc<[u8]>,
}

/// A file or folder that could not be taken, and why. The others go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Path in the repository.
    pub path: String,
    /// A sentence for a person.
    pub reason: String,
}
