//! A tree of files somewhere: a folder, or a bucket.

use async_trait::async_trait;

/// Files by key. Keys have slashes between their parts, and none at the beginning.
#[async_trait]
pub trait Files: Send + Sync {
    /// Where it is, for messages: `s3://bucket/prefix`, a path.
    fn place(&self) -> &str;
    /// The keys that begin with a prefix, sorted.
    ///
    /// # Errors
    /// The place is not there, or may not be read: in words.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, FilesFailure>;
    /// The bytes of a file.
    ///
    /// # Errors
    /// It is not there, or may not be read: in words.
    async fn read(&self, key: &str) -> Result<Vec<u8>, FilesFailure>;
}

/// Opens folders of this machine.
pub trait Folders: Send + Sync {
    /// The folder as files. Nothing is read yet.
    fn open(&self, path: &str) -> Box<dyn Files>;
}

/// Why files could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct FilesFailure {
    /// The place, with the key where it is about one file.
    pub place: String,
    /// What is wrong, and what to do.
    pub reason: String,
}
