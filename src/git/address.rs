//! Where a repository is: the address as a person writes it, checked and made safe to show.

use super::GitError;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use url::Url;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `https://`: smart HTTP over TLS.
    Https,
    /// `http://`: smart HTTP in clear text.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// `git://`: the unauthenticated daemon protocol.
    Git,
    /// An absolute path or `file://`: a repository on this machine.
    Local,
}

/// The address of a repository. It never holds a password: those are given apart, as [`super::Credentials`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryAddress {
    text: String,
    transport: TransportParts,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum TransportParts {
    Https,
    Http,
    Git,
    Ssh { user: String, host: String, port: u16 },
    Local(PathBuf),
}

impl RepositoryAddress {
    /// Reads an address: `https://`, `http://`, `ssh://`, `git://`, `file://`, `user@host:path` or an absolute path.
    ///
    /// # Errors
    /// [`GitError::Address`] for another scheme, a relative path, a missing host, or a password inside the address.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let text = text.trim();
        let refuse = |reason: &str| GitError::Address { address: redact(text), reason: reason.to_owned() };
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(refuse("it holds a space or a control character"));
        }
        if Path::new(text).is_absolute() {
            return Ok(Self::local(Path::new(text)));
        }
        if !text.contains("://") {
            return Self::parse_scp(text).ok_or_else(|| refuse("it is neither a URL nor an absolute path"));
        }
        let url = Url::parse(text).map_err(|e| refuse(&e.to_string()))?;
        if url.password().is_some() {
            return Err(refuse(
                "it holds a password; put that in the repository's credentials, by file or environment",
            ));
        }
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| refuse("a file:// address names no other host"))?;
            return Ok(Self::local(&path));
        }
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| refuse("the host is missing"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("a repository address has no `?` or `#` part"));
        }
        let transport = match url.scheme() {
            "https" => TransportParts::Https,
            "http" => TransportParts::Http,
            "git" => TransportParts::Git,
            "ssh" | "git+ssh" | "ssh+git" => TransportParts::Ssh {
                user: Some(url.username()).filter(|u| !u.is_empty()).unwrap_or("git").to_owned(),
                host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
                port: url.port().unwrap_or(22),
            },
            other => return Err(refuse(&format!("the scheme `{other}` is not supported"))),
        };
        if !url.username().is_empty() && !matches!(transport, TransportParts::Ssh { .. }) {
            return Err(refuse("it holds a user name; put that in the repository's credentials"));
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), transport })
    }

    /// `user@host:path`, as OpenSSH's scp writes it.
    fn parse_scp(text: &str) -> Option<Self> {
        let (place, path) = text.split_once(':')?;
        let (user, host) = place.split_once('@').unwrap_or(("git", place));
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', '@']) && !part.starts_with('-');
        if !plain(user) || !plain(host) || path.is_empty() || user.contains(':') {
            return None;
        }
        let transport = TransportParts::Ssh { user: user.to_owned(), host: host.to_owned(), port: 22 };
        Some(Self { text: format!("{user}@{host}:{}", path.trim_end_matches('/')), transport })
    }

    fn local(path: &Path) -> Self {
        let clean: PathBuf = path.components().collect();
        Self { text: clean.to_string_lossy().into_owned(), transport: TransportParts::Local(clean) }
    }

    /// How the repository is reached.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self.transport {
            TransportParts::Https => Transport::Https,
            TransportParts::Http => Transport::Http,
            TransportParts::Git => Transport::Git,
            TransportParts::Ssh { .. } => Transport::Ssh,
            TransportParts::Local(_) => Transport::Local,
        }
    }

    /// The address, safe to show and to hand to libgit2.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The folder of a local repository.
    #[must_use]
    pub fn local_path(&self) -> Option<&Path> {
        match &self.transport {
            TransportParts::Local(path) => Some(path),
            _ => None,
        }
    }

    /// User, host and port of an SSH address; the user is `git` where none is written.
    #[must_use]
    pub fn ssh_endpoint(&self) -> Option<(&str, &str, u16)> {
        match &self.transport {
            TransportParts::Ssh { user, host, port } => Some((user, host, *port)),
            _ => None,
        }
    }

    /// Whether credentials sent to this address could be read by anyone on the way.
    #[must_use]
    pub const fn is_clear_text(&self) -> bool {
        matches!(self.transport, TransportParts::Http | TransportParts::Git)
    }

    /// The name of the mirror's folder: readable, and different for different addresses.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let last = self.text.rsplit(['/', ':']).next().unwrap_or_default();
        let last = last.strip_suffix(".git").unwrap_or(last);
        let readable: String = last
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(40)
            .collect();
        let digest = Sha256::digest(self.text.as_bytes());
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{readable}-{hash}")
    }
}

impl fmt::Display for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepositoryAddress({})", self.text)
    }
}

/// Replaces what stands between `://` and `@` in every URL of a text, because people put passwords there.
pub(super) fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"')
            .unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                shown.push_str("***");
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_git_reads_them() {
        let ssh = |text: &str| {
            RepositoryAddress::parse(text).unwrap().ssh_endpoint().map(|(u, h, p)| format!("{u} {h} {p}"))
        };
        assert_eq!(ssh("git@example.test:team/shop.git").unwrap(), "git example.test 22");
        assert_eq!(ssh("ssh://deploy@example.test:2222/team/shop").unwrap(), "deploy example.test 2222");
        assert_eq!(ssh("ssh://example.test/shop").unwrap(), "git example.test 22");
        let of = |text: &str| RepositoryAddress::parse(text).unwrap();
        assert_eq!(of("https://example.test/shop/").transport(), Transport::Https);
        assert_eq!(of("https://example.test/shop/"), of("https://EXAMPLE.test:443/shop"));
        assert_eq!(of("file:///srv/shop").local_path(), Some(Path::new("/srv/shop")));
        assert_eq!(of("/srv//shop/"), of("file:///srv/shop"));
        assert_ne!(of("/srv/shop").folder_name(), of("/data/shop").folder_name());
        assert!(of("git@example.test:team/shop.git").folder_name().starts_with("shop-"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_a_password() {
        for text in ["shop", "../shop", "ftp://example.test/a", "-o@x:y", "a b@c:d", "file://other/a"] {
            assert!(RepositoryAddress::parse(text).is_err(), "{text}");
        }
        for text in ["https://user:hunter2@example.test/a", "https://hunter2@example.test/a"] {
            let error = RepositoryAddress::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        assert_eq!(
            redact("cannot reach 'https://u:p@a/b' or ssh://x@y"),
            "cannot reach 'https://***@a/b' or ssh://***@y"
        );
    }
}
