//! What was read of a cluster, and what the other parts of the migration take from it.

use super::kops_files::KopsFiles;
use crate::migrate::calls::{Declared, Edge, Evidence, Graph};
use crate::migrate::decommission::{AwsReads, Cluster};
use crate::migrate::own::Index;
use crate::model::kops::{KopsState, ReadError};
use crate::model::{Gvk, Object};
use crate::transform::Served;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Everything that was read of a kops cluster. No value of a Secret is in it: digests stand in their place.
#[derive(Clone, Default, PartialEq)]
pub struct Inventory {
    /// The cluster's state store.
    pub store: Option<KopsFiles>,
    /// Its specs as somebody keeps them in files, such as in git.
    pub files: Option<KopsFiles>,
    /// What its API server serves; none where that was not read.
    pub api: Option<Api>,
    /// Its objects, by identity.
    pub objects: Vec<Object>,
    /// Calls that Secrets show: their values are not here to be looked at again.
    pub secret_calls: BTreeSet<SecretCall>,
    /// The account's region, where AWS was read.
    pub region: Option<String>,
    /// What AWS answered.
    pub aws: AwsReads,
    /// What could not be read, and why.
    pub unread: BTreeSet<Unread>,
}

/// Numbers only: bodies may hold anything.
impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inventory")
            .field("store", &self.store)
            .field("files", &self.files)
            .field("api", &self.api.as_ref().map(|api| &api.version))
            .field("objects", &self.objects.len())
            .field("aws", &self.aws.reads.len())
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// What an API server serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// `v1.24.17`.
    pub version: String,
    /// Every kind in every version.
    pub kinds: Vec<ApiKind>,
    /// Groups that could not be asked: aggregated APIs whose backend is down.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unavailable: BTreeSet<String>,
}

/// A kind in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKind {
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Name in addresses: `deployments`.
    pub plural: String,
    /// Whether its objects have a namespace.
    pub namespaced: bool,
    /// Whether the server prefers this version.
    pub preferred: bool,
    /// What may be done: `get`, `list`…
    pub verbs: BTreeSet<String>,
}

impl ApiKind {
    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::new(&self.group, &self.version, &self.kind)
    }
}

impl Api {
    /// The minor of Kubernetes 1: 24 of `v1.24.17`.
    #[must_use]
    pub fn minor(&self) -> Option<u32> {
        minor(&self.version)
    }

    /// The kinds with their versions, the preferred one first.
    #[must_use]
    pub fn served(&self) -> Served {
        let preferred = self.kinds.iter().filter(|kind| kind.preferred);
        let others = self.kinds.iter().filter(|kind| !kind.preferred);
        let kinds: Vec<Gvk> = preferred.chain(others).map(ApiKind::gvk).collect();
        kinds.iter().collect()
    }
}

/// The minor of Kubernetes 1 in a version: 24 of `v1.24.17`, `1.24` and `1.24.17-eks-1`.
#[must_use]
pub(super) fn minor(version: &str) -> Option<u32> {
    let mut parts = version.trim_start_matches('v').split('.');
    (parts.next()? == "1").then_some(())?;
    let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A call that a Secret shows. Only the key is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretCall {
    /// Who calls whom.
    pub edge: Edge,
    /// The Secret and its key.
    pub evidence: Evidence,
}

/// Something that could not be read, or was not asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unread {
    /// What it is: `PodMetrics.metrics.k8s.io`, `s3:GetBucketPolicy data`, `aws`.
    pub what: String,
    /// Why, in words.
    pub why: String,
}

impl Unread {
    /// One entry.
    #[must_use]
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Inventory {
    /// The cluster as kops wrote it down: by its state store, else by files.
    ///
    /// # Errors
    /// [`ReadError`] where neither has a cluster.
    pub fn kops(&self) -> Result<KopsState, ReadError> {
        match (&self.store, &self.files) {
            (Some(one), _) | (None, Some(one)) => one.state(),
            (None, None) => Err(ReadError::NoCluster { place: "the inventory".into(), problems: Vec::new() }),
        }
    }

    /// kops' own objects, by its bootstrap channel.
    #[must_use]
    pub fn index(&self, kops: Option<&KopsState>) -> Index {
        kops.and_then(|kops| kops.channel.as_ref()).map(Index::of).unwrap_or_default()
    }

    /// Puts everything into the order that a dump has, so that what was read and what is read back are the same.
    pub fn settle(&mut self) {
        self.objects.sort_by_cached_key(|object| (object.id(), object.gvk().version));
        self.aws.reads.sort_by_cached_key(|read| {
            (read.service.clone(), serde_json::to_string(read).unwrap_or_default())
        });
    }

    /// Bodies of the objects, for what takes them so.
    #[must_use]
    pub fn bodies(&self) -> Vec<Value> {
        self.objects.iter().map(|object| object.body().clone()).collect()
    }

    /// Objects of a kind.
    pub fn of_kind<'a>(&'a self, group: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Object> + 'a {
        self.objects.iter().filter(move |object| object.kind() == kind && object.gvk().group == group)
    }

    /// Who calls whom: by what the objects show, what Secrets showed when they were read, and what people declared.
    #[must_use]
    pub fn calls(&self, declared: &[Declared]) -> Graph {
        let mut graph = Graph::of(&self.objects, declared);
        for call in &self.secret_calls {
            graph.edges.entry(call.edge.clone()).or_default().insert(call.evidence.clone());
        }
        graph
    }

    /// How many objects there are of custom kinds, by `Kind.group`.
    #[must_use]
    pub fn custom_kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for object in &self.objects {
            let kind = object.gvk().group_kind();
            if kind.group.contains('.') && !kind.group.ends_with(".k8s.io") {
                *kinds.entry(kind.to_string()).or_default() += 1;
            }
        }
        kinds
    }
}

/// The cluster as `kops delete cluster` would be told of it.
#[must_use]
pub fn cluster_of(kops: &KopsState) -> Cluster {
    Cluster {
        name: kops.cluster.name.clone(),
        without_dns: kops.text("networking.topology.dns") == Some("None"),
        kops_minor: kops.version.as_deref().and_then(minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_by_their_minor() {
        assert_eq!(minor("v1.24.17"), Some(24));
        assert_eq!(minor("1.34"), Some(34));
        assert_eq!(minor("v1.30-eks-1"), Some(30));
        assert_eq!(minor("2.0"), None);
    }
}
