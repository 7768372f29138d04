//! The cluster's IAM: roles of the control plane, nodes, Fargate, service accounts, pods and add-ons, instance profiles,
//! and the OIDC provider.

mod addons;
pub(super) mod document;
mod names;
mod oidc_driver;
mod permissions;
mod profile_driver;
mod role_driver;
mod roles;
mod well_known;

pub use addons::{AddonIdentity, addon_identity};
pub use names::{oidc_provider, path, path_prefix, role, role_name, shortened};
pub use oidc_driver::OidcProviderDriver;
pub use profile_driver::InstanceProfileDriver;
pub use role_driver::RoleDriver;
pub use roles::{
    auto_mode_role, cluster_role, fargate_role, instance_profile, node_role, pod_role, resources,
    service_account_role,
};

use crate::provision::resource::Driver;

/// The drivers of IAM, in the order in which they are asked; the cluster's has to come before them.
pub static DRIVERS: [&dyn Driver; 3] = [&RoleDriver, &InstanceProfileDriver, &OidcProviderDriver];
