//! The form of a dump: which files there are, and the manifest that names them.
//!
//! ```text
//! manifest.json                       format, tool, time, every file with its digest, what was not read and why
//! kops/store/<key>                    the state store, as it is
//! kops/files/<path>                   specs from files
//! source/api.json                     what the API server serves
//! source/objects/<Kind.group>.jsonl   the objects of a kind, one for each line
//! source/secret-calls.jsonl           calls that only Secrets showed
//! aws/<service>.jsonl                 one read for each line
//! ```

use super::inventory::Unread;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the manifest in a dump's folder.
pub const MANIFEST: &str = "manifest.json";
/// The form that this program writes. What reads it takes this one and no other: a form changes only where an old
/// reader would misunderstand it.
pub const FORMAT: &str = "portolan.dev/dump/v1";

pub(super) const STORE: &str = "kops/store/";
pub(super) const FILES: &str = "kops/files/";
pub(super) const API: &str = "source/api.json";
pub(super) const OBJECTS: &str = "source/objects/";
pub(super) const SECRET_CALLS: &str = "source/secret-calls.jsonl";
pub(super) const AWS: &str = "aws/";

/// What a dump says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The form: [`FORMAT`].
    pub format: String,
    /// The program that wrote it, with its version.
    pub tool: String,
    /// When it was read, as RFC 3339.
    pub read_at: String,
    /// The kops cluster, where its specs were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The state store, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Origin>,
    /// Files with specs, where some were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_of_specs: Option<Origin>,
    /// Version of the source's API server, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_server: Option<String>,
    /// AWS region, where AWS was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What stands for the values of Secrets.
    pub secrets: String,
    /// Every other file of the dump.
    pub files: BTreeMap<String, FileEntry>,
    /// What was not read, and why.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<Unread>,
}

/// Where kops' files come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// `s3://bucket/prefix`, or a folder.
    pub place: String,
    /// The cluster that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_for: Option<String>,
    /// Keys that are there and were not read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen: BTreeSet<String>,
}

/// A file of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEntry {
    /// SHA-256, in hex.
    pub sha256: String,
    /// Lines of a `.jsonl` file: objects, or reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
}

/// What is looked at first: a form of another version may have any other fields.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) format: String,
    #[serde(default)]
    pub(super) tool: String,
}
