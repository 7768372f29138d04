//! A whole cluster: from the state store, or from files.
//!
//! | key below the cluster's folder | what it is |
//! |---|---|
//! | `config` | the Cluster as its author wrote it |
//! | `cluster-completed.spec`, before kops 1.22 `cluster.spec` | the Cluster with kops' defaults |
//! | `instancegroup/NAME` | an InstanceGroup |
//! | `kops-version.txt` | the release of kops that applied it last |
//! | `addons/bootstrap-channel.yaml` and what it names | kops' own add-ons |
//! | `clusteraddons/…` | objects that the author gave to `kops create -f` |
//! | `secrets/…`, `pki/…`, `backups/etcd/…` | looked for, never read |

use super::channel::Channel;
use super::error::{Problem, ReadError};
use super::read::{Documents, Source, read_documents};
use super::spec::{Cloud, Other, Role, Spec};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What lies in the state store without being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// `secrets/dockerconfig`: a pull secret for every node.
    pub docker_config: bool,
    /// `secrets/encryptionconfig`: how the API server encrypts.
    pub encryption_config: bool,
    /// `secrets/ciliumpassword` or the like: the network encrypts.
    pub network_secret: bool,
    /// Backups of etcd.
    pub etcd_backups: bool,
}

/// A kops cluster as kops wrote it down.
#[derive(Clone, Debug, PartialEq)]
pub struct KopsState {
    /// The Cluster as its author wrote it; with kops' defaults where that is all there is.
    pub cluster: Spec,
    /// The Cluster with kops' defaults.
    pub completed: Option<Spec>,
    /// InstanceGroups, by name.
    pub groups: Vec<Spec>,
    /// Documents of other kinds.
    pub others: Vec<Other>,
    /// The release of kops that applied it last: `1.28.5`.
    pub version: Option<String>,
    /// kops' own add-ons.
    pub channel: Option<Channel>,
    /// What else lies in the state store.
    pub presence: Presence,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl KopsState {
    /// A value below the Cluster's `spec` by its newest name: the author's, else kops' default. Null where neither says.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        match (self.cluster.at(path), &self.completed) {
            (Value::Null, Some(completed)) => completed.at(path),
            (value, _) => value,
        }
    }

    /// A text, likewise; none where it is empty.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).as_str().filter(|text| !text.is_empty())
    }

    /// A flag, likewise.
    #[must_use]
    pub fn flag(&self, path: &str) -> Option<bool> {
        let of_author = self.cluster.flag(path);
        of_author.or_else(|| self.completed.as_ref().and_then(|completed| completed.flag(path)))
    }

    /// The items of a list, likewise.
    #[must_use]
    pub fn items(&self, path: &str) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// Where it runs.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        match (self.cluster.cloud(), &self.completed) {
            (Cloud::Unsaid, Some(completed)) => completed.cloud(),
            (cloud, _) => cloud,
        }
    }

    /// Groups of instances that run workloads.
    pub fn node_groups(&self) -> impl Iterator<Item = &Spec> {
        self.groups.iter().filter(|group| group.role() == Role::Node)
    }
}

/// Reads a cluster from a listing of its state store: keys with their bytes, relative to any folder above the cluster's
/// or to the cluster's own. `place` names the store in errors.
///
/// # Errors
/// [`ReadError`] where there is no such cluster, or several and none is named.
pub fn read_store(
    place: &str,
    listing: &BTreeMap<String, Vec<u8>>,
    cluster: Option<&str>,
) -> Result<KopsState, ReadError> {
    let mut roots: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for file in ["config", "cluster-completed.spec", "cluster.spec"] {
        for (key, bytes) in listing {
            let Some(root) = folder(key, file) else { continue };
            let documents = read_documents(Source { origin: key, bytes });
            problems.extend(documents.problems);
            if let Some(spec) = documents.clusters.first() {
                roots.entry(root.to_owned()).or_insert_with(|| spec.name.clone());
            }
        }
    }
    let names: BTreeSet<&String> = roots.values().collect();
    let chosen = choose(place, &names.into_iter().cloned().collect::<Vec<_>>(), cluster, problems)?;
    let root =
        roots.iter().find(|(_, name)| **name == chosen).map(|(root, _)| root.clone()).unwrap_or_default();
    Ok(from_root(listing, &root))
}

/// The folder of a key that ends in a file's name, with a slash at its end; empty for the uppermost.
fn folder<'a>(key: &'a str, file: &str) -> Option<&'a str> {
    let root = key.strip_suffix(file)?;
    (root.is_empty() || root.ends_with('/')).then_some(root)
}

