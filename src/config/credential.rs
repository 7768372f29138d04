//! Credentials by reference: the daemon's file says where a secret is, never what it is.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Largest secret that is read: a key or token is far below, and a wrong path (a device, a log) is noticed.
const LARGEST: u64 = 1 << 20;

/// Credentials as they are written: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialsEntry {
    /// User name and password, for `https://`. Forges take an access token as the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicEntry>,
    /// Bearer token, for `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretEntry>,
    /// Key, for SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshEntry>,
}

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicEntry {
    /// User name. Many forges take any when the password is a token.
    #[schemars(length(min = 1))]
    pub username: String,
    /// Where the password is.
    pub password: SecretEntry,
}

/// SSH key and pinned hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshEntry {
    /// Where the private key is, in PEM form.
    pub private_key: SecretEntry,
    /// Where the key's passphrase is, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretEntry>,
    /// Which hosts are trusted. A host that is not named there is refused.
    pub known_hosts: KnownHostsEntry,
}

/// Where a secret is: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretEntry {
    /// A file, such as one of a mounted Secret. Read anew for each use, so that it can be rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// An environment variable of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

/// Public keys of SSH hosts in OpenSSH's `known_hosts` form: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownHostsEntry {
    /// A file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The lines themselves: they are no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
}

/// Who the daemon is to a git server. Holds no secret, only where each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP basic authentication.
    Basic {
        /// User name.
        username: String,
        /// Password or token.
        password: SecretRef,
    },
    /// HTTP bearer token.
    Token(SecretRef),
    /// SSH key.
    Ssh {
        /// Private key in PEM form.
        private_key: SecretRef,
        /// Its passphrase.
        passphrase: Option<SecretRef>,
        /// Which hosts are trusted.
        known_hosts: KnownHosts,
    },
}

impl Credentials {
    /// The files that are named.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = match self {
            Self::Basic { password, .. } => vec![password],
            Self::Token(token) => vec![token],
            Self::Ssh { private_key, passphrase, .. } => {
                std::iter::once(private_key).chain(passphrase).collect()
            }
        };
        let mut files: Vec<PathBuf> = secrets
            .into_iter()
            .filter_map(|secret| match secret {
                SecretRef::File(path) => Some(path.clone()),
                SecretRef::Environment(_) => None,
            })
            .collect();
        if let Self::Ssh { known_hosts: KnownHosts::File(path), .. } = self {
            files.push(path.clone());
        }
        files
    }
}

/// Where the keys of trusted SSH hosts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownHosts {
    /// In a file.
    File(PathBuf),
    /// Here.
    Inline(String),
}

impl KnownHosts {
    /// The lines.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Inline(lines) => Ok(lines.clone()),
            Self::File(path) => read_file(path),
        }
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
}

/// A secret that cannot be had. Says where, never what.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The variable is not set, or is no text.
    #[error("the environment variable {0} is not set for the daemon, or is not text")]
    Environment(String),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads the secret; a line end at its end is dropped. Blocks for as long as a file takes.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or is no text.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Environment(name) => {
                std::env::var(name).map_err(|_| SecretError::Environment(name.clone()))?
            }
        };
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(trimmed.into()) }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let failed = |reason: String| SecretError::File { path: path.into(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is not a file".into()));
    }
    if metadata.len() > LARGEST {
        return Err(failed(format!("it has {} bytes, more than a secret can have", metadata.len())));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    // The error of a conversion would carry the bytes along.
    String::from_utf8(bytes).map_err(|_| failed("it is not text (UTF-8)".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\r\n").unwrap();
        let reference = SecretRef::File(file.path().into());
        let secret = reference.read().unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        assert!(!format!("{secret:?} {reference:?} {reference}").contains("hunter2"));

        std::fs::write(file.path(), b"hunter2\xff").unwrap();
        let error = reference.read().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        std::fs::write(file.path(), "\n").unwrap();
        assert!(matches!(reference.read(), Err(SecretError::Empty(_))));
        assert!(SecretRef::File("/".into()).read().unwrap_err().to_string().contains("not a file"));
        assert!(SecretRef::Environment("PORTOLAN_NO_SUCH_VARIABLE".into()).read().is_err());
    }
}
