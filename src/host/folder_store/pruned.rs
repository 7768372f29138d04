//! Pruned manifests as files, bounded in number and age.

use super::files::{self, Folder};
use crate::model::{Object, ResourceId};
use crate::ports::{Pruned, StateFailure};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub(super) const PRUNED: &str = "pruned";

/// Most files kept for one destination; each holds what one call kept.
const MOST: usize = 200;
/// Days after which a manifest is forgotten, counted from the newest prune of its destination.
const DAYS: i64 = 30;

/// One object as stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    application: String,
    destination: String,
    at: String,
    id: ResourceId,
    manifest: Value,
}

pub(super) fn keep(folder: &Folder, pruned: &[Pruned]) -> Result<(), StateFailure> {
    let mut destinations: BTreeMap<&str, Vec<Stored>> = BTreeMap::new();
    for object in pruned {
        destinations.entry(&object.destination).or_default().push(Stored {
            application: object.application.clone(),
            destination: object.destination.clone(),
            at: object.at.clone(),
            id: object.id.clone(),
            manifest: object.manifest.body().clone(),
        });
    }
    for (destination, objects) in destinations {
        let text = serde_json::to_vec(&objects).map_err(|error| files::broken("what was pruned", &error))?;
        let newest =
            objects.iter().filter_map(|object| object.at.parse::<Timestamp>().ok()).max().unwrap_or_default();
        // Named by content: the same objects kept twice are kept once.
        let name =
            format!("{}{:012}-{}.json", prefix(destination), newest.as_second().max(0), digest(&text, 8));
        folder.write(PRUNED, &name, &text)?;
        forget(folder, destination, newest)?;
    }
    Ok(())
}

pub(super) fn kept(folder: &Folder) -> Result<Vec<(String, Pruned)>, StateFailure> {
    let mut kept = Vec::new();
    for name in folder.names(PRUNED)? {
        let Some(text) = folder.read(PRUNED, &name)? else {
            continue;
        };
        let key = name.strip_suffix(".json").unwrap_or(&name);
        match read(&text) {
            Ok(objects) => {
                kept.extend(objects.into_iter().enumerate().map(|(n, object)| (format!("{key}.{n}"), object)))
            }
            Err(reason) => {
                tracing::warn!(file = name, reason, "pruned manifests cannot be read and are left out")
            }
        }
    }
    kept.sort_by(|(_, a), (_, b)| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
    Ok(kept)
}

/// The reason never quotes the file: Secrets are in it.
fn read(text: &[u8]) -> Result<Vec<Pruned>, String> {
    let stored: Vec<Stored> = serde_json::from_slice(text).map_err(|error| {
        format!("not what was written, at line {} column {}", error.line(), error.column())
    })?;
    let pruned = stored.into_iter().map(|s| {
        let manifest = Object::new(s.manifest).map_err(|error| format!("{}: {error}", s.id))?;
        Ok(Pruned { application: s.application, destination: s.destination, at: s.at, id: s.id, manifest })
    });
    pruned.collect()
}

fn forget(folder: &Folder, destination: &str, newest: Timestamp) -> Result<(), StateFailure> {
    let oldest =
        newest.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN).as_second();
    let prefix = prefix(destination);
    let names = folder.names(PRUNED)?;
    let of_it = names.iter().rev().filter_map(|name| Some((name, name.strip_prefix(&prefix)?)));
    for (place, (name, rest)) in of_it.enumerate() {
        let at: i64 = rest.split('-').next().and_then(|second| second.parse().ok()).unwrap_or(0);
        if place >= MOST || at < oldest {
            folder.remove(PRUNED, name)?;
        }
    }
    Ok(())
}

fn prefix(destination: &str) -> String {
    format!("{}-", digest(destination.as_bytes(), 6))
}

fn digest(content: &[u8], bytes: usize) -> String {
    Sha256::digest(content).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}
