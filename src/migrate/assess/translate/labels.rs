//! Node labels: which a node group may have, and what becomes of the others.

use crate::migrate::digest;

/// The domain under which labels of Kubernetes' and kops' own domains go on. EKS refuses those on managed node groups
/// (eksctl#4007), and a kubelet that is told to set them does not join (containers-roadmap#2465).
pub const DOMAIN: &str = "migrated.portolan.dev";

/// Longest key of a label that EKS takes (`labelKey` of the EKS API's model).
const LONGEST_KEY: usize = 63;

/// What becomes of a node label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFate {
    /// The node group has it as it is.
    Keep,
    /// The node group has it under this key; selectors are rewritten.
    Rewrite(String),
    /// It goes, for this reason.
    Drop(&'static str),
}

/// What becomes of a node label by its key. A key that is too long for EKS is cut, with a digest of the whole behind it.
#[must_use]
pub fn node_label(key: &str) -> LabelFate {
    match by_domain(key) {
        LabelFate::Rewrite(new) if new.len() > LONGEST_KEY => LabelFate::Rewrite(shortened(key)),
        LabelFate::Keep if key.len() > LONGEST_KEY => LabelFate::Rewrite(shortened(key)),
        fate => fate,
    }
}

fn shortened(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    let digest = digest::of_lines([key]);
    let room = LONGEST_KEY - DOMAIN.len() - 10;
    let begin: String = name.chars().filter(char::is_ascii).take(room).collect();
    format!("{DOMAIN}/{begin}-{}", &digest[..8])
}

/// The value that a node group's label has instead of `value`. Kubernetes takes an empty one, as labels of roles have it,
/// and EKS does not (`labelValue` of its model has one character at least). `all` are the values that the key has on any
/// group: what is not empty stays apart from what was.
#[must_use]
pub fn node_label_value<'v>(value: &'v str, all: impl IntoIterator<Item = &'v str>) -> &'v str {
    if !value.is_empty() {
        return value;
    }
    let is_taken = all.into_iter().any(|other| other == "true");
    if is_taken { "empty" } else { "true" }
}

fn by_domain(key: &str) -> LabelFate {
    const OF_KUBELET: &str = "the kubelet sets it itself";
    const OF_KOPS: &str = "it served kops alone";
    match key {
        "kops.k8s.io/kops-controller-pki" | "kops.k8s.io/needs-update" | "kops.k8s.io/cluster" => {
            return LabelFate::Drop(OF_KOPS);
        }
        "node-role.kubernetes.io/node"
        | "kubernetes.io/role"
        | "node.kubernetes.io/exclude-from-external-load-balancers" => {
            return LabelFate::Drop("EKS has no role labels of nodes; selectors on it are dropped");
        }
        "kubernetes.io/hostname"
        | "kubernetes.io/os"
        | "kubernetes.io/arch"
        | "beta.kubernetes.io/os"
        | "beta.kubernetes.io/arch"
        | "beta.kubernetes.io/instance-type"
        | "node.kubernetes.io/instance-type"
        | "topology.kubernetes.io/zone"
        | "topology.kubernetes.io/region"
        | "failure-domain.beta.kubernetes.io/zone"
        | "failure-domain.beta.kubernetes.io/region"
        | "topology.ebs.csi.aws.com/zone" => return LabelFate::Drop(OF_KUBELET),
        _ => {}
    }
    let Some((prefix, name)) = key.split_once('/') else { return LabelFate::Keep };
    for domain in ["kubernetes.io", "k8s.io"] {
        if prefix == domain {
            return LabelFate::Rewrite(format!("{DOMAIN}/{name}"));
        }
        if let Some(sub) = prefix.strip_suffix(domain).and_then(|sub| sub.strip_suffix('.')) {
            return LabelFate::Rewrite(format!("{sub}.{DOMAIN}/{name}"));
        }
    }
    if prefix == "eks.amazonaws.com" || prefix.ends_with(".eks.amazonaws.com") {
        return LabelFate::Drop("EKS sets labels of this domain itself");
    }
    LabelFate::Keep
}

/// The label of every node that says which InstanceGroup it comes from, as kops' own did.
pub(in super::super) const INSTANCE_GROUP: &str = "kops.migrated.portolan.dev/instancegroup";

/// kops labels nodes of spot groups `node-role.kubernetes.io/spot-worker=true` (kops `pkg/nodelabels`), and workloads select
/// them by it; the group's own `nodeLabels` do not have it.
pub(in super::super) const SPOT: &str = "node-role.migrated.portolan.dev/spot-worker";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_domains_are_rewritten_and_others_stay() {
        let rewritten = |key: &str| LabelFate::Rewrite(key.to_owned());
        assert_eq!(node_label("kops.k8s.io/instancegroup"), rewritten(INSTANCE_GROUP));
        assert_eq!(
            node_label("node-role.kubernetes.io/ingress"),
            rewritten("node-role.migrated.portolan.dev/ingress")
        );
        assert_eq!(node_label("kubernetes.io/tier"), rewritten("migrated.portolan.dev/tier"));
        assert_eq!(node_label("example.com/a"), LabelFate::Keep);
        assert_eq!(node_label("a"), LabelFate::Keep);
        assert_eq!(node_label("notkubernetes.io/a"), LabelFate::Keep);
        assert!(matches!(node_label("beta.kubernetes.io/os"), LabelFate::Drop(_)));
    }

    #[test]
    fn long_keys_are_cut_and_stay_apart() {
        let new = |key: String| match node_label(&key) {
            LabelFate::Rewrite(new) => new,
            other => panic!("{key}: {other:?}"),
        };
        let role = |end: char| new(format!("node-role.kubernetes.io/{}{end}", "a".repeat(60)));
        let own = new(format!("{}.example.com/pool", "a".repeat(60)));
        for key in [role('b'), role('c'), own] {
            assert!(key.len() <= LONGEST_KEY && key.starts_with(DOMAIN), "{key}");
            assert_eq!(node_label(&key), LabelFate::Keep, "a second run changes nothing");
        }
        assert_ne!(role('b'), role('c'));
    }

    #[test]
    fn empty_values_become_ones_that_nothing_else_has() {
        assert_eq!(node_label_value("", [""]), "true");
        assert_eq!(node_label_value("", ["", "true"]), "empty");
        assert_eq!(node_label_value("a", [""]), "a");
    }
}
