//! Nodes: one for each instance that kops' Auto Scaling groups run, as its kubelet and kops-controller would have it.
//!
//! kops writes labels and taints of a group on its Auto Scaling group for the cluster autoscaler, from where they come to
//! the instances; kops-controller reads them there (kops `pkg/nodeidentity/aws`), and so do we.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::static_pods;
use crate::local::aws::account::{Account, Instance, items, text};
use crate::local::aws::capacity::InstanceType;
use crate::local::aws::kubernetes::{Api, Refusal};
use crate::model::kops::{KopsState, Role};

/// Between two looks at the instances.
const PAUSE: Duration = Duration::from_secs(1);
const NODES: &str = "/api/v1/nodes";
/// kops' tag on an instance: its group.
const GROUP_TAG: &str = "kops.k8s.io/instancegroup";
const LABEL_TAG: &str = "k8s.io/cluster-autoscaler/node-template/label/";
const TAINT_TAG: &str = "k8s.io/cluster-autoscaler/node-template/taint/";
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// Root volumes and pods of a node where the group says nothing (kops `defaultNodeVolumeSize`, the kubelet).
const DISK: u64 = 128;
const PODS: u64 = 110;

/// Why a look was not complete.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What a group says about its nodes that is not on its instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    /// A way in by SSH, no node.
    bastion: bool,
    /// Its instances may be taken away at any time. moto does not tell it of an instance.
    spot: bool,
    /// GiB.
    disk: u64,
    pods: u64,
}

/// What keeps the nodes of a cluster.
pub(super) struct Nodes {
    account: Account,
    api: Api,
    cluster: String,
    groups: BTreeMap<String, Group>,
    /// Nodes are called as their instances, not as their addresses: with the cloud's own controller
    /// (kops `UsesInstanceIDForNodeName`).
    by_instance: bool,
    /// kube-proxy runs on every node.
    proxied: bool,
    /// Provider ids of the nodes whose static pods run.
    complete: Mutex<BTreeSet<String>>,
    /// Of their kubelets.
    version: String,
}

impl Nodes {
    pub(super) fn new(account: Account, api: Api, state: &KopsState, version: &str) -> Nodes {
        let pods_of_all = state.at("kubelet.maxPods").as_u64();
        let group = |spec: &crate::model::kops::Spec| Group {
            bastion: spec.role() == Role::Bastion,
            spot: spec.text("maxPrice").is_some()
                || (spec.number("mixedInstancesPolicy.onDemandAboveBase") == Some(0)
                    && spec.number("mixedInstancesPolicy.onDemandBase").unwrap_or(0) == 0),
            disk: spec.number("rootVolume.size").unwrap_or(DISK),
            pods: spec.number("kubelet.maxPods").or(pods_of_all).unwrap_or(PODS),
        };
        Nodes {
            account,
            api,
            cluster: state.cluster.name.clone(),
            groups: state.groups.iter().map(|spec| (spec.name.clone(), group(spec))).collect(),
            by_instance: !state.at("cloudControllerManager").is_null(),
            complete: Mutex::default(),
            proxied: state.flag("kubeProxy.enabled").unwrap_or(true),
            version: version.to_owned(),
        }
    }

