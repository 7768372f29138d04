//! A tree written to a folder, for programs that read files: helm and kustomize.

use super::read::{TreeFilter, lfs_refusal};
use super::walk::{self, TreeLimits};
use super::{GitError, Reader};
use crate::model::Refused;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Number of files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What was refused and is not there, by the path from the tree.
    pub refused: Vec<Refused>,
}

impl Reader {
    /// Writes the wanted files of a tree into an empty folder, as plain files (mode 0644) and folders (0755).
    ///
    /// Links inside the tree become copies of what they lead to, so that nothing written leads anywhere. Refused is what
    /// [`Reader::read_tree`] refuses, except links to folders inside the tree.
    ///
    /// # Errors
    /// [`GitError::Io`], also when the folder is not empty; [`GitError::TooLarge`]; [`GitError::Corrupt`].
    pub fn export(
        &self,
        tree: &str,
        into: &Path,
        limits: &TreeLimits,
        filter: &TreeFilter<'_>,
    ) -> Result<Exported, GitError> {
        let mut present = std::fs::read_dir(into).map_err(|e| GitError::io(into, &e))?;
        if present.next().is_some() {
            return Err(GitError::Io {
                path: into.to_owned(),
                detail: "is not empty; a tree is written to an empty folder".into(),
            });
        }
        let root = self.tree(tree)?;
        let walked = walk::walk(self, &root, limits, filter, true)?;
        let mut exported = Exported { refused: walked.refused, ..Exported::default() };
        let mut folders = BTreeSet::new();
        for found in walked.files {
            let content = self.blob(found.blob)?;
            if let Some(reason) = lfs_refusal(&content) {
                exported.refused.push(Refused { path: found.path, reason });
                continue;
            }
            // Every part of the path was judged by the walk; see `checked_name` there.
            let path = into.join(&found.path);
            if let Some(parent) = path.parent()
                && folders.insert(parent.to_owned())
            {
                let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
                if let Err(e) = made {
                    exported.refused.push(unwritable(found.path, &e)?);
                    continue;
                }
            }
            match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
                Ok(mut file) => file.write_all(&content).map_err(|e| GitError::io(&path, &e))?,
                Err(e) => {
                    exported.refused.push(unwritable(found.path, &e)?);
                    continue;
                }
            }
            exported.files += 1;
            exported.bytes += content.len() as u64;
        }
        Ok(exported)
    }
}

/// A path that this file system cannot hold is refused alone; a full or failing disk ends the export.
fn unwritable(path: String, error: &std::io::Error) -> Result<Refused, GitError> {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            Ok(Refused { path, reason: format!("cannot be written: {error}") })
        }
        _ => Err(GitError::io(Path::new(&path), error)),
    }
}
