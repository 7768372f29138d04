//! A git repository as the engine sees it.

use crate::model::{Refused, Revision, SourceFile};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// What one fetch found: every branch and tag with its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// Full reference name → commit id.
    pub references: BTreeMap<String, String>,
}

/// The content of a folder at a commit.
#[derive(Clone, Debug, Default)]
pub struct Checkout {
    /// Files, by path from the folder.
    pub files: Vec<SourceFile>,
    /// What could not be taken; rendering is incomplete while there is any.
    pub refused: Vec<Refused>,
}

/// Why a repository did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RepositoryFailure {
    /// A sentence with the way out; holds no credential.
    pub message: String,
    /// Whether it may go away by itself (network, server).
    pub transient: bool,
}

/// One repository, kept as a mirror.
#[async_trait]
pub trait Repository: Send + Sync + 'static {
    /// Brings the mirror up to date.
    async fn fetch(&self) -> Result<Tip, RepositoryFailure>;
    /// Finds the commit for a branch, tag, semver range or commit; `None` is the remote's default branch.
    async fn resolve(&self, reference: Option<&str>) -> Result<Revision, RepositoryFailure>;
    /// The id of a folder or file at a commit; `None` when there is neither. Empty path: the root.
    async fn tree_id(&self, commit: &str, path: &str) -> Result<Option<String>, RepositoryFailure>;
    /// Folders that match a glob, sorted.
    async fn folders(&self, commit: &str, pattern: &str) -> Result<Vec<String>, RepositoryFailure>;
    /// Reads one file, by its path from the root: the file or its refusal, under that path; neither when there is none.
    async fn file(&self, commit: &str, path: &str) -> Result<Checkout, RepositoryFailure>;
    /// Reads the files below a folder whose name ends as given (empty: all).
    async fn read(&self, commit: &str, path: &str, endings: &[&str]) -> Result<Checkout, RepositoryFailure>;
}
