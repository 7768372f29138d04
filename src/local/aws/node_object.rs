//! What a node is like when its kubelet registers it: names, labels, taints, room, version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{Instance, text};
use super::capacity::InstanceType;
use super::cluster::{Group, Running};
use crate::local::release::Release;

/// Set on nodes that have their network; the Stage that makes a node Ready asks for it.
pub(super) const NETWORKED: &str = "local.portolan.dev/network";

/// How the cloud names an instance to Kubernetes.
pub(super) fn provider_id(instance: &Instance) -> String {
    format!("aws:///{}/{}", instance.zone, instance.id)
}

/// A node's name: the instance's private DNS name.
pub(super) fn node_name(address: &str, region: &str) -> String {
    let domain =
        if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    format!("ip-{}.{domain}", address.replace('.', "-"))
}

/// What user data says about a node: nodeadm's NodeConfig, bootstrap.sh, or Bottlerocket's settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bootstrap {
    labels: BTreeMap<String, String>,
    taints: Vec<Value>,
}

impl Bootstrap {
    /// `None` when the name of the cluster stands nowhere in it.
    pub(super) fn read(script: &str, cluster: &str) -> Option<Bootstrap> {
        let named = script
            .split(|c: char| {
                c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '=' | ':' | '{' | '}' | '[' | ']')
            })
            .any(|word| word == cluster);
        if !named {
            return None;
        }
        let mut bootstrap = Bootstrap::default();
        for list in flag(script, "--node-labels=") {
            let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
            bootstrap.labels.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        for list in flag(script, "--register-with-taints=") {
            bootstrap.taints.extend(list.split(',').filter_map(taint));
        }
        Some(bootstrap)
    }
}

/// The values of a flag of the kubelet, wherever it stands in a script or a document.
fn flag<'a>(script: &'a str, name: &str) -> Vec<&'a str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ']');
    script.match_indices(name).filter_map(|(at, _)| script[at + name.len()..].split(ends).next()).collect()
}

/// `key=value:Effect`, the value optional.
fn taint(text: &str) -> Option<Value> {
    let (rest, effect) = text.rsplit_once(':')?;
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    Some(json!({"key": key, "value": value, "effect": effect}))
}

/// `v1.36.3-eks-…` of an image such as `amazon-eks-node-al2023-x86_64-standard-1.36-v20261120`; of the control plane's
/// minor where the image is the customer's own.
pub(super) fn kubelet_version(image: Option<&str>, minor: &str) -> String {
    let named = image
        .into_iter()
        .flat_map(|name| name.split('-'))
        .find(|part| part.strip_prefix("1.").is_some_and(|number| number.parse::<u32>().is_ok()));
    let version = Release::find(named.unwrap_or(minor)).map_or(minor, |release| release.version);
    format!("{version}-eks-0000000")
}

pub(super) fn describe(
    cluster: &Running,
    instance: &Instance,
    kind: &InstanceType,
    group: Option<&Group>,
    own: Option<&Bootstrap>,
    version: &str,
) -> Value {
    let region = &cluster.account.home.region;
    let name = node_name(&instance.address, region);
    let mut labels = labels(&name, instance, kind, region);
    let mut taints = Vec::new();
    let mut disk = 20;
    if let Some(group) = group {
        let view = &group.view;
        disk = view["diskSize"].as_u64().unwrap_or(disk);
        labels.extend([
            ("eks.amazonaws.com/nodegroup".to_owned(), text(view, "nodegroupName")),
            ("eks.amazonaws.com/capacityType".to_owned(), text(view, "capacityType")),
            ("eks.amazonaws.com/nodegroup-image".to_owned(), instance.image.clone()),
            ("eks.amazonaws.com/sourceLaunchTemplateId".to_owned(), group.template.clone()),
            ("eks.amazonaws.com/sourceLaunchTemplateVersion".to_owned(), group.template_version.clone()),
        ]);
        labels.extend(declared_labels(view));
        taints = declared_taints(view);
    }
    if let Some(own) = own {
        labels.extend(own.labels.clone());
        taints.extend(own.taints.clone());
    }
    // As a kubelet of an external cloud provider's registers; the controller-manager takes it off when it is Ready.
    taints.push(json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}));
    let (capacity, allocatable) = kind.room(disk);
    let now = Timestamp::now().to_string();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"providerID": provider_id(instance), "taints": taints},
        "status": {
            "capacity": capacity, "allocatable": allocatable,
            "addresses": [
                {"type": "InternalIP", "address": instance.address},
                {"type": "InternalDNS", "address": name}, {"type": "Hostname", "address": name},
            ],
            "nodeInfo": node_info(version, kind.architecture()),
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "KubeletNotReady",
                "message": "container runtime network not ready: cni plugin not initialized",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
        },
    })
}

