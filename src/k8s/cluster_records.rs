//! Records of clusters: a ConfigMap each, `portolan-cluster-NAME`, with the record and each part of its memory as an
//! entry. Written by merge patch, so that only what changed is sent and the same patch twice does no harm.

use super::read::{self, Selection};
use super::store::Place;
use super::{kinds, write};
use crate::model::Object;
use crate::ports::{ApiFailureKind, ClusterRecord, StateFailure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const LABEL: &str = "portolan.dev/state";
const WHAT: &str = "clusters";
/// Entry of what is shown; the others are parts of the memory.
const RECORD: &str = "record";
const PREFIX: &str = "portolan-cluster-";

/// What is known to be written, entry by entry.
#[derive(Default)]
pub(super) struct ClusterRecords {
    written: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl ClusterRecords {
    pub(super) async fn load(&self, place: &Place) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
        let which = Selection::labels(Some(&place.namespace), &format!("{LABEL}={WHAT}"));
        let found = read::list(&place.wire, &kinds::config_map(), &which).await;
        let found =
            found.map_err(|failure| place.failed("the records of clusters cannot be read", &failure))?;
        let mut records = BTreeMap::new();
        for object in &found {
            let Some(name) = object.name().strip_prefix(PREFIX) else { continue };
            match record(object) {
                Ok((record, entries)) => {
                    self.written().insert(name.to_owned(), entries);
                    records.insert(name.to_owned(), record);
                }
                // It tells what is shown and what was tried; the next pass describes everything anew.
                Err(error) => {
                    tracing::warn!(name, %error, "a cluster's record cannot be read and is left out")
                }
            }
        }
        Ok(records)
    }

    pub(super) async fn save(
        &self,
        place: &Place,
        name: &str,
        record: Option<&ClusterRecord>,
    ) -> Result<(), StateFailure> {
        let id = place.id("ConfigMap", &format!("{PREFIX}{name}"));
        let kind = kinds::config_map();
        let failed =
            |failure| place.failed(&format!("the ConfigMap {} cannot be written", id.name), &failure);
        let Some(record) = record else {
            write::delete_record(&place.wire, &kind, &id).await.map_err(failed)?;
            self.written().remove(name);
            return Ok(());
        };
        let entries = entries(record);
        let before = self.written().get(name).cloned().unwrap_or_default();
        let changed: Map<String, Value> = entries
            .iter()
            .filter(|(entry, text)| before.get(*entry) != Some(text))
            .map(|(entry, text)| (entry.clone(), json!(text)))
            .chain(
                before
                    .keys()
                    .filter(|entry| !entries.contains_key(*entry))
                    .map(|gone| (gone.clone(), Value::Null)),
            )
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let patch = json!({ "data": changed });
        let mut outcome = write::merge_patch(&place.wire, &kind, &id, &patch).await;
        if outcome.as_ref().is_err_and(|failure| failure.kind == ApiFailureKind::NotFound) {
            let body = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": id.name, "namespace": place.namespace, "labels": { LABEL: WHAT } },
                "data": entries,
            });
            outcome = write::create(&place.wire, &kind, &body, None).await;
            if outcome.as_ref().is_err_and(|failure| failure.kind == ApiFailureKind::AlreadyExists) {
                outcome = write::merge_patch(&place.wire, &kind, &id, &json!({ "data": entries })).await;
            }
        }
        outcome.map_err(failed)?;
        self.written().insert(name.to_owned(), entries);
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, String>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record as entries of a ConfigMap.
fn entries(record: &ClusterRecord) -> BTreeMap<String, String> {
    let mut shown = record.clone();
    let memory = std::mem::take(&mut shown.memory).0;
    let text = serde_json::to_string(&shown).unwrap_or_default();
    let memory = memory.into_iter().filter(|(entry, _)| entry != RECORD);
    memory.map(|(entry, value)| (entry, value.to_string())).chain([(RECORD.to_owned(), text)]).collect()
}

fn record(object: &Object) -> Result<(ClusterRecord, BTreeMap<String, String>), serde_json::Error> {
    let data = object.body().get("data").and_then(Value::as_object);
    let entries: BTreeMap<String, String> = data
        .into_iter()
        .flatten()
        .filter_map(|(entry, text)| Some((entry.clone(), text.as_str()?.to_owned())))
        .collect();
    let text = |entry: &str| entries.get(entry).map(String::as_str).unwrap_or_default();
    let mut record: ClusterRecord = serde_json::from_str(text(RECORD))?;
    for (entry, text) in entries.iter().filter(|(entry, _)| *entry != RECORD) {
        record.memory.0.insert(entry.clone(), serde_json::from_str(text)?);
    }
    Ok((record, entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_entries() {
        let mut before = ClusterRecord::new("shop");
        before.version = "1.36".into();
        before.memory.0.insert("granted".into(), json!(["ab"]));
        let object = Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "portolan-cluster-shop"}, "data": entries(&before),
        }));
        let (after, written) = record(&object.unwrap()).unwrap();
        assert_eq!(after, before);
        assert_eq!(written, entries(&before));
        assert_eq!(written["granted"], r#"["ab"]"#);
    }
}
