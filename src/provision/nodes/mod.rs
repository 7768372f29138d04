//! Nodes: launch templates, Auto Scaling groups of self-managed nodes, and the AMIs that they start from.

mod bootstrap;
mod image;
mod launch_configuration;
mod scaling;
mod scaling_driver;
mod scaling_read;
mod template;
mod template_driver;
mod toml;
mod user_data;
mod written;

pub use image::{Accelerator, Architecture, accelerator, architecture};
pub use launch_configuration::IS_CONFIGURATION;
pub use scaling::{auto_scaling_group, sizes};
pub use scaling_driver::AutoScalingGroupDriver;
pub use scaling_read::{TEMPLATE, every_group};
pub use template::{DEFAULT_VOLUME_SIZE, launch_template, needs_template, only_by_template};
pub use template_driver::{LaunchTemplateDriver, launch_template_data};
pub use written::{Template, as_written, profile_of};

use crate::model::cluster_config::{ClusterConfig, ManagedNodeGroup, NodeGroupBase};
use crate::provision::network::answer::object;
use crate::provision::network::{Declared, Problem};
use crate::provision::resource::{Driver, Kind, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use template::Templates;

/// The drivers of nodes; networks and IAM come before them.
pub static DRIVERS: [&dyn Driver; 2] = [&LaunchTemplateDriver, &AutoScalingGroupDriver];

/// Most characters of a label's value (Kubernetes; EKS, `labelValue`).
const LONGEST_VALUE: usize = 63;

/// Labels of a group's nodes: those of the file, and the two that eksctl puts on every node and that people select by.
///
/// A cluster's name may be longer than the value of a label can be, and may end as none does: then its label is left
/// out, for EKS would refuse the group, and a kubelet would not start.
pub(super) fn labels(scope: &Scope, group: &NodeGroupBase) -> BTreeMap<String, String> {
    let mut labels = group.labels.clone();
    let name = &scope.cluster;
    if name.len() <= LONGEST_VALUE && name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        labels.insert("alpha.eksctl.io/cluster-name".to_owned(), name.clone());
    }
    labels.insert("alpha.eksctl.io/nodegroup-name".to_owned(), group.name.clone());
    labels
}

/// Launch templates and Auto Scaling groups. `known` is what was read before: the AMI that a template has, the version of
/// the control plane. `keep_sizes` names the self-managed groups whose number of nodes is kept as declared; that of all
/// others is left to whoever scales them.
#[must_use]
pub fn resources(
    config: &ClusterConfig,
    scope: &Scope,
    known: &Snapshot,
    keep_sizes: &BTreeSet<String>,
) -> Declared {
    let templates = Templates { config, scope, known };
    let mut declared = Declared::default();
    for (nth, group) in config.managed_node_groups.iter().enumerate() {
        if needs_template(group, known) {
            declared.extend(templates.managed(group, &format!("/managedNodeGroups/{nth}")));
        }
    }
    for (nth, group) in config.node_groups.iter().enumerate() {
        let at = format!("/nodeGroups/{nth}");
        if scaling::of_another(known, &group.base.name).is_none() {
            declared.extend(templates.self_managed(group, &at));
        }
        let keep_size = keep_sizes.contains(&group.base.name);
        match scaling::declared(config, scope, known, group, keep_size, &at) {
            Ok(resource) => declared.resources.push(resource),
            Err(problem) => declared.problems.push(problem),
        }
    }
    // Groups of one family share the AMI that is looked up for them.
    let mut lookups = BTreeSet::new();
    declared.resources.retain(|each| !each.existing || lookups.insert(each.key.clone()));
    declared
}

/// What a managed node group's create call says of its launch template: `{"id": …, "version": …}`, the person's own or
/// ours. `None` for a group that was made without one.
#[must_use]
pub fn template_of(group: &ManagedNodeGroup, known: &Snapshot) -> Option<Value> {
    let key = launch_template(&group.base.name);
    match &group.launch_template {
        Some(own) => Some(object([("id", json!(own.id)), ("version", json!(own.version))])),
        None if needs_template(group, known) => {
            Some(json!({"id": key.output("id"), "version": key.output("version")}))
        }
        None => None,
    }
}

/// AMIs that were looked up and not found.
#[must_use]
pub fn problems(declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
    declared
        .iter()
        .filter(|each| each.existing && each.key.kind == Kind::LaunchTemplate && !known.live.contains_key(&each.key))
        .filter_map(|each| {
            let parameter = each.desired.get("Parameter")?.as_str()?;
            let message = format!(
                "Systems Manager has no parameter {parameter}: give an AMI by its id, or correct version and amiFamily"
            );
            Some(Problem::refused(each.declared_at.as_str(), message))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_name_that_no_label_can_have_is_on_no_node() {
        let group = NodeGroupBase { name: "ng".into(), ..NodeGroupBase::default() };
        let of = |cluster: &str| {
            let [region, partition, account] = [""; 3].map(str::to_owned);
            let scope = Scope { cluster: cluster.into(), region, partition, account };
            labels(&scope, &group).into_keys().collect::<Vec<_>>()
        };
        let both = ["alpha.eksctl.io/cluster-name", "alpha.eksctl.io/nodegroup-name"];
        assert_eq!(of(&"a".repeat(63)), both);
        assert_eq!(of(&"a".repeat(64)), both[1..]);
        assert_eq!(of("harbour-"), both[1..]);
    }
}
