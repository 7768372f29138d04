//! What rules need to know beside the object: the two clusters, and what people have decided.

use super::served::Served;
use super::survey::Survey;
use crate::model::ResourceId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One of the two clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Side {
    /// The cluster's name, as its tags on AWS have it.
    pub name: String,
    /// The minor of Kubernetes 1.
    pub minor: u32,
    /// What its API server serves; empty: only the table of versions and the minor tell.
    pub served: Served,
    /// The AWS account.
    pub account: String,
    /// The AWS region.
    pub region: String,
    /// The domain of Services, `cluster.local` in every cluster of EKS.
    pub domain: String,
    /// The address of the cluster's DNS Service.
    pub dns_address: Option<String>,
    /// The range of Services' addresses, as CIDR.
    pub service_range: Option<String>,
    /// The range of pods' addresses, as CIDR.
    pub pod_range: Option<String>,
    /// Whether Services can have addresses of both families.
    pub dual_stack: bool,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            name: String::new(),
            minor: 0,
            served: Served::default(),
            account: String::new(),
            region: String::new(),
            domain: "cluster.local".into(),
            dns_address: None,
            service_range: None,
            pod_range: None,
            dual_stack: false,
        }
    }
}

/// Whether a load balancer of the target can be reached from the internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// As it was in effect: what was public without saying so says so now.
    #[default]
    AsBefore,
    /// None can.
    Internal,
}

/// Who makes the load balancers of Services in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balancer {
    /// The AWS Load Balancer Controller: Network Load Balancers.
    #[default]
    Network,
    /// The cloud controller of EKS: Classic Load Balancers, as before.
    Classic,
}

/// What becomes of EBS volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Volumes {
    /// The same volume is attached on the other side: static volumes and claims bound to them.
    #[default]
    HandOver,
    /// New volumes are provisioned, and something else brings the data.
    Provision,
}

/// What becomes of Jobs that have not finished and that nobody owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jobs {
    /// They are carried over and wait for somebody to resume them.
    #[default]
    Suspend,
    /// They stay behind.
    Skip,
}

/// By what means a service account gets its role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleMeans {
    /// An association in EKS: the object needs nothing.
    #[default]
    PodIdentity,
    /// The annotation `eks.amazonaws.com/role-arn` and the cluster's OIDC issuer.
    WebIdentity,
}

/// What becomes of a user or group that RBAC names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// It has another name in the target.
    Rename(String),
    /// It is not bound by RBAC there, for the reason given.
    Drop(String),
}

/// What stands still until state and traffic come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Quiesce {
    /// `CronJobs` are suspended.
    pub cron_jobs: bool,
    /// These workloads have no replica: operators, and whoever waits for a volume.
    pub workloads: BTreeSet<ResourceId>,
    /// No workload that can be scaled has a replica.
    pub all_workloads: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Context {
    /// Where objects come from.
    pub source: Side,
    /// Where they go.
    pub target: Side,
    /// Name of the `Migration` document.
    pub migration: String,
    /// Name of the wave that the objects move in.
    pub wave: String,
    /// What stands still for now.
    pub quiesce: Quiesce,
    /// Instance group to node group.
    pub node_groups: BTreeMap<String, String>,
    /// Node labels as people decided: `key` or `key=value` to the same form; to the empty text: the term is taken out.
    pub node_labels: BTreeMap<String, String>,
    /// How image references begin, and how they begin in the target. The longest that fits counts.
    pub images: BTreeMap<String, String>,
    /// Names of storage classes.
    pub storage_classes: BTreeMap<String, String>,
    /// Classes of Ingresses.
    pub ingress_classes: BTreeMap<String, String>,
    /// `namespace/name` of a service account to the ARN of its role.
    pub roles: BTreeMap<String, String>,
    /// How it gets the role.
    pub role_means: RoleMeans,
    /// `User name` or `Group name` to what becomes of it.
    pub identities: BTreeMap<String, Identity>,
    /// Scheme of load balancers.
    pub scheme: Scheme,
    /// Who makes them.
    pub balancer: Balancer,
    /// What becomes of volumes.
    pub volumes: Volumes,
    /// What becomes of unfinished Jobs.
    pub jobs: Jobs,
    /// Whether Helm's record of a release goes with its objects. Both or neither: objects without the record cannot be
    /// installed over, a record without its objects upgrades from what is not there.
    pub helm_releases: bool,
    /// Whether selectors for control-plane nodes are taken out: a person's consent.
    pub forget_control_plane: bool,
    /// Whether the target enforces `NetworkPolicies`; the VPC CNI does not unless it is told to.
    pub network_policies: bool,
    /// What the whole set of objects says about single ones.
    #[serde(skip)]
    pub survey: Survey,
}

impl Context {
    /// Why a mapping cannot be used: what it maps to is mapped again, so that a second run would change what the first
    /// one made. Empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let maps = [
            ("nodeLabels", &self.node_labels),
            ("storageClasses", &self.storage_classes),
            ("ingressClasses", &self.ingress_classes),
        ];
        let mut problems = Vec::new();
        for (name, map) in maps {
            for (from, to) in map {
                let key = if name == "nodeLabels" { to.split('=').next().unwrap_or_default() } else { to };
                if !to.is_empty() && from != to && (map.contains_key(to) || map.contains_key(key)) {
                    problems.push(format!(
                        "{name}: {from} becomes {to}, which is mapped as well: name the last one"
                    ));
                }
            }
        }
        for (from, to) in &self.images {
            if self.images.keys().any(|prefix| to.starts_with(prefix)) {
                problems
                    .push(format!("images: {from} becomes {to}, which is mapped as well: name the last one"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_goes_on_is_refused() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let mut context = Context { storage_classes: pairs(&[("gp2", "gp3")]), ..Context::default() };
        assert!(context.problems().is_empty());
        context.storage_classes = pairs(&[("gp2", "gp3"), ("gp3", "io2")]);
        assert_eq!(context.problems().len(), 1);
        context.images = pairs(&[("docker.io/", "docker.io/mirror/")]);
        context.node_labels = pairs(&[("a=1", "b=2"), ("b", "c")]);
        assert_eq!(context.problems().len(), 3);
    }
}
