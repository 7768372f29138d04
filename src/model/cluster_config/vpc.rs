//! The network of a cluster: `vpc`, `kubernetesNetworkConfig` and `privateCluster`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The VPC, its subnets and the cluster's endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterVpc {
    /// An existing VPC. Without it (and without ids in `subnets`) a new one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Addresses of a new VPC, /16 to /24; of an existing one its CIDR, which is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// IPv6 addresses of a new VPC, from `ipv6Pool`.
    #[serde(default, rename = "ipv6Cidr", skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr: Option<String>,
    /// A pool of one's own that `ipv6Cidr` is taken from.
    #[serde(default, rename = "ipv6Pool", skip_serializing_if = "Option::is_none")]
    pub ipv6_pool: Option<String>,
    /// Subnets, public and private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnets: Option<ClusterSubnets>,
    /// NAT gateways of a new VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<ClusterNat>,
    /// From where the API server can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_endpoints: Option<ClusterEndpoints>,
    /// Addresses that may reach the public endpoint. Default: all.
    #[serde(default, rename = "publicAccessCIDRs", skip_serializing_if = "Vec::is_empty")]
    pub public_access_cidrs: Vec<String>,
    /// IPv4 addresses outside the VPC that may reach the control plane on port 443.
    #[serde(default, rename = "extraCIDRs", skip_serializing_if = "Vec::is_empty")]
    pub extra_cidrs: Vec<String>,
    /// IPv6 addresses outside the VPC that may reach the control plane on port 443.
    #[serde(default, rename = "extraIPv6CIDRs", skip_serializing_if = "Vec::is_empty")]
    pub extra_ipv6_cidrs: Vec<String>,
    /// How calls of the control plane leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_egress_mode: Option<ControlPlaneEgressMode>,
    /// Give the control plane private subnets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_on_private_subnets: Option<bool>,
    /// Subnets for the control plane's network interfaces, instead of all.
    #[serde(default, rename = "controlPlaneSubnetIDs", skip_serializing_if = "Vec::is_empty")]
    pub control_plane_subnet_ids: Vec<String>,
    /// Further security groups of the control plane.
    #[serde(default, rename = "controlPlaneSecurityGroupIDs", skip_serializing_if = "Vec::is_empty")]
    pub control_plane_security_group_ids: Vec<String>,
    /// An existing security group between control plane and nodes, instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group: Option<String>,
    /// An existing security group that all nodes share, instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_node_security_group: Option<String>,
    /// Write rules between the shared node group and EKS's cluster security group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manage_shared_node_security_group_rules: Option<bool>,
    /// Names that instances in new subnets get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname_type: Option<HostnameType>,
}

/// From where the API server can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEndpoints {
    /// From within the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_access: Option<bool>,
    /// From the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access: Option<bool>,
}

/// NAT gateways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterNat {
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<NatGateway>,
}

/// How many NAT gateways a new VPC has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NatGateway {
    /// One in each zone.
    HighlyAvailable,
    /// One for all.
    #[default]
    Single,
    /// None: private subnets have no way out.
    Disable,
}

/// Subnets by a name, which is the zone where `az` does not say another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSubnets {
    /// Subnets with a route to an internet gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub public: BTreeMap<String, AzSubnetSpec>,
    /// Subnets without.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub private: BTreeMap<String, AzSubnetSpec>,
}

/// One subnet: an existing one by its id (or its CIDR in an existing VPC), or a new one by its CIDR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzSubnetSpec {
    /// An existing subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its zone, where its name is not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub az: Option<String>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
}

/// How calls of the control plane (webhooks, OIDC discovery) leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ControlPlaneEgressMode {
    /// Through AWS's own network.
    AwsManaged,
    /// Through the subnets of the cluster and their routes.
    CustomerRouted,
    /// Not at all beyond what the subnets route.
    CustomerIsolated,
}

/// Names of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostnameType {
    /// `ip-10-0-0-1…`
    IpName,
    /// `i-0123456789abcdef0…`
    ResourceName,
}

/// Addresses of Services and Pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesNetworkConfig {
    /// IP family of Pods and Services; fixed once the cluster exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<IpFamily>,
    /// IPv4 addresses of Services, /12 to /24 of the private ranges; fixed once the cluster exists.
    #[serde(default, rename = "serviceIPv4CIDR", skip_serializing_if = "Option::is_none")]
    pub service_ipv4_cidr: Option<String>,
}

/// IP family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IpFamily {
    /// IPv4.
    #[default]
    IPv4,
    /// IPv6.
    IPv6,
}

/// A cluster without ways to or from the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrivateCluster {
    /// No public subnets, no NAT, no public endpoint; VPC endpoints for the services that nodes need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Further services to make VPC endpoints for, such as `autoscaling` and `logs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_endpoint_services: Vec<String>,
    /// Make no VPC endpoints: the existing VPC has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_endpoint_creation: Option<bool>,
}
