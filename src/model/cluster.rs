//! The `Cluster` document: a destination, how it is reached, and what an eksctl file has no word for.

use super::DriftPolicy;
use super::application::{Adopt, ReconcileSpec};
use super::document::format::{RepositoryPath, RoleArn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the cluster the daemon itself runs in; needs no document.
pub const IN_CLUSTER: &str = "in-cluster";

/// `spec` of a `Cluster` document. Exactly one of `kubeconfig`, `inCluster` and `eks` says how it is reached.
///
/// `eks` alone names a cluster that others keep: it is asked for its endpoint, and nothing of it is changed. With
/// `clusterConfig` it is kept as that file says, from its creation on; then `eks` names it too, so that what the
/// document is about is known even while the file cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// A context of a kubeconfig that the daemon's file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<KubeconfigRef>,
    /// The cluster the daemon runs in, by its own ServiceAccount.
    #[serde(default)]
    pub in_cluster: bool,
    /// An EKS cluster, by its name: endpoint and CA come from the EKS API, the token from STS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks: Option<EksRef>,
    /// Path of an eksctl `ClusterConfig` in the same repository that describes this cluster. Needs `eks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RepositoryPath>")]
    pub cluster_config: Option<String>,
}

/// A context of a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeconfigRef {
    /// Name of a kubeconfig in the daemon's file. Default: the first there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Context. Default: the kubeconfig's current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// An EKS cluster by its name. Everything below `roleArn` counts together with `clusterConfig` only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksRef {
    /// The cluster's name in EKS. With `clusterConfig`, its `metadata.name`.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// AWS region, such as `eu-central-1`. With `clusterConfig`, its `metadata.region`.
    #[schemars(length(min = 1))]
    pub region: String,
    /// Role to assume before asking for the cluster and its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RoleArn>")]
    pub role_arn: Option<String>,
    /// Whether EKS itself refuses to delete the cluster. Default: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Whose the number of nodes is between the smallest and the largest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub desired_size: DesiredSize,
    /// What happens when AWS is not as declared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: EksDrift,
    /// What happens to what exists under a declared name and is not ours, made by hand or by eksctl: `Never` refuses it,
    /// `IfUnowned` (the default) takes it over once that is approved, `Always` at once. What a CloudFormation stack owns
    /// always needs an approval.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adopt: Adopt,
    /// When everything is looked at anew: nothing tells of a change in AWS but a look. Default: every 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<ReconcileSpec>,
    /// Nothing is made, changed or deleted while true; drift is still reported.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// Existing parts of the network that are found by their tags, where the `ClusterConfig` gives no ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<EksNetwork>,
    /// Further settings of node groups, by their names in the `ClusterConfig`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_groups: BTreeMap<String, EksNodeGroup>,
}

impl EksRef {
    /// Whose the number of nodes of a group is.
    #[must_use]
    pub fn desired_size_of(&self, node_group: &str) -> DesiredSize {
        self.node_groups.get(node_group).and_then(|group| group.desired_size).unwrap_or(self.desired_size)
    }

    /// Fields that count together with `clusterConfig` only and are set, as they are written.
    #[must_use]
    pub fn managed_fields(&self) -> Vec<&'static str> {
        let fields = [
            ("deletionProtection", self.deletion_protection.is_some()),
            ("desiredSize", !is_default(&self.desired_size)),
            ("drift", !is_default(&self.drift)),
            ("adopt", !is_default(&self.adopt)),
            ("reconcile", self.reconcile.is_some()),
            ("suspend", self.suspend),
            ("network", self.network.is_some()),
            ("nodeGroups", !self.node_groups.is_empty()),
        ];
        fields.into_iter().filter_map(|(field, set)| set.then_some(field)).collect()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Tags with their values; in a value `*` stands for any text.
pub type Tags = BTreeMap<String, String>;

/// Existing parts of a cluster's network, found by their tags: all tags of a part have to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EksNetwork {
    /// The VPC, in place of `vpc.id`. One VPC carries them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vpc: Tags,
    /// Its public subnets, beside those of `vpc.subnets.public`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub public_subnets: Tags,
    /// Its private subnets, beside those of `vpc.subnets.private`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub private_subnets: Tags,
    /// The security group of control plane and nodes, in place of `vpc.securityGroup`. One group carries them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub security_group: Tags,
    /// The security group that all nodes share, in place of `vpc.sharedNodeSecurityGroup`. One group carries them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shared_node_security_group: Tags,
}

/// Whose the number of nodes of a group is, between its smallest and its largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredSize {
    /// An autoscaler's: `desiredCapacity` counts when the group is made, and is no drift afterwards.
    #[default]
    Keep,
    /// The file's: a number that differs from `desiredCapacity` is drift.
    Declared,
}

/// What happens when AWS is not as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EksDrift {
    /// The policy for every resource of the cluster.
    pub policy: DriftPolicy,
}

/// Further settings of a node group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksNodeGroup {
    /// Whose the number of nodes of this group is. Default: as for all groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_size: Option<DesiredSize>,
    /// Instances that stand ready to become nodes; managed node groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
}

/// Instances that stand ready to become nodes (`WarmPoolConfig` of the EKS API).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WarmPool {
    /// Fewest instances in the pool. Default: 0, by EKS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u32>,
    /// Most instances in pool and group together. Default: the group's `maxSize`, by EKS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_group_prepared_capacity: Option<u32>,
    /// What the instances do meanwhile.
    #[serde(default)]
    pub pool_state: WarmPoolState,
    /// Whether instances go back into the pool when the group shrinks. Default: false, by EKS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_on_scale_in: Option<bool>,
}

/// What instances of a warm pool do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WarmPoolState {
    /// Nothing: their volumes are paid for.
    #[default]
    Stopped,
    /// Run: the fastest, at full cost.
    Running,
    /// Sleep with their memory on disk; some instance types, and not Bottlerocket.
    Hibernated,
}

impl WarmPoolState {
    /// The state as the EKS API writes it.
    #[must_use]
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Running => "RUNNING",
            Self::Hibernated => "HIBERNATED",
        }
    }
}
