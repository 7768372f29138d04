//! What others did to the Auto Scaling group of a managed node group: the service describes it, and does not undo it.

use serde_json::{Value, json};

use super::account::items;
use super::cluster::{Running, locked};

/// Members of a node group's description that have become others; `None` where none has, and while we change node groups
/// ourselves.
pub(super) async fn group(cluster: &Running, view: &Value) -> Option<Value> {
    let name = view["nodegroupName"].as_str()?;
    let _still = cluster.changing.try_lock().ok()?;
    let scaling_group = locked(&cluster.groups).get(name)?.scaling_group.clone();
    let input = json!({"AutoScalingGroupNames": [scaling_group]});
    let answer = cluster.account.auto_scaling("DescribeAutoScalingGroups", input).await.ok()?;
    let Some(live) = items(&answer, "AutoScalingGroups").next() else {
        let message = format!(
            "We couldn't find the Auto Scaling group {scaling_group} associated with the managed node group {name}"
        );
        return Some(json!({"status": "DEGRADED", "health": {"issues": [{
            "code": "AutoScalingGroupNotFound", "message": message, "resourceIds": [scaling_group]}]}}));
    };
    // The cluster autoscaler and people set this one; the other sizes are the node group's.
    let desired: u64 = live["DesiredCapacity"].as_str()?.parse().ok()?;
    let mut scaling = view["scalingConfig"].clone();
    if scaling["desiredSize"].as_u64() == Some(desired) {
        return None;
    }
    scaling["desiredSize"] = desired.into();
    Some(json!({"scalingConfig": scaling}))
}
