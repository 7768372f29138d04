//! The table: a rule for every field that kops has had.
//!
//! Of several patterns that fit a field the most exact one counts; `**` closes a subtree that has one fate. Rows whose
//! fate depends on the value, on the account or on a choice have a judge.

mod addons;
mod components;
mod control_plane;
mod groups;
mod iam;
mod identity;
mod network;
mod nodes;
pub(super) mod others;

use super::rule::Rule;

/// The types of kops' API.
const KOPS: &str = "kops API, pkg/apis/kops/v1alpha2";
/// Where EKS has no such setting: the request that would have it.
const NO_MEMBER: &str = "EKS API, CreateCluster (it has no such member)";
/// The request that makes a node group.
const NODEGROUP: &str = "EKS API, CreateNodegroup";

/// Every row.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        identity::RULES,
        network::RULES,
        components::RULES,
        control_plane::RULES,
        iam::RULES,
        addons::RULES,
        nodes::RULES,
        groups::RULES,
    ]
    .into_iter()
    .flatten()
}
