//! What is remembered of a cluster from one pass to the next, and over restarts.

use super::attempts::Attempts;
use crate::ports::ClusterRecord;
use crate::provision::Applied;
use crate::provision::resource::{Key, Live, Resource, Scope};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Longest text that is kept of a declaration: user data and policy documents are of no use to whoever takes a cluster
/// away.
const LONGEST_TEXT: usize = 512;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whose resources they are: known before a document is gone, for nothing else tells afterwards.
    pub scope: Option<Scope>,
    /// Role to assume.
    pub role_arn: Option<String>,
    /// What was last declared, long texts apart: gives the order in which things go, and the names of what is only found
    /// by name.
    pub resources: Vec<Resource>,
    /// What was last found in place as declared: a difference from that is a change of the file, else it is drift.
    pub applied: BTreeMap<Key, Applied>,
    /// Approvals in force.
    pub granted: BTreeSet<String>,
    /// Idempotency tokens.
    pub attempts: Attempts,
    /// Whether versions are moving, so that the inside of the cluster is looked at.
    pub moving: bool,
    /// Whether all in the cluster that carries our marks was looked for once since this memory began: what was declared
    /// before it is known to nobody else.
    pub swept: bool,
}

/// A map with keys that are no strings, as JSON has it.
#[derive(Serialize, Deserialize)]
struct AppliedEntry {
    key: Key,
    #[serde(flatten)]
    applied: Applied,
}

impl Memory {
    /// Reads it from a record. What cannot be read is left out: the next pass finds out anew.
    #[must_use]
    pub fn of(record: &ClusterRecord) -> Self {
        fn part<T: DeserializeOwned + Default>(record: &ClusterRecord, name: &str) -> T {
            let value = record.memory.0.get(name).cloned().unwrap_or(Value::Null);
            serde_json::from_value(value).unwrap_or_default()
        }
        let applied: Vec<AppliedEntry> = part(record, "applied");
        Self {
            scope: part(record, "scope"),
            role_arn: part(record, "roleArn"),
            resources: part(record, "resources"),
            applied: applied.into_iter().map(|entry| (entry.key, entry.applied)).collect(),
            granted: part(record, "granted"),
            attempts: part(record, "attempts"),
            moving: part(record, "moving"),
            swept: part(record, "swept"),
        }
    }

    /// Writes it into a record.
    pub fn put_into(&self, record: &mut ClusterRecord) {
        let applied: Vec<AppliedEntry> = self
            .applied
            .iter()
            .map(|(key, applied)| AppliedEntry { key: key.clone(), applied: applied.clone() })
            .collect();
        let parts = [
            ("scope", serde_json::to_value(&self.scope)),
            ("roleArn", serde_json::to_value(&self.role_arn)),
            ("resources", serde_json::to_value(&self.resources)),
            ("applied", serde_json::to_value(&applied)),
            ("granted", serde_json::to_value(&self.granted)),
            ("attempts", serde_json::to_value(&self.attempts)),
            ("moving", serde_json::to_value(self.moving)),
            ("swept", serde_json::to_value(self.swept)),
        ];
        // Only maps with string keys in them: they always become JSON.
        record.memory.0 =
            parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.ok()?))).collect();
    }

    /// Remembers what was found by our marks as if it had been declared: else nobody would find it again.
    pub fn find(&mut self, live: &Live) {
        if self.resources.iter().any(|resource| resource.key == live.key) {
            return;
        }
        self.resources.push(Resource {
            key: live.key.clone(),
            desired: live.actual.clone(),
            tags: BTreeMap::new(),
            needs: BTreeSet::new(),
            declared_at: String::new(),
            existing: false,
        });
    }

    /// Remembers what is declared. What was declared before and is not yet known to be gone stays known.
    pub fn declare(&mut self, declared: &[Resource], is_there: impl Fn(&Key) -> bool) {
        let mut resources: BTreeMap<Key, Resource> = std::mem::take(&mut self.resources)
            .into_iter()
            .filter(|resource| is_there(&resource.key))
            .map(|resource| (resource.key.clone(), resource))
            .collect();
        resources.extend(declared.iter().map(|resource| (resource.key.clone(), shortened(resource))));
        self.resources = resources.into_values().collect();
    }

    /// What is declared, and what was and may still be there: for the calls that find things by name.
    #[must_use]
    pub fn with_former(&self, declared: &[Resource]) -> Vec<Resource> {
        let mut all = declared.to_vec();
        let known: BTreeSet<&Key> = declared.iter().map(|resource| &resource.key).collect();
        all.extend(self.resources.iter().filter(|resource| !known.contains(&resource.key)).cloned());
        all
    }
}

fn shortened(resource: &Resource) -> Resource {
    Resource { desired: without_long_texts(&resource.desired), ..resource.clone() }
}

fn without_long_texts(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, value)| value.as_str().is_none_or(|text| text.len() <= LONGEST_TEXT))
                .map(|(name, value)| (name.clone(), without_long_texts(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_long_texts).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::resource::Kind;
    use serde_json::json;

    #[test]
    fn memory_survives_a_record_and_leaves_long_texts_out() {
        let key = Key::new(Kind::Role, "node");
        let resource = Resource {
            key: key.clone(),
            desired: json!({"RoleName": "n", "AssumeRolePolicyDocument": "x".repeat(600)}),
            tags: BTreeMap::new(),
            needs: BTreeSet::from([Key::new(Kind::Vpc, "vpc")]),
            declared_at: "/iam".into(),
            existing: false,
        };
        let mut memory = Memory { moving: true, ..Memory::default() };
        memory.declare(&[resource], |_| true);
        memory.applied.insert(key, Applied { digest: "d".into(), tags: BTreeSet::from(["team".into()]) });
        let mut record = ClusterRecord::new("shop");
        memory.put_into(&mut record);
        let text = serde_json::to_string(&record).unwrap();
        let read = Memory::of(&serde_json::from_str(&text).unwrap());
        assert_eq!(read, memory);
        assert_eq!(read.resources[0].desired, json!({"RoleName": "n"}));
    }
}
