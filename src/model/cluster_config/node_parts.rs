//! Parts of node groups.

use super::iam::InlineDocument;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A taint of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupTaint {
    /// Key.
    #[serde(default)]
    pub key: String,
    /// Value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What happens to pods that do not tolerate a taint.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum TaintEffect {
    /// None is placed there.
    #[default]
    NoSchedule,
    /// Others are preferred.
    PreferNoSchedule,
    /// Those that are there are evicted.
    NoExecute,
}

/// The role of nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupIam {
    /// An existing role, instead of a new one.
    #[serde(default, rename = "instanceRoleARN", skip_serializing_if = "Option::is_none")]
    pub instance_role_arn: Option<String>,
    /// An existing instance profile; self-managed node groups only.
    #[serde(default, rename = "instanceProfileARN", skip_serializing_if = "Option::is_none")]
    pub instance_profile_arn: Option<String>,
    /// Name of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_role_name: Option<String>,
    /// Permissions boundary of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_role_permissions_boundary: Option<String>,
    /// Managed policies of the new role, instead of the default ones.
    #[serde(default, rename = "attachPolicyARNs", skip_serializing_if = "Vec::is_empty")]
    pub attach_policy_arns: Vec<String>,
    /// An inline policy of the new role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_policy: Option<InlineDocument>,
    /// Policies for programs that use the node's role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_addon_policies: Option<NodeGroupIamAddonPolicies>,
}

/// Policies for programs that use the node's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupIamAddonPolicies {
    /// AWS Load Balancer Controller, by its old name.
    #[serde(default)]
    pub alb_ingress: bool,
    /// Cluster Autoscaler.
    #[serde(default)]
    pub auto_scaler: bool,
    /// AWS Load Balancer Controller.
    #[serde(default)]
    pub aws_load_balancer_controller: bool,
    /// cert-manager with Route 53.
    #[serde(default)]
    pub cert_manager: bool,
    /// CloudWatch agent.
    #[serde(default)]
    pub cloud_watch: bool,
    /// EBS CSI driver.
    #[serde(default)]
    pub ebs: bool,
    /// EFS CSI driver.
    #[serde(default)]
    pub efs: bool,
    /// ExternalDNS with Route 53.
    #[serde(default, rename = "externalDNS")]
    pub external_dns: bool,
    /// FSx CSI driver.
    #[serde(default)]
    pub fsx: bool,
    /// Builders that push to ECR.
    #[serde(default)]
    pub image_builder: bool,
    /// X-Ray daemon.
    #[serde(default)]
    pub x_ray: bool,
}

/// Security groups of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupSecurityGroups {
    /// Existing groups to attach.
    #[serde(default, rename = "attachIDs", skip_serializing_if = "Vec::is_empty")]
    pub attach_ids: Vec<String>,
    /// Attach the group that all nodes share; self-managed node groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_shared: Option<bool>,
    /// Make and attach a group of this node group; self-managed node groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_local: Option<bool>,
}

/// SSH to nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupSsh {
    /// Open port 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<bool>,
    /// Name of a key pair in EC2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_name: Option<String>,
    /// Security groups that port 22 is open to. Default: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_security_group_ids: Vec<String>,
    /// Sessions by AWS Systems Manager, which every node allows anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_ssm: Option<bool>,
}

/// Types of EBS volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolumeType {
    /// General purpose, older.
    Gp2,
    /// General purpose.
    #[default]
    Gp3,
    /// Provisioned operations, older.
    Io1,
    /// Provisioned operations.
    Io2,
    /// Cold disks.
    Sc1,
    /// Throughput disks.
    St1,
}

/// A volume beside the root volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMapping {
    /// Device, such as `/dev/sdb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<String>,
    /// Size in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub volume_size: Option<u32>,
    /// Type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<VolumeType>,
    /// Operations a second; gp3, io1 and io2 only.
    #[serde(default, rename = "volumeIOPS", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 256000))]
    pub volume_iops: Option<u32>,
    /// MiB a second; gp3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 125, max = 2000))]
    pub volume_throughput: Option<u32>,
    /// Encrypt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_encrypted: Option<bool>,
    /// KMS key: id, ARN or alias.
    #[serde(default, rename = "volumeKmsKeyID", skip_serializing_if = "Option::is_none")]
    pub volume_kms_key_id: Option<String>,
    /// Snapshot that it begins as.
    #[serde(default, rename = "snapshotID", skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
}

/// Settings of Bottlerocket nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupBottlerocket {
    /// The admin container, reached by SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_admin_container: Option<bool>,
    /// Settings as Bottlerocket names them, under `settings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<InlineDocument>,
}

/// Placement group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Name of an existing placement group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
}

/// Capacity reservations of a node group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityReservation {
    /// `open`, `none` or `capacity-reservations-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_preference: Option<String>,
    /// A reservation to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_target: Option<CapacityReservationTarget>,
}

/// A capacity reservation, by one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityReservationTarget {
    /// Its id.
    #[serde(default, rename = "capacityReservationID", skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_id: Option<String>,
    /// A resource group of reservations.
    #[serde(
        default,
        rename = "capacityReservationResourceGroupARN",
        skip_serializing_if = "Option::is_none"
    )]
    pub capacity_reservation_resource_group_arn: Option<String>,
}

/// How instances are bought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceMarketOptions {
    /// `capacity-block` for a block of reserved capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_type: Option<String>,
}

/// How many nodes are replaced at a time: by one of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupUpdateConfig {
    /// As a number, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: Option<u32>,
    /// As a percentage, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable_percentage: Option<u32>,
}

/// An existing launch template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaunchTemplate {
    /// Its id.
    pub id: String,
    /// Its version as a number in quotes. Default: its default version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Several instance types, on demand and spot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupInstancesDistribution {
    /// Instance types, the best first.
    pub instance_types: Vec<String>,
    /// Most that a spot instance may cost in USD an hour. Default: the on-demand price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<f64>,
    /// On-demand instances before any spot instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand_base_capacity: Option<u32>,
    /// Percentage of on-demand instances beyond these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub on_demand_percentage_above_base_capacity: Option<u32>,
    /// How spot pools are chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_allocation_strategy: Option<String>,
    /// How many spot pools are used; with `lowest-price` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub spot_instance_pools: Option<u32>,
    /// Replace spot instances that are about to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_rebalance: Option<bool>,
}

/// Metrics of an Auto Scaling group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsCollection {
    /// `1Minute`, the only one there is.
    pub granularity: String,
    /// Which metrics. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
}

/// Replacement of nodes that are not healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupNodeRepairConfig {
    /// Whether it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Most nodes repaired at once, as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_parallel_nodes_repaired_count: Option<u32>,
    /// Most nodes repaired at once, as a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_parallel_nodes_repaired_percentage: Option<u32>,
    /// Unhealthy nodes beyond which nothing is repaired, as a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_unhealthy_node_threshold_count: Option<u32>,
    /// Unhealthy nodes beyond which nothing is repaired, as a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unhealthy_node_threshold_percentage: Option<u32>,
    /// What is done otherwise for certain conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_repair_config_overrides: Vec<NodeRepairConfigOverride>,
}

/// What is done for a condition of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRepairConfigOverride {
    /// The condition that the node monitoring agent reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_monitoring_condition: Option<String>,
    /// The reason that it reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_unhealthy_reason: Option<String>,
    /// Minutes before anything is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub min_repair_wait_time_mins: Option<u32>,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_action: Option<RepairAction>,
}

/// What is done with a node that is not healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RepairAction {
    /// A new node.
    Replace,
    /// A restart.
    Reboot,
    /// Nothing.
    NoAction,
}
