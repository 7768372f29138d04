//! Load balancers that objects ask for: their names, tags, listeners and targets.
//!
//! Names and tags are those of cloud-provider-aws (`pkg/providers/v1/aws.go`, `aws_loadbalancer.go`, `tags.go`) and of the AWS
//! Load Balancer Controller (`pkg/service/model_build_*.go`, `pkg/ingress/model_build_*.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Distribution;
use super::view::{View, shown};
use crate::local::aws::account::{items, tag_list, text};

/// Which load balancer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Classic,
    Network,
    Application,
}

/// Where traffic goes: an instance or an address, with its port.
pub(super) type Target = (String, u16);

/// A target group that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    /// `namespace/service:port`.
    pub(super) resource: String,
    pub(super) port: u16,
    pub(super) targets: BTreeSet<Target>,
}

/// A port that it listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) protocol: &'static str,
    /// Port of the nodes.
    pub(super) node: u16,
    /// Which of the target groups; none of a classic one.
    pub(super) group: Option<usize>,
}

/// A load balancer that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) internal: bool,
    pub(super) tags: BTreeMap<String, String>,
    /// The tag that names a part of it, where its maker has one.
    pub(super) resource_key: Option<&'static str>,
    pub(super) groups: Vec<Group>,
    pub(super) listeners: Vec<Listener>,
    /// Targets are addresses of pods, not instances.
    pub(super) by_address: bool,
    /// Targets that it has not registered itself are left alone
    /// (aws-load-balancer-controller docs/guide/targetgroupbinding, MultiCluster Target Group).
    pub(super) shared: bool,
    /// Machines behind a classic one.
    pub(super) instances: BTreeSet<String>,
    /// Who may connect to a classic one, as ranges of addresses.
    pub(super) sources: Vec<String>,
}

impl Wanted {
    /// The tags of a part of it.
    pub(super) fn tags_of(&self, resource: &str) -> Vec<Value> {
        let part = self.resource_key.map(|key| (key, resource));
        let all = self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        tag_list(all.chain(part))
    }
}

/// What load balancers are looked for in.
pub(super) struct Ground<'a> {
    pub(super) view: &'a View,
    /// The cluster's name, as its tags have it.
    pub(super) cluster: &'a str,
    pub(super) distribution: Distribution,
    /// The name by which the AWS Load Balancer Controller knows the cluster, where it runs.
    pub(super) balancer_cluster: Option<&'a str>,
}

/// A load balancer with the objects that share it.
pub(super) struct Stack<'a> {
    pub(super) wanted: Wanted,
    pub(super) finalizer: String,
    /// Objects that want it.
    pub(super) members: Vec<&'a Value>,
    /// Objects that do not any more, and wait for it to be taken from them.
    pub(super) leaving: Vec<&'a Value>,
}

/// An annotation of an object.
pub(super) fn annotation<'a>(object: &'a Value, prefix: &str, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][format!("{prefix}{name}")].as_str()
}

/// Whether an object waits for somebody before it goes.
pub(super) fn has(object: &Value, finalizer: &str) -> bool {
    items(&object["metadata"], "finalizers").any(|one| one == finalizer)
}

/// The target group of a port of a Service.
pub(super) fn group_of(view: &View, service: &Value, port: &Value, by_address: bool, cluster: &str) -> Group {
    let uid = text(&service["metadata"], "uid");
    let number_of_it = port["port"].to_string();
    let kind = if by_address { "ip" } else { "instance" };
    Group {
        name: short_name(service, &[cluster, &uid, &number_of_it, kind]),
        resource: format!("{}:{number_of_it}", shown(service)),
        port: if by_address {
            number(&port["targetPort"]).unwrap_or(1)
        } else {
            number(&port["nodePort"]).unwrap_or(1)
        },
        targets: targets_of(view, service, port, by_address),
    }
}

/// Instances with the port of the nodes, or addresses of ready pods with their own.
pub(super) fn targets_of(view: &View, service: &Value, port: &Value, by_address: bool) -> BTreeSet<Target> {
    if !by_address {
        let node = number(&port["nodePort"]);
        return node
            .map(|node| view.instances().into_iter().map(|id| (id, node)).collect())
            .unwrap_or_default();
    }
    let slices = view.slices.iter().filter(|slice| {
        slice["metadata"]["labels"]["kubernetes.io/service-name"] == service["metadata"]["name"]
            && slice["metadata"]["namespace"] == service["metadata"]["namespace"]
    });
    slices
        .flat_map(|slice| {
            let own = items(slice, "ports").find(|one| text(one, "name") == text(port, "name"));
            let own = own.and_then(|one| number(&one["port"]));
            let ready = items(slice, "endpoints").filter(|endpoint| endpoint["conditions"]["ready"] != false);
            let addresses = ready.flat_map(|endpoint| items(endpoint, "addresses")).filter_map(Value::as_str);
            addresses.filter_map(move |address| Some((address.to_owned(), own?))).collect::<Vec<_>>()
        })
        .collect()
}

/// `k8s-<namespace>-<name>-<hash>`: eight letters of each, and a hash that is the cluster's own.
pub(super) fn short_name(object: &Value, words: &[&str]) -> String {
    let metadata = &object["metadata"];
    let part = |name: &str| -> String {
        text(metadata, name).chars().filter(char::is_ascii_alphanumeric).take(8).collect()
    };
    format!("k8s-{}-{}-{}", part("namespace"), part("name"), hash(words))
}

pub(super) fn hash(words: &[&str]) -> String {
    let mut hash = Sha256::new();
    words.iter().for_each(|word| hash.update(word));
    hash.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

/// A port.
pub(super) fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// `a=b,c=d`.
pub(super) fn pairs(text: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
}
