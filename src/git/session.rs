//! What a fetch says of itself to a server: credentials, each offered once; and what it accepts: pinned host keys, and answers
//! within the limits.

use super::classify::{clean, network_error};
use super::fetch_child::say;
use super::known_hosts::{HostKey, PinnedKeys, file_name_of};
use super::wire::Answer;
use super::{Credentials, GitError, RepositoryAddress};
use git2::{CertificateCheckStatus, Cred, CredentialType, RemoteCallbacks};
use secrecy::ExposeSecret as _;
use std::cell::RefCell;
use std::path::PathBuf;

/// So many steps of progress are one sign of life for the parent.
const STEPS_PER_SIGN: u64 = 64;

/// What one fetch needs to know.
pub(super) struct Session {
    pub(super) address: RepositoryAddress,
    pub(super) credentials: Credentials,
    pub(super) known_hosts: String,
    pub(super) home: PathBuf,
    pub(super) proxy: Option<String>,
    pub(super) max_bytes: u64,
    pub(super) max_memory: u64,
}

/// What the callbacks saw. libgit2 replaces their errors with its own, so ours are kept here.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) refusal: Option<GitError>,
    key_offered: bool,
    password_offered: bool,
    name_offered: bool,
    pub(super) bytes: u64,
    steps: u64,
}

impl Seen {
    /// Ready for another connection; what was received goes on counting.
    pub(super) fn start_again(&mut self) {
        *self = Self { bytes: self.bytes, ..Self::default() };
    }
}

