//! From documents to applications on destinations: globs and selectors resolved.

use super::unit::UnitSpec;
use super::world::World;
use crate::model::cluster::IN_CLUSTER;
use crate::model::document::{ApplicationDocument, ClusterDocument, Documents};
use crate::model::event::What;
use crate::model::permissions::wildcard;
use crate::model::{ApplicationSpec, ClusterSpec};
use crate::ports::{ApplicationRecord, RepositoryFailure};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// An application on a destination, as the documents want it.
pub(crate) struct Wanted {
    pub spec: UnitSpec,
    pub destination: String,
    pub cluster: ClusterSpec,
}

/// All that documents want, by `destination/application`, and what could not be resolved at the moment.
#[derive(Default)]
pub(crate) struct Expansion {
    pub wanted: BTreeMap<String, Wanted>,
    /// Documents whose folders are not known at the moment: what they stood for must not be taken as removed.
    pub unresolved: Vec<String>,
    /// The first whose folders cannot be read, in words: an object that left another application may be in one of them.
    pub unread: Option<String>,
}

/// Resolves every application document. `remembered` are the records of earlier runs, by `destination/application`.
pub(crate) async fn expand(
    documents: &Documents,
    world: &World,
    remembered: &BTreeMap<String, ApplicationRecord>,
) -> Expansion {
    let mut expansion = Expansion::default();
    let missing = (!world.all_documents()).then(|| world.missing_documents());
    for document in &documents.applications {
        let repository = document.spec.repository.as_deref().unwrap_or(&document.origin.repository);
        let folders = match folders(document, repository, world).await {
            Ok(folders) => folders,
            Err(Unknown { message, passes }) => {
                expansion.unread.get_or_insert_with(|| {
                    format!("the folders of application {} are not known ({message})", document.name)
                });
                if passes {
                    world.render_again(repository);
                }
                refuse(world, document, "/spec/path", message);
                expansion.unresolved.push(document.name.clone());
                continue;
            }
        };
        let destinations = destinations(document, documents);
        if let Some(missing) = &missing
            && !is_certain(document, &folders, &destinations, remembered)
        {
            if !missing.is_empty() {
                refuse(world, document, "/spec/destination", missing.clone());
            }
            expansion.unresolved.push(document.name.clone());
            continue;
        }
        if destinations.is_empty() {
            refuse(
                world,
                document,
                "/spec/destination",
                "no Cluster document matches the destination".into(),
            );
            expansion.unresolved.push(document.name.clone());
            continue;
        }
        for (name, path) in &folders {
            for (destination, cluster) in &destinations {
                if let Err(denied) = permitted(world, document, repository, destination) {
                    refuse(world, document, "/spec/destination", denied);
                    expansion.unresolved.push(document.name.clone());
                    continue;
                }
                let application = ApplicationSpec { path: path.clone(), ..document.spec.clone() };
                let spec = UnitSpec {
                    name: name.clone(),
                    repository: repository.into(),
                    declared_in: document.origin.repository.clone(),
                    path: path.clone(),
                    application,
                };
                let wanted = Wanted { spec, destination: destination.clone(), cluster: cluster.clone() };
                match expansion.wanted.entry(format!("{destination}/{name}")) {
                    Entry::Vacant(place) => {
                        place.insert(wanted);
                    }
                    // A folder of a glob can take another document's name.
                    Entry::Occupied(_) => {
                        let message = format!(
                            "`{path}` stands for an application called {name}, and there is one already"
                        );
                        refuse(world, document, "/spec/path", message);
                    }
                }
            }
        }
    }
    expansion
}

/// Why folders are not known.
struct Unknown {
    message: String,
    /// Whether the same may succeed later by itself.
    passes: bool,
}

impl From<RepositoryFailure> for Unknown {
    fn from(failure: RepositoryFailure) -> Self {
        Self { message: failure.to_string(), passes: failure.transient }
    }
}

