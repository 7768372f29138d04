//! Fargate: a node of its own for each pod that a profile selects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{Subnet, items, text};
use super::cluster::{Running, locked};
use super::kubernetes::Refusal;
use super::moto::Interface;
use super::node_object::{NETWORKED, node_info, node_name};
use super::pod_size::Size;
use crate::local::release::Release;

/// The scheduler that places the pods.
pub(super) const SCHEDULER: &str = "fargate-scheduler";
/// Names the profile of a pod.
pub(super) const PROFILE_LABEL: &str = "eks.amazonaws.com/fargate-profile";
/// On the nodes.
const COMPUTE_TYPE: &str = "eks.amazonaws.com/compute-type";
/// Names the interface of a node.
const INTERFACE: &str = "local.portolan.dev/interface";
/// After a watch broke or a pod could not be placed.
const PAUSE: Duration = Duration::from_millis(500);

/// A Fargate profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) name: String,
    selectors: Vec<Selector>,
    subnets: Vec<Subnet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Selector {
    namespace: String,
    labels: BTreeMap<String, String>,
}

impl Profile {
    /// As described, with the subnets that it comes to.
    pub(super) fn described(view: &Value, subnets: Vec<Subnet>) -> Profile {
        let selector = |selector: &Value| Selector {
            namespace: text(selector, "namespace"),
            labels: selector["labels"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
        };
        Profile {
            name: text(view, "fargateProfileName"),
            selectors: items(view, "selectors").map(selector).collect(),
            subnets,
        }
    }

    /// Whether it selects a pod: one of its selectors has the namespace and all its labels.
    pub(super) fn selects(&self, namespace: &str, labels: &Value) -> bool {
        self.selectors.iter().any(|selector| {
            glob(&selector.namespace, namespace)
                && selector
                    .labels
                    .iter()
                    .all(|(key, value)| labels[key].as_str().is_some_and(|l| glob(value, l)))
        })
    }
}

/// `*` for any characters, `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pattern_chars = pattern.chars();
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_chars.as_str();
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| glob(rest, &text[at..]))
        }
        Some(c) => {
            let mut chars = text.chars();
            chars.next().is_some_and(|first| c == '?' || c == first)
                && glob(pattern_chars.as_str(), chars.as_str())
        }
    }
}

/// Watches for pods to place and for nodes to take away, until it is dropped.
pub(super) async fn keep(cluster: Arc<Running>) {
    loop {
        // A watch ends now and then, and with each upgrade.
        let _ = follow(&cluster).await;
        tokio::time::sleep(PAUSE).await;
    }
}

const PODS: &str = "/api/v1/pods?fieldSelector=spec.schedulerName%3Dfargate-scheduler";

