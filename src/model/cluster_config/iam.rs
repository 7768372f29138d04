//! `iam` of a ClusterConfig: roles of the cluster, of service accounts and of pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A document in its own words: an IAM policy, a kubelet's configuration.
pub type InlineDocument = Map<String, Value>;

/// IAM of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIam {
    /// An existing role for the cluster, instead of a new one.
    #[serde(default, rename = "serviceRoleARN", skip_serializing_if = "Option::is_none")]
    pub service_role_arn: Option<String>,
    /// Permissions boundary of the new cluster role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_role_permissions_boundary: Option<String>,
    /// An existing role that Fargate pulls images and writes logs with.
    #[serde(default, rename = "fargatePodExecutionRoleARN", skip_serializing_if = "Option::is_none")]
    pub fargate_pod_execution_role_arn: Option<String>,
    /// Permissions boundary of the new Fargate role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fargate_pod_execution_role_permissions_boundary: Option<String>,
    /// Make the cluster's OIDC issuer an identity provider in IAM, so that service accounts can have roles.
    #[serde(default, rename = "withOIDC", skip_serializing_if = "Option::is_none")]
    pub with_oidc: Option<bool>,
    /// Service accounts with a role, by the OIDC provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<ClusterIamServiceAccount>,
    /// Service accounts with a role, by the pod identity agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_identity_associations: Vec<PodIdentityAssociation>,
    /// Attach the policy of the VPC resource controller to the cluster role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_resource_controller_policy: Option<bool>,
}

/// A service account with a role (IRSA).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIamServiceAccount {
    /// Which service account.
    #[serde(default)]
    pub metadata: ClusterIamMeta,
    /// Managed policies of its role.
    #[serde(default, rename = "attachPolicyARNs", skip_serializing_if = "Vec::is_empty")]
    pub attach_policy_arns: Vec<String>,
    /// An inline policy of its role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_policy: Option<InlineDocument>,
    /// Policies of well-known controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_known_policies: Option<WellKnownPolicies>,
    /// An existing role, instead of a new one.
    #[serde(default, rename = "attachRoleARN", skip_serializing_if = "Option::is_none")]
    pub attach_role_arn: Option<String>,
    /// Permissions boundary of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Name of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// Make the role only, and leave the service account to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_only: Option<bool>,
    /// Trust every subject of this pattern (`*`, `?`) instead of the one service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_pattern: Option<String>,
    /// Tags of the role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Name and namespace of a service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIamMeta {
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels of the service account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the service account, beside the one with its role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Policies that well-known controllers need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WellKnownPolicies {
    /// Cluster Autoscaler.
    #[serde(default)]
    pub auto_scaler: bool,
    /// AWS Load Balancer Controller.
    #[serde(default)]
    pub aws_load_balancer_controller: bool,
    /// cert-manager with Route 53.
    #[serde(default)]
    pub cert_manager: bool,
    /// EBS CSI driver.
    #[serde(default, rename = "ebsCSIController")]
    pub ebs_csi_controller: bool,
    /// EFS CSI driver.
    #[serde(default, rename = "efsCSIController")]
    pub efs_csi_controller: bool,
    /// ExternalDNS with Route 53.
    #[serde(default, rename = "externalDNS")]
    pub external_dns: bool,
    /// Builders that push to ECR.
    #[serde(default)]
    pub image_builder: bool,
}

/// A service account with a role (EKS Pod Identity).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityAssociation {
    /// Namespace of the service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the service account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Make the service account too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_service_account: Option<bool>,
    /// An existing role, instead of a new one.
    #[serde(default, rename = "roleARN", skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Name of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// A role of another account that the first one assumes for the pods.
    #[serde(default, rename = "targetRoleARN", skip_serializing_if = "Option::is_none")]
    pub target_role_arn: Option<String>,
    /// Managed policies of the new role.
    #[serde(default, rename = "permissionPolicyARNs", skip_serializing_if = "Vec::is_empty")]
    pub permission_policy_arns: Vec<String>,
    /// An inline policy of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_policy: Option<InlineDocument>,
    /// Name of the inline policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_policy_name: Option<String>,
    /// Policies of well-known controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_known_policies: Option<WellKnownPolicies>,
    /// Permissions boundary of the new role.
    #[serde(default, rename = "permissionsBoundaryARN", skip_serializing_if = "Option::is_none")]
    pub permissions_boundary_arn: Option<String>,
    /// A session policy as JSON text that narrows what the role may do for these pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Leave out the session tags that EKS adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_session_tags: Option<bool>,
    /// Tags of the association and the role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
