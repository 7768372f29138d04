//! Ring 1: what a ClusterConfig becomes in AWS, what differs there, and in which order it is put right.
//!
//! ```text
//! ClusterConfig ─► resources ─► (upgrade::stage) ─► plan ─► CloudPlan ─► calls, made by the engine
//!                      ▲                             ▲
//!                      └────────── Snapshot ─────────┘  read by the drivers' calls
//! ```

pub mod approval;
pub mod compare;
pub mod eks;
pub mod estimate;
pub mod export;
pub mod gates;
pub mod iam;
pub mod in_use;
pub mod judge;
pub mod network;
pub mod nodes;
pub mod order;
pub mod owner;
pub mod plan;
pub mod reads;
pub mod resource;
mod rollback;
pub mod surplus;
pub mod trail;
pub mod upgrade;
pub mod wording;

pub use compare::is_update;
pub use network::{Declared, Problem, Weight};
pub use plan::{Applied, CloudPlan, FieldRule, PlanInput, Step, StepAction, Undeclared, plan};

use crate::model::cluster::{DesiredSize, EksRef};
use crate::model::cluster_config::{ClusterConfig, with_defaults};
use resource::{Driver, Resource, Scope, Snapshot};
use std::collections::BTreeSet;

/// All that a ClusterConfig becomes, eksctl's defaults filled in. `settings` is the `eks` block of its `Cluster` document;
/// `known` is what was read before, empty at first: zones that the file does not name, and existing networks. What depends
/// on something that was not read yet is left out and a [`Weight::Waiting`] problem says so: ask again with what the
/// drivers read ([`PlanInput::incomplete`] until then). With a [`Weight::Refused`] problem nothing may be planned.
#[must_use]
pub fn resources(written: &ClusterConfig, settings: &EksRef, scope: &Scope, known: &Snapshot) -> Declared {
    let (written, lookups) = network::found_by_tags(written, settings.network.as_ref(), known);
    if lookups.problems.iter().any(|problem| problem.weight != Weight::Warning) {
        return lookups;
    }
    let written = &written;
    let config = with_defaults(written.clone());
    let keep_sizes: BTreeSet<String> = config
        .node_groups
        .iter()
        .map(|group| &group.base.name)
        .filter(|name| settings.desired_size_of(name) == DesiredSize::Declared)
        .cloned()
        .collect();
    let mut declared = network::resources(&config, scope, known);
    declared.extend(lookups);
    declared.extend(iam::resources(&config, scope, known));
    declared.extend(nodes::resources(&config, scope, known, &keep_sizes));
    declared.extend(eks::resources(&config, written, settings, scope, known));
    eks::nodes_last(&mut declared.resources);
    declared.resources.sort_by(|a, b| a.key.cmp(&b.key));
    declared.problems.sort();
    declared.problems.dedup();
    declared
}

/// What is wrong with what the file refers to, once it has been read: existing networks, AMIs, add-on settings.
#[must_use]
pub fn problems(
    written: &ClusterConfig,
    settings: &EksRef,
    scope: &Scope,
    declared: &[Resource],
    known: &Snapshot,
) -> Vec<Problem> {
    let (written, _) = network::found_by_tags(written, settings.network.as_ref(), known);
    let config = with_defaults(written);
    let mut problems = network::problems(&config, scope, declared, known);
    problems.extend(nodes::problems(declared, known));
    problems.extend(eks::addon::problems(declared, known));
    problems.extend(eks::access_entry::problems(declared, known));
    problems
}

/// The drivers in the order in which they read: each may look at what those before it found.
#[must_use]
pub fn drivers() -> Vec<&'static dyn Driver> {
    let cluster: &'static dyn Driver = &eks::cluster::ClusterDriver;
    let mut drivers = vec![cluster];
    drivers.extend(network::DRIVERS);
    drivers.extend(iam::DRIVERS);
    drivers.extend(nodes::DRIVERS);
    drivers.extend(eks::DRIVERS);
    drivers
}
