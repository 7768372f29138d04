//! Files of a kops cluster: those of its state store, or those that somebody keeps in git.

use super::redact;
use crate::migrate::proof::Key;
use crate::model::kops::{KopsState, ReadError, Source, read_files, read_store};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Text files of a kops cluster, by key or path. No value of a Secret and no private key is in them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KopsFiles {
    /// Where they come from: `s3://bucket/prefix`, a folder.
    pub place: String,
    /// Whether it is a state store, with its layout; else files with documents.
    pub is_store: bool,
    /// The cluster that was asked for, where there are several.
    pub cluster: Option<String>,
    /// Texts.
    pub texts: BTreeMap<String, String>,
    /// Keys that are there and were not read: secrets, backups.
    pub seen: BTreeSet<String>,
}

/// Places and names only.
impl fmt::Debug for KopsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KopsFiles({}, {} files)", self.place, self.texts.len())
    }
}

/// What a key of a state store is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Its text.
    Text,
    /// That it is there.
    Presence,
    /// Nothing.
    Nothing,
}

/// Files of a cluster's folder whose text is wanted.
const TEXTS: [&str; 4] = ["config", "cluster-completed.spec", "cluster.spec", "kops-version.txt"];
/// Folders of them.
const TEXT_FOLDERS: [&str; 3] = ["instancegroup/", "addons/", "clusteraddons/"];
/// Secrets of which it is of use to know that they are there (see [`crate::model::kops::Presence`]).
const SECRETS: [&str; 4] = ["dockerconfig", "encryptionconfig", "ciliumpassword", "weavepassword"];

/// What a key is wanted for. `key` is relative to the folder of the cluster, or to one above it.
///
/// Private keys (`pki/`), the values of `secrets/`, what nodes boot from (`igconfig/`, `manifests/`) are never read.
#[must_use]
pub fn wants(key: &str) -> Wants {
    let parts: Vec<&str> = key.split('/').collect();
    let at = |wanted: &str| parts.iter().rposition(|part| *part == wanted).is_some();
    if at("pki") || at("igconfig") || at("manifests") {
        return Wants::Nothing;
    }
    let last = parts.last().copied().unwrap_or_default();
    if let [.., "secrets", name] = parts[..] {
        return if SECRETS.contains(&name) { Wants::Presence } else { Wants::Nothing };
    }
    if at("backups") {
        // One of each kind of backup is enough: there are thousands.
        return if key.contains("backups/etcd/") { Wants::Presence } else { Wants::Nothing };
    }
    let below = |folder: &str| {
        let folder = folder.trim_end_matches('/');
        parts[..parts.len() - 1].contains(&folder)
    };
    if TEXTS.contains(&last) || TEXT_FOLDERS.iter().any(|folder| below(folder)) {
        Wants::Text
    } else {
        Wants::Nothing
    }
}

impl KopsFiles {
    /// Adds a file. What is secret in it is put out by digests.
    ///
    /// # Errors
    /// It is no text.
    pub fn add(&mut self, key: &str, bytes: Vec<u8>, digests: &Key) -> Result<(), String> {
        let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
        self.texts.insert(key.to_owned(), redact::kops_text(text, digests));
        Ok(())
    }

    /// The cluster that they describe.
    ///
    /// # Errors
    /// [`ReadError`] where there is none, or several and none was asked for.
    pub fn state(&self) -> Result<KopsState, ReadError> {
        let cluster = self.cluster.as_deref();
        if self.is_store {
            let texts = self.texts.iter().map(|(key, text)| (key.clone(), text.clone().into_bytes()));
            let seen = self.seen.iter().map(|key| (key.clone(), Vec::new()));
            return read_store(&self.place, &seen.chain(texts).collect(), cluster);
        }
        let sources: Vec<Source<'_>> =
            self.texts.iter().map(|(origin, text)| Source { origin, bytes: text.as_bytes() }).collect();
        read_files(&self.place, &sources, cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_read_and_nothing_secret() {
        for key in [
            "config",
            "a.example.com/config",
            "a.example.com/cluster-completed.spec",
            "a.example.com/instancegroup/nodes",
            "a.example.com/addons/bootstrap-channel.yaml",
            "prefix/a.example.com/addons/coredns.addons.k8s.io/k8s-1.12.yaml",
            "a.example.com/clusteraddons/one",
        ] {
            assert_eq!(wants(key), Wants::Text, "{key}");
        }
        for key in [
            "a.example.com/pki/private/kubernetes-ca/keyset.yaml",
            "a.example.com/secrets/admin",
            "a.example.com/igconfig/node/nodes/nodeupconfig.yaml",
            "a.example.com/manifests/etcd/main-1.yaml",
            "a.example.com/.well-known/openid-configuration",
        ] {
            assert_eq!(wants(key), Wants::Nothing, "{key}");
        }
        for key in [
            "a.example.com/secrets/dockerconfig",
            "a.example.com/backups/etcd/main/control/etcd-cluster-created",
        ] {
            assert_eq!(wants(key), Wants::Presence, "{key}");
        }
    }
}
