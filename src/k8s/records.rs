//! Application records in ConfigMaps: sixteen of them, one entry a record.
//!
//! Each entry is set by itself, by JSON merge patch: the other entries of its ConfigMap are not touched, the same
//! patch twice does no harm (so a lost answer is simply repeated), and no version has to be compared.

use super::read::{self, Selection};
use super::store::Place;
use super::{kinds, write};
use crate::ports::{ApiFailureKind, ApplicationRecord, StateFailure, StateUpdate};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Mutex, PoisonError};

/// Number of ConfigMaps. Compatibility promise: records are found by it.
const SHARDS: u8 = 16;
/// Longest record, in bytes; its problems are cut to fit. A ConfigMap holds 1 MiB.
const LONGEST_RECORD: usize = 24 << 10;
const LABEL: &str = "portolan.dev/state";

/// What is known to be written: a hash of each entry.
#[derive(Default)]
pub(super) struct Records {
    written: Mutex<BTreeMap<String, u64>>,
}

impl Records {
    pub(super) async fn load(
        &self,
        place: &Place,
    ) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
        let which = Selection::labels(Some(&place.namespace), &format!("{LABEL}=records"));
        let shards = read::list(&place.wire, &kinds::config_map(), &which).await;
        let shards =
            shards.map_err(|failure| place.failed("the application records cannot be read", &failure))?;
        let mut records = BTreeMap::new();
        let mut written = BTreeMap::new();
        for (entry, text) in shards.iter().filter_map(|shard| shard.body().get("data")?.as_object()).flatten()
        {
            let text = text.as_str().unwrap_or_default();
            match serde_json::from_str::<ApplicationRecord>(text) {
                Ok(record) => {
                    written.insert(entry.clone(), fingerprint(text));
                    records.insert(format!("{}/{}", record.destination, record.name), record);
                }
                // A record tells what was done; without it the next pass finds out anew.
                Err(error) => tracing::warn!(entry, %error, "a record cannot be read and is left out"),
            }
        }
        *self.written() = written;
        Ok(records)
    }

    pub(super) async fn save(&self, place: &Place, update: &StateUpdate) -> Result<(), StateFailure> {
        let mut shards: BTreeMap<u8, Map<String, Value>> = BTreeMap::new();
        for (key, record) in &update.records {
            let entry = entry(key);
            let text = record.as_ref().map(text);
            let known = self.written().get(&entry).copied();
            if known != text.as_deref().map(fingerprint) || (text.is_none() && known.is_some()) {
                let value = text.map_or(Value::Null, Value::String);
                shards.entry(shard(&entry)).or_default().insert(entry, value);
            }
        }
        for (shard, entries) in shards {
            self.write(place, shard, entries).await?;
        }
        Ok(())
    }

    async fn write(&self, place: &Place, shard: u8, entries: Map<String, Value>) -> Result<(), StateFailure> {
        let id = place.id("ConfigMap", &format!("portolan-state-{shard}"));
        let kind = kinds::config_map();
        let mut body = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": id.name, "namespace": place.namespace, "labels": { LABEL: "records" } },
            "data": entries,
        });
        let patch = json!({ "data": body["data"] });
        let mut outcome = write::merge_patch(&place.wire, &kind, &id, &patch).await;
        if outcome.as_ref().is_err_and(|failure| failure.kind == ApiFailureKind::NotFound) {
            if let Some(data) = body["data"].as_object_mut() {
                data.retain(|_, value| !value.is_null());
            }
            outcome = write::create(&place.wire, &kind, &body, None).await;
            if outcome.as_ref().is_err_and(|failure| failure.kind == ApiFailureKind::AlreadyExists) {
                outcome = write::merge_patch(&place.wire, &kind, &id, &patch).await;
            }
        }
        outcome.map_err(|failure| {
            place.failed(&format!("the ConfigMap {} cannot be written", id.name), &failure)
        })?;
        let mut written = self.written();
        for (entry, value) in entries_of(&patch) {
            match value.as_str() {
                Some(text) => written.insert(entry.clone(), fingerprint(text)),
                None => written.remove(entry),
            };
        }
        Ok(())
    }

    fn written(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entries_of(patch: &Value) -> impl Iterator<Item = (&String, &Value)> {
    patch["data"].as_object().into_iter().flatten()
}

/// The record as stored, cut to [`LONGEST_RECORD`]: what is cut is shown by the next pass's log as well.
fn text(record: &ApplicationRecord) -> String {
    let json = |record: &ApplicationRecord| serde_json::to_string(record).unwrap_or_default();
    let whole = json(record);
    if whole.len() <= LONGEST_RECORD {
        return whole;
    }
    let mut short = record.clone();
    let all = short.problems.len();
    short.problems = short
        .problems
        .into_iter()
        .take(20)
        .map(|(place, words)| (cut(&place, 256), cut(&words, 512)))
        .collect();
    if all > short.problems.len() {
        short.problems.insert("…".into(), format!("and {} more", all - short.problems.len()));
    }
    short.message = cut(&short.message, 2048);
    if let Some(waiting) = &mut short.waiting {
        let all = waiting.objects.len();
        waiting.objects.truncate(40);
        if all > waiting.objects.len() {
            waiting.objects.push(format!("… and {} more", all - waiting.objects.len()));
        }
    }
    json(&short)
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        text.into()
    } else {
        text.chars().take(longest - 1).chain(['…']).collect()
    }
}

