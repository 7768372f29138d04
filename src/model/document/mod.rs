//! The documents that people write into repositories: from text to typed values, with every mistake told at once.
//!
//! ```text
//! text ─► yaml ─► validate (schema) ─► serde ─► rules (one document) ─► settle (all documents together)
//! ```
//!
//! The schema is generated from the types, so it cannot say something else than they do. What needs more than the
//! documents themselves (cron expressions, time zones, files of the repository) is checked by the callers, which get
//! the places of those fields with each document.

pub mod format;
mod keywords;
mod migrations;
mod nearest;
mod place;
mod pointer;
mod problem;
mod read;
mod rules;
pub mod schema;
mod settle;
pub mod validate;
mod wording;

pub use nearest::nearest;
pub use place::Placed;
pub use problem::{Problem, Severity};
pub use read::read;
pub use settle::Known;

use super::{ApplicationSpec, ClusterSpec, MigrationSpec};
use std::collections::BTreeMap;
use std::fmt;

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// [`ApplicationSpec`].
    Application,
    /// [`ClusterSpec`].
    Cluster,
    /// [`MigrationSpec`].
    Migration,
}

impl DocumentKind {
    /// Every kind, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Application, Self::Cluster, Self::Migration];

    /// The kind as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Cluster => "Cluster",
            Self::Migration => "Migration",
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a document stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The repository's name in the daemon's file; empty when files are checked without a daemon.
    pub repository: String,
    /// The file, by its path in the repository.
    pub file: String,
    /// The line on which the document begins, from 1.
    pub line: u32,
    /// Places of the fields that can turn out wrong later, by JSON pointer: line and column.
    places: BTreeMap<&'static str, (u32, u32)>,
}

impl Origin {
    /// A problem at a field of this document, or at the document's beginning when the field is not written out.
    #[must_use]
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        let place = self.places.get(pointer);
        let (line, column) = place.copied().unwrap_or((self.line, 1));
        Problem::of_file(&self.file, message).at(line, column)
    }
}

/// An `Application` document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationDocument {
    /// `metadata.name`: an RFC 1123 label.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub spec: ApplicationSpec,
    /// Where it stands.
    pub origin: Origin,
}

/// A `Cluster` document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDocument {
    /// `metadata.name`: an RFC 1123 label.
    pub name: String,
    /// `metadata.labels`, which applications select by.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub spec: ClusterSpec,
    /// Where it stands.
    pub origin: Origin,
}

/// A `Migration` document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationDocument {
    /// `metadata.name`: an RFC 1123 label.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub spec: MigrationSpec,
    /// Where it stands.
    pub origin: Origin,
}

/// A document that is there and could not be taken.
///
/// It is **not** gone: nothing of an application may be pruned because its document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The repository's name.
    pub repository: String,
    /// The file.
    pub file: String,
    /// The kind; `None` when it could not be read, and may be any.
    pub kind: Option<DocumentKind>,
    /// The name; `None` when it could not be read, and may be any.
    pub name: Option<String>,
}

/// The documents of one file, a repository or all repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// Applications, in the order of reading.
    pub applications: Vec<ApplicationDocument>,
    /// Clusters, in the order of reading.
    pub clusters: Vec<ClusterDocument>,
    /// Migrations, in the order of reading.
    pub migrations: Vec<MigrationDocument>,
    /// Everything that is wrong, warnings included.
    pub problems: Vec<Problem>,
    /// Documents that are there and were not taken.
    pub refused: Vec<Refusal>,
}

impl Documents {
    /// Adds the documents of another file or repository.
    pub fn merge(&mut self, other: Self) {
        let Self { applications, clusters, migrations, problems, refused } = other;
        self.applications.extend(applications);
        self.clusters.extend(clusters);
        self.migrations.extend(migrations);
        self.problems.extend(problems);
        self.refused.extend(refused);
    }

    /// Whether a document that is not among these may be hidden in one that could not be read, so that it must not
    /// be taken as removed. `repository` is the one that held it.
    #[must_use]
    pub fn conceals(&self, repository: &str, kind: DocumentKind, name: &str) -> bool {
        self.refused.iter().any(|refusal| {
            let named = refusal.name.as_ref().map_or(refusal.repository == repository, |named| named == name);
            refusal.kind.is_none_or(|of_kind| of_kind == kind) && named
        })
    }

    /// Whether any problem is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}