fn labels(name: &str, instance: &Instance, kind: &InstanceType, region: &str) -> BTreeMap<String, String> {
    let architecture = kind.architecture();
    let pairs = [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", architecture),
        ("node.kubernetes.io/instance-type", &kind.name),
        ("beta.kubernetes.io/instance-type", &kind.name),
        ("topology.kubernetes.io/region", region),
        ("topology.kubernetes.io/zone", &instance.zone),
        ("failure-domain.beta.kubernetes.io/region", region),
        ("failure-domain.beta.kubernetes.io/zone", &instance.zone),
        ("k8s.io/cloud-provider-aws", "00000000000000000000000000000000"),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// `nodeInfo` as EKS's images have it.
pub(super) fn node_info(version: &str, architecture: &str) -> Value {
    json!({
        "architecture": architecture, "operatingSystem": "linux", "osImage": "Amazon Linux 2023",
        "kernelVersion": "6.12.0-0.amzn2023", "containerRuntimeVersion": "containerd://2.1.5",
        "kubeletVersion": version, "kubeProxyVersion": version,
        "bootID": "", "machineID": "", "systemUUID": "",
    })
}

/// The labels that a node group declares.
pub(super) fn declared_labels(view: &Value) -> BTreeMap<String, String> {
    let labels = view["labels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The taints that a node group declares, as Kubernetes writes them.
pub(super) fn declared_taints(view: &Value) -> Vec<Value> {
    let effect = |taint: &Value| match taint["effect"].as_str().unwrap_or_default() {
        "NO_SCHEDULE" => "NoSchedule",
        "NO_EXECUTE" => "NoExecute",
        _ => "PreferNoSchedule",
    };
    let taints = view["taints"].as_array().into_iter().flatten();
    taints
        .map(|taint| {
            json!({"key": taint["key"], "value": taint["value"].as_str().unwrap_or_default(), "effect": effect(taint)})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_tells_labels_and_taints_of_its_own_cluster() {
        let nodeadm = "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: shop\n  kubelet:\n    \
            flags:\n    - \"--node-labels=team=a,tier=web\"\n    - --register-with-taints=dedicated=db:NoSchedule,x:NoExecute\n";
        let read = Bootstrap::read(nodeadm, "shop").unwrap();
        assert_eq!(read.labels["tier"], "web");
        assert_eq!(read.taints[0], json!({"key": "dedicated", "value": "db", "effect": "NoSchedule"}));
        assert_eq!(read.taints[1], json!({"key": "x", "value": "", "effect": "NoExecute"}));
        assert_eq!(Bootstrap::read(nodeadm, "sho"), None);
        assert!(Bootstrap::read("/etc/eks/bootstrap.sh shop", "shop").is_some());
    }

    #[test]
    fn the_kubelet_is_of_the_image() {
        assert_eq!(
            kubelet_version(Some("amazon-eks-node-al2023-x86_64-standard-1.35-v20261120"), "1.36"),
            "v1.35.4-eks-0000000"
        );
        assert_eq!(
            kubelet_version(Some("bottlerocket-aws-k8s-1.36-x86_64-v1.50.0"), "1.35"),
            "v1.36.3-eks-0000000"
        );
        assert_eq!(kubelet_version(None, "1.35"), "v1.35.4-eks-0000000");
    }

    #[test]
    fn names_are_those_of_the_region() {
        assert_eq!(node_name("10.0.0.4", "eu-central-1"), "ip-10-0-0-4.eu-central-1.compute.internal");
        assert_eq!(node_name("10.0.0.4", "us-east-1"), "ip-10-0-0-4.ec2.internal");
    }
}
