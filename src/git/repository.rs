//! The port [`Repository`] on a mirror: blocking reads on the blocking pool, fetches in a child.

use super::{
    Credentials, FetchLimits, FetchRequest, GitError, Mirror, Reader, TreeFilter, TreeLimits, fetch,
};
use crate::model::Revision;
use crate::ports::{Checkout, Repository, RepositoryFailure, Tip};
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Readers kept open: each maps the mirror's packs.
const POOLED: usize = 8;

/// How the credentials of a fetch are had: read anew for each, so that a rotated secret counts at once.
pub type CredentialSource = dyn Fn() -> Result<(Credentials, String), String> + Send + Sync;

/// A repository that is kept as a mirror.
pub struct MirroredRepository {
    mirror: Mirror,
    /// The program that fetches: our own.
    program: PathBuf,
    credentials: Arc<CredentialSource>,
    ca_file: Option<PathBuf>,
    fetch_limits: FetchLimits,
    tree_limits: TreeLimits,
    /// Opened readers that nobody uses at the moment: opening costs more than most reads.
    readers: Arc<Mutex<Vec<Reader>>>,
    /// Commit ids that documents ask for and no branch may lead to.
    commits: Mutex<std::collections::BTreeSet<String>>,
}

impl MirroredRepository {
    /// A repository on its mirror. `credentials` gives the credentials and the pinned host keys.
    #[must_use]
    pub fn new(
        mirror: Mirror,
        program: PathBuf,
        credentials: Arc<CredentialSource>,
        ca_file: Option<PathBuf>,
        fetch_limits: FetchLimits,
        tree_limits: TreeLimits,
    ) -> Self {
        Self {
            mirror,
            program,
            credentials,
            ca_file,
            fetch_limits,
            tree_limits,
            readers: Arc::default(),
            commits: Mutex::default(),
        }
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, RepositoryFailure> {
        let (mirror, readers) = (self.mirror.clone(), self.readers.clone());
        let done = tokio::task::spawn_blocking(move || {
            let free = lock(&readers).pop();
            let reader = match free {
                Some(reader) => reader,
                None => mirror.reader()?,
            };
            let result = work(&reader);
            // One that met damage is opened anew: a fetch may have put another mirror in its place.
            if result.is_ok() {
                let mut readers = lock(&readers);
                if readers.len() < POOLED {
                    readers.push(reader);
                }
            }
            result
        });
        match done.await {
            Ok(result) => result.map_err(failure),
            Err(error) => {
                Err(RepositoryFailure { message: format!("reading the mirror: {error}"), transient: true })
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(error: GitError) -> RepositoryFailure {
    RepositoryFailure { transient: error.is_transient(), message: error.to_string() }
}

fn is_commit_id(reference: &str) -> bool {
    reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[async_trait]
impl Repository for MirroredRepository {
    async fn fetch(&self) -> Result<Tip, RepositoryFailure> {
        let (credentials, known_hosts) =
            (self.credentials)().map_err(|message| RepositoryFailure { message, transient: true })?;
        let mut request = FetchRequest {
            credentials,
            known_hosts,
            ca_file: self.ca_file.clone(),
            commits: lock(&self.commits).iter().cloned().collect(),
            ..FetchRequest::new(self.mirror.clone())
        };
        let mut outcome = fetch(&self.program, &request, &self.fetch_limits).await;
        if matches!(outcome, Err(GitError::Corrupt { .. })) {
            lock(&self.readers).clear();
            request.anew = true;
            outcome = fetch(&self.program, &request, &self.fetch_limits).await;
        }
        let outcome = outcome.map_err(failure)?;
        let mut references = outcome.refs;
        // A moved default branch is news as well.
        references.extend(outcome.head.map(|head| ("HEAD".to_owned(), head)));
        Ok(Tip { references })
    }

    async fn resolve(&self, reference: Option<&str>) -> Result<Revision, RepositoryFailure> {
        let wanted = reference.map(str::to_owned);
        if let Some(commit) = reference.filter(|reference| is_commit_id(reference)) {
            lock(&self.commits).insert(commit.to_ascii_lowercase());
        }
        self.with_reader(move |reader| reader.resolve(wanted.as_deref())).await
    }

    async fn tree_id(&self, commit: &str, path: &str) -> Result<Option<String>, RepositoryFailure> {
        let (commit, path) = (commit.to_owned(), path.to_owned());
        self.with_reader(move |reader| reader.object_id(&commit, &path)).await
    }

    async fn folders(&self, commit: &str, pattern: &str) -> Result<Vec<String>, RepositoryFailure> {
        let (commit, pattern, limits) = (commit.to_owned(), pattern.to_owned(), self.tree_limits);
        self.with_reader(move |reader| reader.glob_folders(&commit, &pattern, &limits)).await
    }

    async fn file(&self, commit: &str, path: &str) -> Result<Checkout, RepositoryFailure> {
        let (commit, path, limits) = (commit.to_owned(), path.to_owned(), self.tree_limits);
        self.with_reader(move |reader| {
            let content = reader.read_file(&commit, &path, &limits)?;
            Ok(Checkout { files: content.files, refused: content.refused })
        })
        .await
    }

    async fn read(&self, commit: &str, path: &str, endings: &[&str]) -> Result<Checkout, RepositoryFailure> {
        let (commit, path, limits) = (commit.to_owned(), path.to_owned(), self.tree_limits);
        let endings: Vec<String> = endings.iter().map(|ending| (*ending).to_owned()).collect();
        self.with_reader(move |reader| {
            let Some(tree) = reader.tree_id(&commit, &path)? else { return Ok(Checkout::default()) };
            let wanted = |name: &str| {
                endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending.as_str()))
            };
            let content = reader.read_tree(&tree, &limits, &TreeFilter { recurse: true, file: &wanted })?;
            Ok(Checkout { files: content.files, refused: content.refused })
        })
        .await
    }
}
