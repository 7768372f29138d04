//! The files of a tree, read from the object database.

use super::links::{self, Target};
use super::walk::{self, TreeLimits};
use super::{GitError, Reader};
use crate::model::{Refused, SourceFile};
use git2::Oid;
use std::collections::HashMap;
use std::sync::Arc;

/// Which files of a tree are wanted. What is not wanted is neither read nor refused, except submodules and unsafe names.
#[derive(Clone, Copy)]
pub struct TreeFilter<'a> {
    /// Whether folders inside are entered.
    pub recurse: bool,
    /// Whether a file is wanted, by its path from the tree.
    pub file: &'a dyn Fn(&str) -> bool,
}

impl TreeFilter<'static> {
    /// Every file.
    pub const ALL: Self = Self { recurse: true, file: &|_| true };
}

/// What a tree holds, by the path from the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeContent {
    /// The wanted files in git's order. Links to files inside the tree are files here.
    pub files: Vec<SourceFile>,
    /// What was refused; the files beside it are in `files`.
    pub refused: Vec<Refused>,
}

impl Reader {
    /// The id of a folder at a commit, 40 hex digits; `None` where there is no such folder. The empty path is the root.
    ///
    /// Equal ids mean equal content, so this is what rendering is keyed by. Links on the way are followed inside the repository.
    ///
    /// # Errors
    /// [`GitError::Path`] when the path leads out; [`GitError::Corrupt`].
    pub fn tree_id(&self, commit: &str, path: &str) -> Result<Option<String>, GitError> {
        Ok(match self.at(commit, path)? {
            Target::Folder(oid, _) => Some(oid.to_string()),
            _ => None,
        })
    }

    /// The id of a file or folder at a commit; `None` where there is neither.
    ///
    /// # Errors
    /// [`GitError::Path`] when the path leads out; [`GitError::Corrupt`].
    pub fn object_id(&self, commit: &str, path: &str) -> Result<Option<String>, GitError> {
        Ok(match self.at(commit, path)? {
            Target::Folder(oid, _) | Target::File(oid) => Some(oid.to_string()),
            Target::Nowhere(_) => None,
        })
    }

    /// The names directly in a tree, folders with a `/` at the end. Enough to choose a renderer.
    ///
    /// # Errors
    /// [`GitError::Corrupt`].
    pub fn names(&self, tree: &str) -> Result<Vec<String>, GitError> {
        let tree = self.tree(tree)?;
        let name = |entry: git2::TreeEntry<'_>| {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            if entry.filemode() == links::FOLDER { name + "/" } else { name }
        };
        Ok(tree.iter().map(name).collect())
    }

    /// Reads the wanted files of a tree. Nothing is written to a disk, and no file above the limit is ever loaded.
    ///
    /// Refused one by one, while the rest is read: links that lead out of the tree, submodules, Git LFS pointers, files that
    /// are too large, folders that are too deep, names that are no names.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] when the tree as a whole is over a limit; [`GitError::Corrupt`].
    pub fn read_tree(
        &self,
        tree: &str,
        limits: &TreeLimits,
        filter: &TreeFilter<'_>,
    ) -> Result<TreeContent, GitError> {
        let root = self.tree(tree)?;
        let walked = walk::walk(self, &root, limits, filter, false)?;
        let mut content =
            TreeContent { files: Vec::with_capacity(walked.files.len()), refused: walked.refused };
        let mut blobs: HashMap<Oid, Arc<[u8]>> = HashMap::new();
        for found in walked.files {
            let shared = match blobs.get(&found.blob) {
                Some(bytes) => Arc::clone(bytes),
                None => Arc::clone(blobs.entry(found.blob).or_insert(self.blob(found.blob)?)),
            };
            match lfs_refusal(&shared) {
                Some(reason) => content.refused.push(Refused { path: found.path, reason }),
                None => content.files.push(SourceFile { path: found.path, content: shared }),
            }
        }
        Ok(content)
    }

    /// Reads one file at a commit, by its path from the root, and nothing beside it. Links are followed inside the
    /// repository. Refused as by [`Self::read_tree`]; empty when there is no such file.
    ///
    /// # Errors
    /// [`GitError::Path`] when the path leads out; [`GitError::Corrupt`].
    pub fn read_file(&self, commit: &str, path: &str, limits: &TreeLimits) -> Result<TreeContent, GitError> {
        let mut content = TreeContent::default();
        let path = path.trim_matches('/').to_owned();
        match self.at(commit, &path)? {
            Target::File(blob) => {
                let odb = self.repo.odb().map_err(|e| self.damaged(&e))?;
                let (size, kind) = odb.read_header(blob).map_err(|e| self.damaged(&e))?;
                let reason = match walk::file_refusal(size as u64, kind, limits) {
                    Some(reason) => reason,
                    None => {
                        let bytes = self.blob(blob)?;
                        match lfs_refusal(&bytes) {
                            Some(reason) => reason,
                            None => {
                                content.files.push(SourceFile { path, content: bytes });
                                return Ok(content);
                            }
                        }
                    }
                };
                content.refused.push(Refused { path, reason });
            }
            Target::Nowhere(links::NOTHING) | Target::Folder(..) => {}
            Target::Nowhere(reason) => content.refused.push(Refused { path, reason: reason.to_owned() }),
        }
        Ok(content)
    }

    fn at(&self, commit: &str, path: &str) -> Result<Target, GitError> {
        let oid = Oid::from_str(commit).map_err(|e| self.damaged(&e))?;
        let root = self.repo.find_commit(oid).map_err(|e| self.damaged(&e))?.tree_id();
        links::follow(&self.repo, &self.folders, root, &[], checked_path(path)?).map_err(|e| self.damaged(&e))
    }

    pub(super) fn tree(&self, id: &str) -> Result<git2::Tree<'_>, GitError> {
        Oid::from_str(id).and_then(|oid| self.repo.find_tree(oid)).map_err(|e| self.damaged(&e))
    }

    pub(super) fn blob(&self, oid: Oid) -> Result<Arc<[u8]>, GitError> {
        let odb = self.repo.odb().map_err(|e| self.damaged(&e))?;
        let object = odb.read(oid).map_err(|e| self.damaged(&e))?;
        Ok(Arc::from(object.data()))
    }
}

/// A path inside a repository. It may begin with `/` and may not climb.
pub(super) fn checked_path(path: &str) -> Result<&str, GitError> {
    if path.split('/').any(|part| part == "..") {
        return Err(GitError::Path { path: path.to_owned(), reason: "`..` is not allowed in it".into() });
    }
    Ok(path)
}

/// Why a file is refused when it is a Git LFS pointer (git-lfs, docs/spec.md: under 1024 bytes, `version` comes first).
pub(super) fn lfs_refusal(content: &[u8]) -> Option<String> {
    let is_pointer = content.len() < 1024
        && (content.starts_with(b"version https://git-lfs.github.com/spec/")
            || content.starts_with(b"version https://hawser.github.com/spec/"));
    is_pointer.then(|| "is a Git LFS pointer; its content is not in the repository: take the file out of LFS (`git lfs untrack`)".to_owned())
}
