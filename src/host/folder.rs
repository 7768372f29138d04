//! A folder of this machine, or a single file, as files by key.

use crate::ports::{Files, FilesFailure, Folders};
use async_trait::async_trait;
use std::io;
use std::path::{Path, PathBuf};

/// Most files that are listed: a folder that was named by mistake must not be walked for hours.
const MOST_FILES: usize = 200_000;
/// Deepest nesting.
const DEEPEST: usize = 32;
/// Largest file that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A folder, or a single file, whose key is then its name. Symbolic links to files are followed, those to folders are
/// not: a ring of them would have no end.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    shown: String,
}

/// Opens folders of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFolders;

impl Folders for HostFolders {
    fn open(&self, path: &str) -> Box<dyn Files> {
        Box::new(Folder::new(Path::new(path)))
    }
}

impl Folder {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), shown: path.display().to_string() }
    }

    fn failure(&self, key: &str, reason: impl Into<String>) -> FilesFailure {
        let place = if key.is_empty() { self.shown.clone() } else { format!("{}/{key}", self.shown) };
        FilesFailure { place, reason: reason.into() }
    }
}

#[async_trait]
impl Files for Folder {
    fn place(&self) -> &str {
        &self.shown
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, FilesFailure> {
        let path = self.path.clone();
        let listed = tokio::task::spawn_blocking(move || listing(&path)).await;
        let listed = listed.map_err(|error| self.failure("", error.to_string()))?;
        let mut keys = listed.map_err(|(place, reason)| self.failure(&place, reason))?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, FilesFailure> {
        let path = if self.path.is_file() { self.path.clone() } else { self.path.join(key) };
        let wrong = |error: io::Error| self.failure(key, error.to_string());
        let size = tokio::fs::metadata(&path).await.map_err(wrong)?.len();
        if size > LARGEST {
            return Err(self.failure(key, format!("it has {size} bytes; {LARGEST} are read at most")));
        }
        tokio::fs::read(&path).await.map_err(wrong)
    }
}

type Wrong = (String, String);

fn listing(root: &Path) -> Result<Vec<String>, Wrong> {
    if root.is_file() {
        let name = root.file_name().and_then(|name| name.to_str());
        return Ok(name.map(str::to_owned).into_iter().collect());
    }
    let mut keys = Vec::new();
    walk(root, "", 0, &mut keys)?;
    Ok(keys)
}

fn walk(folder: &Path, prefix: &str, depth: usize, keys: &mut Vec<String>) -> Result<(), Wrong> {
    let wrong = |error: io::Error| (prefix.trim_end_matches('/').to_owned(), error.to_string());
    if depth > DEEPEST {
        return Err((prefix.into(), format!("folders are nested deeper than {DEEPEST} levels")));
    }
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(wrong)?;
        if kind.is_dir() {
            // What git keeps for itself is none of a repository's files.
            if name != ".git" {
                walk(&entry.path(), &format!("{key}/"), depth + 1, keys)?;
            }
        } else if entry.path().is_file() {
            keys.push(key);
        }
        if keys.len() > MOST_FILES {
            return Err((
                String::new(),
                format!("it has more than {MOST_FILES} files; name a folder further down"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_and_a_single_file_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for key in ["a/config", "a/instancegroup/nodes", "b/config", ".git/config"] {
            let path = folder.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, key).unwrap();
        }
        let files = Folder::new(folder.path());
        assert_eq!(files.list("a/").await.unwrap(), ["a/config", "a/instancegroup/nodes"]);
        assert_eq!(files.list("").await.unwrap().len(), 3);
        assert_eq!(files.read("a/config").await.unwrap(), b"a/config");
        assert!(files.read("c").await.unwrap_err().to_string().contains("/c: "));
        let one = Folder::new(&folder.path().join("a/config"));
        assert_eq!(one.list("").await.unwrap(), ["config"]);
        assert_eq!(one.read("config").await.unwrap(), b"a/config");
        let none = Folder::new(Path::new("/nonexistent"));
        assert!(none.list("").await.unwrap_err().to_string().starts_with("/nonexistent: "));
    }
}
