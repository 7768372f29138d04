//! From an assessment to what the rules on objects have to know ([`crate::transform::Context`]): the two clusters, node
//! labels under their new names, people under theirs.
//!
//! Node groups and rules have to agree: what a label becomes on the node group decides what a pod's selector becomes.

use super::context::Context;
use super::facts::Facts;
use super::translate::access::{self, Group};
use super::translate::block::Block;
use super::translate::identity::{minor, source_minor};
use super::translate::instances::is_node_group;
use super::translate::labels::{INSTANCE_GROUP, LabelFate, node_label, node_label_value};
use super::translate::marks::{declared_labels, label_value, values_of};
use super::translate::names::{cluster_name, node_group_name};
use super::translate::{identity, network, pod_roles};
use crate::model::cluster_config::ClusterConfig;
use crate::model::kops::KopsState;
use crate::transform::{Context as Rules, Identity, Side};
use std::collections::BTreeMap;

/// What the rules on objects have to know of a move: `state`, `facts` and `choices` as they were assessed, and the
/// ClusterConfig that came of them; none where Blockers stand before it, and then only its name is known of the target.
///
/// Open for the caller: what stands still for now, mappings of images and classes, roles that are made anew (their ARNs
/// are known then), what the two API servers serve, and the names of the migration and its wave.
#[must_use]
pub fn rules_context(
    state: &KopsState,
    facts: &Facts,
    choices: &BTreeMap<String, String>,
    config: Option<&ClusterConfig>,
) -> Rules {
    let context = Context::new(state, facts, choices);
    Rules {
        source: source(&context),
        target: config
            .map_or_else(|| Side { name: cluster_name(&state.cluster.name), ..Side::default() }, target),
        node_groups: node_groups(&context, config),
        node_labels: node_labels(&context),
        identities: identities(&context),
        roles: pod_roles::planned(&context),
        network_policies: network::provider(&context).is_some_and(|(_, enforces)| enforces),
        ..Rules::default()
    }
}

fn source(context: &Context<'_>) -> Side {
    let state = context.state;
    let domain = state.text("clusterDNSDomain").or_else(|| state.text("kubeDNS.domain"));
    let services = range(context, "networking.serviceClusterIPRange", 3, 0);
    let dns = state.text("kubeDNS.serverIP").map(str::to_owned);
    Side {
        name: context.cluster().name.clone(),
        minor: source_minor(context).unwrap_or_default(),
        region: identity::region(context).unwrap_or_default(),
        domain: domain.unwrap_or("cluster.local").to_owned(),
        dns_address: dns.or_else(|| dns_address(services)),
        service_range: services.map(|block| block.to_string()),
        pod_range: range(context, "networking.podCIDR", 1, 1).map(|block| block.to_string()),
        ..Side::default()
    }
}

/// A range that the spec says, or that kops cuts out of `nonMasqueradeCIDR`: an eighth for Services, the upper half for
/// pods (kops `pkg/apis/kops/util` and `upup/pkg/fi/cloudup/populate_cluster_spec.go`). With the VPC CNI pods are in the
/// VPC, and `nonMasqueradeCIDR` is the VPC's.
fn range(context: &Context<'_>, path: &str, bits: u8, nth: u32) -> Option<Block> {
    if let Some(said) = context.state.text(path) {
        return Block::parse(said);
    }
    let in_vpc = network::provider(context).is_some_and(|(name, _)| name == "amazonVPC");
    let whole = context.state.text("networking.nonMasqueradeCIDR").filter(|_| !in_vpc)?;
    Block::parse(whole)?.part(bits, nth)
}

/// Kubernetes gives the tenth address of a range to DNS, in kops and in EKS.
fn dns_address(range: Option<Block>) -> Option<String> {
    range?.address(10).map(|address| address.to_string())
}

fn target(config: &ClusterConfig) -> Side {
    let network = config.kubernetes_network_config.as_ref();
    let services = network.and_then(|network| network.service_ipv4_cidr.clone());
    Side {
        name: config.metadata.name.clone(),
        minor: config.metadata.version.as_deref().and_then(minor).unwrap_or_default(),
        region: config.metadata.region.clone(),
        dns_address: dns_address(services.as_deref().and_then(Block::parse)),
        service_range: services,
        ..Side::default()
    }
}

/// Instance groups that became one node group. One that was split has two, and only the label below tells its nodes.
fn node_groups(context: &Context<'_>, config: Option<&ClusterConfig>) -> BTreeMap<String, String> {
    let groups = context.state.node_groups().map(|group| (group.name.clone(), node_group_name(&group.name)));
    let Some(config) = config else { return groups.collect() };
    let managed = config.managed_node_groups.iter().map(|group| &group.base.name);
    let own = config.node_groups.iter().map(|group| &group.base.name);
    let made: Vec<&String> = managed.chain(own).collect();
    groups.filter(|(_, name)| made.contains(&name)).collect()
}

/// Labels that node groups have under other names than the nodes of kops had. Which instance group a node is of is said
/// for the groups that become node groups, one by one: a selector of any other is a Blocker of its rule.
fn node_labels(context: &Context<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for group in context.state.node_groups().filter(|group| is_node_group(context, group)) {
        let old = format!("kops.k8s.io/instancegroup={}", group.name);
        labels.insert(old, format!("{INSTANCE_GROUP}={}", label_value(&group.name)));
        for (key, value) in declared_labels(context, group) {
            let new = match node_label(&key) {
                LabelFate::Keep => key.clone(),
                // The group's own name as kops has it is said above.
                LabelFate::Rewrite(new) if new != INSTANCE_GROUP => new,
                LabelFate::Rewrite(_) | LabelFate::Drop(_) => continue,
            };
            if new != key {
                labels.insert(key.clone(), new.clone());
            }
            if value.is_empty() {
                let all = values_of(context, &key);
                let value = node_label_value("", all.iter().map(String::as_str));
                labels.insert(format!("{key}="), format!("{new}={value}"));
            }
        }
    }
    labels
}

/// Groups and users of the IAM authenticator's mappings that EKS knows under other names, or not at all.
fn identities(context: &Context<'_>) -> BTreeMap<String, Identity> {
    let mut identities = BTreeMap::new();
    for mapping in access::mappings(context) {
        let name = mapping.username;
        // What has a placeholder is nobody that a binding could name.
        if !name.is_empty() && !name.contains("{{") && access::username(name).is_none() {
            let why = "EKS keeps user names that begin so to itself and names the user by the ARN: bind a group of the entry";
            identities.insert(format!("User {name}"), Identity::Drop(why.to_owned()));
        }
        for (name, pointer) in &mapping.groups {
            let fate = match access::group_of(context, &mapping.subject, name, pointer) {
                Group::Renamed(new) => Identity::Rename(new),
                Group::Dropped => Identity::Drop("as chosen, nobody is in the group in EKS".to_owned()),
                // The rules know these by themselves.
                Group::Admin | Group::Node | Group::Same(_) => continue,
            };
            identities.insert(format!("Group {name}"), fate);
        }
    }
    identities
}
