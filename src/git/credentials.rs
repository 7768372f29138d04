//! What proves to a git server who we are. Values come from files or the environment and are never shown.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// One way to prove who we are; each is offered to the server once in a fetch.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nothing: public and local repositories.
    #[default]
    None,
    /// HTTP basic authentication; forges take an access token as the password.
    Basic {
        /// User name; many forges take any for a token.
        user: String,
        /// Password or token.
        password: SecretString,
    },
    /// `Authorization: Bearer`, sent with each request.
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// An SSH key; the user name is the address's.
    SshKey {
        /// Private key in PEM form (OpenSSH or PKCS#8).
        private_key: SecretString,
        /// The key's passphrase.
        passphrase: Option<SecretString>,
    },
}

impl Credentials {
    /// Basic authentication. The line end that editors add to a file is dropped.
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic { user: one_line(user).to_owned(), password: one_line(password).into() }
    }

    /// A bearer token. The line end that editors add to a file is dropped.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self::Bearer { token: one_line(token).into() }
    }

    /// A private key, and its passphrase where it has one.
    #[must_use]
    pub fn ssh_key(private_key: &str, passphrase: Option<&str>) -> Self {
        Self::SshKey { private_key: private_key.into(), passphrase: passphrase.map(|p| one_line(p).into()) }
    }

    /// Why these credentials cannot be sent as they are, in words that do not hold them.
    pub(super) fn defect(&self) -> Option<&'static str> {
        let unsendable = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        match self {
            Self::Basic { user, password } if unsendable(password.expose_secret()) || unsendable(user) => {
                Some("the user name or password is empty or holds a line break")
            }
            Self::Bearer { token } if unsendable(token.expose_secret()) => {
                Some("the token is empty or holds a line break")
            }
            Self::SshKey { private_key, .. } if !private_key.expose_secret().contains("PRIVATE KEY-----") => {
                Some("the SSH key is not a private key in PEM form (`-----BEGIN OPENSSH PRIVATE KEY-----`)")
            }
            _ => None,
        }
    }

    /// Takes every secret value out of a text.
    pub(super) fn scrub(&self, text: &str) -> String {
        let secrets = match self {
            Self::None => vec![],
            Self::Basic { password, .. } => vec![password],
            Self::Bearer { token } => vec![token],
            Self::SshKey { private_key, passphrase } => {
                std::iter::once(private_key).chain(passphrase).collect()
            }
        };
        secrets
            .into_iter()
            .map(|s| s.expose_secret())
            .filter(|s| !s.is_empty())
            .fold(text.to_owned(), |t, s| t.replace(s, "***"))
    }
}

fn one_line(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// Names the kind only.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "Credentials::None",
            Self::Basic { .. } => "Credentials::Basic(***)",
            Self::Bearer { .. } => "Credentials::Bearer(***)",
            Self::SshKey { .. } => "Credentials::SshKey(***)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_output_shows_a_secret() {
        for given in [
            Credentials::basic("me", "hunter2\n"),
            Credentials::bearer("hunter2"),
            Credentials::ssh_key("hunter2", None),
        ] {
            assert!(!format!("{given:?} {given:#?}").contains("hunter2"));
            assert_eq!(given.scrub("said hunter2!"), "said ***!");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_found_before_it_is_sent() {
        assert!(Credentials::bearer("a\r\nX-Other: b").defect().is_some());
        assert!(Credentials::basic("me", "\n").defect().is_some());
        assert!(Credentials::ssh_key("ssh-ed25519 AAAA", None).defect().is_some());
        assert!(Credentials::bearer("token\n").defect().is_none());
    }
}
