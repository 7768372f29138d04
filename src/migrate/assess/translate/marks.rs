//! Labels and taints of a group's nodes: what the specs say, and what kops adds by itself.

use super::Context;
use super::instances::{self, has_gpus};
use super::labels::{INSTANCE_GROUP, LabelFate, node_label, node_label_value};
use crate::model::cluster_config::{NodeGroupTaint, TaintEffect};
use crate::model::kops::Spec;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The label that kops puts on nodes with GPUs where it installs NVIDIA's runtime (`populate_instancegroup_spec.go`).
const GPU_LABEL: (&str, &str) = ("kops.k8s.io/gpu", "1");
/// The taint of such nodes, unless the group has one of the key already.
const GPU_TAINT: &str = "nvidia.com/gpu:NoSchedule";

/// Node labels of a group as the node group may have them.
pub(super) fn labels(context: &Context<'_>, group: &Spec) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([(INSTANCE_GROUP.to_owned(), label_value(&group.name))]);
    for (key, value) in declared_labels(context, group) {
        let all = values_of(context, &key);
        let value = node_label_value(&value, all.iter().map(String::as_str)).to_owned();
        match node_label(&key) {
            LabelFate::Keep => labels.insert(key, value),
            LabelFate::Rewrite(key) => labels.insert(key, value),
            LabelFate::Drop(_) => None,
        };
    }
    labels
}

/// Node labels that a group's nodes have by the specs: those of the kubelet, of the Cluster and then of the group, and
/// over them the group's own (kops `pkg/nodelabels`). YAML's `true` and `5` are texts to Kubernetes, and nothing is the
/// empty one.
pub(in super::super) fn declared_labels(context: &Context<'_>, group: &Spec) -> BTreeMap<String, String> {
    let cluster = context.cluster();
    let mut labels = BTreeMap::new();
    let written = [cluster.at("kubelet.nodeLabels"), group.at("kubelet.nodeLabels"), group.at("nodeLabels")];
    for (key, value) in written.into_iter().filter_map(Value::as_object).flatten() {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        labels.insert(key.clone(), text);
    }
    if runs_gpus(context, group) {
        labels.insert(GPU_LABEL.0.to_owned(), GPU_LABEL.1.to_owned());
    }
    labels
}

/// Every value that a label has on any group that becomes a node group.
pub(in super::super) fn values_of(context: &Context<'_>, key: &str) -> BTreeSet<String> {
    let groups = context.state.node_groups().filter(|group| instances::is_node_group(context, group));
    groups.filter_map(|group| declared_labels(context, group).remove(key)).collect()
}

/// A text as the value of a label.
pub(in super::super) fn label_value(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let text: String = text.chars().take(63).map(allowed).collect();
    let text = text.trim_matches(['.', '-', '_']);
    if text.is_empty() { "kops".to_owned() } else { text.to_owned() }
}

/// A taint as kops writes it: `key=value:Effect`, `key:Effect`.
pub(in super::super) fn taint(text: &str) -> Option<NodeGroupTaint> {
    let (pair, effect) = text.rsplit_once(':')?;
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let effect = match effect {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        _ => return None,
    };
    (!key.is_empty() && key.len() <= 63).then(|| NodeGroupTaint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect,
    })
}

/// Taints of a group's nodes: its own, then those of the kubelet, which kops adds up, then the one of GPUs.
pub(super) fn taints(context: &Context<'_>, group: &Spec) -> Vec<NodeGroupTaint> {
    let own = group.texts("taints").chain(group.texts("kubelet.taints"));
    let mut taints: Vec<NodeGroupTaint> = Vec::new();
    let of_gpus =
        runs_gpus(context, group) && !group.texts("taints").any(|own| own.starts_with("nvidia.com/gpu"));
    let all = own.chain(context.cluster().texts("kubelet.taints")).chain(of_gpus.then_some(GPU_TAINT));
    for taint in all.filter_map(taint) {
        if !taints.iter().any(|other| (&other.key, other.effect) == (&taint.key, taint.effect)) {
            taints.push(taint);
        }
    }
    taints
}

/// Whether kops gives a group's nodes NVIDIA's runtime: it is on, and the group's first type has GPUs.
fn runs_gpus(context: &Context<'_>, group: &Spec) -> bool {
    let on = [context.cluster(), group]
        .into_iter()
        .any(|spec| spec.flag("containerd.nvidiaGPU.enabled") == Some(true));
    on && instances::types(context, group).iter().any(|name| has_gpus(context, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_what_kubernetes_takes() {
        let cases = [("nodes", "nodes"), ("a/b", "a-b"), ("-x.", "x"), ("...", "kops")];
        for (text, expected) in cases {
            assert_eq!(label_value(text), expected);
        }
    }

    #[test]
    fn taints_have_an_effect_and_maybe_a_value() {
        assert_eq!(taint("a:NoSchedule").map(|taint| taint.value), Some(String::new()));
        assert_eq!(taint("a=b:NoExecute").map(|taint| taint.value), Some("b".to_owned()));
        assert!(["a", "a:Never", ":NoSchedule", "=b:NoSchedule"].iter().all(|text| taint(text).is_none()));
    }
}
