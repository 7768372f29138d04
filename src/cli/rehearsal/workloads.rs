//! What runs in a cluster, by the workloads' own numbers.

use super::kubectl::Kubectl;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest wait for workloads to be up, or down.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
/// So many pods, and so many warnings, are told.
const MOST: usize = 8;
/// Every kind that makes pods.
const KINDS: &str = "deployments,statefulsets,daemonsets,cronjobs,jobs";

/// Workloads of some namespaces: `Deployment shop/web` to the pods that are ready and those that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workloads(pub BTreeMap<String, (i64, i64)>);

impl Workloads {
    /// Looks.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn of(kubectl: &Kubectl, namespaces: &BTreeSet<String>) -> Result<Self, String> {
        let mut found = BTreeMap::new();
        for object in kubectl.list(KINDS).await? {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let namespace = text("/metadata/namespace");
            // What a schedule made comes and goes.
            let owned = object.pointer("/metadata/ownerReferences/0").is_some();
            if !namespaces.contains(namespace) || owned {
                continue;
            }
            let name = format!("{} {namespace}/{}", text("/kind"), text("/metadata/name"));
            found.insert(name, numbers(&object));
        }
        Ok(Self(found))
    }

    /// Names of those that lack pods.
    pub fn missing(&self) -> Vec<String> {
        let lacking = self.0.iter().filter(|(_, (ready, wanted))| ready < wanted);
        lacking.map(|(name, (ready, wanted))| format!("{name}: {ready} of {wanted}")).collect()
    }
}

fn numbers(object: &Value) -> (i64, i64) {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let ready = |pointer: &str| if seen { number(pointer).unwrap_or(0) } else { 0 };
    match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet") => {
            (ready("/status/readyReplicas"), number("/spec/replicas").unwrap_or(1))
        }
        Some("DaemonSet") if seen => {
            (ready("/status/numberReady"), number("/status/desiredNumberScheduled").unwrap_or(0))
        }
        // Not looked at by its controller yet: one pod at least is missing.
        Some("DaemonSet") => (0, 1),
        _ => (0, 0),
    }
}

/// Waits until every workload of some namespaces has the pods that it wants. Gives them.
///
/// # Errors
/// Some do not within the limit: which.
pub async fn ready(kubectl: &Kubectl, namespaces: &BTreeSet<String>) -> Result<Workloads, String> {
    let begun = Instant::now();
    loop {
        let workloads = Workloads::of(kubectl, namespaces).await?;
        let missing = workloads.missing();
        if missing.is_empty() {
            return Ok(workloads);
        }
        if begun.elapsed() > LIMIT {
            let why = why(kubectl, namespaces).await;
            return Err(format!("not ready: {}; {}", missing.join(", "), why.join("; ")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Why workloads are not up, as the cluster tells it: pods that are not ready, and the last warnings.
pub async fn why(kubectl: &Kubectl, namespaces: &BTreeSet<String>) -> Vec<String> {
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let own = |object: &&Value| namespaces.contains(&text(object, "/metadata/namespace"));
    let named = |object: &Value| {
        format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
    };
    let mut told = Vec::new();
    for pod in kubectl.list("pods").await.unwrap_or_default().iter().filter(own) {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let mut bad = conditions.filter(|one| one["status"] != "True");
        if let Some(first) = bad.next().filter(|_| pod["status"]["phase"] != "Succeeded") {
            let (kind, message) = (text(first, "/type"), text(first, "/message"));
            told.push(format!("pod {} is {}, {kind}: {message}", named(pod), text(pod, "/status/phase")));
        }
    }
    let mut warnings: Vec<(String, String)> = Vec::new();
    for event in kubectl.list("events").await.unwrap_or_default().iter().filter(own) {
        if event["type"] == "Warning" {
            let about = &event["involvedObject"];
            let (kind, name) = (text(about, "/kind"), text(about, "/name"));
            let said = format!("{kind} {name}: {} {}", text(event, "/reason"), text(event, "/message"));
            warnings
                .push((text(event, "/lastTimestamp"), format!("{} {said}", text(event, "/lastTimestamp"))));
        }
    }
    warnings.sort();
    told.truncate(MOST);
    told.extend(warnings.into_iter().rev().map(|(_, said)| said).take(MOST));
    for attachment in kubectl.list("volumeattachments").await.unwrap_or_default() {
        if attachment["status"]["attached"] != true {
            let why = text(&attachment, "/status/attachError/message");
            let volume = text(&attachment, "/spec/source/persistentVolumeName");
            told.push(format!("volume {volume} is not attached: {why}"));
        }
    }
    told
}

/// Pods of some namespaces that have not ended.
///
/// # Errors
/// kubectl fails.
pub async fn pods(kubectl: &Kubectl, namespaces: &BTreeSet<String>) -> Result<usize, String> {
    let ended = |pod: &&Value| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let own = |pod: &&Value| {
        pod["metadata"]["namespace"].as_str().is_some_and(|namespace| namespaces.contains(namespace))
    };
    Ok(kubectl.list("pods").await?.iter().filter(own).filter(ended).count())
}
