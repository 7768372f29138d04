//! `fargateProfiles` of a ClusterConfig.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A Fargate profile. It cannot be changed once it exists: a change makes a new one first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FargateProfile {
    /// Name.
    pub name: String,
    /// An existing role, instead of the cluster's one for Fargate.
    #[serde(default, rename = "podExecutionRoleARN", skip_serializing_if = "Option::is_none")]
    pub pod_execution_role_arn: Option<String>,
    /// Which pods run on Fargate: one to five selectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<FargateProfileSelector>,
    /// Private subnets, by id or by their name in `vpc.subnets.private`. Default: all private ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Tags of the profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Pods of a namespace; with labels, those that have all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FargateProfileSelector {
    /// Namespace; `*` and `?` stand for any text and any character.
    pub namespace: String,
    /// Labels, five at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
