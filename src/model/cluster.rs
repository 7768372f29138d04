//! The `Cluster` document: a destination and how it is reached.

use super::document::format::{RepositoryPath, RoleArn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the cluster the daemon itself runs in; needs no document.
pub const IN_CLUSTER: &str = "in-cluster";

/// `spec` of a `Cluster` document. Exactly one of `kubeconfig`, `inCluster` and `eks` says how it is reached.
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
    /// Path of an eksctl `ClusterConfig` in the same repository that describes this cluster.
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

/// An EKS cluster by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksRef {
    /// The cluster's name in EKS.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// AWS region, such as `eu-central-1`.
    #[schemars(length(min = 1))]
    pub region: String,
    /// Role to assume before asking for the cluster and its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RoleArn>")]
    pub role_arn: Option<String>,
}
