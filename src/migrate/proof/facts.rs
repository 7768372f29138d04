//! What a person asks first: how many there are of each kind, how many replicas, which images, which settings, whether
//! Services have endpoints.

use super::digest::{Key, digested};
use crate::model::ResourceId;
use crate::transform::{identity, pod_specs};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Facts about a set of objects, each by the name that a report shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Objects by `Kind.group`.
    pub kinds: BTreeMap<String, usize>,
    /// Replicas by workload.
    pub replicas: BTreeMap<String, i64>,
    /// Images by workload, container by container.
    pub images: BTreeMap<String, Vec<String>>,
    /// Digests of ConfigMaps, and keyed ones of Secrets.
    pub settings: BTreeMap<String, String>,
    /// Ready endpoints by Service; filled by [`endpoints`] only where they are to be compared.
    pub endpoints: BTreeMap<String, usize>,
}

/// One fact of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub what: String,
    /// As expected; empty: nothing.
    pub expected: String,
    /// As it is; empty: nothing.
    pub actual: String,
    /// Whether they are the same.
    pub equal: bool,
}

/// The facts of a set of objects, without endpoints.
#[must_use]
pub fn facts<'v>(objects: impl IntoIterator<Item = &'v Value>, key: &Key) -> Facts {
    let mut facts = Facts::default();
    for object in objects {
        let Some(id) = identity(object) else { continue };
        *facts.kinds.entry(id.group_kind().to_string()).or_default() += 1;
        if let Some(replicas) = replicas(object, &id) {
            facts.replicas.insert(id.to_string(), replicas);
        }
        let images: Vec<String> = pod_specs(object).iter().flat_map(|spec| images(object, spec)).collect();
        if !images.is_empty() {
            facts.images.insert(id.to_string(), images);
        }
        if let Some(digest) = settings(object, &id, key) {
            facts.settings.insert(id.to_string(), digest);
        }
    }
    facts
}

fn replicas(object: &Value, id: &ResourceId) -> Option<i64> {
    let scalable = matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") | ("", "ReplicationController")
    );
    // Nothing said is one.
    scalable.then(|| object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1))
}

fn images(object: &Value, spec: &str) -> Vec<String> {
    let lists = ["initContainers", "containers"].into_iter();
    let containers = lists.filter_map(|list| object.pointer(&format!("{spec}/{list}"))?.as_array()).flatten();
    containers
        .filter_map(|one| Some(format!("{}={}", one["name"].as_str()?, one["image"].as_str()?)))
        .collect()
}

/// The digest of what a ConfigMap or Secret holds: keys and values, sorted.
fn settings(object: &Value, id: &ResourceId, key: &Key) -> Option<String> {
    if !id.group.is_empty() || !matches!(id.kind.as_str(), "ConfigMap" | "Secret") {
        return None;
    }
    let hidden = digested(object, key);
    let mut hash = Sha256::new();
    for part in ["data", "binaryData"] {
        let values: BTreeMap<_, _> =
            hidden.get(part).and_then(Value::as_object).into_iter().flatten().collect();
        for (name, value) in values {
            // A length before each text: two texts cannot change places with their border.
            for text in [name.as_str(), value.as_str().unwrap_or_default()] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    let mut text = String::new();
    for byte in hash.finalize().iter().take(8) {
        write!(text, "{byte:02x}").expect("text can be written to a String");
    }
    Some(text)
}

/// Ready endpoints by Service, from the `EndpointSlices` of a cluster (and `Endpoints` where a Service has no slice).
#[must_use]
pub fn endpoints<'v>(objects: impl IntoIterator<Item = &'v Value>) -> BTreeMap<String, usize> {
    let mut sliced: BTreeMap<String, usize> = BTreeMap::new();
    let mut whole: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects {
        let Some(id) = identity(object) else { continue };
        let namespace = id.namespace.clone().unwrap_or_default();
        let list = |key: &str| object.get(key).and_then(Value::as_array).into_iter().flatten();
        match (id.group.as_str(), id.kind.as_str()) {
            ("discovery.k8s.io", "EndpointSlice") => {
                let service =
                    object.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str);
                // A slice that does not say is ready (API of discovery.k8s.io/v1).
                let ready = list("endpoints")
                    .filter(|one| one.pointer("/conditions/ready") != Some(&Value::Bool(false)));
                let count = ready.count();
                *sliced.entry(format!("{namespace}/{}", service.unwrap_or(&id.name))).or_default() += count;
            }
            ("", "Endpoints") => {
                let count = list("subsets")
                    .filter_map(|subset| subset.get("addresses")?.as_array())
                    .map(Vec::len)
                    .sum();
                whole.insert(format!("{namespace}/{}", id.name), count);
            }
            _ => {}
        }
    }
    for (service, count) in whole {
        sliced.entry(service).or_insert(count);
    }
    sliced
}

/// The facts of both sides, one by one.
pub(super) fn compared(expected: &Facts, actual: &Facts) -> Vec<Fact> {
    let mut facts = Vec::new();
    side_by_side(&mut facts, "objects", &expected.kinds, &actual.kinds, ToString::to_string);
    side_by_side(&mut facts, "replicas", &expected.replicas, &actual.replicas, ToString::to_string);
    side_by_side(&mut facts, "images", &expected.images, &actual.images, |images| images.join(" "));
    side_by_side(&mut facts, "settings", &expected.settings, &actual.settings, Clone::clone);
    side_by_side(&mut facts, "endpoints", &expected.endpoints, &actual.endpoints, ToString::to_string);
    facts
}

fn side_by_side<V>(
    facts: &mut Vec<Fact>,
    what: &str,
    expected: &BTreeMap<String, V>,
    actual: &BTreeMap<String, V>,
    shown: impl Fn(&V) -> String,
) {
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    for name in names {
        let [before, after] =
            [expected.get(name), actual.get(name)].map(|v| v.map(&shown).unwrap_or_default());
        let equal = before == after;
        facts.push(Fact { what: format!("{what}: {name}"), expected: before, actual: after, equal });
    }
}
