//! What runs in a cluster, by the workloads' own numbers.

use super::kubectl::Kubectl;
use super::told::expect;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest wait for workloads to be up, or down.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
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
        expect(begun.elapsed() < LIMIT, || format!("not ready: {}", missing.join(", ")))?;
        tokio::time::sleep(PAUSE).await;
    }
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

/// Whether volumes and the guard for `kops delete cluster` are parts of the stages. Until they are, a story moves
/// everything else, and ends with the soak.
pub const JOINED: bool = false;

/// Lets StatefulSets with volumes stand still where the stages do not hand these over, and takes their claims away. Gives
/// their names.
///
/// # Errors
/// kubectl fails.
pub async fn without_volumes(kubectl: &Kubectl) -> Result<Vec<String>, String> {
    let mut still = Vec::new();
    if JOINED {
        return Ok(still);
    }
    for set in kubectl.list("statefulsets").await? {
        let text = |pointer: &str| set.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        if set.pointer("/spec/volumeClaimTemplates/0").is_some() {
            kubectl.run(&["-n", namespace, "scale", "statefulset", name, "--replicas=0"]).await?;
            still.push(format!("{namespace}/{name}"));
        }
    }
    for claim in kubectl.list("persistentvolumeclaims").await? {
        let text = |pointer: &str| claim.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        kubectl.run(&["-n", namespace, "delete", "persistentvolumeclaim", name, "--wait=false"]).await?;
    }
    Ok(still)
}
