//! OpenSSH's `known_hosts` format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): which keys are pinned for a host.
//!
//! libssh2 reads the same format, but neither wildcards nor revocations, and it cannot say what it expected. So the lines
//! for one host are picked out here, and only those are given to it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A public host key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostKey {
    /// Algorithm as written in the file, such as `ssh-ed25519`.
    algorithm: String,
    /// The key in SSH wire form.
    blob: Vec<u8>,
}

impl HostKey {
    /// A key in SSH wire form, whose first field is its algorithm.
    pub(super) fn from_wire(blob: &[u8]) -> Option<Self> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let name = rest.get(..u32::from_be_bytes(*length) as usize)?;
        Some(Self { algorithm: String::from_utf8(name.to_vec()).ok()?, blob: blob.to_vec() })
    }

    /// As `ssh-keygen -l` shows it: `ssh-ed25519 SHA256:…`.
    pub(super) fn fingerprint(&self) -> String {
        let shown: String = self.algorithm.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
        format!("{shown} SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }
}

/// The keys pinned for one host.
#[derive(Clone, Debug, Default)]
pub(super) struct PinnedKeys {
    accepted: Vec<HostKey>,
    revoked: Vec<HostKey>,
}

impl PinnedKeys {
    /// Picks the keys of a host out of a `known_hosts` text. Lines that are not of the format pin nothing, as with OpenSSH;
    /// certificate authorities are not supported by libssh2 and pin nothing either.
    pub(super) fn of(text: &str, host: &str, port: u16) -> Self {
        let name = file_name_of(host, port);
        let mut keys = Self::default();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (marker, line) = match line.split_once(char::is_whitespace) {
                Some((marker, rest)) if marker.starts_with('@') => (marker, rest.trim_start()),
                _ => ("", line),
            };
            let mut fields = line.split_ascii_whitespace();
            let (Some(patterns), Some(algorithm), Some(key)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let Some(key) = STANDARD.decode(key).ok().as_deref().and_then(HostKey::from_wire) else {
                continue;
            };
            if key.algorithm != algorithm || !names(patterns, &name) {
                continue;
            }
            match marker {
                "" => keys.accepted.push(key),
                "@revoked" => keys.revoked.push(key),
                _ => {}
            }
        }
        keys
    }

    /// Whether a key is pinned and not revoked.
    pub(super) fn accepts(&self, key: &HostKey) -> bool {
        self.accepted.contains(key) && !self.revoked.contains(key)
    }

    /// Fingerprints of the pinned keys, for an error.
    pub(super) fn fingerprints(&self) -> Vec<String> {
        self.accepted.iter().map(HostKey::fingerprint).collect()
    }

    /// The same keys as plain lines, for libssh2, which chooses the key algorithms it asks for by them.
    pub(super) fn to_plain_lines(&self, host: &str, port: u16) -> String {
        let name = file_name_of(host, port);
        let line = |key: &HostKey| format!("{name} {} {}\n", key.algorithm, STANDARD.encode(&key.blob));
        self.accepted.iter().filter(|key| !self.revoked.contains(key)).map(line).collect()
    }
}

/// A host as the file writes it: the port stands with it unless it is 22.
pub(super) fn file_name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

fn names(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        return is_hash_of(hashed, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if wildcard(&not.to_ascii_lowercase(), name) => return false,
            Some(_) => {}
            None => found |= wildcard(&pattern.to_ascii_lowercase(), name),
        }
    }
    found
}

/// `salt|hash`, where the hash is HMAC-SHA1 of the name (`HashKnownHosts yes`, the default on Debian).
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

/// `*` and `?` as in ssh_config(5) patterns, without backtracking over more than one `*` at a time.
fn wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    star = Some((at, tried + 1));
                    p = at + 1;
                    n = tried + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> HostKey {
        let mut blob = 11_u32.to_be_bytes().to_vec();
        blob.extend(b"ssh-ed25519");
        blob.extend([0, 0, 0, 32]);
        blob.extend([seed; 32]);
        HostKey::from_wire(&blob).unwrap()
    }

    fn line(names: &str, seed: u8) -> String {
        format!("{names} ssh-ed25519 {} comment\n", STANDARD.encode(key(seed).blob))
    }

    #[test]
    fn a_key_counts_only_for_the_hosts_of_its_line() {
        let text = line("git.example.test,10.0.0.1", 1)
            + &line("[git.example.test]:2222", 2)
            + &line("*.lab.test,!bad.lab.test", 3);
        let accepts = |host: &str, port: u16, seed: u8| PinnedKeys::of(&text, host, port).accepts(&key(seed));
        assert!(accepts("git.example.test", 22, 1));
        assert!(accepts("GIT.example.test", 22, 1));
        assert!(!accepts("git.example.test", 2222, 1), "a key of port 22 is not one of port 2222");
        assert!(accepts("git.example.test", 2222, 2));
        assert!(accepts("a.lab.test", 22, 3));
        assert!(!accepts("bad.lab.test", 22, 3));
        assert!(!accepts("git.example.test", 22, 3));
    }

    #[test]
    fn revoked_and_malformed_lines_accept_nothing() {
        let text = format!("@revoked {}# comment\nhost\nhost ssh-rsa !!!\n{}", line("*", 1), line("host", 1));
        let keys = PinnedKeys::of(&text, "host", 22);
        assert!(!keys.accepts(&key(1)));
        assert_eq!(keys.to_plain_lines("host", 22), "");
        let wrong_algorithm = line("host", 4).replace("ssh-ed25519 ", "ssh-rsa ");
        assert!(!PinnedKeys::of(&wrong_algorithm, "host", 22).accepts(&key(4)));
    }

    #[test]
    fn hashed_names_are_recognised() {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"0123456789abcdefghij").unwrap();
        mac.update(b"[host]:2222");
        let name = format!(
            "|1|{}|{}",
            STANDARD.encode(b"0123456789abcdefghij"),
            STANDARD.encode(mac.finalize().into_bytes())
        );
        assert!(PinnedKeys::of(&line(&name, 5), "host", 2222).accepts(&key(5)));
        assert!(!PinnedKeys::of(&line(&name, 5), "host", 22).accepts(&key(5)));
        assert!(
            PinnedKeys::of(&line(&name, 5), "host", 2222)
                .to_plain_lines("host", 2222)
                .starts_with("[host]:2222 ssh-ed25519 ")
        );
    }
}