/// The entry's name: ConfigMap keys take `[-._a-zA-Z0-9]`. `/` becomes `__`, anything else `_` and its hex digits.
fn entry(key: &str) -> String {
    let mut entry = String::with_capacity(key.len() + 8);
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => entry.push(char::from(byte)),
            b'/' => entry.push_str("__"),
            _ => {
                let _ = write!(entry, "_{byte:02x}");
            }
        }
    }
    // The longest key is 253 characters.
    if entry.len() > 253 {
        let digest: String = Sha256::digest(key).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        entry.truncate(200);
        entry.push_str("_._");
        entry.push_str(&digest);
    }
    entry
}

fn shard(entry: &str) -> u8 {
    Sha256::digest(entry)[0] % SHARDS
}

/// Only compared within one process.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Health, SyncStatus};

    fn record(name: &str, problems: usize) -> ApplicationRecord {
        let problems: BTreeMap<_, _> =
            (0..problems).map(|n| (format!("Deployment.apps shop/web-{n}"), "x".repeat(900))).collect();
        serde_json::from_value(json!({
            "name": name, "destination": "in-cluster", "sync": SyncStatus::Synced, "health": Health::Healthy, "problems": problems,
        }))
        .unwrap()
    }

    #[test]
    fn entries_are_config_map_keys_and_do_not_collide() {
        assert_eq!(entry("in-cluster/shop.web"), "in-cluster__shop.web");
        assert_ne!(entry("a/b_c"), entry("a_b/c"));
        assert_ne!(entry("a/b"), entry("a__b"));
        for key in ["a/ü", "x y/z", &"n".repeat(400)] {
            let entry = entry(key);
            assert!(
                entry.len() <= 253 && entry.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
                "{entry}"
            );
        }
        assert_ne!(entry(&format!("{}a", "n".repeat(400))), entry(&format!("{}b", "n".repeat(400))));
    }

    #[test]
    fn a_record_with_a_thousand_problems_stays_small_and_readable() {
        let text = text(&record("shop", 1000));
        assert!(text.len() <= LONGEST_RECORD, "{}", text.len());
        let read: ApplicationRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.problems["…"], "and 980 more");
        assert_eq!(super::text(&record("shop", 2)).matches("web-").count(), 2);
    }

    #[test]
    fn shards_share_the_load() {
        let mut load = [0; SHARDS as usize];
        (0..1600).for_each(|n| load[usize::from(shard(&entry(&format!("c/app-{n}"))))] += 1);
        assert!(load.iter().all(|records| (60..150).contains(records)), "{load:?}");
    }
}
