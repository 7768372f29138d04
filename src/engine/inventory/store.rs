//! kops' files: from a state store, or from a folder with specs.

use super::{Progress, Reading};
use crate::migrate::dump::{KopsFiles, Unread, Wants, wants};
use crate::model::kops::ReadError;
use crate::ports::{Files, FilesFailure};
use futures::stream::{self, StreamExt as _};
use std::collections::BTreeSet;

/// Reads under way at once.
const AT_ONCE: usize = 8;
/// Files by which a cluster's folder is known.
const ROOTS: [&str; 3] = ["config", "cluster-completed.spec", "cluster.spec"];
/// What every document of kops says.
const OF_KOPS: [&str; 2] = ["kops.k8s.io/v1alpha", "kops/v1alpha2"];
const YAML: [&str; 3] = [".yaml", ".yml", ".json"];

/// Why there are no specs.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// The place cannot be read.
    #[error(transparent)]
    Files(#[from] FilesFailure),
    /// There is no such cluster in it.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads a cluster of a state store into the inventory.
///
/// # Errors
/// The store cannot be read, it has no cluster, or several and none is named.
pub async fn read_store(
    files: &dyn Files,
    cluster: Option<&str>,
    into: &mut Reading,
    progress: Progress<'_>,
) -> Result<(), StoreFailure> {
    progress(&format!("reading the state store {}", files.place()));
    // With a name only its own folder is listed: stores have many clusters, and each has thousands of backups.
    let mut keys = match cluster {
        Some(name) => files.list(&format!("{name}/")).await?,
        None => Vec::new(),
    };
    if keys.is_empty() {
        keys = files.list("").await?;
    }
    let root = root(&keys, cluster, files.place())?;
    let mut kops = KopsFiles {
        place: files.place().into(),
        is_store: true,
        cluster: cluster.map(str::to_owned),
        ..KopsFiles::default()
    };
    let mut wanted = Vec::new();
    let mut backups = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(&root)) {
        match wants(&key[root.len()..]) {
            Wants::Text => wanted.push(key.as_str()),
            Wants::Presence => {
                let folder: String = key[root.len()..].split('/').take(3).collect::<Vec<_>>().join("/");
                if !key.contains("backups/") || backups.insert(folder) {
                    kops.seen.insert(key.clone());
                }
            }
            Wants::Nothing => {}
        }
    }
    fill(files, &wanted, &mut kops, into).await;
    // What cannot be taken for a cluster is told here, where a person can still name another one.
    kops.state()?;
    into.inventory.store = Some(kops);
    Ok(())
}

/// Reads specs of a cluster from files into the inventory. Of a folder, those that hold documents of kops.
///
/// # Errors
/// As [`read_store`].
pub async fn read_specs(
    places: &[&dyn Files],
    cluster: Option<&str>,
    into: &mut Reading,
    progress: Progress<'_>,
) -> Result<(), StoreFailure> {
    let mut kops = KopsFiles { cluster: cluster.map(str::to_owned), ..KopsFiles::default() };
    let mut names = Vec::new();
    for files in places {
        progress(&format!("reading specs from {}", files.place()));
        names.push(files.place().to_owned());
        let keys = files.list("").await?;
        let is_one = keys.len() == 1;
        let wanted: Vec<&str> = keys
            .iter()
            .map(String::as_str)
            .filter(|key| is_one || YAML.iter().any(|end| key.ends_with(end)))
            .collect();
        let mut found = KopsFiles::default();
        fill(*files, &wanted, &mut found, into).await;
        for (key, text) in found.texts {
            if is_one || OF_KOPS.iter().any(|words| text.contains(words)) {
                let key = if places.len() == 1 { key } else { format!("{}/{key}", files.place()) };
                kops.texts.insert(key, text);
            }
        }
    }
    kops.place = names.join(", ");
    kops.state()?;
    into.inventory.files = Some(kops);
    Ok(())
}

/// Reads files; one that cannot be read is named.
async fn fill(files: &dyn Files, keys: &[&str], kops: &mut KopsFiles, into: &mut Reading) {
    // No closure around the futures: a task that is spawned could not await it.
    let mut due = Vec::new();
    for key in keys.iter().copied() {
        due.push(async move { (key, files.read(key).await) });
    }
    let mut reads = stream::iter(due).buffered(AT_ONCE);
    while let Some((key, bytes)) = reads.next().await {
        let done = match bytes {
            Ok(bytes) => kops.add(key, bytes, &into.key),
            Err(failure) => Err(failure.reason),
        };
        if let Err(why) = done {
            into.inventory.unread.insert(Unread::new(format!("{}/{key}", files.place()), why));
        }
    }
}

/// The folder of the cluster, with a slash at its end; empty where the place is the cluster's own folder.
fn root(keys: &[String], cluster: Option<&str>, place: &str) -> Result<String, ReadError> {
    let folder = |key: &str| {
        let root = ROOTS.iter().find_map(|name| key.strip_suffix(name))?;
        (root.is_empty() || root.ends_with('/')).then(|| root.to_owned())
    };
    let roots: BTreeSet<String> = keys.iter().filter_map(|key| folder(key)).collect();
    let name = |root: &str| root.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let named = cluster.and_then(|cluster| roots.iter().find(|root| name(root) == cluster));
    let place = place.to_owned();
    match (named, cluster, roots.len()) {
        (Some(root), _, _) => Ok(root.clone()),
        (None, _, 0) => Err(ReadError::NoCluster { place, problems: Vec::new() }),
        // The place may be the cluster's own folder, whose name it does not show: the document tells.
        (None, _, 1) => Ok(roots.into_iter().next().unwrap_or_default()),
        (None, None, _) => {
            Err(ReadError::SeveralClusters { place, names: roots.iter().map(|root| name(root)).collect() })
        }
        (None, Some(wanted), _) => Err(ReadError::NoSuchCluster {
            place,
            name: wanted.to_owned(),
            names: roots.iter().map(|root| name(root)).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_folder_is_found_by_its_files() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let two =
            keys(&["p/a.example.com/config", "p/a.example.com/addons/x", "p/b.example.com/cluster.spec"]);
        assert_eq!(root(&two, Some("b.example.com"), "s").unwrap(), "p/b.example.com/");
        assert!(matches!(root(&two, None, "s"), Err(ReadError::SeveralClusters { .. })));
        assert!(matches!(root(&two, Some("c"), "s"), Err(ReadError::NoSuchCluster { .. })));
        assert_eq!(root(&keys(&["config", "instancegroup/nodes"]), Some("a"), "s").unwrap(), "");
        assert!(matches!(root(&keys(&["myconfig"]), None, "s"), Err(ReadError::NoCluster { .. })));
    }
}
