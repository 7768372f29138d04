//! `addons` and `addonsConfig` of a ClusterConfig.

use super::iam::{InlineDocument, PodIdentityAssociation, WellKnownPolicies};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What holds for all add-ons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddonsConfig {
    /// Install no add-ons but the listed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_default_addons: Option<bool>,
    /// Give each add-on the pod identity associations that EKS recommends for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_apply_pod_identity_associations: Option<bool>,
}

/// An EKS add-on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// Name, such as `vpc-cni`, `coredns`, `kube-proxy`, `aws-ebs-csi-driver`.
    pub name: String,
    /// Version, or `latest`. Default: what EKS has as default for the cluster's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Settings as JSON or YAML text, of the schema that the add-on's version has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_values: Option<String>,
    /// What happens to fields that somebody else set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve_conflicts: Option<ResolveConflicts>,
    /// An existing role for the add-on's service account.
    #[serde(default, rename = "serviceAccountRoleARN", skip_serializing_if = "Option::is_none")]
    pub service_account_role_arn: Option<String>,
    /// Managed policies of a new role for its service account.
    #[serde(default, rename = "attachPolicyARNs", skip_serializing_if = "Vec::is_empty")]
    pub attach_policy_arns: Vec<String>,
    /// An inline policy of a new role for its service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_policy: Option<InlineDocument>,
    /// Policies of well-known controllers for a new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_known_policies: Option<WellKnownPolicies>,
    /// Permissions boundary of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Pod identity associations of its service accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_identity_associations: Option<Vec<PodIdentityAssociation>>,
    /// Take the pod identity associations that EKS recommends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_default_pod_identity_associations: Option<bool>,
    /// Where it is installed, fixed once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_config: Option<AddonNamespaceConfig>,
    /// Tags of the add-on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Where an add-on is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddonNamespaceConfig {
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What an add-on does with fields that somebody else set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResolveConflicts {
    /// Fail.
    None,
    /// Take them over.
    Overwrite,
    /// Leave them (updates only).
    Preserve,
}
