//! The field table: every field of eksctl's schema, and what Portolan does with it.
//!
//! The types say which fields are acted on, what they hold and what they mean; the rows add where they go in AWS. What
//! eksctl knows and the types do not have is in the rows alone, refused with a reason and a way out. One table serves
//! the validator (through [`super::schema`]), `portolan cluster explain` and the published JSON Schema, so that they
//! cannot disagree.

mod cluster;
mod explain;
mod network;
mod nodes;
mod people;
mod row;

pub use explain::{FieldRow, by_path, explain};
pub use row::{BY_NAME, RefusedValue, Support};

use row::Row;

/// The rows of a definition, by the name of its type.
pub(super) fn rows(definition: &str) -> impl Iterator<Item = &'static Row> + use<> {
    let lists: &[&'static [Row]] = match definition {
        "ClusterConfig" => &[cluster::CLUSTER_CONFIG],
        "ClusterMeta" => &[cluster::CLUSTER_META],
        "RollbackConfig" => &[cluster::ROLLBACK_CONFIG],
        "AutoModeConfig" => &[cluster::AUTO_MODE],
        "ClusterCloudWatch" => &[cluster::CLOUD_WATCH],
        "ClusterCloudWatchLogging" => &[cluster::CLUSTER_LOGGING],
        "ControlPlaneScalingConfig" => &[cluster::SCALING],
        "KubeApiServerConfig" => &[cluster::KUBE_API_SERVER],
        "ServiceNodePortRange" => &[cluster::NODE_PORTS],
        "KubeControllerManagerConfig" => &[cluster::KUBE_CONTROLLER_MANAGER],
        "HorizontalPodAutoscalerControllerConfig" => &[cluster::HPA_CONTROLLER],
        "KubeSchedulerConfig" => &[cluster::KUBE_SCHEDULER],
        "NodeResourcesFitConfig" => &[cluster::NODE_RESOURCES_FIT],
        "ScoringStrategy" => &[cluster::SCORING],
        "ResourceWeight" => &[cluster::RESOURCE_WEIGHT],
        "SecretsEncryption" => &[cluster::SECRETS_ENCRYPTION],
        "UpgradePolicy" => &[cluster::UPGRADE_POLICY],
        "ZonalShiftConfig" => &[cluster::ZONAL_SHIFT],
        "IdentityProvider" => &[cluster::IDENTITY_PROVIDER],
        "ClusterVpc" => &[network::VPC],
        "ClusterEndpoints" => &[network::ENDPOINTS],
        "ClusterNat" => &[network::NAT],
        "ClusterSubnets" => &[network::SUBNETS],
        "AzSubnetSpec" => &[network::SUBNET],
        "KubernetesNetworkConfig" => &[network::KUBERNETES_NETWORK],
        "PrivateCluster" => &[network::PRIVATE_CLUSTER],
        "ClusterIam" => &[people::IAM],
        "ClusterIamServiceAccount" => &[people::SERVICE_ACCOUNT],
        "ClusterIamMeta" => &[people::SERVICE_ACCOUNT_META],
        "WellKnownPolicies" => &[people::WELL_KNOWN],
        "PodIdentityAssociation" => &[people::POD_IDENTITY],
        "AccessConfig" => &[people::ACCESS_CONFIG],
        "AccessEntry" => &[people::ACCESS_ENTRY],
        "AccessPolicy" => &[people::ACCESS_POLICY],
        "AccessScope" => &[people::ACCESS_SCOPE],
        "AddonsConfig" => &[people::ADDONS_CONFIG],
        "Addon" => &[people::ADDON],
        "AddonNamespaceConfig" => &[people::ADDON_NAMESPACE],
        "FargateProfile" => &[people::FARGATE_PROFILE],
        "FargateProfileSelector" => &[people::FARGATE_SELECTOR],
        "ManagedNodeGroup" => &[nodes::BASE, nodes::MANAGED],
        "NodeGroup" => &[nodes::BASE, nodes::OWN],
        "NodeGroupTaint" => &[nodes::TAINT],
        "NodeGroupIam" => &[nodes::NODE_IAM],
        "NodeGroupIamAddonPolicies" => &[nodes::ADDON_POLICIES],
        "NodeGroupSecurityGroups" => &[nodes::SECURITY_GROUPS],
        "NodeGroupSsh" => &[nodes::SSH],
        "VolumeMapping" => &[nodes::VOLUME],
        "NodeGroupBottlerocket" => &[nodes::BOTTLEROCKET],
        "Placement" => &[nodes::PLACEMENT],
        "CapacityReservation" => &[nodes::CAPACITY_RESERVATION],
        "CapacityReservationTarget" => &[nodes::CAPACITY_TARGET],
        "InstanceMarketOptions" => &[nodes::MARKET],
        "NodeGroupUpdateConfig" => &[nodes::UPDATE_CONFIG],
        "LaunchTemplate" => &[nodes::LAUNCH_TEMPLATE],
        "NodeGroupInstancesDistribution" => &[nodes::DISTRIBUTION],
        "MetricsCollection" => &[nodes::METRICS],
        "NodeGroupNodeRepairConfig" => &[nodes::NODE_REPAIR],
        "NodeRepairConfigOverride" => &[nodes::REPAIR_OVERRIDE],
        _ => &[],
    };
    lists.iter().copied().flatten()
}

/// Values of acted fields that are refused.
#[must_use]
pub fn refused_values() -> &'static [RefusedValue] {
    nodes::REFUSED_VALUES
}

/// Fields of shared definitions that one owner of the definition cannot have: path, reason, way out.
const REFUSED_THERE: [(&str, &str, &str); 4] = [
    (
        "managedNodeGroups[].iam.instanceProfileARN",
        "EKS makes the instance profile of a managed node group itself",
        "name the role in `instanceRoleARN`",
    ),
    (
        "managedNodeGroups[].securityGroups.withShared",
        "nodes of managed node groups are in EKS's cluster security group and not in the shared one",
        "name further groups in `attachIDs`",
    ),
    (
        "managedNodeGroups[].securityGroups.withLocal",
        "nodes of managed node groups are in EKS's cluster security group and have none of their own",
        "name further groups in `attachIDs`",
    ),
    (
        "addons[].podIdentityAssociations[].createServiceAccount",
        "the add-on makes its service account itself",
        "take it out",
    ),
];

fn refused_there(path: &str) -> Option<Support> {
    let (_, because, instead) = REFUSED_THERE.iter().find(|(refused, ..)| *refused == path)?;
    Some(Support::Refused { because, instead })
}
