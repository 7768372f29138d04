//! Rules of node labels and taints.

use super::{Findings, escaped};
use crate::model::cluster_config::NodeGroupBase;
use crate::model::document::format;
use std::collections::BTreeSet;

/// Labels that a kubelet may give its own node although they are Kubernetes' (KEP-279, NodeRestriction).
const KUBELET_LABELS: [&str; 9] = [
    "kubernetes.io/hostname",
    "kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
];

/// Prefixes that a kubelet may use (the same KEP).
const KUBELET_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Taints of a managed node group (`taintsList`, EKS User Guide).
const MOST_TAINTS: usize = 50;

pub(super) fn check(at: &str, group: &NodeGroupBase, managed: bool, findings: &mut Findings) {
    for (key, value) in &group.labels {
        let at = format!("{at}/labels/{}", escaped(key));
        if let Some(Err(reason)) = format::check("label-key", key) {
            findings.wrong(&at, reason, "write `name` or `example.com/name`");
        } else if let Some(reason) = reserved(key, managed) {
            findings.wrong(&at, reason, "use a prefix of your own, such as `example.com/`");
        }
        if let Some(Err(reason)) = format::check("label-value", value) {
            findings.wrong(&at, format!("has a value that {reason}"), "shorten it, or use other characters");
        }
    }
    let mut seen = BTreeSet::new();
    for (index, taint) in group.taints.iter().enumerate() {
        let at = format!("{at}/taints/{index}");
        if taint.key.is_empty() {
            findings.wrong(&at, "has no `key`", "name it as `name` or `example.com/name`");
        } else if let Some(Err(reason)) = format::check("label-key", &taint.key) {
            findings.wrong(&format!("{at}/key"), reason, "write `name` or `example.com/name`");
        } else if managed && taint.key.len() > 63 {
            let hint = "shorten it, or use a group under `nodeGroups`";
            findings.wrong(&format!("{at}/key"), "may have 63 characters with its prefix in EKS", hint);
        }
        if let Some(Err(reason)) = format::check("label-value", &taint.value) {
            findings.wrong(&format!("{at}/value"), reason, "shorten it, or use other characters");
        }
        if !seen.insert((&taint.key, taint.effect)) {
            let message = format!("has `{}` with effect {:?} a second time", taint.key, taint.effect);
            findings.wrong(&at, message, "take one of them out");
        }
    }
    if managed && group.taints.len() > MOST_TAINTS {
        let message = format!("has {} taints, and EKS takes {MOST_TAINTS}", group.taints.len());
        findings.wrong(&format!("{at}/taints"), message, "take some out");
    }
}

/// Why a label's key cannot be used: Kubernetes' own prefixes are refused by the kubelet's API server and, without any
/// exception, by EKS for managed node groups (`KubernetesLabelInvalid`).
fn reserved(key: &str, managed: bool) -> Option<String> {
    let (prefix, _) = key.split_once('/')?;
    let below = |domain: &str| prefix == domain || prefix.ends_with(&format!(".{domain}"));
    if below("eks.amazonaws.com") {
        return Some("has a prefix that EKS keeps for itself".to_owned());
    }
    if prefix == "alpha.eksctl.io" {
        return Some("has a prefix that eksctl sets itself".to_owned());
    }
    if !below("kubernetes.io") && !below("k8s.io") {
        return None;
    }
    let of_kubelet = KUBELET_LABELS.contains(&key)
        || KUBELET_PREFIXES
            .into_iter()
            .any(|allowed| prefix == allowed || prefix.ends_with(&format!(".{allowed}")));
    match (managed, of_kubelet) {
        (true, _) => {
            Some("has a prefix of Kubernetes' own, which EKS refuses for managed node groups".to_owned())
        }
        (false, true) => None,
        (false, false) => {
            Some("has a prefix of Kubernetes' own, which a kubelet may not give its node".to_owned())
        }
    }
}
