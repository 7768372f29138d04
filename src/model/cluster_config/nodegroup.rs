//! Node groups: those that EKS manages, and those of our own.

use super::iam::InlineDocument;
use super::node_parts::{
    CapacityReservation, InstanceMarketOptions, LaunchTemplate, MetricsCollection, NodeGroupBottlerocket,
    NodeGroupIam, NodeGroupInstancesDistribution, NodeGroupNodeRepairConfig, NodeGroupSecurityGroups,
    NodeGroupSsh, NodeGroupTaint, NodeGroupUpdateConfig, Placement, VolumeMapping, VolumeType,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What both kinds of node groups have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupBase {
    /// Name, unique among all node groups of the cluster.
    pub name: String,
    /// Operating system of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_family: Option<AmiFamily>,
    /// An AMI by its id. Default: the newest one of the family for the cluster's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami: Option<String>,
    /// Instance type, such as `m5.large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Nodes wanted. Left to an autoscaler once the group exists, unless the Cluster document says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_capacity: Option<u32>,
    /// Fewest nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u32>,
    /// Most nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u32>,
    /// Zones to keep to, of the cluster's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub availability_zones: Vec<String>,
    /// Subnets to keep to, by id or by their name in `vpc.subnets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Nodes in private subnets, without public addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_networking: Option<bool>,
    /// Node labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Node taints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<NodeGroupTaint>,
    /// Tags of the group and of its instances.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Name of the instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// Text before the name of the instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_prefix: Option<String>,
    /// The nodes' role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<NodeGroupIam>,
    /// Security groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<NodeGroupSecurityGroups>,
    /// SSH to the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<NodeGroupSsh>,
    /// Size of the root volume in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub volume_size: Option<u32>,
    /// Type of the root volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<VolumeType>,
    /// Device of the root volume, such as `/dev/xvda`. Default: the AMI's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<String>,
    /// Operations a second of the root volume; gp3, io1 and io2 only.
    #[serde(default, rename = "volumeIOPS", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 256000))]
    pub volume_iops: Option<u32>,
    /// MiB a second of the root volume; gp3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 125, max = 2000))]
    pub volume_throughput: Option<u32>,
    /// Encrypt the root volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_encrypted: Option<bool>,
    /// KMS key of the root volume: id, ARN or alias.
    #[serde(default, rename = "volumeKmsKeyID", skip_serializing_if = "Option::is_none")]
    pub volume_kms_key_id: Option<String>,
    /// Volumes beside the root volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_volumes: Vec<VolumeMapping>,
    /// Optimise instances for EBS, where the type does not do so anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebs_optimized: Option<bool>,
    /// CloudWatch metrics each minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_detailed_monitoring: Option<bool>,
    /// Metadata of the instance by tokens only (IMDSv2).
    #[serde(default, rename = "disableIMDSv1", skip_serializing_if = "Option::is_none")]
    pub disable_imdsv1: Option<bool>,
    /// Keep pods without host network from the metadata of the instance.
    #[serde(default, rename = "disablePodIMDS", skip_serializing_if = "Option::is_none")]
    pub disable_pod_imds: Option<bool>,
    /// Most pods of a node. Default: by the instance type's network interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 737))]
    pub max_pods_per_node: Option<u32>,
    /// Shell commands that run before a node joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre_bootstrap_commands: Vec<String>,
    /// Text that takes the place of what makes a node join; needs `ami`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_bootstrap_command: Option<String>,
    /// Settings of Bottlerocket nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottlerocket: Option<NodeGroupBottlerocket>,
    /// Placement group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Capacity reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservation: Option<CapacityReservation>,
    /// How instances are bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_market_options: Option<InstanceMarketOptions>,
    /// How many nodes are replaced at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_config: Option<NodeGroupUpdateConfig>,
}

/// A node group that EKS manages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedNodeGroup {
    /// What both kinds of node groups have.
    #[serde(flatten)]
    pub base: NodeGroupBase,
    /// Instance types, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_types: Vec<String>,
    /// Spot instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<bool>,
    /// An existing launch template, instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<LaunchTemplate>,
    /// Release of the AMI, such as `1.36.1-20261101`. Default: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_version: Option<String>,
    /// Replacement of nodes that are not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_repair_config: Option<NodeGroupNodeRepairConfig>,
}

/// A node group of our own: an Auto Scaling group with a launch template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroup {
    /// What both kinds of node groups have.
    #[serde(flatten)]
    pub base: NodeGroupBase,
    /// Several instance types, on demand and spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances_distribution: Option<NodeGroupInstancesDistribution>,
    /// Processes of the Auto Scaling group that are suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asg_suspend_processes: Vec<String>,
    /// Metrics of the Auto Scaling group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asg_metrics_collection: Vec<MetricsCollection>,
    /// Labels and taints as tags of the Auto Scaling group, for the Cluster Autoscaler.
    #[serde(default, rename = "propagateASGTags", skip_serializing_if = "Option::is_none")]
    pub propagate_asg_tags: Option<bool>,
    /// Classic load balancers that the instances are registered with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classic_load_balancer_names: Vec<String>,
    /// Target groups that the instances are registered with.
    #[serde(default, rename = "targetGroupARNs", skip_serializing_if = "Vec::is_empty")]
    pub target_group_arns: Vec<String>,
    /// Seconds after which an instance is replaced, a day at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 86400, max = 31536000))]
    pub max_instance_lifetime: Option<u32>,
    /// CPU credits of burstable instance types: `standard` or `unlimited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_credits: Option<String>,
    /// Nitro enclaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enclave_enabled: Option<bool>,
    /// Container runtime: `containerd`, the only one left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_runtime: Option<String>,
    /// Address of the cluster's DNS. Default: the tenth of the Services' addresses.
    #[serde(default, rename = "clusterDNS", skip_serializing_if = "Option::is_none")]
    pub cluster_dns: Option<String>,
    /// Fields of the kubelet's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubelet_extra_config: Option<InlineDocument>,
}

/// Operating systems of nodes that are acted on. eksctl's others are refused with a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AmiFamily {
    /// Amazon Linux 2023.
    #[default]
    AmazonLinux2023,
    /// Bottlerocket.
    Bottlerocket,
    /// Bottlerocket with FIPS modules; managed node groups only.
    BottlerocketFips,
    /// Windows Server 2019 Core; managed node groups only.
    WindowsServer2019CoreContainer,
    /// Windows Server 2019 Full; managed node groups only.
    WindowsServer2019FullContainer,
    /// Windows Server 2022 Core; managed node groups only.
    WindowsServer2022CoreContainer,
    /// Windows Server 2022 Full; managed node groups only.
    WindowsServer2022FullContainer,
    /// Windows Server 2025 Core; managed node groups only.
    WindowsServer2025CoreContainer,
    /// Windows Server 2025 Full; managed node groups only.
    WindowsServer2025FullContainer,
}

impl AmiFamily {
    /// Whether nodes run Windows.
    #[must_use]
    pub const fn is_windows(self) -> bool {
        !matches!(self, Self::AmazonLinux2023 | Self::Bottlerocket | Self::BottlerocketFips)
    }

    /// Whether nodes run Bottlerocket.
    #[must_use]
    pub const fn is_bottlerocket(self) -> bool {
        matches!(self, Self::Bottlerocket | Self::BottlerocketFips)
    }
}