/// The application's folders with the name that each stands for: one, or one for each match of a glob.
async fn folders(
    document: &ApplicationDocument,
    repository: &str,
    world: &World,
) -> Result<Vec<(String, String)>, Unknown> {
    let path = document.spec.path.trim_matches('/');
    if !path.contains(['*', '?', '[']) {
        return Ok(vec![(document.name.clone(), path.into())]);
    }
    let source = world.source(repository).ok_or_else(|| Unknown {
        message: format!("repository `{repository}` is not in the daemon's file"),
        passes: false,
    })?;
    let reference = document.spec.revision.as_deref().or(source.revision.as_deref());
    let revision = source.repository.resolve(reference).await?;
    let found = source.repository.folders(&revision.commit, path).await?;
    Ok(found
        .into_iter()
        .map(|folder| {
            let last = folder.rsplit('/').next().unwrap_or(&folder).to_ascii_lowercase();
            (format!("{}-{last}", document.name), folder)
        })
        .collect())
}

/// Whether a document goes where it seems to go although documents are missing: where it names no cluster, a Cluster that
/// is not known yet would change which one is meant. Where it went before counts.
fn is_certain(
    document: &ApplicationDocument,
    folders: &[(String, String)],
    destinations: &[(String, ClusterSpec)],
    remembered: &BTreeMap<String, ApplicationRecord>,
) -> bool {
    let destination = &document.spec.destination;
    let is_named = destination.cluster.is_some() || destination.selector.is_some();
    let is_known = |destination: &str| {
        folders.iter().all(|(name, _)| remembered.contains_key(&format!("{destination}/{name}")))
    };
    !destinations.is_empty() && (is_named || destinations.iter().all(|(name, _)| is_known(name)))
}

/// The clusters that a document's destination names.
fn destinations(document: &ApplicationDocument, documents: &Documents) -> Vec<(String, ClusterSpec)> {
    let pair = |cluster: &ClusterDocument| (cluster.name.clone(), cluster.spec.clone());
    let in_cluster = || (IN_CLUSTER.to_owned(), ClusterSpec { in_cluster: true, ..ClusterSpec::default() });
    let destination = &document.spec.destination;
    if let Some(selector) = &destination.selector {
        let matches = |cluster: &&ClusterDocument| {
            selector.iter().all(|(key, value)| cluster.labels.get(key) == Some(value))
        };
        return documents.clusters.iter().filter(matches).map(pair).collect();
    }
    match (&destination.cluster, documents.clusters.as_slice()) {
        (Some(name), _) => cluster(documents, name).map(|spec| (name.clone(), spec)).into_iter().collect(),
        (None, [only]) => vec![pair(only)],
        (None, _) => vec![in_cluster()],
    }
}

/// The cluster of a name.
pub(crate) fn cluster(documents: &Documents, name: &str) -> Option<ClusterSpec> {
    let named =
        documents.clusters.iter().find(|cluster| cluster.name == name).map(|cluster| cluster.spec.clone());
    named.or_else(|| (name == IN_CLUSTER).then(|| ClusterSpec { in_cluster: true, ..ClusterSpec::default() }))
}

/// What the daemon's file allows the repositories of the document and of the manifests.
fn permitted(
    world: &World,
    document: &ApplicationDocument,
    repository: &str,
    destination: &str,
) -> Result<(), String> {
    let account = document.spec.service_account.as_deref().map(|account| {
        account.split_once('/').map_or_else(
            || document.spec.namespace.clone().unwrap_or_else(|| "default".into()),
            |(namespace, _)| namespace.to_owned(),
        )
    });
    for permissions in world.permissions(&[&document.origin.repository, repository]) {
        permissions.destination(destination).map_err(|denied| denied.to_string())?;
        permissions.service_account(account.as_deref()).map_err(|denied| denied.to_string())?;
    }
    Ok(())
}

fn refuse(world: &World, document: &ApplicationDocument, pointer: &str, message: String) {
    let problem = document.origin.problem(pointer, message);
    let origin = format!("{}:{}:{}", problem.file, problem.line, problem.column);
    world.emit(
        "",
        What::DocumentRefused {
            origin,
            message: format!("Application {}: {}", document.name, problem.message),
        },
    );
}

/// Whether a unit's name may come from a document whose folders are not known at the moment.
pub(crate) fn may_come_from(unit: &str, documents: &[String]) -> bool {
    documents.iter().any(|document| unit == document || wildcard(&format!("{document}-*"), unit))
}
