//! Nodes that leave: cordoned, drained through the eviction API, then gone with their instances; and the replacement of
//! a node group's nodes, a few at a time, the new ones first.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::account::{internal, items, problem, text};
use super::cluster::{Group, Running};
use super::nodegroups::{joined, node_name, size};
use super::nodes;
use super::world::Issue;

/// Between two tries to evict.
const PAUSE: Duration = Duration::from_millis(500);

/// Replaces all nodes that are there now. On a failure the nodes that are left stay, and the group has its size again.
pub(super) async fn replace(cluster: &Running, group: &Group, force: bool) -> Result<(), Issue> {
    let name = text(&group.view, "nodegroupName");
    let sizes = &group.view["scalingConfig"];
    let (desired, most) =
        (sizes["desiredSize"].as_u64().unwrap_or(0), sizes["maxSize"].as_u64().unwrap_or(0));
    let old = nodes::of_group(cluster, &name).await.map_err(internal)?;
    let batch = at_once(&group.view["updateConfig"], old.len());
    let first_new = group.view["updateConfig"]["updateStrategy"] != "MINIMAL";
    let result = async {
        for nodes in old.chunks(batch) {
            let before: BTreeSet<String> = list_names(cluster, &name).await?;
            let more = nodes.len() as u64;
            if first_new {
                let grown = json!({"MaxSize": most.max(desired + more), "DesiredCapacity": desired + more});
                size(cluster, group, &grown).await?;
                joined(cluster, group, more, &before).await?;
            }
            for node in nodes {
                cordon(cluster, node, true).await?;
            }
            for node in nodes {
                leave(cluster, node, force).await?;
            }
            if !first_new {
                size(cluster, group, &json!({"DesiredCapacity": desired})).await?;
                joined(cluster, group, more, &before).await?;
            }
        }
        Ok(())
    }
    .await;
    if result.is_err() {
        for node in &old {
            // One that has gone needs no uncordoning.
            let _ = cordon(cluster, node, false).await;
        }
        let kept: BTreeSet<String> = old.iter().map(node_name).collect();
        let all = nodes::of_group(cluster, &name).await.map_err(internal)?;
        let surplus = all.len().saturating_sub(usize::try_from(desired).unwrap_or(usize::MAX));
        for node in all.iter().filter(|node| !kept.contains(&node_name(node))).take(surplus) {
            leave(cluster, node, true).await?;
        }
    }
    let sizes = json!({"MinSize": sizes["minSize"], "MaxSize": most, "DesiredCapacity": desired});
    size(cluster, group, &sizes).await?;
    result
}

/// How many nodes are replaced at once.
fn at_once(config: &Value, nodes: usize) -> usize {
    let share = config["maxUnavailablePercentage"].as_u64().map(|percentage| {
        // Rounded up: at least one.
        (nodes as u64 * percentage).div_ceil(100)
    });
    let number = share.or(config["maxUnavailable"].as_u64()).unwrap_or(1);
    usize::try_from(number).unwrap_or(1).clamp(1, nodes.max(1))
}

async fn list_names(cluster: &Running, group: &str) -> Result<BTreeSet<String>, Issue> {
    Ok(nodes::of_group(cluster, group).await.map_err(internal)?.iter().map(node_name).collect())
}

async fn cordon(cluster: &Running, node: &Value, cordoned: bool) -> Result<(), Issue> {
    let patch = json!({"spec": {"unschedulable": cordoned}});
    let path = format!("/api/v1/nodes/{}", node_name(node));
    cluster.api.merge(&path, &patch).await.map(|_| ()).map_err(internal)
}

/// Drains a node and takes it away with its instance; its Auto Scaling group shrinks by one.
pub(super) async fn leave(cluster: &Running, node: &Value, force: bool) -> Result<(), Issue> {
    drain(cluster, node, force).await?;
    let input = json!({"InstanceId": nodes::instance_of(node), "ShouldDecrementDesiredCapacity": true});
    match cluster.account.auto_scaling("TerminateInstanceInAutoScalingGroup", input).await {
        Ok(_) => {}
        // Terminated by hand meanwhile.
        Err(failure) if failure.kind == crate::ports::CloudFailureKind::NotFound => {}
        Err(failure) => return Err(problem("AsgInstanceLaunchFailures", failure.message, &[])),
    }
    nodes::remove(cluster, &node_name(node)).await.map_err(internal)
}

/// Cordons a node and evicts its pods. Those that a budget keeps are waited for; then they are deleted (`force`), or it is
/// a PodEvictionFailure.
pub(super) async fn drain(cluster: &Running, node: &Value, force: bool) -> Result<(), Issue> {
    cordon(cluster, node, true).await?;
    let name = node_name(node);
    let since = Instant::now();
    // A forced one still gives budgets their chance, as the service does.
    let limit = if force { cluster.patience.eviction / 4 } else { cluster.patience.eviction };
    loop {
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{name}");
        let pods = cluster.api.list(&path).await.map_err(internal)?;
        let left: Vec<&Value> = pods.iter().filter(|pod| has_to_leave(pod)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let late = since.elapsed() > limit;
        for pod in &left {
            let (namespace, pod_name) = (text(&pod["metadata"], "namespace"), text(&pod["metadata"], "name"));
            if pod["metadata"]["deletionTimestamp"].is_null() {
                cluster.api.evict(&namespace, &pod_name).await.map_err(internal)?;
            }
            if late && force {
                cluster.api.remove_pod(&namespace, &pod_name).await.map_err(internal)?;
            }
        }
        if late && !force {
            let pods: Vec<String> = left
                .iter()
                .map(|pod| {
                    format!("{}/{}", text(&pod["metadata"], "namespace"), text(&pod["metadata"], "name"))
                })
                .collect();
            let message = format!(
                "Reached max retries while trying to evict pods from nodes in node group: {}",
                pods.join(", ")
            );
            return Err(problem("PodEvictionFailure", message, &[&name]));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Pods of DaemonSets stay to the end, and so do those that have ended and those that the node itself runs.
fn has_to_leave(pod: &Value) -> bool {
    let owned = items(&pod["metadata"], "ownerReferences").any(|owner| owner["kind"] == "DaemonSet");
    let mirror = !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    !(owned || mirror || ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_up() {
        let table = [
            (json!({}), 5, 1),
            (json!({"maxUnavailable": 3}), 5, 3),
            (json!({"maxUnavailable": 30}), 5, 5),
            (json!({"maxUnavailablePercentage": 33}), 5, 2),
            (json!({"maxUnavailablePercentage": 1}), 5, 1),
            (json!({"maxUnavailable": 2}), 0, 1),
        ];
        for (config, nodes, expected) in table {
            assert_eq!(at_once(&config, nodes), expected, "{config} of {nodes}");
        }
    }
}
