//! Rules that are data: the tables below `config/transforms`, read once.

use crate::model::yaml::{Limits, read_stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::LazyLock;

/// A row of `api-versions.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRow {
    /// The version as in `apiVersion`.
    pub from: String,
    /// Kinds that the row is about.
    pub kinds: Vec<String>,
    /// First minor of Kubernetes 1 that serves it no more; `None`: it went with an operator.
    #[serde(default)]
    pub removed: Option<u32>,
    /// Where the kinds live since; `None`: nowhere.
    #[serde(default)]
    pub to: Option<String>,
    /// First minor that serves `to`.
    #[serde(default)]
    pub since: u32,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<VersionRow>,
}

/// What becomes of a node label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelFate {
    /// The key changes, the value stays.
    Rename,
    /// The value is an instance group, and becomes its node group.
    InstanceGroup,
    /// It marks spot capacity, for which EKS has a label with values of its own.
    Capacity,
    /// Every node of EKS passes.
    Always,
    /// No node of EKS passes.
    Never,
    /// It names one node.
    Pinned,
    /// EKS refuses the key on managed nodes.
    Custom,
    /// It means the same in every cluster.
    Unchanged,
}

/// A row of `node-labels.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRow {
    key: String,
    #[serde(default)]
    value: Option<String>,
    /// What becomes of it.
    pub becomes: LabelFate,
    /// The new key.
    #[serde(default)]
    pub to: Option<String>,
    /// Why.
    pub why: String,
}

impl LabelRow {
    /// Whether the row is about a label. A row about one value is not about a term that has none.
    #[must_use]
    pub fn fits(&self, key: &str, value: Option<&str>) -> bool {
        matches(&self.key, key) && (self.value.is_none() || self.value.as_deref() == value)
    }
}

#[derive(Deserialize)]
struct Labels {
    labels: Vec<LabelRow>,
}

/// What becomes of an annotation of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerFate {
    /// It means the same.
    Keep,
    /// The key changes.
    Rename,
    /// It becomes an attribute of the load balancer.
    LoadBalancerAttribute,
    /// It becomes an attribute of the target groups.
    TargetGroupAttribute,
    /// It becomes an attribute of every listener.
    ListenerAttribute,
    /// `true` says nothing beside the timeout, `false` is a timeout of 0.
    Draining,
    /// Nothing there.
    Drop,
    /// A person has to choose; it is taken out until then.
    Choice,
}

/// A row of `load-balancers.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalancerRow {
    /// The annotation without its common prefix.
    pub key: String,
    /// What becomes of it.
    pub becomes: BalancerFate,
    /// The new key or the attribute's name.
    #[serde(default)]
    pub to: Option<String>,
    /// What a person has to know.
    #[serde(default)]
    pub says: Option<String>,
}

#[derive(Deserialize)]
struct Balancers {
    annotations: Vec<BalancerRow>,
}

/// A key that goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripRow {
    key: String,
    #[serde(default)]
    kinds: Vec<String>,
    /// Why.
    pub why: String,
}

impl StripRow {
    /// Whether the row is about a key on a kind, told as `Kind.group`.
    #[must_use]
    pub fn fits(&self, key: &str, kind: &str) -> bool {
        matches(&self.key, key) && (self.kinds.is_empty() || self.kinds.iter().any(|k| k == kind))
    }
}

/// `strip.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripTable {
    /// Annotations that go.
    pub annotations: Vec<StripRow>,
    /// Labels that go.
    pub labels: Vec<StripRow>,
    /// Finalizers of controllers.
    pub finalizers: Vec<String>,
}

/// A registry that answers under another name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryRow {
    /// How references begin.
    pub from: String,
    /// How they begin then.
    pub to: String,
    /// Why.
    pub why: String,
}

/// A path of the host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPathRow {
    /// The path, or a folder above it.
    pub path: String,
    /// How bad it is.
    pub level: super::edit::Weight,
    /// Why.
    pub says: String,
}

/// `hosts.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HostTable {
    /// Registries.
    pub registries: Vec<RegistryRow>,
    /// Paths.
    pub host_paths: Vec<HostPathRow>,
}

/// `api-versions.yaml`.
pub static VERSIONS: LazyLock<Vec<VersionRow>> =
    LazyLock::new(|| read::<Versions>(include_str!("../../config/transforms/api-versions.yaml")).versions);
/// `node-labels.yaml`.
pub static LABELS: LazyLock<Vec<LabelRow>> =
    LazyLock::new(|| read::<Labels>(include_str!("../../config/transforms/node-labels.yaml")).labels);
/// `load-balancers.yaml`.
pub static BALANCERS: LazyLock<Vec<BalancerRow>> = LazyLock::new(|| {
    read::<Balancers>(include_str!("../../config/transforms/load-balancers.yaml")).annotations
});
/// `strip.yaml`.
pub static STRIP: LazyLock<StripTable> =
    LazyLock::new(|| read(include_str!("../../config/transforms/strip.yaml")));
/// `hosts.yaml`.
pub static HOSTS: LazyLock<HostTable> =
    LazyLock::new(|| read(include_str!("../../config/transforms/hosts.yaml")));

/// Whether a pattern (a trailing `*` stands for anything) names a key.
#[must_use]
pub fn matches(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |prefix| key.starts_with(prefix))
}

/// Reads a table that is a part of the program.
pub fn read<T: DeserializeOwned>(text: &str) -> T {
    let document = read_stream(text.as_bytes(), &Limits::default()).pop();
    let value = document.and_then(Result::ok).expect("a test reads every table");
    serde_json::from_value(value.into_value()).expect("a test reads every table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read() {
        assert!(VERSIONS.len() > 40 && LABELS.len() > 20 && BALANCERS.len() > 20);
        assert!(STRIP.annotations.len() > 20 && !HOSTS.host_paths.is_empty());
        // A replacement is itself not removed before the version that it replaces.
        for row in VERSIONS.iter() {
            let Some(to) = &row.to else { continue };
            let after = VERSIONS.iter().find(|next| next.from == *to && next.kinds == row.kinds);
            assert!(after.is_none_or(|next| next.removed > row.removed), "{row:?}");
        }
    }

    #[test]
    fn the_first_row_that_fits_counts() {
        let fate = |key: &str, value: Option<&str>| {
            LABELS.iter().find(|row| row.fits(key, value)).map(|row| row.becomes)
        };
        assert_eq!(fate("node-role.kubernetes.io/node", None), Some(LabelFate::Always));
        assert_eq!(fate("node-role.kubernetes.io/ingress", None), Some(LabelFate::Custom));
        assert_eq!(fate("kubernetes.io/role", Some("node")), Some(LabelFate::Always));
        assert_eq!(fate("kubernetes.io/role", Some("other")), None);
        assert_eq!(fate("example.com/tier", None), None);
    }
}
