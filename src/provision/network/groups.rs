//! Security groups: between control plane and nodes, among nodes, and for SSH.
//!
//! The rules are eksctl's, less what the cluster security group does anyway: EKS makes that group, attaches it to the
//! control plane and to managed nodes, and lets its members reach each other; self-managed nodes get it too
//! ([`super::node_groups`]), so no rule is written into a group that is not ours.

use super::declared::{CLUSTER_SECURITY_GROUP, cluster, existing, resource, tags};
use super::drivers::SELF;
use super::new_vpc::is_ipv6;
use super::rules::rule;
use crate::model::cluster_config::{ClusterConfig, NodeGroupBase};
use crate::provision::nodes::needs_template;
use crate::provision::resource::{Key, Kind, Resource, Scope, Snapshot};
use serde_json::{Value, json};

const HTTPS: Option<(i64, i64)> = Some((443, 443));
const SSH: Option<(i64, i64)> = Some((22, 22));
/// Ports that webhooks, kubelets and extension API servers listen on.
const UNPRIVILEGED: Option<(i64, i64)> = Some((1025, 65_535));

/// `SecurityGroup/control-plane`.
#[must_use]
pub fn control_plane() -> Key {
    Key::new(Kind::SecurityGroup, "control-plane")
}

/// `SecurityGroup/shared-node`.
#[must_use]
pub fn shared_node() -> Key {
    Key::new(Kind::SecurityGroup, "shared-node")
}

/// The group of one node group: its SSH, and for self-managed ones the ways to the control plane.
#[must_use]
pub fn of_node_group(name: &str) -> Key {
    Key::new(Kind::SecurityGroup, format!("nodegroup-{name}"))
}

/// The security groups of the control plane's network interfaces, beside EKS's own.
#[must_use]
pub fn of_control_plane(config: &ClusterConfig) -> Vec<Value> {
    let vpc = config.vpc.as_ref();
    let listed = vpc.map_or(&[][..], |vpc| &vpc.control_plane_security_group_ids);
    if listed.is_empty() || vpc.is_some_and(|vpc| vpc.security_group.is_some()) {
        return vec![control_plane().output("id")];
    }
    listed.iter().map(|id| json!(id)).collect()
}

/// Whether port 22 of the nodes is opened.
#[must_use]
pub fn allows_ssh(group: &NodeGroupBase) -> bool {
    group.ssh.as_ref().is_some_and(|ssh| ssh.allow == Some(true))
}

/// All security groups.
#[must_use]
pub fn resources(
    config: &ClusterConfig,
    scope: &Scope,
    known: &Snapshot,
    vpc_id: &Value,
    vpc_cidr: &Value,
) -> Vec<Resource> {
    let groups = Groups { config, scope, vpc_id, vpc_cidr };
    let mut resources = vec![groups.control_plane(), groups.shared_node()];
    for (at, group) in config.managed_node_groups.iter().enumerate() {
        // A launch template of the person's own says which groups its nodes have; without any EKS makes one.
        if allows_ssh(&group.base) && needs_template(group, known) {
            let rules = groups.ssh(&group.base);
            resources.push(groups.of_nodes(&group.base, rules, &format!("/managedNodeGroups/{at}")));
        }
    }
    for (at, group) in config.node_groups.iter().enumerate() {
        let declared = group.base.security_groups.as_ref();
        if declared.and_then(|groups| groups.with_local).unwrap_or(true) {
            let from = ("GroupId", control_plane().output("id"));
            let mut rules = vec![
                rule("tcp", UNPRIVILEGED, from.clone(), "control plane to kubelets and pods"),
                rule("tcp", HTTPS, from, "control plane to extension API servers"),
            ];
            rules.extend(groups.ssh(&group.base));
            resources.push(groups.of_nodes(&group.base, rules, &format!("/nodeGroups/{at}")));
        }
    }
    resources
}

struct Groups<'a> {
    config: &'a ClusterConfig,
    scope: &'a Scope,
    vpc_id: &'a Value,
    vpc_cidr: &'a Value,
}

impl Groups<'_> {
    fn made(&self, key: Key, description: &str, ingress: Vec<Value>, at: &str) -> Resource {
        let name = format!("{}-{}", self.scope.cluster, key.name);
        // A group of EC2 lets everything out unless told otherwise; it is declared so that its loss is seen.
        let everywhere = rule("-1", None, ("CidrIp", json!("0.0.0.0/0")), "");
        let desired = json!({
            "GroupName": name,
            "Description": format!("{description} of {}", self.scope.cluster),
            "VpcId": self.vpc_id,
            "Ingress": ingress,
            "Egress": [everywhere],
        });
        resource(key, desired, tags(&self.config.metadata.tags, name, []), at)
    }

    fn control_plane(&self) -> Resource {
        let vpc = self.config.vpc.as_ref();
        let listed = vpc.and_then(|vpc| vpc.control_plane_security_group_ids.first());
        if let Some(id) = vpc.and_then(|vpc| vpc.security_group.as_ref()).or(listed) {
            return existing(control_plane(), json!({"GroupId": id}), "/vpc/securityGroup");
        }
        let v4 = vpc.map_or(&[][..], |vpc| &vpc.extra_cidrs).iter().map(|cidr| ("CidrIp", cidr));
        let v6 = vpc.map_or(&[][..], |vpc| &vpc.extra_ipv6_cidrs).iter().map(|cidr| ("CidrIpv6", cidr));
        let ingress = v4
            .chain(v6)
            .map(|(member, cidr)| rule("tcp", HTTPS, (member, json!(cidr)), "extra CIDR to the API server"))
            .collect();
        self.made(control_plane(), "Control plane and nodes", ingress, "/vpc")
    }

    fn shared_node(&self) -> Resource {
        let vpc = self.config.vpc.as_ref();
        if let Some(id) = vpc.and_then(|vpc| vpc.shared_node_security_group.as_ref()) {
            return existing(shared_node(), json!({"GroupId": id}), "/vpc/sharedNodeSecurityGroup");
        }
        let mut ingress = vec![rule("-1", None, ("GroupId", json!(SELF)), "nodes to each other")];
        if vpc.and_then(|vpc| vpc.manage_shared_node_security_group_rules).unwrap_or(true) {
            let of_cluster = cluster(self.scope).output(CLUSTER_SECURITY_GROUP);
            ingress.push(rule(
                "-1",
                None,
                ("GroupId", of_cluster),
                "control plane and managed nodes to all nodes",
            ));
        }
        self.made(shared_node(), "All nodes", ingress, "/vpc")
    }

    fn of_nodes(&self, group: &NodeGroupBase, ingress: Vec<Value>, at: &str) -> Resource {
        self.made(of_node_group(&group.name), &format!("Nodes in group {}", group.name), ingress, at)
    }

    fn ssh(&self, group: &NodeGroupBase) -> Vec<Value> {
        let Some(ssh) = group.ssh.as_ref().filter(|ssh| ssh.allow == Some(true)) else { return Vec::new() };
        let open = |member: &'static str, peer: Value| rule("tcp", SSH, (member, peer), "SSH");
        if !ssh.source_security_group_ids.is_empty() {
            return ssh.source_security_group_ids.iter().map(|id| open("GroupId", json!(id))).collect();
        }
        if group.private_networking == Some(true) {
            return vec![open("CidrIp", self.vpc_cidr.clone())];
        }
        let mut rules = vec![open("CidrIp", json!("0.0.0.0/0"))];
        if is_ipv6(self.config) {
            rules.push(open("CidrIpv6", json!("::/0")));
        }
        rules
    }
}
