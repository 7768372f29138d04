//! Nodes: for each instance that belongs to a cluster one node, as its kubelet would register it, for as long as the
//! instance runs.
//!
//! The same loop serves managed node groups, self-managed ones and single instances, as in AWS: what counts is the
//! instance with the cluster's tag. A node is Ready when something on it has brought network configuration
//! (`/etc/cni/net.d`): without the network add-on it stays NotReady.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::account::{Instance, text};
use super::capacity::InstanceType;
use super::cluster::{Running, locked};
use super::kubernetes::Refusal;
use super::node_object::{
    Bootstrap, NETWORKED, declared_labels, declared_taints, describe, kubelet_version, provider_id,
};

/// Between two looks at the instances when nothing has woken us.
const PAUSE: Duration = Duration::from_secs(1);
const NODES: &str = "/api/v1/nodes";

/// Keeps the nodes of a cluster in step with its instances, until it is dropped.
pub(super) async fn keep(cluster: Arc<Running>) {
    loop {
        // What fails now is tried again in a second; whoever waits for nodes tells that they do not come.
        let _ = pass(&cluster).await;
        let _ = tokio::time::timeout(PAUSE, cluster.wake.notified()).await;
    }
}

/// Why a pass was not complete.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// One comparison of instances and nodes.
pub(super) async fn pass(cluster: &Running) -> Result<(), Failed> {
    let key = format!("tag:{}", cluster.tag_key());
    let instances = cluster.account.instances(&[(key.as_str(), &["owned", "shared"])]).await?;
    let nodes = cluster.api.list(NODES).await?;
    let known: BTreeMap<String, &Value> =
        nodes.iter().map(|node| (text(&node["spec"], "providerID"), node)).collect();
    let new: Vec<&Instance> =
        instances.iter().filter(|instance| !known.contains_key(&provider_id(instance))).collect();
    if !new.is_empty() {
        register(cluster, &new).await?;
    }
    let running: BTreeSet<String> = instances.iter().map(provider_id).collect();
    for (id, node) in &known {
        // Fargate's nodes have no instance, and a watcher of their own.
        if id.contains("/i-") && !running.contains(id) {
            remove(cluster, &text(&node["metadata"], "name")).await?;
        }
    }
    for node in nodes.iter().filter(|node| node["metadata"]["annotations"][NETWORKED].is_null()) {
        connect(cluster, &text(&node["metadata"], "name")).await?;
    }
    Ok(())
}

