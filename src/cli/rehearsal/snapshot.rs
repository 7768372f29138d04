//! What a cluster holds as the authors of its objects see it, to say whether a move that went back left a trace.

use super::kubectl::Kubectl;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that controllers write all the time, or anew whenever something starts. What runs is counted by the workloads'
/// own numbers.
const RESTLESS: [&str; 12] = [
    "Pod",
    "Endpoints",
    "EndpointSlice",
    "Node",
    "CSINode",
    "Job",
    "ControllerRevision",
    "CiliumNode",
    "VolumeAttachment",
    "CSIStorageCapacity",
    "FlowSchema",
    "PriorityLevelConfiguration",
];
/// Annotations in which controllers keep their own books.
const BOOKS: [&str; 3] = [
    "deployment.kubernetes.io/revision",
    // The API server counts changes of a DaemonSet's template in it.
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/leader",
];

/// Objects by `Kind.group namespace/name`, without what the server and controllers count in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot(BTreeMap<String, Value>);

impl Snapshot {
    /// Takes one of everything in some namespaces, and of what lives in none.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn of(kubectl: &Kubectl, namespaces: &BTreeSet<String>) -> Result<Self, String> {
        let mut objects = BTreeMap::new();
        for namespaced in [true, false] {
            let kinds = kubectl.kinds(namespaced).await?;
            for mut object in kubectl.list(&kinds.join(",")).await? {
                let text =
                    |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
                let own = namespace.is_empty() || namespaces.contains(namespace);
                if !own || RESTLESS.contains(&kind) {
                    continue;
                }
                let group = text("/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
                let dot = if group.is_empty() { "" } else { "." };
                let name = format!("{kind}{dot}{group} {namespace}/{}", text("/metadata/name"));
                settle(&mut object);
                objects.insert(name, object);
            }
        }
        Ok(Self(objects))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is not the same in another one: the object, and the first place in it.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            match (self.0.get(name), other.0.get(name)) {
                (Some(one), Some(two)) => {
                    found.extend(differs(one, two, "").map(|place| format!("{name} {place}")));
                }
                (Some(_), None) => found.push(format!("{name} is gone")),
                (None, _) => found.push(format!("{name} is new")),
            }
        }
        found
    }
}

fn settle(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        // Of what a server counts, only what runs is compared.
        let status = fields.remove("status").unwrap_or_default();
        for name in ["readyReplicas", "numberReady"] {
            if let Some(value) = status.get(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
    }
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    for field in ["resourceVersion", "managedFields", "generation", "selfLink"] {
        metadata.remove(field);
    }
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let is_empty = annotations.is_some_and(|annotations| {
        BOOKS.iter().for_each(|book| drop(annotations.remove(*book)));
        annotations.is_empty()
    });
    if is_empty {
        metadata.remove("annotations");
    }
}

/// The first place at which two values differ, as a JSON pointer; the text is empty where they do as a whole.
fn differs(one: &Value, other: &Value, place: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| {
                let place = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (one.get(key), other.get(key)) {
                    (Some(one), Some(other)) => differs(one, other, &place),
                    _ => Some(place),
                }
            })
        }
        _ if one == other => None,
        _ => Some(place.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn snapshot(mut objects: Vec<Value>) -> Snapshot {
        objects.iter_mut().for_each(settle);
        Snapshot(objects.into_iter().map(|o| (o["metadata"]["name"].to_string(), o)).collect())
    }

    #[test]
    fn what_servers_count_is_no_difference_and_what_people_wrote_is() {
        let object = |version: &str, replicas: u32| {
            json!({"kind": "Deployment", "metadata": {"name": "web", "uid": "1", "resourceVersion": version,
                "annotations": {"deployment.kubernetes.io/revision": version}},
                "spec": {"replicas": replicas}, "status": {"readyReplicas": 3, "observedGeneration": replicas}})
        };
        let before = snapshot(vec![object("1", 3)]);
        assert_eq!(before.differences(&snapshot(vec![object("2", 3)])), Vec::<String>::new());
        let places = before.differences(&snapshot(vec![object("2", 0)]));
        assert_eq!(places, ["\"web\" /spec/replicas"]);
        assert_eq!(before.differences(&Snapshot::default()), ["\"web\" is gone"]);
    }
}
