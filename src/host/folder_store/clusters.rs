//! Records of clusters, as files.

use super::files::{self, Folder};
use crate::ports::{ClusterRecord, StateFailure};
use std::collections::BTreeMap;

pub(super) const CLUSTERS: &str = "clusters";

pub(super) fn load(folder: &Folder) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
    let mut records = BTreeMap::new();
    for file in folder.names(CLUSTERS)? {
        let (Some(name), Some(text)) = (file.strip_suffix(".json"), folder.read(CLUSTERS, &file)?) else {
            continue;
        };
        match serde_json::from_slice(&text) {
            Ok(record) => drop(records.insert(name.to_owned(), record)),
            // It tells what is shown and what was tried; the next pass describes everything anew.
            Err(error) => tracing::warn!(file, %error, "a cluster's record cannot be read and is left out"),
        }
    }
    Ok(records)
}

pub(super) fn save(folder: &Folder, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
    let file = format!("{name}.json");
    match record {
        Some(record) => {
            let text = serde_json::to_vec(record).map_err(|error| files::broken(&file, &error))?;
            folder.write(CLUSTERS, &file, &text)
        }
        None => folder.remove(CLUSTERS, &file),
    }
}