async fn register(cluster: &Running, instances: &[&Instance]) -> Result<(), Failed> {
    let kinds: BTreeSet<String> = instances.iter().map(|instance| instance.kind.clone()).collect();
    let kinds: Vec<String> = kinds.into_iter().collect();
    let types = InstanceType::describe(&cluster.account, &kinds).await?.unwrap_or_default();
    let images = cluster.account.provider.images().await?;
    let minor = cluster.minor().await;
    for instance in instances {
        let Some(kind) = types.iter().find(|kind| kind.name == instance.kind) else { continue };
        let group = cluster.group_of(&instance.tags);
        let own = match &group {
            Some(_) => None,
            None => match user_data(cluster, instance).await? {
                // Of a managed node group that is not known yet, or one that never joins.
                None => continue,
                found => found,
            },
        };
        let name = images.iter().find(|(_, image)| **image == instance.image).map(|(name, _)| name.as_str());
        let version = kubelet_version(name, &minor);
        let node = describe(cluster, instance, kind, group.as_ref(), own.as_ref(), &version);
        match cluster.api.create(NODES, &node).await {
            Ok(_) => {}
            // The name is the address's: the one before it has not gone yet. The next pass finds it free.
            Err(Refusal { status: 409, .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(())
}

/// What an instance outside of managed node groups tells its kubelet, if it is told to join this cluster.
async fn user_data(cluster: &Running, instance: &Instance) -> Result<Option<Bootstrap>, Failed> {
    if instance.tags.contains_key("eks:nodegroup-name") {
        return Ok(None);
    }
    let id = instance.tags.get("aws:ec2launchtemplate:id");
    let Some(id) = id else { return Ok(None) };
    let version = instance.tags.get("aws:ec2launchtemplate:version").map_or("$Latest", String::as_str);
    let input = json!({"LaunchTemplateId": id, "Versions": [version]});
    let answer = cluster.account.ec2("DescribeLaunchTemplateVersions", input).await?;
    let found = super::account::items(&answer, "launchTemplateVersionSet").next();
    let encoded = found.map(|found| text(&found["launchTemplateData"], "userData")).unwrap_or_default();
    let script = STANDARD.decode(encoded).unwrap_or_default();
    Ok(Bootstrap::read(&String::from_utf8_lossy(&script), &cluster.name))
}

/// Lets a node become Ready when a pod on it has brought network configuration.
async fn connect(cluster: &Running, node: &str) -> Result<(), Failed> {
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node},status.phase%3DRunning");
    let pods = cluster.api.list(&path).await?;
    if pods.iter().any(brings_network) {
        let patch = json!({"metadata": {"annotations": {NETWORKED: "true"}}});
        cluster.api.merge(&format!("{NODES}/{node}"), &patch).await?;
    }
    Ok(())
}

/// Whether a pod writes where the container runtime looks for network configuration: aws-node does, and so do Cilium,
/// Calico and all others.
fn brings_network(pod: &Value) -> bool {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["hostPath"]["path"].as_str())
        .any(|path| path.trim_end_matches('/') == "/etc/cni/net.d")
}

/// Deletes a node and what ran on it, as the cloud's controller does when an instance is gone.
pub(super) async fn remove(cluster: &Running, node: &str) -> Result<(), Refusal> {
    cluster.api.delete(&format!("{NODES}/{node}")).await?;
    for pod in cluster.api.list(&format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")).await? {
        let metadata = &pod["metadata"];
        cluster.api.remove_pod(&text(metadata, "namespace"), &text(metadata, "name")).await?;
    }
    Ok(())
}

/// The nodes of a node group.
pub(super) async fn of_group(cluster: &Running, name: &str) -> Result<Vec<Value>, Refusal> {
    cluster.api.list(&format!("{NODES}?labelSelector=eks.amazonaws.com%2Fnodegroup%3D{name}")).await
}

/// Whether a node is Ready.
pub(super) fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The instance behind a node.
pub(super) fn instance_of(node: &Value) -> String {
    text(&node["spec"], "providerID").rsplit('/').next().unwrap_or_default().to_owned()
}

/// Labels and taints of a node group's nodes, from what was declared before to what is declared now.
pub(super) async fn relabel(cluster: &Running, before: &Value, after: &Value) -> Result<(), Refusal> {
    let (old, new) = (declared_labels(before), declared_labels(after));
    let mut labels: BTreeMap<String, Value> =
        old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)).collect();
    labels.extend(new.into_iter().map(|(key, value)| (key, Value::String(value))));
    let (gone, come) = (declared_taints(before), declared_taints(after));
    for node in of_group(cluster, &text(after, "nodegroupName")).await? {
        let same = |a: &Value, b: &Value| a["key"] == b["key"] && a["effect"] == b["effect"];
        let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints.retain(|taint| !gone.iter().chain(&come).any(|other| same(taint, other)));
        taints.extend(come.clone());
        let patch = json!({"metadata": {"labels": labels}, "spec": {"taints": taints}});
        cluster.api.merge(&format!("{NODES}/{}", text(&node["metadata"], "name")), &patch).await?;
    }
    Ok(())
}

/// Forgets a node group: its instances are nobody's nodes any more.
pub(super) fn forget(cluster: &Running, name: &str) {
    locked(&cluster.groups).remove(name);
    cluster.wake.notify_one();
}
