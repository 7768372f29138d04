//! The eksctl `ClusterConfig` (`eksctl.io/v1alpha5`): what a cluster shall be, in words that people have already.
//!
//! ```text
//! text ─► yaml ─► validate (schema from the types and the field table) ─► refused fields ─► serde ─► rules
//! ```
//!
//! The types hold every field that is acted on, named as eksctl's schema names it. Fields that eksctl knows and
//! Portolan does not act on are in the field table only, each with the reason and the way out; a file that uses one
//! is refused, never taken in part.

pub mod access;
pub mod addons;
mod agree;
pub mod control_plane;
pub mod defaults;
pub mod fargate;
pub mod fields;
pub mod iam;
pub mod metadata;
pub mod node_parts;
pub mod nodegroup;
mod problems;
mod read;
mod refuse;
mod rules;
pub mod schema;
mod spelling;
pub mod vpc;

pub use access::{AccessConfig, AccessEntry, AccessPolicy, AccessScope, AccessScopeType, AuthenticationMode};
pub use addons::{Addon, AddonNamespaceConfig, AddonsConfig, ResolveConflicts};
pub use agree::disagreements;
pub use control_plane::{
    AutoModeConfig, ClusterCloudWatch, ClusterCloudWatchLogging, ControlPlaneScalingConfig, ControlPlaneTier,
    HorizontalPodAutoscalerControllerConfig, IdentityProvider, KubeApiServerConfig,
    KubeControllerManagerConfig, KubeSchedulerConfig, LogType, NodeResourcesFitConfig, ResourceWeight,
    ScoringStrategy, ScoringStrategyType, SecretsEncryption, ServiceNodePortRange, SupportType,
    UpgradePolicy, ZonalShiftConfig,
};
pub use defaults::with_defaults;
pub use fargate::{FargateProfile, FargateProfileSelector};
pub use fields::{FieldRow, Support, explain};
pub use iam::{
    ClusterIam, ClusterIamMeta, ClusterIamServiceAccount, InlineDocument, PodIdentityAssociation,
    WellKnownPolicies,
};
pub use metadata::{ClusterMeta, RollbackConfig};
pub use node_parts::{
    CapacityReservation, CapacityReservationTarget, InstanceMarketOptions, LaunchTemplate, MetricsCollection,
    NodeGroupBottlerocket, NodeGroupIam, NodeGroupIamAddonPolicies, NodeGroupInstancesDistribution,
    NodeGroupNodeRepairConfig, NodeGroupSecurityGroups, NodeGroupSsh, NodeGroupTaint, NodeGroupUpdateConfig,
    NodeRepairConfigOverride, Placement, RepairAction, TaintEffect, VolumeMapping, VolumeType,
};
pub use nodegroup::{AmiFamily, ManagedNodeGroup, NodeGroup, NodeGroupBase};
pub use problems::{Positions, Problems};
pub use read::{is_cluster_config, read};
pub use rules::is_policy_arn;
pub use vpc::{
    AzSubnetSpec, ClusterEndpoints, ClusterNat, ClusterSubnets, ClusterVpc, ControlPlaneEgressMode,
    HostnameType, IpFamily, KubernetesNetworkConfig, NatGateway, PrivateCluster,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `apiVersion` of every ClusterConfig.
pub const API_VERSION: &str = "eksctl.io/v1alpha5";
/// `kind` of every ClusterConfig.
pub const KIND: &str = "ClusterConfig";

/// An EKS cluster with everything around it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfig {
    /// Always `eksctl.io/v1alpha5`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// Always `ClusterConfig`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// Name, region, version and tags.
    pub metadata: ClusterMeta,
    /// Who may log in, and how logins are decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_config: Option<AccessConfig>,
    /// EKS add-ons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// What holds for all add-ons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addons_config: Option<AddonsConfig>,
    /// EKS Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_mode_config: Option<AutoModeConfig>,
    /// Zones that a new VPC gets subnets in: at least two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub availability_zones: Vec<String>,
    /// Logs of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch: Option<ClusterCloudWatch>,
    /// Provisioned size of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_scaling_config: Option<ControlPlaneScalingConfig>,
    /// Fargate profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fargate_profiles: Vec<FargateProfile>,
    /// Roles, the OIDC provider, service accounts and pod identity associations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<ClusterIam>,
    /// OIDC providers that people log in with: one at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity_providers: Vec<IdentityProvider>,
    /// Flags of the API server that EKS lets one set.
    #[serde(default, rename = "kubeAPIServerConfig", skip_serializing_if = "Option::is_none")]
    pub kube_api_server_config: Option<KubeApiServerConfig>,
    /// Flags of the controller manager that EKS lets one set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_controller_manager_config: Option<KubeControllerManagerConfig>,
    /// Settings of the scheduler that EKS lets one set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_scheduler_config: Option<KubeSchedulerConfig>,
    /// IP family and addresses of Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_network_config: Option<KubernetesNetworkConfig>,
    /// Node groups that EKS manages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_node_groups: Vec<ManagedNodeGroup>,
    /// Node groups of our own: an Auto Scaling group with a launch template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_groups: Vec<NodeGroup>,
    /// A cluster without ways to or from the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_cluster: Option<PrivateCluster>,
    /// The KMS key that Secrets are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets_encryption: Option<SecretsEncryption>,
    /// What happens when a version's standard support ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_policy: Option<UpgradePolicy>,
    /// The network: a new one, or an existing one by its ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<ClusterVpc>,
    /// Whether AWS may move traffic out of a zone in trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zonal_shift_config: Option<ZonalShiftConfig>,
}
