//! What wants a place: pods with their requests, selectors, tolerations and volumes.

use super::super::translate::labels::{LabelFate, node_label};
use super::affinity::{Selector, Spread, Term};
use super::limit_ranges::LimitRanges;
use super::quotas::Many;
use super::requirements::{Which, containers, names, total};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What has to have a place, as plain data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// Pods, as the API server has them. Those of DaemonSets, mirror pods and finished ones are left out.
    pub pods: Vec<Value>,
    /// DaemonSets of the new cluster, those of add-ons too: one pod for each node that they fit.
    pub daemon_sets: Vec<Value>,
    /// Zones of volumes, by `NAMESPACE/CLAIM`.
    pub volume_zones: BTreeMap<String, String>,
    /// LimitRanges of the new cluster.
    pub limit_ranges: Vec<Value>,
    /// ResourceQuotas of the new cluster.
    pub quotas: Vec<Value>,
}

/// A pod, as far as it decides about its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// `NAMESPACE/NAME`.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// NVIDIA GPUs.
    pub gpus: u64,
    /// Other resources that nodes have to offer, by name.
    pub extended: BTreeSet<String>,
    /// Whether it has the node's own address.
    pub host_network: bool,
    /// Ports of the node that it takes.
    pub host_ports: BTreeSet<u64>,
    /// Alternatives of which a node has to fulfil one, each a list of requirements; none: any node will do.
    pub(super) node_terms: Vec<Vec<Selector>>,
    /// Labels that a node has to have.
    pub(super) node_selector: BTreeMap<String, String>,
    pub(super) tolerations: Vec<Value>,
    /// Pods that have to be, or must not be, in the same place.
    pub(super) near: Vec<Term>,
    pub(super) apart: Vec<Term>,
    pub(super) spread: Vec<Spread>,
    /// Zones that its volumes are in.
    pub zones: BTreeSet<String>,
}

/// Selectors on labels that EKS nodes have under other names, or not at all, are read as the move rewrites them.
fn key(key: &str) -> Option<String> {
    match key {
        "failure-domain.beta.kubernetes.io/zone" => return Some("topology.kubernetes.io/zone".into()),
        "failure-domain.beta.kubernetes.io/region" => return Some("topology.kubernetes.io/region".into()),
        "beta.kubernetes.io/os" => return Some("kubernetes.io/os".into()),
        "beta.kubernetes.io/arch" => return Some("kubernetes.io/arch".into()),
        "beta.kubernetes.io/instance-type" => return Some("node.kubernetes.io/instance-type".into()),
        "node-role.kubernetes.io/node" | "kubernetes.io/role" => return None,
        _ => {}
    }
    match node_label(key) {
        LabelFate::Rewrite(new) => Some(new),
        LabelFate::Keep | LabelFate::Drop(_) => Some(key.to_owned()),
    }
}

impl Demand {
    /// The pods that have to be placed, in the order of their ids.
    #[must_use]
    pub fn wanted(&self) -> Vec<Pod> {
        let ranges = LimitRanges::of(&self.limit_ranges);
        let read = |pod: &Value| {
            let metadata = &pod["metadata"];
            let spec = ranges.filled(namespace(metadata), metadata, &pod["spec"]);
            read(metadata, &spec, &self.volume_zones)
        };
        let mut pods: Vec<Pod> = self.pods.iter().filter(|pod| !is_left_out(pod)).map(read).collect();
        pods.sort_by(|a, b| a.id.cmp(&b.id));
        pods
    }

    /// One pod of each DaemonSet.
    #[must_use]
    pub fn daemons(&self) -> Vec<Pod> {
        let ranges = LimitRanges::of(&self.limit_ranges);
        let daemons = self.daemon_sets.iter().map(|set| {
            let template = &set["spec"]["template"];
            let spec = ranges.filled(namespace(&set["metadata"]), &template["metadata"], &template["spec"]);
            let mut pod = read(&set["metadata"], &spec, &self.volume_zones);
            pod.labels = labels(&template["metadata"]["labels"]);
            pod
        });
        daemons.collect()
    }

