//! What parent and fetch child say to each other: one JSON line in, some JSON lines out.

use super::{Credentials, GitError, RepositoryAddress};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The request, sent through the child's standard input. Secrets travel here and nowhere else; hence no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) address: String,
    pub(super) mirror: PathBuf,
    pub(super) credentials: WireCredentials,
    pub(super) known_hosts: String,
    pub(super) proxy: Option<String>,
    pub(super) commits: Vec<String>,
    pub(super) anew: bool,
    pub(super) max_bytes: u64,
    pub(super) max_memory: u64,
}

/// [`Credentials`] in the clear.
#[derive(Serialize, Deserialize)]
pub(super) enum WireCredentials {
    None,
    Basic { user: String, password: String },
    Bearer { token: String },
    SshKey { private_key: String, passphrase: Option<String> },
}

impl From<&Credentials> for WireCredentials {
    fn from(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::None => Self::None,
            Credentials::Basic { user, password } => {
                Self::Basic { user: user.clone(), password: password.expose_secret().to_owned() }
            }
            Credentials::Bearer { token } => Self::Bearer { token: token.expose_secret().to_owned() },
            Credentials::SshKey { private_key, passphrase } => Self::SshKey {
                private_key: private_key.expose_secret().to_owned(),
                passphrase: passphrase.as_ref().map(|p| p.expose_secret().to_owned()),
            },
        }
    }
}

impl From<WireCredentials> for Credentials {
    fn from(wire: WireCredentials) -> Self {
        match wire {
            WireCredentials::None => Self::None,
            WireCredentials::Basic { user, password } => Self::Basic { user, password: password.into() },
            WireCredentials::Bearer { token } => Self::Bearer { token: token.into() },
            WireCredentials::SshKey { private_key, passphrase } => {
                Self::SshKey { private_key: private_key.into(), passphrase: passphrase.map(Into::into) }
            }
        }
    }
}

/// A line of the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    /// The server gave a sign of life.
    Alive {
        /// Bytes received so far.
        bytes: u64,
    },
    /// The mirror is up to date. Nothing follows.
    Done(Fetched),
    /// The fetch failed. Nothing follows.
    Failed(GitError),
}

/// A fetch that went well.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fetched {
    /// Branches and tags with the object each points at.
    pub(super) refs: BTreeMap<String, String>,
    /// The remote's HEAD: a branch's full name, or a commit where it is detached.
    pub(super) head: Option<String>,
    pub(super) bytes: u64,
    pub(super) changed: bool,
}

impl Request {
    /// The address, checked once more on this side.
    pub(super) fn parsed_address(&self) -> Result<RepositoryAddress, GitError> {
        RepositoryAddress::parse(&self.address)
    }
}
