//! Objects of a dump put into the rehearsal's source cluster: those of its users, without what the server and controllers
//! of the real one wrote into them, with placeholders for what is secret.

use super::kubectl::Kubectl;
use super::story::Surprise;
use crate::migrate::dump::Inventory;
use crate::migrate::own::{Class, Classified, Whose};
use crate::model::Object;
use crate::transform::{Phase, apply_order};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How often what is not taken is tried again: kinds that others bring, service accounts that come a moment later.
const ATTEMPTS: u32 = 12;
/// Objects in one call of kubectl.
const AT_ONCE: usize = 100;
/// `rehearsal` in base64: what stands for every value of a Secret.
const PLACEHOLDER: &str = "cmVoZWFyc2Fs";
/// A certificate and a key have to be such for a Secret of this type; the dump has neither.
const OPAQUE: &str = "Opaque";
/// Fields of metadata that a server writes.
const OF_SERVER: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
];
/// Annotations that controllers write, or that describe what is not here.
const OF_CONTROLLERS: [&str; 5] = [
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-provisioner",
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// What was put into the source cluster.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// How many objects.
    pub objects: usize,
    /// Namespaces of users.
    pub namespaces: BTreeSet<String>,
    /// What was not taken, and what is another.
    pub surprises: Vec<Surprise>,
}

/// The objects of a dump that are made anew, in the order in which they are applied.
pub fn objects(inventory: &Inventory, classified: &[Classified]) -> Vec<(Phase, Value)> {
    let classes: BTreeMap<_, &Classified> = classified.iter().map(|one| (&one.id, one)).collect();
    let ours = |object: &&Object| {
        let id = object.id();
        let Some(one) = classes.get(&id) else { return false };
        let made_by_others = object.body().pointer("/metadata/ownerReferences/0").is_some();
        one.whose == Whose::User && !matches!(one.class, Class::Drop { .. }) && !made_by_others
    };
    let bodies: Vec<Value> =
        inventory.objects.iter().filter(ours).filter_map(|object| anew(object.body())).collect();
    apply_order(&bodies).into_iter().map(|(phase, object)| (phase, object.clone())).collect()
}

/// An object as its author wrote it, as far as that can be known. `None`: others make it.
fn anew(object: &Value) -> Option<Value> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, core) = (text("/kind").to_owned(), text("/apiVersion") == "v1");
    let token = text("/type") == "kubernetes.io/service-account-token";
    // Volumes are of the real account: claims get new ones.
    if core
        && (matches!(kind.as_str(), "PersistentVolume" | "Endpoints" | "Node") || (kind == "Secret" && token))
    {
        return None;
    }
    let mut object = object.clone();
    let fields = object.as_object_mut()?;
    fields.remove("status");
    let metadata = fields.get_mut("metadata")?.as_object_mut()?;
    OF_SERVER.iter().for_each(|field| drop(metadata.remove(*field)));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !OF_CONTROLLERS.iter().any(|begin| name.starts_with(begin)));
    }
    match (core, kind.as_str()) {
        (true, "Secret") => placeholders(fields),
        (true, "Service") => addresses(&mut object["spec"]),
        (true, "PersistentVolumeClaim") => {
            object["spec"].as_object_mut()?.remove("volumeName");
        }
        (true, "ServiceAccount") => {
            object.as_object_mut()?.remove("secrets");
        }
        (true, "Pod") => {
            object["spec"].as_object_mut()?.remove("nodeName");
        }
        (true, "Namespace") => {
            object.as_object_mut()?.remove("spec");
        }
        (false, "Job") => selector(&mut object),
        _ => {}
    }
    Some(object)
}

fn placeholders(secret: &mut serde_json::Map<String, Value>) {
    if let Some(data) = secret.get_mut("data").and_then(Value::as_object_mut) {
        data.values_mut().for_each(|value| *value = PLACEHOLDER.into());
    }
    // Some types are checked for what they hold.
    if secret.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("kubernetes.io/")) {
        secret.insert("type".into(), OPAQUE.into());
    }
}

fn addresses(spec: &mut Value) {
    let headless = spec["clusterIP"] == "None";
    let Some(fields) = spec.as_object_mut() else { return };
    for field in ["clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy"] {
        fields.remove(field);
    }
    if !headless {
        fields.remove("clusterIP");
    }
    for port in fields.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.remove("nodePort");
        }
    }
}