impl Session {
    pub(super) fn callbacks<'a>(&'a self, seen: &'a RefCell<Seen>) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |_url, user, allowed| {
            let mut seen = seen.borrow_mut();
            alive(&seen);
            self.offer(&mut seen, user, allowed).map_err(|refusal| refuse(&mut seen, refusal))
        });
        callbacks.certificate_check(move |certificate, _host| {
            let mut seen = seen.borrow_mut();
            alive(&seen);
            let Some(key) = certificate.as_hostkey() else {
                return Ok(CertificateCheckStatus::CertificatePassthrough);
            };
            // Ours and libssh2's check both have to accept the key.
            match self.refuses_host_key(key.hostkey()) {
                None => Ok(CertificateCheckStatus::CertificatePassthrough),
                Some(refusal) => Err(refuse(&mut seen, refusal)),
            }
        });
        callbacks.transfer_progress(move |progress| {
            let mut seen = seen.borrow_mut();
            seen.bytes = progress.received_bytes() as u64;
            let steps = seen.bytes / 4096 + (progress.indexed_objects() + progress.indexed_deltas()) as u64;
            if steps >= seen.steps + STEPS_PER_SIGN {
                seen.steps = steps;
                alive(&seen);
            }
            if seen.bytes > self.max_bytes {
                let what = format!("the answer of {}", self.address);
                seen.refusal =
                    Some(GitError::TooLarge { what, limit: format!("{} MiB", self.max_bytes >> 20) });
                return false;
            }
            true
        });
        callbacks.sideband_progress(move |_text| {
            alive(&seen.borrow());
            true
        });
        callbacks
    }

    /// One credential, once: libgit2 asks again for ever when it was not accepted.
    fn offer(&self, seen: &mut Seen, user: Option<&str>, allowed: CredentialType) -> Result<Cred, GitError> {
        let ssh_user = self.address.ssh_endpoint().map_or("git", |(user, ..)| user);
        let failed =
            |detail: String| GitError::AuthenticationFailed { address: self.address.to_string(), detail };
        let made = match &self.credentials {
            Credentials::None => {
                return Err(failed(
                    "it asks for credentials and the repository has none: name a token or an SSH key for it"
                        .into(),
                ));
            }
            _ if allowed.is_username() && !seen.name_offered => {
                seen.name_offered = true;
                Cred::username(ssh_user)
            }
            Credentials::Bearer { .. } => return Err(failed("the bearer token was not accepted".into())),
            Credentials::Basic { user, .. } if seen.password_offered => {
                return Err(failed(format!("the password of user `{}` was not accepted", clean(user))));
            }
            Credentials::Basic { user, password } if allowed.is_user_pass_plaintext() => {
                seen.password_offered = true;
                Cred::userpass_plaintext(user, password.expose_secret())
            }
            Credentials::SshKey { .. } if seen.key_offered => {
                return Err(failed(format!("the SSH key was not accepted for user `{ssh_user}`")));
            }
            Credentials::SshKey { private_key, passphrase }
                if allowed.is_ssh_key() || allowed.is_ssh_memory() =>
            {
                seen.key_offered = true;
                let passphrase = passphrase.as_ref().map(|p| p.expose_secret());
                Cred::ssh_key_from_memory(
                    user.unwrap_or(ssh_user),
                    None,
                    private_key.expose_secret(),
                    passphrase,
                )
            }
            other => {
                let reason = format!("the server wants {allowed:?}, which {other:?} is not");
                return Err(GitError::Credentials { address: self.address.to_string(), reason });
            }
        };
        made.map_err(|e| self.explain(&e))
    }

    fn refuses_host_key(&self, shown: Option<&[u8]>) -> Option<GitError> {
        let (_, host, port) = self.address.ssh_endpoint()?;
        let pinned = PinnedKeys::of(&self.known_hosts, host, port);
        let key = shown.and_then(HostKey::from_wire);
        if key.as_ref().is_some_and(|key| pinned.accepts(key)) {
            return None;
        }
        let seen = key.map_or_else(|| "a key of an unknown form".to_owned(), |key| key.fingerprint());
        Some(GitError::HostKey { host: file_name_of(host, port), seen, expected: pinned.fingerprints() })
    }

    pub(super) fn has_pinned_key(&self) -> bool {
        let endpoint = self.address.ssh_endpoint();
        endpoint.is_some_and(|(_, host, port)| {
            !PinnedKeys::of(&self.known_hosts, host, port).fingerprints().is_empty()
        })
    }

    /// libssh2 reads `$HOME/.ssh/known_hosts`, and libgit2 asks the server for the kinds of key it finds there.
    pub(super) fn write_known_hosts(&self, pinned: bool) -> Result<(), GitError> {
        let Some((_, host, port)) = self.address.ssh_endpoint() else {
            return Ok(());
        };
        let lines = if pinned {
            PinnedKeys::of(&self.known_hosts, host, port).to_plain_lines(host, port)
        } else {
            String::new()
        };
        let path = self.home.join(".ssh/known_hosts");
        std::fs::write(&path, lines).map_err(|e| GitError::io(&path, &e))
    }

    /// libgit2's error in our words, without any secret.
    pub(super) fn explain(&self, error: &git2::Error) -> GitError {
        let message = self.credentials.scrub(error.message());
        let lower = message.to_ascii_lowercase();
        let address = self.address.to_string();
        if lower.contains("extract public key") || lower.contains("private key") {
            let reason = "the SSH key is damaged, or its passphrase is missing or wrong".to_owned();
            return GitError::Credentials { address, reason };
        }
        if lower.contains("authentication that we do not support") {
            // libgit2 knows no Bearer challenge, so it never comes to the credentials callback.
            let detail = match self.credentials {
                Credentials::Bearer { .. } => "the bearer token was not accepted".to_owned(),
                _ => "it asks for a kind of authentication that is not supported; a bearer token may be what it wants".to_owned(),
            };
            return GitError::AuthenticationFailed { address, detail };
        }
        network_error(&self.address, &git2::Error::new(error.code(), error.class(), message), self.max_memory)
    }
}

fn alive(seen: &Seen) {
    say(&Answer::Alive { bytes: seen.bytes });
}

/// Keeps our error and gives libgit2 one that ends the fetch.
fn refuse(seen: &mut Seen, refusal: GitError) -> git2::Error {
    let short = git2::Error::from_str("refused");
    seen.refusal.get_or_insert(refusal);
    short
}