    /// Keeps nodes and instances in step, until it is dropped.
    pub(super) async fn keep(self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            // What fails now is tried again in a second.
            let _ = self.pass().await;
        }
    }

    /// One comparison of instances and nodes; gives how many nodes there ought to be.
    pub(super) async fn pass(&self) -> Result<usize, Failed> {
        let of_cluster = [("tag:KubernetesCluster", &[self.cluster.as_str()][..])];
        let mut instances = self.account.instances(&of_cluster).await?;
        instances.retain(|instance| self.group(instance).is_some_and(|group| !group.bastion));
        let nodes = self.api.list(NODES).await?;
        let known: BTreeMap<String, &Value> =
            nodes.iter().map(|node| (text(&node["spec"], "providerID"), node)).collect();
        let new: Vec<&Instance> =
            instances.iter().filter(|instance| !known.contains_key(&provider_id(instance))).collect();
        let made = self.register(&new).await?;
        for node in nodes.iter().chain(&made) {
            self.run_static_pods(node).await?;
        }
        let running: BTreeSet<String> = instances.iter().map(provider_id).collect();
        for (id, node) in &known {
            if id.contains("/i-") && !running.contains(id) {
                self.remove(&text(&node["metadata"], "name")).await?;
            }
        }
        Ok(instances.len())
    }

    /// How many nodes are Ready.
    pub(super) async fn ready(&self) -> Result<usize, Refusal> {
        let nodes = self.api.list(NODES).await?;
        let ready = |node: &&Value| {
            items(&node["status"], "conditions")
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        Ok(nodes.iter().filter(ready).count())
    }

    fn group(&self, instance: &Instance) -> Option<&Group> {
        self.groups.get(instance.tags.get(GROUP_TAG)?)
    }

    /// Makes nodes of instances; gives those that were made.
    async fn register(&self, instances: &[&Instance]) -> Result<Vec<Value>, Failed> {
        let mut made = Vec::new();
        let kinds: BTreeSet<String> = instances.iter().map(|instance| instance.kind.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        if kinds.is_empty() {
            return Ok(made);
        }
        let types = InstanceType::describe(&self.account, &kinds).await?.unwrap_or_default();
        for instance in instances {
            let Some(kind) = types.iter().find(|kind| kind.name == instance.kind) else { continue };
            let Some(group) = self.group(instance) else { continue };
            match self.api.create(NODES, &self.describe(instance, kind, group)).await {
                Ok(node) => made.push(node),
                // Of an instance that has had the address before: it goes with the next look.
                Err(Refusal { status: 409, .. }) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(made)
    }

    /// Shows the static pods of a node, once.
    async fn run_static_pods(&self, node: &Value) -> Result<(), Refusal> {
        let id = text(&node["spec"], "providerID");
        if self.complete.lock().unwrap_or_else(PoisonError::into_inner).contains(&id) {
            return Ok(());
        }
        let control_plane = !node["metadata"]["labels"][CONTROL_PLANE].is_null();
        for pod in static_pods::of(node, &self.version, control_plane, self.proxied) {
            match self.api.create("/api/v1/namespaces/kube-system/pods", &pod).await {
                Ok(_) | Err(Refusal { status: 409, .. }) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        self.complete.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(())
    }

    /// Deletes a node and what ran on it, as the cloud's controller does when an instance is gone.
    async fn remove(&self, node: &str) -> Result<(), Refusal> {
        self.api.delete(&format!("{NODES}/{node}")).await?;
        for pod in self.api.list(&format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")).await? {
            let metadata = &pod["metadata"];
            self.api.remove_pod(&text(metadata, "namespace"), &text(metadata, "name")).await?;
        }
        Ok(())
    }

    fn describe(&self, instance: &Instance, kind: &InstanceType, group: &Group) -> Value {
        let region = &self.account.home.region;
        let dns = dns_name(&instance.address, region);
        let name = if self.by_instance { &instance.id } else { &dns };
        let (capacity, allocatable) = kind.room_by_default(group.disk, group.pods);
        let now = Timestamp::now().to_string();
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": name, "labels": self.labels(name, instance, kind, group),
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "spec": {"providerID": provider_id(instance), "taints": taints(instance)},
            "status": {
                "capacity": capacity, "allocatable": allocatable,
                "addresses": [
                    {"type": "InternalIP", "address": instance.address},
                    {"type": "InternalDNS", "address": dns}, {"type": "Hostname", "address": dns},
                ],
                "nodeInfo": {
                    "architecture": kind.architecture(), "operatingSystem": "linux", "osImage": "Ubuntu 20.04.6 LTS",
                    "kernelVersion": "5.15.0-1045-aws", "containerRuntimeVersion": "containerd://1.6.20",
                    "kubeletVersion": self.version, "kubeProxyVersion": self.version,
                    "bootID": "", "machineID": "", "systemUUID": "",
                },
                "conditions": [{
                    "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "starting",
                    "lastHeartbeatTime": now, "lastTransitionTime": now,
                }],
            },
        })
    }

    fn labels(
        &self,
        name: &str,
        instance: &Instance,
        kind: &InstanceType,
        group: &Group,
    ) -> BTreeMap<String, String> {
        let (region, architecture) = (self.account.home.region.as_str(), kind.architecture());
        let zone = instance.zone.as_str();
        let pairs = [
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", architecture),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", architecture),
            ("node.kubernetes.io/instance-type", &kind.name),
            ("beta.kubernetes.io/instance-type", &kind.name),
            ("topology.kubernetes.io/region", region),
            ("topology.kubernetes.io/zone", zone),
            ("failure-domain.beta.kubernetes.io/region", region),
            ("failure-domain.beta.kubernetes.io/zone", zone),
            // The EBS driver's own.
            ("topology.ebs.csi.aws.com/zone", zone),
        ];
        let mut labels: BTreeMap<String, String> =
            pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if group.spot {
            labels.insert("node-role.kubernetes.io/spot-worker".to_owned(), "true".to_owned());
        }
        let tagged = instance.tags.iter();
        labels.extend(
            tagged.filter_map(|(key, value)| Some((key.strip_prefix(LABEL_TAG)?.to_owned(), value.clone()))),
        );
        labels
    }
}

/// How the cloud names an instance to Kubernetes.
fn provider_id(instance: &Instance) -> String {
    format!("aws:///{}/{}", instance.zone, instance.id)
}

/// The private DNS name of an instance.
fn dns_name(address: &str, region: &str) -> String {
    let domain =
        if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    format!("ip-{}.{domain}", address.replace('.', "-"))
}

/// Taints of the group, and the control plane's own (kops `populate_instancegroup_spec.go`).
fn taints(instance: &Instance) -> Vec<Value> {
    let taint = |(key, value): (&String, &String)| {
        let (value, effect) = value.rsplit_once(':')?;
        Some(json!({"key": key.strip_prefix(TAINT_TAG)?, "value": value, "effect": effect}))
    };
    let mut taints: Vec<Value> = instance.tags.iter().filter_map(taint).collect();
    let is_own = |taint: &Value| taint["key"] == CONTROL_PLANE;
    if instance.tags.contains_key(&format!("{LABEL_TAG}{CONTROL_PLANE}")) && !taints.iter().any(is_own) {
        taints.push(json!({"key": CONTROL_PLANE, "value": "", "effect": "NoSchedule"}));
    }
    taints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(tags: &[(&str, &str)]) -> Instance {
        Instance {
            id: "i-1".into(),
            image: String::new(),
            kind: "m5.large".into(),
            zone: "eu-central-1a".into(),
            subnet: String::new(),
            address: "10.0.0.4".into(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn taints_come_from_tags() {
        let tag = |key: &str| format!("{TAINT_TAG}{key}");
        let role = format!("{LABEL_TAG}{CONTROL_PLANE}");
        let of = |tags: &[(&str, &str)]| taints(&instance(tags));
        assert_eq!(
            of(&[(&tag("spot"), "true:PreferNoSchedule")]),
            [json!({"key": "spot", "value": "true", "effect": "PreferNoSchedule"})]
        );
        assert_eq!(of(&[(&role, "")]), [json!({"key": CONTROL_PLANE, "value": "", "effect": "NoSchedule"})]);
        assert_eq!(provider_id(&instance(&[])), "aws:///eu-central-1a/i-1");
        assert_eq!(dns_name("10.0.0.4", "us-east-1"), "ip-10-0-0-4.ec2.internal");
    }
}