/// The controller writes selector and labels of a Job by its uid.
fn selector(job: &mut Value) {
    if job["spec"]["manualSelector"] != true {
        if let Some(spec) = job["spec"].as_object_mut() {
            spec.remove("selector");
        }
        for place in ["/metadata/labels", "/spec/template/metadata/labels"] {
            if let Some(labels) = job.pointer_mut(place).and_then(Value::as_object_mut) {
                labels.retain(|name, _| !name.ends_with("controller-uid") && !name.ends_with("job-name"));
            }
        }
    }
}

/// Puts them into the source cluster. What is not taken in the end is named, and hinders nothing else.
///
/// # Errors
/// kubectl cannot be run.
pub async fn replay(old: &Kubectl, objects: Vec<(Phase, Value)>) -> Result<Replayed, String> {
    let mut replayed = Replayed::default();
    for (_, object) in &objects {
        let place = if object["kind"] == "Namespace" { "/metadata/name" } else { "/metadata/namespace" };
        replayed.namespaces.extend(object.pointer(place).and_then(Value::as_str).map(str::to_owned));
    }
    let mut missing: Vec<&str> = replayed.namespaces.iter().map(String::as_str).collect();
    let there = old.run(&["get", "namespaces", "--output", "name"]).await?;
    missing.retain(|name| !there.lines().any(|line| line == format!("namespace/{name}")));
    for name in missing {
        old.run(&["create", "namespace", name]).await?;
    }
    let mut phases: BTreeMap<Phase, Vec<Value>> = BTreeMap::new();
    for (phase, object) in objects {
        phases.entry(phase).or_default().push(object);
    }
    for objects in phases.into_values() {
        let mut rest = objects;
        let mut words = BTreeMap::new();
        for attempt in 1..=ATTEMPTS {
            rest = attempted(old, rest, &mut words, &mut replayed.objects).await;
            if rest.is_empty() {
                break;
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            }
        }
        for object in rest {
            let says = words.get(&named(&object)).cloned().unwrap_or_default();
            replayed.surprises.push(Surprise::new(
                "rehearsal",
                named(&object),
                format!("is not in the rehearsal's source: {says}"),
            ));
        }
    }
    Ok(replayed)
}

/// One attempt: all together, and one by one where that fails. Gives those that were not taken.
async fn attempted(
    old: &Kubectl,
    objects: Vec<Value>,
    words: &mut BTreeMap<String, String>,
    taken: &mut usize,
) -> Vec<Value> {
    let mut rest = Vec::new();
    for part in objects.chunks(AT_ONCE) {
        if apply(old, part).await.is_ok() {
            *taken += part.len();
            continue;
        }
        for object in part {
            match apply(old, std::slice::from_ref(object)).await {
                Ok(()) => *taken += 1,
                Err(said) => {
                    words.insert(named(object), said);
                    rest.push(object.clone());
                }
            }
        }
    }
    rest
}

async fn apply(old: &Kubectl, objects: &[Value]) -> Result<(), String> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=rehearsal", "-f", "-"];
    old.run_with(&arguments, &list).await.map(drop)
}

fn named(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_get_placeholders_and_no_digest_is_left() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls", "uid": "1"},
            "type": "kubernetes.io/tls", "data": {"tls.key": "hmac:1234"}});
        let made = anew(&secret).unwrap();
        assert_eq!(made["data"]["tls.key"], PLACEHOLDER);
        assert_eq!((&made["type"], &made["metadata"]), (&json!(OPAQUE), &json!({"name": "tls"})));
        let token = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"},
            "type": "kubernetes.io/service-account-token"});
        assert_eq!(anew(&token), None);
    }

    #[test]
    fn what_the_real_server_gave_is_given_anew() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "status": {},
            "spec": {"clusterIP": "100.64.1.2", "clusterIPs": ["100.64.1.2"], "ports": [{"port": 80, "nodePort": 30001}]}});
        assert_eq!(anew(&service).unwrap()["spec"], json!({"ports": [{"port": 80}]}));
        let headless = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": {"clusterIP": "None"}});
        assert_eq!(anew(&headless).unwrap()["spec"], json!({"clusterIP": "None"}));
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data",
            "annotations": {"pv.kubernetes.io/bind-completed": "yes", "team": "a"}}, "spec": {"volumeName": "pv-1"}});
        let made = anew(&claim).unwrap();
        assert_eq!((&made["spec"], &made["metadata"]["annotations"]), (&json!({}), &json!({"team": "a"})));
    }
}
