//! What can go wrong with a repository, each with the way out.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a repository could not be fetched, resolved or read. No field ever holds a credential.
///
/// It is serialisable because the fetch child answers with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum GitError {
    /// The address cannot be read.
    #[error(
        "`{address}` is not a repository address: {reason}. Write https://host/path, ssh://user@host/path, user@host:path or an absolute path"
    )]
    Address {
        /// What was given, without user and password.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection, or it broke.
    #[error(
        "{address} cannot be reached: {detail}. Check the host name, the port and what stands between; it is tried again"
    )]
    Unreachable {
        /// The repository.
        address: String,
        /// The system's words.
        detail: String,
    },
    /// A limit on time passed; the fetch was ended.
    #[error(
        "{address}: {phase} took more than {seconds} s, so the fetch was ended; it is tried again. A slow server needs a higher limit"
    )]
    Timeout {
        /// The repository.
        address: String,
        /// What took too long.
        phase: Phase,
        /// The limit that passed.
        seconds: u64,
    },
    /// The server does not accept who we say we are, or asks and there is nothing to say.
    #[error("{address} refused the credentials: {detail}")]
    AuthenticationFailed {
        /// The repository.
        address: String,
        /// What was offered and what the server wants, and what to do.
        detail: String,
    },
    /// The credentials cannot be used at all: a damaged key, a wrong passphrase, a kind that the transport has no use for.
    #[error("the credentials for {address} cannot be used: {reason}")]
    Credentials {
        /// The repository.
        address: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The SSH host key is not among the pinned ones.
    #[error("{}", host_key_sentence(.host, .seen, .expected))]
    HostKey {
        /// Host, with its port where that is not 22.
        host: String,
        /// Type and SHA-256 fingerprint of the key that the server showed.
        seen: String,
        /// The same of every pinned key; empty when the host is not known.
        expected: Vec<String>,
    },
    /// The server's TLS certificate does not hold.
    #[error(
        "the TLS certificate of {address} does not hold: {detail}. For a private authority, name its certificate as the repository's CA file"
    )]
    Certificate {
        /// The repository.
        address: String,
        /// OpenSSL's words.
        detail: String,
    },
    /// The CA file cannot be used.
    #[error("the CA file {path} cannot be used: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server sends us to another host, where credentials are not carried.
    #[error(
        "{address} redirects to another host ({detail}). Credentials are not sent there: use the final address"
    )]
    Redirected {
        /// The repository.
        address: String,
        /// From where to where.
        detail: String,
    },
    /// There is no such repository, or these credentials may not see it.
    #[error("there is no repository at {address}, or these credentials may not see it: {detail}")]
    NotFound {
        /// The repository.
        address: String,
        /// The server's words.
        detail: String,
    },
    /// The server answered with an error of its own.
    #[error("{address} answered with an error: {detail}. It is tried again")]
    Server {
        /// The repository.
        address: String,
        /// The server's words.
        detail: String,
    },
    /// The repository has no commit yet.
    #[error("{address} has no commits yet. Push one; nothing changes until then")]
    Empty {
        /// The repository.
        address: String,
    },
    /// The branch, tag, range or commit is not there.
    #[error("{address} has no branch, tag, version or commit `{reference}`{}", nearest_names(.nearest))]
    ReferenceNotFound {
        /// The repository.
        address: String,
        /// What was asked for.
        reference: String,
        /// Names that look like it, best first.
        nearest: Vec<String>,
    },
    /// The server does not say which branch is its default, and none was asked for.
    #[error("{address} does not say which branch is its default: name one{}", nearest_names(.branches))]
    NoDefaultBranch {
        /// The repository.
        address: String,
        /// Some of its branches.
        branches: Vec<String>,
    },
    /// Several things have this name.
    #[error("`{reference}` in {address} can mean {}: write one of these", .candidates.join(" or "))]
    Ambiguous {
        /// The repository.
        address: String,
        /// What was asked for.
        reference: String,
        /// What it can mean.
        candidates: Vec<String>,
    },
    /// A tag of something that is no commit.
    #[error(
        "`{reference}` in {address} names a {kind}, not a commit: use a branch, a tag of a commit, or a commit id"
    )]
    NotACommit {
        /// The repository.
        address: String,
        /// What was asked for.
        reference: String,
        /// What it names: a tree or a blob.
        kind: String,
    },
    /// A path or glob that can match nothing in a repository.
    #[error("`{path}` is not a path in a repository: {reason}")]
    Path {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A limit on size was passed.
    #[error("{what} has more than {limit}. Raise the limit if that is right, or make it smaller")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The fetch child ran into its memory limit.
    #[error(
        "fetching {address} needs more than {limit_mib} MiB of memory, so it was ended. Raise the limit, or take large files out of the repository"
    )]
    Memory {
        /// The repository.
        address: String,
        /// The limit in MiB.
        limit_mib: u64,
    },
    /// The folder belongs to another user, so git does not trust it.
    #[error(
        "{path} belongs to another user, so git does not trust what is in it. Run Portolan as its owner, or change the owner of the folder"
    )]
    Owner {
        /// The folder.
        path: String,
    },
    /// An object is missing or damaged.
    #[error("{path} is damaged: {detail}. A mirror is fetched anew; a local repository needs `git fsck`")]
    Corrupt {
        /// The repository or mirror.
        path: String,
        /// libgit2's words.
        detail: String,
    },
    /// A kind of repository that libgit2 cannot read.
    #[error("{address} cannot be read by this version: {detail}")]
    Unsupported {
        /// The repository.
        address: String,
        /// What it needs.
        detail: String,
    },
    /// The fetch child could not be started, or ended without an answer.
    #[error("the fetch process for {address} failed: {detail}")]
    Child {
        /// The repository.
        address: String,
        /// How it ended.
        detail: String,
    },
    /// A file of ours could not be read or written.
    #[error("{path}: {detail}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
}

/// What a fetch was doing when a time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// No sign of the server yet.
    Connecting,
    /// The server was there, then fell silent.
    Silent,
    /// The fetch as a whole.
    Fetching,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connecting => "waiting for the server's first answer",
            Self::Silent => "waiting for more from the server",
            Self::Fetching => "the fetch",
        })
    }
}

impl GitError {
    /// Whether the same fetch may go well later without anybody changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Server { .. } | Self::Child { .. }
        )
    }

    /// An error of the file system at a path.
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), detail: error.to_string() }
    }
}

fn host_key_sentence(host: &str, seen: &str, expected: &[String]) -> String {
    if expected.is_empty() {
        return format!(
            "the SSH host {host} is not among the pinned hosts. It shows {seen}: compare that with what its operator \
             publishes, then add it to the repository's known hosts (`ssh-keyscan` prints the line)"
        );
    }
    format!(
        "the SSH host key of {host} is not the pinned one: it shows {seen}, expected {}. Somebody may stand between; \
         when its operator did change the key, replace it in the repository's known hosts",
        expected.join(" or ")
    )
}

fn nearest_names(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) }
}
