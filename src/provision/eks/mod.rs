//! The kinds that live in EKS itself: what a ClusterConfig becomes there, and the driver of each.
//!
//! Reads of a pass over an untouched cluster. EKS describes one thing a call; lists are of a hundred.
//!
//! | kind | calls |
//! |---|---|
//! | cluster | DescribeCluster |
//! | add-ons | ListAddons, one DescribeAddon each, one DescribePodIdentityAssociation for each role of an add-on, one DescribeAddonVersions for each whose version the file leaves open (an hour old will do: [`addon::is_catalogue`]) |
//! | node groups | ListNodegroups, one DescribeNodegroup each |
//! | Fargate profiles | ListFargateProfiles, one DescribeFargateProfile each |
//! | access entries | ListAccessEntries, one DescribeAccessEntry each, one ListAssociatedAccessPolicies for each declared one, sts:GetCallerIdentity where somebody undeclared may be ourselves |
//! | pod identity associations | ListPodIdentityAssociations, one DescribePodIdentityAssociation for each that no add-on owns |
//! | identity providers | ListIdentityProviderConfigs, one DescribeIdentityProviderConfig each |
//!
//! When the version is to move: ListInsights, DescribeClusterVersions (up) or ListUpdates with one DescribeUpdate each
//! (back).

pub mod access_entry;
pub mod addon;
pub mod api;
pub mod cluster;
pub mod cluster_changes;
pub mod declare;
pub mod fargate;
pub mod identity_provider;
pub mod nodegroup;
pub mod pod_identity;
pub mod version;

pub use declare::{nodes_last, resources};
pub use version::Minor;

use crate::provision::resource::Driver;

/// The drivers of EKS's kinds that are asked after the cluster was found.
pub static DRIVERS: [&dyn Driver; 6] = [
    &addon::AddonDriver,
    &nodegroup::NodegroupDriver,
    &fargate::FargateProfileDriver,
    &access_entry::AccessEntryDriver,
    &pod_identity::PodIdentityAssociationDriver,
    &identity_provider::IdentityProviderDriver,
];
