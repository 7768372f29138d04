//! The kinds that live in EKS itself: what a ClusterConfig becomes there, and the driver of each.
//!
//! EKS describes one thing a call; lists are of a hundred. What a pass reads, and how often, stands in
//! [`reads`](super::reads).

pub mod access_entry;
pub mod addon;
pub mod api;
pub mod auto_mode;
pub mod cluster;
pub mod cluster_changes;
pub mod declare;
pub mod fargate;
pub mod identity_provider;
pub mod nodegroup;
pub mod pod_identity;
pub mod service_account;
pub mod version;

pub use declare::{nodes_last, resources};
pub use version::Minor;

use crate::provision::resource::Driver;

/// The drivers of EKS's kinds that are asked after the cluster was found.
pub static DRIVERS: [&dyn Driver; 7] = [
    &addon::AddonDriver,
    &nodegroup::NodegroupDriver,
    &fargate::FargateProfileDriver,
    &access_entry::AccessEntryDriver,
    &pod_identity::PodIdentityAssociationDriver,
    &identity_provider::IdentityProviderDriver,
    &service_account::ServiceAccountDriver,
];
