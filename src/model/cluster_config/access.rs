//! `accessConfig` of a ClusterConfig: who may log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may log in, and how logins are decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessConfig {
    /// Where EKS looks: access entries, the ConfigMap `aws-auth`, or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_mode: Option<AuthenticationMode>,
    /// Whether whoever creates the cluster becomes its administrator; counts at creation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_cluster_creator_admin_permissions: Option<bool>,
    /// Access entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_entries: Vec<AccessEntry>,
}

/// Where EKS looks for who may log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthenticationMode {
    /// Access entries.
    Api,
    /// Access entries and `aws-auth`.
    #[default]
    ApiAndConfigMap,
    /// `aws-auth` only.
    ConfigMap,
}

/// A role or user that may log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry {
    /// ARN of the role or user.
    #[serde(default, rename = "principalARN", skip_serializing_if = "String::is_empty")]
    pub principal_arn: String,
    /// What kind of principal it is: `STANDARD` for people and programs, `EC2_LINUX` and others for nodes.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub entry_type: Option<String>,
    /// Kubernetes groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_groups: Vec<String>,
    /// Kubernetes user that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_username: Option<String>,
    /// EKS access policies that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_policies: Vec<AccessPolicy>,
}

/// An EKS access policy and where it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicy {
    /// ARN of the access policy.
    #[serde(default, rename = "policyARN", skip_serializing_if = "String::is_empty")]
    pub policy_arn: String,
    /// Where it holds.
    #[serde(default)]
    pub access_scope: AccessScope,
}

/// Where an access policy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessScope {
    /// The whole cluster, or some namespaces.
    #[serde(rename = "type")]
    pub scope_type: AccessScopeType,
    /// Namespaces; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// How far an access policy reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccessScopeType {
    /// Everywhere.
    #[default]
    Cluster,
    /// In the named namespaces.
    Namespace,
}
