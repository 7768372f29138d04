//! `metadata` of a ClusterConfig.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which cluster it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterMeta {
    /// The cluster's name in EKS, unique in its account and region.
    pub name: String,
    /// AWS region, such as `eu-central-1`.
    pub region: String,
    /// Kubernetes minor version in quotes, such as `"1.36"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Tags of every AWS resource that is made for the cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Notes for people and other tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Upgrade although EKS's insights advise against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_update_version: Option<bool>,
    /// When a version update that does not get on is called off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_config: Option<RollbackConfig>,
}

/// Limits of a version update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackConfig {
    /// Minutes after which an update that still runs is cancelled, 120 to 10080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 120, max = 10080))]
    pub timeout_minutes: Option<u32>,
}