    /// Every pod that will be made, as the new cluster would store it: those that have to be placed, and those of
    /// DaemonSets, of which there are so many as `nodes` says, in their order.
    pub(super) fn made<'a>(&'a self, ranges: &LimitRanges, nodes: &[u32]) -> Vec<Many<'a>> {
        let one = |kind: &str, object: &'a Value, template: &'a Value, count: u32| {
            let namespace = namespace(&object["metadata"]);
            Many {
                name: format!(
                    "{kind} {namespace}/{}",
                    object["metadata"]["name"].as_str().unwrap_or_default()
                ),
                namespace,
                spec: ranges.filled(namespace, &template["metadata"], &template["spec"]),
                count,
            }
        };
        let pods = self.pods.iter().filter(|pod| !is_left_out(pod)).map(|pod| one("Pod", pod, pod, 1));
        let sets = self.daemon_sets.iter().zip(nodes);
        let sets = sets.map(|(set, count)| one("DaemonSet", set, &set["spec"]["template"], *count));
        pods.chain(sets).collect()
    }
}

fn namespace(metadata: &Value) -> &str {
    metadata["namespace"].as_str().unwrap_or("default")
}

fn is_left_out(pod: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let mirror = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    finished
        || mirror
        || owners.into_iter().any(|owner| owner["kind"] == "DaemonSet" || owner["kind"] == "Node")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value))).collect()
}

pub(super) fn read(metadata: &Value, spec: &Value, volumes: &BTreeMap<String, String>) -> Pod {
    let namespace = namespace(metadata).to_owned();
    let affinity = &spec["affinity"];
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let mut pod = Pod {
        id: format!("{namespace}/{}", text(&metadata["name"])),
        labels: labels(&metadata["labels"]),
        host_network: spec["hostNetwork"] == true,
        tolerations: spec["tolerations"].as_array().cloned().unwrap_or_default(),
        namespace,
        ..Pod::default()
    };
    resources(spec, &mut pod);
    for (name, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        if let Some(key) = key(name) {
            pod.node_selector.insert(key, text(value));
        }
    }
    for term in affinity["nodeAffinity"][required]["nodeSelectorTerms"].as_array().into_iter().flatten() {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        let requirements = expressions.filter_map(|expression| {
            let key = key(expression["key"].as_str()?)?;
            Some(Selector::of(key, &expression["operator"], &expression["values"]))
        });
        pod.node_terms.push(requirements.collect());
    }
    let terms = |value: &Value| -> Vec<Term> {
        let terms = value[required].as_array().into_iter().flatten();
        terms
            .map(|term| Term::read(term, &pod.namespace, |name| key(name).unwrap_or_else(|| name.to_owned())))
            .collect()
    };
    let (near, apart) = (terms(&affinity["podAffinity"]), terms(&affinity["podAntiAffinity"]));
    let spread = spec["topologySpreadConstraints"].as_array().into_iter().flatten();
    let spread = spread.filter(|constraint| constraint["whenUnsatisfiable"] != "ScheduleAnyway");
    pod.spread = spread
        .map(|constraint| Spread::read(constraint, |name| key(name).unwrap_or_else(|| name.to_owned())))
        .collect();
    (pod.near, pod.apart) = (near, apart);
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let claim = volume["persistentVolumeClaim"]["claimName"].as_str();
        if let Some(zone) = claim.and_then(|claim| volumes.get(&format!("{}/{claim}", pod.namespace))) {
            pod.zones.insert(zone.clone());
        }
    }
    pod
}

/// Requests as the scheduler counts them, rounded up: thousandths of CPUs, and bytes.
fn resources(spec: &Value, pod: &mut Pod) {
    let rounded = |name: &str, unit: u128| {
        let nanos = total(spec, Which::Requests, name).and_then(|nanos| u128::try_from(nanos).ok());
        u64::try_from(nanos.unwrap_or(0).div_ceil(unit)).unwrap_or(u64::MAX)
    };
    pod.cpu = rounded("cpu", 1_000_000);
    pod.memory = rounded("memory", 1_000_000_000);
    pod.gpus = rounded("nvidia.com/gpu", 1_000_000_000);
    let extended = names(spec).into_iter().filter(|name| name.contains('/') && *name != "nvidia.com/gpu");
    pod.extended.extend(extended.map(str::to_owned));
    for container in containers(spec) {
        let ports = container["ports"].as_array().into_iter().flatten();
        pod.host_ports.extend(ports.filter_map(|port| port["hostPort"].as_u64()).filter(|port| *port > 0));
    }
}