fn choose(
    place: &str,
    names: &[String],
    wanted: Option<&str>,
    problems: Vec<Problem>,
) -> Result<String, ReadError> {
    let place = place.to_owned();
    let names = names.to_vec();
    match (wanted, &names[..]) {
        (Some(name), _) if names.iter().any(|other| other == name) => Ok(name.to_owned()),
        (_, []) => Err(ReadError::NoCluster { place, problems }),
        (Some(name), _) => Err(ReadError::NoSuchCluster { place, name: name.to_owned(), names }),
        (None, [name]) => Ok(name.clone()),
        (None, _) => Err(ReadError::SeveralClusters { place, names }),
    }
}

fn from_root(listing: &BTreeMap<String, Vec<u8>>, root: &str) -> KopsState {
    let bytes = |name: &str| listing.get(&format!("{root}{name}")).map(Vec::as_slice);
    let below = |folder: &str| {
        let prefix = format!("{root}{folder}");
        listing.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix))
    };
    let has = |name: &str| bytes(name).is_some();
    let mut documents = Documents::default();
    for (key, bytes) in below("instancegroup/").chain(below("clusteraddons/")) {
        documents.merge(read_documents(Source { origin: key, bytes }));
    }
    let mut spec = |name: &str| -> Option<Spec> {
        let key = format!("{root}{name}");
        let read = read_documents(Source { origin: &key, bytes: bytes(name)? });
        documents.problems.extend(read.problems);
        read.clusters.into_iter().next()
    };
    let written = spec("config");
    let completed = spec("cluster-completed.spec").or_else(|| spec("cluster.spec"));
    let mut problems = std::mem::take(&mut documents.problems);
    let channel = bytes("addons/bootstrap-channel.yaml").map(|text| {
        let manifest = |path: &str| {
            let relative = path.rsplit_once("/addons/").map_or(path, |(_, below)| below);
            let key = format!("{root}addons/{relative}");
            listing.get_key_value(&key).map(|(key, bytes)| (key.clone(), bytes.as_slice()))
        };
        Channel::read(&format!("{root}addons/bootstrap-channel.yaml"), text, manifest, &mut problems)
    });
    let version = bytes("kops-version.txt").map(|text| String::from_utf8_lossy(text).trim().to_owned());
    let presence = Presence {
        docker_config: has("secrets/dockerconfig"),
        encryption_config: has("secrets/encryptionconfig"),
        network_secret: ["secrets/ciliumpassword", "secrets/weavepassword"].into_iter().any(has),
        etcd_backups: below("backups/etcd/").next().is_some(),
    };
    let cluster =
        written.or_else(|| completed.clone()).expect("the folder was chosen because one of them is there");
    assemble(KopsState {
        cluster,
        completed,
        groups: documents.groups,
        others: documents.others,
        version: version.filter(|version| !version.is_empty()),
        channel,
        presence,
        problems,
    })
}

/// Reads a cluster from files that may hold others beside it. `place` names them in errors.
///
/// # Errors
/// [`ReadError`] where there is no such cluster, or several and none is named.
pub fn read_files(
    place: &str,
    sources: &[Source<'_>],
    cluster: Option<&str>,
) -> Result<KopsState, ReadError> {
    let mut documents = Documents::default();
    for source in sources {
        documents.merge(read_documents(*source));
    }
    let names: BTreeSet<&str> = documents.clusters.iter().map(|spec| spec.name.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let several = names.len() > 1;
    let chosen = choose(place, &names, cluster, documents.problems.clone())?;
    let mut problems = documents.problems;
    let mut found = documents.clusters.into_iter().filter(|spec| spec.name == chosen);
    let cluster = found.next().expect("it was chosen from these");
    for second in found {
        problems.push(Problem {
            origin: second.origin.clone(),
            line: second.line,
            message: format!(
                "the Cluster {} stands a second time; {} counts, take this one out",
                second.name, cluster.origin
            ),
        });
    }
    let ours = |group: &Spec| match &group.cluster {
        Some(name) => *name == chosen,
        None => !several,
    };
    Ok(assemble(KopsState {
        cluster,
        completed: None,
        groups: documents.groups.into_iter().filter(ours).collect(),
        others: documents.others,
        version: None,
        channel: None,
        presence: Presence::default(),
        problems,
    }))
}

/// Orders groups by name and takes out those that stand twice.
fn assemble(mut state: KopsState) -> KopsState {
    state.groups.sort_by(|a, b| a.name.cmp(&b.name));
    let mut seen = BTreeSet::new();
    let mut doubled = Vec::new();
    state.groups.retain(|group| {
        let first = seen.insert(group.name.clone());
        if !first {
            doubled.push(Problem {
                origin: group.origin.clone(),
                line: group.line,
                message: format!(
                    "the InstanceGroup {} stands a second time; take one of them out",
                    group.name
                ),
            });
        }
        first
    });
    state.problems.extend(doubled);
    state.problems.sort();
    state.problems.dedup();
    state
}
