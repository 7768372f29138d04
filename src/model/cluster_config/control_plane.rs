//! Settings of the control plane, each a member of `CreateCluster` and `UpdateClusterConfig`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// EKS Auto Mode: nodes, storage and load balancers are made by EKS itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoModeConfig {
    /// Whether it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Built-in node pools: `general-purpose`, `system`. An empty list means none; default: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pools: Option<Vec<String>>,
    /// An existing role for the nodes, instead of a new one.
    #[serde(default, rename = "nodeRoleARN", skip_serializing_if = "Option::is_none")]
    pub node_role_arn: Option<String>,
    /// Permissions boundary of the new node role.
    #[serde(default, rename = "permissionsBoundaryARN", skip_serializing_if = "Option::is_none")]
    pub permissions_boundary_arn: Option<String>,
}

/// Logs of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCloudWatch {
    /// Logs of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_logging: Option<ClusterCloudWatchLogging>,
}

/// Logs of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCloudWatchLogging {
    /// Which logs are written; `all` and `*` mean every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enable_types: Vec<LogType>,
    /// How long the logs are kept, in days; as CloudWatch Logs has it (for ever) where none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_retention_in_days: Option<u32>,
}

/// A log of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogType {
    /// The API server's.
    Api,
    /// Audit events.
    Audit,
    /// The authenticator's.
    Authenticator,
    /// The controller manager's.
    ControllerManager,
    /// The scheduler's.
    Scheduler,
    /// Every one.
    All,
    /// Every one.
    #[serde(rename = "*")]
    Star,
}

/// Provisioned size of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlPlaneScalingConfig {
    /// Tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<ControlPlaneTier>,
}

/// How large a control plane is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ControlPlaneTier {
    /// As large as EKS finds right.
    #[serde(rename = "standard")]
    Standard,
    /// XL.
    #[serde(rename = "tier-xl")]
    Xl,
    /// 2XL.
    #[serde(rename = "tier-2xl")]
    Xl2,
    /// 4XL.
    #[serde(rename = "tier-4xl")]
    Xl4,
    /// 8XL.
    #[serde(rename = "tier-8xl")]
    Xl8,
}

/// Flags of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeApiServerConfig {
    /// How long Kubernetes events are kept, as Go writes durations: `30m`, `1h`.
    #[serde(default, rename = "eventTTL", skip_serializing_if = "Option::is_none")]
    pub event_ttl: Option<String>,
    /// Ports of Services of type NodePort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_node_port_range: Option<ServiceNodePortRange>,
}

/// Ports of Services of type NodePort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceNodePortRange {
    /// First port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub min_port: Option<u32>,
    /// Last port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub max_port: Option<u32>,
}

/// Flags of the controller manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeControllerManagerConfig {
    /// The controller of HorizontalPodAutoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizontal_pod_autoscaler_controller_config: Option<HorizontalPodAutoscalerControllerConfig>,
}

/// The controller of HorizontalPodAutoscalers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HorizontalPodAutoscalerControllerConfig {
    /// How often it looks, as Go writes durations: `15s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizontal_pod_autoscaler_sync_period: Option<String>,
}

/// Settings of the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeSchedulerConfig {
    /// The plugin `NodeResourcesFit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_resources_fit: Option<NodeResourcesFitConfig>,
}

/// The plugin `NodeResourcesFit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeResourcesFitConfig {
    /// Which of the nodes that fit is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scoring_strategy: Option<ScoringStrategy>,
}

/// Which of the nodes that fit is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoringStrategy {
    /// The emptiest or the fullest.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub strategy_type: Option<ScoringStrategyType>,
    /// How much each resource counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceWeight>,
}

/// Which nodes score high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScoringStrategyType {
    /// The emptiest.
    LeastAllocated,
    /// The fullest.
    MostAllocated,
}

/// How much a resource counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceWeight {
    /// `cpu`, `memory` or an extended resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub weight: Option<u32>,
}

/// Envelope encryption of Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsEncryption {
    /// ARN of the KMS key; it can be added later, and never changed or taken away.
    #[serde(rename = "keyARN")]
    pub key_arn: String,
}

/// What happens when a version's standard support ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePolicy {
    /// Extended support (which costs more), or an upgrade by AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_type: Option<SupportType>,
}

/// Support after the standard one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SupportType {
    /// AWS upgrades the cluster when standard support ends.
    Standard,
    /// The version stays, at a higher price.
    #[default]
    Extended,
}

/// Zonal shift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZonalShiftConfig {
    /// Whether AWS may move traffic out of a zone in trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// An OIDC provider that people log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProvider {
    /// Always `oidc`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "oidc"))]
    pub provider_type: String,
    /// Name of the association.
    pub name: String,
    /// The issuer, an `https` URL that AWS can reach.
    #[serde(rename = "issuerURL")]
    pub issuer_url: String,
    /// The client that tokens are made for.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Claim that is the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_claim: Option<String>,
    /// Text before user names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_prefix: Option<String>,
    /// Claim that is the user's groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Text before groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_prefix: Option<String>,
    /// Claims that a token must have, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required_claims: BTreeMap<String, String>,
    /// Tags of the association.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
