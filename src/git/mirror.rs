//! The bare mirror of a repository on disk.

use super::classify::read_error;
use super::links::FolderCache;
use super::{GitError, RepositoryAddress, refs};
use git2::{Repository, RepositoryInitOptions};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An empty folder in the child's home, given as SSL_CERT_DIR where a repository has its own authority.
pub(super) const NO_AUTHORITIES: &str = "no-authorities";

/// A repository's folder in the data folder: the bare mirror, the fetch child's empty home, and a lock.
///
/// ```text
/// <mirrors>/<name>-<hash of the address>/
///   repo.git/   bare repository; references in packed-refs, no object is ever deleted
///   home/       HOME of the fetch child: no git configuration, and .ssh/known_hosts with the pinned keys
///   lock        held by a fetch
/// ```
/// Cheap to clone and to send; each use opens the repository anew through [`Mirror::reader`].
#[derive(Clone)]
pub struct Mirror {
    folder: PathBuf,
    address: RepositoryAddress,
    folders: Arc<FolderCache>,
}

impl Mirror {
    /// The mirror of a repository under a folder of mirrors, created empty when it is not there yet.
    ///
    /// # Errors
    /// [`GitError::Io`] when the folder cannot be made; [`GitError::Owner`] or [`GitError::Corrupt`] when what is there
    /// cannot be opened.
    pub fn open(mirrors: &Path, address: RepositoryAddress) -> Result<Self, GitError> {
        let folder = mirrors.join(address.folder_name());
        let mirror = Self { folder, address, folders: Arc::default() };
        for folder in [mirror.folder.clone(), mirror.home().join(".ssh"), mirror.home().join(NO_AUTHORITIES)]
        {
            // The content may be private: no other user reads it.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|e| GitError::io(&folder, &e))?;
        }
        if !mirror.repository_path().exists() {
            init_bare(&mirror.repository_path())?;
        }
        Ok(mirror)
    }

    /// The address that is mirrored.
    #[must_use]
    pub const fn address(&self) -> &RepositoryAddress {
        &self.address
    }

    /// The folder of this mirror.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the mirror for reading. The reader may move between threads, but not be shared by them.
    ///
    /// # Errors
    /// [`GitError::Owner`] or [`GitError::Corrupt`].
    pub fn reader(&self) -> Result<Reader, GitError> {
        let path = self.repository_path();
        let repo = Repository::open_bare(&path).map_err(|e| read_error(&path.to_string_lossy(), &e))?;
        Ok(Reader { repo, address: self.address.clone(), folders: self.folders.clone() })
    }

    pub(super) fn repository_path(&self) -> PathBuf {
        self.folder.join("repo.git")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mirror({} in {})", self.address, self.folder.display())
    }
}

/// Creates an empty bare repository that flushes what it writes.
pub(super) fn init_bare(path: &Path) -> Result<Repository, GitError> {
    let place = path.to_string_lossy();
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).no_reinit(true).initial_head("main");
    let repo = Repository::init_opts(path, &options).map_err(|e| read_error(&place, &e))?;
    let configured = repo.config().and_then(|mut config| {
        config.set_bool("core.fsyncObjectFiles", true)?;
        config.set_i32("gc.auto", 0)
    });
    configured.map_err(|e| read_error(&place, &e))?;
    refs::set_head(&repo, None)?;
    Ok(repo)
}

/// An opened mirror: resolves references and reads trees. All its work is blocking.
///
/// It sees the references and objects of a fetch that ends after it was opened.
pub struct Reader {
    pub(super) repo: Repository,
    pub(super) address: RepositoryAddress,
    pub(super) folders: Arc<FolderCache>,
}

impl Reader {
    /// Branches and tags by full name (`refs/heads/…`, `refs/tags/…`), with the object id each points at.
    ///
    /// # Errors
    /// [`GitError::Corrupt`].
    pub fn refs(&self) -> Result<BTreeMap<String, String>, GitError> {
        let all = refs::read(&self.repo).map_err(|e| self.damaged(&e))?;
        let shown = |name: &String| name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        Ok(all
            .into_iter()
            .filter(|(name, _)| shown(name))
            .map(|(name, oid)| (name, oid.to_string()))
            .collect())
    }

    pub(super) fn damaged(&self, error: &git2::Error) -> GitError {
        read_error(self.address.as_str(), error)
    }
}
