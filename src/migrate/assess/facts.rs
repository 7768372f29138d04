//! What an assessment knows of the account and the live clusters beside the specs. Everything may be missing.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Facts of an account and region, as they were when they were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// The region.
    pub region: Option<String>,
    /// Zones of the region, by name, with the ids that AWS gives them: `eu-central-1a` is `euc1-az2`.
    pub zones: BTreeMap<String, String>,
    /// VPCs, by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// Subnets, by id.
    pub subnets: BTreeMap<String, Subnet>,
    /// Sizes of the live Auto Scaling groups, by the name of their InstanceGroup.
    pub groups: BTreeMap<String, GroupSize>,
    /// Versions that EKS serves.
    pub versions: Vec<EksVersion>,
    /// Instance types, by name.
    pub instance_types: BTreeMap<String, InstanceType>,
    /// Roles of instance profiles, by the ARN or name of the profile.
    pub instance_profiles: BTreeMap<String, String>,
    /// Namespaces of the source cluster.
    pub namespaces: BTreeSet<String>,
    /// How many objects the source cluster has of custom kinds, by `Kind.group`.
    pub kinds: BTreeMap<String, usize>,
    /// Addresses of managed prefix lists, by id.
    pub prefix_lists: BTreeMap<String, Vec<String>>,
    /// Who may log in by objects of the source cluster.
    pub mappings: Vec<AccessMapping>,
    /// Roles that pods of the source cluster get by an annotation.
    pub pod_roles: Vec<PodRole>,
}

impl Facts {
    /// These facts, and of others what these say nothing of.
    #[must_use]
    pub fn completed_by(self, other: Self) -> Self {
        macro_rules! filled {
            ($($field:ident),+) => {
                Self {
                    region: self.region.or(other.region),
                    $($field: if self.$field.is_empty() { other.$field } else { self.$field },)+
                }
            };
        }
        filled!(
            zones,
            vpcs,
            subnets,
            groups,
            versions,
            instance_types,
            instance_profiles,
            namespaces,
            kinds,
            prefix_lists,
            mappings,
            pod_roles
        )
    }
}

/// A mapping of the IAM authenticator that stands in an object of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessMapping {
    /// The object: `ConfigMap kube-system/aws-auth`.
    pub subject: String,
    /// Where in it, as a pointer: `/data/mapRoles/0`.
    pub field: String,
    /// Role or user; of an account, its number.
    pub arn: String,
    /// Name in Kubernetes, perhaps with the authenticator's placeholders.
    pub username: String,
    /// Groups in Kubernetes.
    pub groups: Vec<String>,
}

/// A role that pods get by the annotation of kube2iam and kiam.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodRole {
    /// Namespace.
    pub namespace: String,
    /// Their service account.
    pub service_account: String,
    /// The role: its ARN, or its name where nothing that was read tells the ARN.
    pub role: String,
    /// The workloads whose pods have it: `Deployment shop/web`.
    pub workloads: BTreeSet<String>,
    /// Workloads of the same service account whose pods have none.
    pub without: BTreeSet<String>,
}

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vpc {
    /// IPv4 blocks, the first one first.
    pub cidrs: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subnet {
    /// Its VPC.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// IPv4 block; empty in a subnet of IPv6 alone.
    pub cidr: String,
    /// Addresses that are free.
    pub free_addresses: Option<u32>,
    /// Whether its routes lead to an internet gateway.
    pub public: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Sizes of an Auto Scaling group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSize {
    /// Fewest instances.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Wanted.
    pub desired: u32,
}

/// A version that EKS serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EksVersion {
    /// Minor version: `1.34`.
    pub version: String,
    /// Whether it is beyond standard support, and costs more.
    pub extended: bool,
}

/// An instance type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceType {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Network interfaces of its first card.
    pub interfaces: u32,
    /// IPv4 addresses of one interface.
    pub addresses_per_interface: u32,
    /// Whether its hypervisor is Nitro, which prefix delegation needs.
    pub nitro: bool,
    /// `x86_64`, `arm64`.
    pub architecture: String,
    /// NVIDIA GPUs.
    pub gpus: u32,
    /// Whether AWS calls it current.
    pub current: bool,
    /// Zones that offer it; empty: not known.
    pub zones: BTreeSet<String>,
}
