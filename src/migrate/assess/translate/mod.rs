//! From specs to a ClusterConfig, part by part. Each part is a pure function of the context; rules on fields ask the same.

pub(super) mod access;
pub(super) mod addons;
pub(super) mod block;
pub(super) mod control_plane;
pub(super) mod dns;
pub(super) mod groups;
pub(super) mod iam;
pub(super) mod identity;
pub(super) mod instances;
pub mod labels;
pub(super) mod marks;
pub mod names;
pub(super) mod network;
mod node_defaults;
pub(super) mod pod_roles;
pub(super) mod subnets;

use super::context::Context;
use crate::migrate::verdict::Verdict;
use crate::model::cluster_config::{API_VERSION, ClusterConfig, KIND};

/// A ClusterConfig as it grows, and what no field of the specs says by itself.
#[derive(Default)]
pub(super) struct Draft {
    pub config: ClusterConfig,
    pub verdicts: Vec<Verdict>,
    pub notes: Vec<String>,
    /// Whether something is missing without which there is no config; a Blocker says what.
    pub is_broken: bool,
}

/// Every part.
pub(super) fn all(context: &Context<'_>, draft: &mut Draft) {
    draft.config.api_version = API_VERSION.to_owned();
    draft.config.kind = KIND.to_owned();
    identity::fill(context, draft);
    subnets::fill(context, draft);
    network::fill(context, draft);
    control_plane::fill(context, draft);
    iam::fill(context, draft);
    pod_roles::fill(context, draft);
    addons::fill(context, draft);
    access::fill(context, draft);
    groups::fill(context, draft);
}