async fn follow(cluster: &Running) -> Result<(), Failed> {
    sweep(cluster).await?;
    let mut watch = cluster.api.watch(PODS, "0").await?;
    while let Some(event) = watch.next().await {
        let pod = &event["object"];
        match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") if waits(pod) => place(cluster, pod).await?,
            Some("DELETED") => remove(cluster, &text(&pod["spec"], "nodeName")).await?,
            Some("ERROR") => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn waits(pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_null() && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Takes nodes away whose pod went while nobody watched.
async fn sweep(cluster: &Running) -> Result<(), Failed> {
    let pods = cluster.api.list(PODS).await?;
    // A pod that has ended keeps its node until it is deleted, and is paid for.
    let used: Vec<String> = pods.iter().map(|pod| text(&pod["spec"], "nodeName")).collect();
    for node in nodes(cluster).await? {
        let name = text(&node["metadata"], "name");
        if !used.contains(&name) {
            remove(cluster, &name).await?;
        }
    }
    Ok(())
}

async fn nodes(cluster: &Running) -> Result<Vec<Value>, Refusal> {
    cluster.api.list("/api/v1/nodes?labelSelector=eks.amazonaws.com%2Fcompute-type%3Dfargate").await
}

async fn place(cluster: &Running, pod: &Value) -> Result<(), Failed> {
    let metadata = &pod["metadata"];
    let profile = locked(&cluster.profiles).get(&text(&metadata["labels"], PROFILE_LABEL)).cloned();
    // The profile went meanwhile: the pod waits for ever, as in the service.
    let Some(profile) = profile else { return Ok(()) };
    let Some(size) = Size::of(pod) else { return Ok(()) };
    // Spread by name, which is as good as by turns and needs no memory.
    let uid = text(metadata, "uid");
    let turn = uid.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let Some(subnet) = profile.subnets.get(turn % profile.subnets.len().max(1)) else { return Ok(()) };
    let description = format!("Fargate pod of {}", cluster.name);
    let tags = Running::own_tags(&cluster.name);
    let account = &cluster.account;
    let groups = std::slice::from_ref(&cluster.security_group);
    let made = account
        .provider
        .create_interfaces(&account.home, std::slice::from_ref(&subnet.id), groups, &description, &tags)
        .await?;
    let Some(interface) = made.first() else { return Ok(()) };
    match bind(cluster, pod, subnet, interface, &size).await {
        Ok(()) => Ok(()),
        Err(refusal) => {
            account.provider.release_interfaces(&account.home, std::slice::from_ref(&interface.id)).await?;
            // The pod has gone, or was placed already: an old event.
            if matches!(refusal.status, 404 | 409) { Ok(()) } else { Err(refusal.into()) }
        }
    }
}

async fn bind(
    cluster: &Running,
    pod: &Value,
    subnet: &Subnet,
    interface: &Interface,
    size: &Size,
) -> Result<(), Refusal> {
    let region = &cluster.account.home.region;
    let name = format!("fargate-{}", node_name(&interface.address, region));
    let minor = cluster.minor().await;
    let version = Release::find(&minor).map_or(minor.as_str(), |release| release.version);
    let labels = json!({
        COMPUTE_TYPE: "fargate", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": subnet.zone,
        "failure-domain.beta.kubernetes.io/region": region, "failure-domain.beta.kubernetes.io/zone": subnet.zone,
    });
    let room = json!({
        "cpu": size.cpu.div_ceil(1000).max(2).to_string(), "memory": format!("{}Mi", size.memory.max(4096)),
        "ephemeral-storage": "20Gi", "pods": "1",
    });
    let now = Timestamp::now().to_string();
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake", NETWORKED: "true", INTERFACE: interface.id},
        },
        "spec": {
            "providerID": format!("aws:///{}/{}/{name}", subnet.zone, interface.id.trim_start_matches("eni-")),
            "taints": [{"key": COMPUTE_TYPE, "value": "fargate", "effect": "NoSchedule"}],
        },
        "status": {
            "capacity": room, "allocatable": room,
            "addresses": [
                {"type": "InternalIP", "address": interface.address},
                {"type": "InternalDNS", "address": name}, {"type": "Hostname", "address": name},
            ],
            "nodeInfo": node_info(&format!("{version}-eks-0000000"), "amd64"),
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "starting",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
        },
    });
    cluster.api.create("/api/v1/nodes", &node).await?;
    let (namespace, pod_name) = (text(&pod["metadata"], "namespace"), text(&pod["metadata"], "name"));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod_name}");
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod_name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": name},
    });
    if let Err(refusal) = cluster.api.create(&format!("{path}/binding"), &binding).await {
        cluster.api.delete(&format!("/api/v1/nodes/{name}")).await?;
        return Err(refusal);
    }
    let patch = json!({"metadata": {"annotations": {"CapacityProvisioned": size.to_string()}}});
    cluster.api.merge(&path, &patch).await.map(|_| ())
}

/// Takes a node and its interface away.
async fn remove(cluster: &Running, name: &str) -> Result<(), Failed> {
    let path = format!("/api/v1/nodes/{name}");
    if name.is_empty() {
        return Ok(());
    }
    let Some(node) = cluster.api.get(&path).await? else { return Ok(()) };
    if node["metadata"]["labels"][COMPUTE_TYPE] != "fargate" {
        return Ok(());
    }
    let interface = text(&node["metadata"]["annotations"], INTERFACE);
    cluster.api.delete(&path).await?;
    Ok(cluster.account.provider.release_interfaces(&cluster.account.home, &[interface]).await?)
}

/// Deletes the pods of a profile that goes, and waits until their nodes are gone.
pub(super) async fn clear(cluster: &Running, profile: &str) -> Result<(), Failed> {
    let path = format!("/api/v1/pods?labelSelector=eks.amazonaws.com%2Ffargate-profile%3D{profile}");
    loop {
        let pods = cluster.api.list(&path).await?;
        let placed: Vec<&Value> = pods.iter().filter(|pod| !pod["spec"]["nodeName"].is_null()).collect();
        if placed.is_empty() {
            break;
        }
        for pod in placed {
            let (namespace, name) = (text(&pod["metadata"], "namespace"), text(&pod["metadata"], "name"));
            cluster.api.remove_pod(&namespace, &name).await?;
        }
    }
    sweep(cluster).await
}

/// Removes every Fargate node's interface: the cluster goes.
pub(super) async fn release_all(cluster: &Running) -> Result<(), Failed> {
    for node in nodes(cluster).await? {
        remove(cluster, &text(&node["metadata"], "name")).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_take_wildcards_and_all_their_labels() {
        let view = json!({"fargateProfileName": "p", "selectors": [
            {"namespace": "prod-*"}, {"namespace": "jobs", "labels": {"tier": "b?tch", "run": "yes"}},
        ]});
        let profile = Profile::described(&view, Vec::new());
        let none = json!(null);
        assert!(profile.selects("prod-1", &none));
        assert!(!profile.selects("prod", &none));
        assert!(profile.selects("jobs", &json!({"tier": "batch", "run": "yes", "x": "y"})));
        assert!(!profile.selects("jobs", &json!({"tier": "batch"})));
    }
}
