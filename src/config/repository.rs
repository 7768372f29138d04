//! One repository of the daemon's file: its address, and whether its credentials fit to it.

use super::credential::{BasicEntry, CredentialsEntry, KnownHostsEntry, SecretEntry, SshEntry};
use super::file::RepositoryEntry;
use super::place::{self, Address};
use super::resolve::Resolver;
use super::{Credentials, DEFAULT_DOCUMENTS, KnownHosts, Repository, Role, SecretRef};
use crate::model::Interval;
use std::path::PathBuf;

/// Shortest time between two fetches of one repository.
const SHORTEST_INTERVAL: Interval = Interval::from_secs(1);

impl Resolver<'_> {
    /// Resolves the entry at a pointer; `None` when it is wrong, which is then told.
    pub(super) fn repository(&mut self, at: &str, entry: RepositoryEntry) -> Option<Repository> {
        let RepositoryEntry {
            name,
            url,
            revision,
            role,
            documents,
            interval,
            credentials,
            ca_file,
            may,
            limits,
        } = entry;
        if interval < SHORTEST_INTERVAL {
            let said = format!("has to be at least {SHORTEST_INTERVAL}");
            self.wrong(&format!("{at}/interval"), &said, "30s is the default");
        }
        let documents = match (role, documents) {
            (Role::Source, Some(_)) => {
                let said = "means nothing where `role` is Source";
                self.wrong(&format!("{at}/documents"), said, "take one of them out");
                None
            }
            (Role::Source, None) => None,
            (Role::Control, None) => Some(DEFAULT_DOCUMENTS.into()),
            (Role::Control, Some(folder)) => Some(plain(&folder)),
        };
        let credentials = match credentials {
            None => Some(None),
            Some(entry) => self.credentials(&format!("{at}/credentials"), entry).map(Some),
        };
        let address = match place::address(self.folder, &url) {
            Ok(address) => address,
            Err((said, hint)) => {
                self.wrong(&format!("{at}/url"), &said, hint);
                return None;
            }
        };
        let credentials = credentials?;
        self.fits(at, &address, credentials.as_ref());
        if ca_file.is_some() && address != Address::Https {
            self.wrong(&format!("{at}/caFile"), "is of no use: `url` is not https", "take it out");
        }
        let url = match address {
            Address::Local(path) => path.components().collect::<PathBuf>().display().to_string(),
            _ => url,
        };
        let ca_file = ca_file.map(|file| self.path(&file));
        Some(Repository { name, url, revision, documents, interval, credentials, ca_file, may, limits })
    }

    /// Whether credentials are of use for the address.
    fn fits(&mut self, at: &str, address: &Address, credentials: Option<&Credentials>) {
        let (field, said, hint) = match (address, credentials) {
            (Address::Ssh, None) => {
                ("url", "is reached by SSH and there are no credentials", "add `credentials.ssh`")
            }
            (Address::Ssh, Some(Credentials::Basic { .. } | Credentials::Token(_))) => {
                ("credentials", "are for HTTP, and `url` is reached by SSH", "use `credentials.ssh`")
            }
            (Address::Https | Address::Http, Some(Credentials::Ssh { .. })) => {
                ("credentials", "are for SSH, and `url` is reached by HTTP", "use `basic` or `token`")
            }
            (Address::Local(_) | Address::Git, Some(_)) => {
                ("credentials", "are of no use for such a `url`", "take them out")
            }
            (Address::Http, Some(_)) => {
                let hint = "use `https://` in `url`";
                return self.doubtful(&format!("{at}/credentials"), "are sent in clear text", hint);
            }
            _ => return,
        };
        self.wrong(&format!("{at}/{field}"), said, hint);
    }

    fn credentials(&mut self, at: &str, entry: CredentialsEntry) -> Option<Credentials> {
        match entry {
            CredentialsEntry { basic: Some(BasicEntry { username, password }), token: None, ssh: None } => {
                let password = self.secret(&format!("{at}/basic/password"), password)?;
                Some(Credentials::Basic { username, password })
            }
            CredentialsEntry { basic: None, token: Some(token), ssh: None } => {
                self.secret(&format!("{at}/token"), token).map(Credentials::Token)
            }
            CredentialsEntry { basic: None, token: None, ssh: Some(ssh) } => {
                self.ssh(&format!("{at}/ssh"), ssh)
            }
            _ => {
                let said = "needs exactly one of `basic`, `token` and `ssh`";
                self.wrong(at, said, "keep the one that the server wants");
                None
            }
        }
    }

    fn ssh(&mut self, at: &str, entry: SshEntry) -> Option<Credentials> {
        let SshEntry { private_key, passphrase, known_hosts } = entry;
        // All three are looked at before the first that is wrong ends it.
        let private_key = self.secret(&format!("{at}/privateKey"), private_key);
        let passphrase = match passphrase {
            None => Some(None),
            Some(entry) => self.secret(&format!("{at}/passphrase"), entry).map(Some),
        };
        let known_hosts = self.known_hosts(&format!("{at}/knownHosts"), known_hosts);
        Some(Credentials::Ssh {
            private_key: private_key?,
            passphrase: passphrase?,
            known_hosts: known_hosts?,
        })
    }

    fn secret(&mut self, at: &str, entry: SecretEntry) -> Option<SecretRef> {
        match (entry.file, entry.env) {
            (Some(file), None) if !file.is_empty() => Some(SecretRef::File(self.path(&file))),
            (None, Some(name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Some(SecretRef::Environment(name))
            }
            _ => {
                let hint = "name a file or an environment variable";
                self.wrong(at, "needs exactly one of `file` and `env`", hint);
                None
            }
        }
    }

    fn known_hosts(&mut self, at: &str, entry: KnownHostsEntry) -> Option<KnownHosts> {
        match (entry.file, entry.inline) {
            (Some(file), None) if !file.is_empty() => Some(KnownHosts::File(self.path(&file))),
            (None, Some(lines)) if !lines.trim().is_empty() => Some(KnownHosts::Inline(lines)),
            _ => {
                let hint =
                    "`ssh-keyscan HOST` shows the lines; compare them with what the server's owner publishes";
                self.wrong(at, "needs exactly one of `file` and `inline`", hint);
                None
            }
        }
    }
}

/// A folder of a repository without `./` and slashes at its ends; empty for the root.
fn plain(folder: &str) -> String {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}
