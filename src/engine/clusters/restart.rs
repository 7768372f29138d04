//! Pods of Fargate on nodes of an older version: evicted one at a time, so that they come back on new ones.

use crate::model::{GroupKind, Object};
use crate::ports::{ApiFailure, ApiFailureKind, Cluster};
use serde_json::Value;

/// The label that EKS puts on every pod that runs on Fargate.
const OF_FARGATE: &str = "eks.amazonaws.com/fargate-profile";

/// What became of a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restart {
    /// This pod was asked to go.
    Evicted(String),
    /// Nothing can go now, with the reason.
    Waits(String),
    /// There is none.
    None,
}

/// Evicts one pod of these nodes, once all pods that belong to the same places run: budgets are the server's to respect,
/// and without one the others still stand.
///
/// # Errors
/// When pods cannot be listed.
pub async fn one(cluster: &dyn Cluster, nodes: &[String]) -> Result<Restart, ApiFailure> {
    if nodes.is_empty() {
        return Ok(Restart::None);
    }
    let discovery = cluster.discover().await?;
    let Some(served) = discovery.preferred(&GroupKind::new("", "Pod")) else { return Ok(Restart::None) };
    let pods = cluster.list(served, None, OF_FARGATE).await?;
    if let Some(pod) = pods.iter().find(|pod| !is_over(pod) && !is_ready(pod)) {
        return Ok(Restart::Waits(format!("pod {} is not ready yet", pod.id())));
    }
    let mut waits = None;
    for pod in pods.iter().filter(|pod| on(pod).is_some_and(|node| nodes.contains(&node)) && !is_over(pod)) {
        if !comes_back(pod) {
            waits =
                Some(format!("pod {} would not come back: nothing keeps it; delete it by hand", pod.id()));
            continue;
        }
        match cluster.evict(&pod.id(), pod.uid().unwrap_or_default()).await {
            Ok(()) => return Ok(Restart::Evicted(pod.id().to_string())),
            Err(failure) if failure.kind == ApiFailureKind::Throttled => {
                waits = Some(format!("a PodDisruptionBudget does not let pod {} go now", pod.id()));
            }
            Err(failure) => waits = Some(format!("pod {} cannot be evicted: {failure}", pod.id())),
        }
    }
    Ok(waits.map_or(Restart::None, Restart::Waits))
}

fn on(pod: &Object) -> Option<String> {
    pod.body().pointer("/spec/nodeName").and_then(Value::as_str).map(str::to_owned)
}

/// Whether it has ended, or is about to.
fn is_over(pod: &Object) -> bool {
    let phase = pod.body().pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
    pod.is_terminating() || matches!(phase, "Succeeded" | "Failed")
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.body().pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Whether a controller makes another one in its place.
fn comes_back(pod: &Object) -> bool {
    let owners = pod.body().pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner["controller"] == true)
}
