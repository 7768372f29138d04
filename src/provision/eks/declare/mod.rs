//! What a ClusterConfig becomes in EKS.

mod access;
mod addons;
mod control_plane;
mod node_groups;
mod service_accounts;

use crate::model::cluster::EksRef;
use crate::model::cluster_config::ClusterConfig;
use crate::provision::network::{self, Declared, Problem};
use crate::provision::resource::{Key, Kind, Resource, Scope, Snapshot};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Add-ons that nodes need before they are Ready, or that pods need before they start (eksctl installs them first).
const BEFORE_NODES: [&str; 3] = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"];

/// The resources of EKS. `config` has its defaults filled in, `written` is the file as it stands; `settings` are what
/// eksctl's schema has no word for; `known` is what was read before.
#[must_use]
pub fn resources(
    config: &ClusterConfig,
    written: &ClusterConfig,
    settings: &EksRef,
    scope: &Scope,
    known: &Snapshot,
) -> Declared {
    let mut declared = Declared::default();
    declared.resources.push(control_plane::cluster(config, written, settings, scope, known));
    declared.extend(addons::resources(config, written, scope));
    declared.extend(node_groups::managed(config, written, settings, scope, known));
    declared.extend(node_groups::fargate(config, known));
    declared.extend(access::resources(config, scope));
    declared.resources.extend(service_accounts::resources(config));
    for resource in &mut declared.resources {
        if resource.key.kind != Kind::Cluster {
            resource.needs.insert(network::cluster(scope));
        }
        if resource.tags.len() > MOST_TAGS {
            let words =
                format!("AWS takes 50 tags, two of them are ours: {} are too many", resource.tags.len());
            declared.problems.push(Problem::refused(resource.declared_at.clone(), words));
        }
    }
    declared
}

/// Tags that a resource may have beside our two.
const MOST_TAGS: usize = 48;

/// Lets places for pods wait for what their nodes need to join and to work: routes, endpoints and the add-ons of the
/// network.
pub fn nodes_last(resources: &mut [Resource]) {
    let before: BTreeSet<Key> = resources
        .iter()
        .filter(|resource| match resource.key.kind {
            Kind::RouteTable | Kind::VpcEndpoint | Kind::InternetGateway => true,
            Kind::Addon => BEFORE_NODES.contains(&resource.key.name.as_str()),
            _ => false,
        })
        .map(|resource| resource.key.clone())
        .collect();
    let places = [Kind::Nodegroup, Kind::AutoScalingGroup, Kind::FargateProfile];
    for resource in resources.iter_mut().filter(|resource| places.contains(&resource.key.kind)) {
        resource.needs.extend(before.iter().cloned());
    }
}

/// The tags of a resource: those of all, and its own, which win.
fn tags(config: &ClusterConfig, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = config.metadata.tags.clone();
    tags.extend(own.clone());
    tags
}

/// Subnets; where none is known yet, an output that nothing has, so that what needs them waits.
fn or_unread(subnets: Vec<Value>) -> Vec<Value> {
    if subnets.is_empty() { vec![Key::new(Kind::Subnet, "not read yet").output("id")] } else { subnets }
}

/// A part of the file as JSON, in its own words.
fn json_of<T: Serialize>(part: &T) -> Value {
    serde_json::to_value(part).expect("a ClusterConfig was read from JSON and goes back to it")
}

/// An object's member is put in when it is declared.
fn put(object: &mut Value, member: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        object[member] = json_of(&value);
    }
}
