//! A repository in memory, for tests of what reads repositories.

use async_trait::async_trait;
use portolan::model::{Refused, Revision, SourceFile};
use portolan::ports::{Checkout, Repository, RepositoryFailure, Tip};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type Files = BTreeMap<String, Arc<[u8]>>;

/// Commits are numbered from 0; each is a whole set of files.
#[derive(Default)]
pub struct MemoryRepository {
    commits: Mutex<Vec<Files>>,
    /// Refused in every commit, by path in the repository.
    pub refused: Vec<Refused>,
    /// How often files were read.
    pub reads: AtomicUsize,
    /// Folders and single files that were read.
    pub folders_read: Mutex<Vec<String>>,
    pub files_read: Mutex<Vec<String>>,
}

impl MemoryRepository {
    /// A repository with one commit.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let repository = Self::default();
        repository.commits.lock().unwrap().push(Files::new());
        repository.commit(files);
        repository
    }

    /// Makes a commit that changes these files, and gives its id. An empty text removes the file.
    pub fn commit<'a>(&self, changes: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let changes = changes.into_iter().map(|(path, text)| (path, text.as_bytes()));
        self.commit_bytes(changes)
    }

    /// [`Self::commit`] with any content.
    pub fn commit_bytes<'a>(&self, changes: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
        let mut commits = self.commits.lock().unwrap();
        let mut files = commits.last().unwrap().clone();
        for (path, content) in changes {
            match content.is_empty() {
                true => files.remove(path),
                false => files.insert(path.into(), content.into()),
            };
        }
        commits.push(files);
        (commits.len() - 1).to_string()
    }

    /// The newest commit.
    pub fn head(&self) -> String {
        (self.commits.lock().unwrap().len() - 1).to_string()
    }

    fn below(&self, commit: &str, folder: &str) -> Files {
        let commits = self.commits.lock().unwrap();
        let files = &commits[commit.parse::<usize>().unwrap()];
        let inside = |path: &str| match folder {
            "" => Some(path.to_owned()),
            folder => Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned()),
        };
        files.iter().filter_map(|(path, content)| Some((inside(path)?, Arc::clone(content)))).collect()
    }
}

#[async_trait]
impl Repository for MemoryRepository {
    async fn fetch(&self) -> Result<Tip, RepositoryFailure> {
        Ok(Tip::default())
    }

    async fn resolve(&self, reference: Option<&str>) -> Result<Revision, RepositoryFailure> {
        Ok(Revision {
            reference: reference.unwrap_or("main").into(),
            commit: self.head(),
            committed_at: 0,
            subject: String::new(),
        })
    }

    async fn tree_id(&self, commit: &str, path: &str) -> Result<Option<String>, RepositoryFailure> {
        let files = self.below(commit, path);
        let mut digest = Sha256::new();
        for (path, content) in &files {
            digest.update(format!("{path}\0{}\0", content.len()));
            digest.update(content);
        }
        let id: String = digest.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect();
        Ok((!files.is_empty()).then_some(id))
    }

    async fn folders(&self, commit: &str, pattern: &str) -> Result<Vec<String>, RepositoryFailure> {
        let parent = pattern.strip_suffix("/*").unwrap();
        let files = self.below(commit, parent);
        let names: BTreeSet<String> =
            files.keys().filter_map(|path| Some(format!("{parent}/{}", path.split_once('/')?.0))).collect();
        Ok(names.into_iter().collect())
    }

    async fn file(&self, commit: &str, path: &str) -> Result<Checkout, RepositoryFailure> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.files_read.lock().unwrap().push(path.into());
        let commits = self.commits.lock().unwrap();
        let found = commits[commit.parse::<usize>().unwrap()].get(path).cloned();
        let file = found.map(|content| SourceFile { path: path.into(), content });
        let refused = self.refused.iter().find(|refused| refused.path == path).cloned();
        Ok(Checkout { files: file.into_iter().collect(), refused: refused.into_iter().collect() })
    }

    async fn read(&self, commit: &str, path: &str, endings: &[&str]) -> Result<Checkout, RepositoryFailure> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.folders_read.lock().unwrap().push(path.into());
        let wanted = |path: &str| endings.is_empty() || endings.iter().any(|ending| path.ends_with(ending));
        let files = self.below(commit, path).into_iter().filter(|(path, _)| wanted(path));
        let refused =
            self.refused.iter().filter(|refused| refused.path.starts_with(path) && wanted(&refused.path));
        Ok(Checkout {
            files: files.map(|(path, content)| SourceFile { path, content }).collect(),
            refused: refused.cloned().collect(),
        })
    }
}
