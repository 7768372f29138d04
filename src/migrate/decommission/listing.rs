//! The list of `kops delete cluster`, in the order in which kops finds things: what is found later counts.

use super::reads::{AwsReads, Wanted};
use super::{access, balancing, machines, named, network};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The cluster that would be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name in kops: `old.example.com`.
    pub name: String,
    /// Whether its spec says `topology.dns.type: None`.
    #[serde(default)]
    pub without_dns: bool,
    /// The minor of kops 1.x that would be run; the newest where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kops_minor: Option<u32>,
}

impl Cluster {
    /// A cluster with DNS records, and the newest kops.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), without_dns: false, kops_minor: None }
    }

    /// The tag key that says who owns a thing.
    #[must_use]
    pub fn tag_key(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.name)
    }

    /// Whether kops looks for records in Route 53. Gossip names went with kops 1.37.
    pub(super) fn publishes_records(&self) -> bool {
        let gossip = self.name.trim_end_matches('.').ends_with(".k8s.local") && self.is_before(37);
        !self.without_dns && !gossip
    }

    /// Whether the cluster's name lies in a hosted zone.
    pub(super) fn is_in_zone(&self, zone: &str) -> bool {
        format!(".{}", self.name.trim_end_matches('.')).ends_with(&format!(".{}", zone.trim_end_matches('.')))
    }

    pub(super) fn is_before(&self, minor: u32) -> bool {
        self.kops_minor.is_some_and(|own| own < minor)
    }
}

/// A thing that kops found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Its type as kops prints it: `volume`, `load-balancer`, `autoscaling-config`.
    pub kind: String,
    /// Its id as kops prints it.
    pub id: String,
    /// Whether kops leaves it alone.
    pub shared: bool,
}

/// Why the list cannot be told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CannotTell {
    /// Something was not read: a list made without it would be short.
    #[error("{} reads of AWS are missing, the first is {}: read them, then ask again", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Missing(Vec<Wanted>),
    /// kops itself stops there.
    #[error("kops refuses to delete {cluster}: it finds several VPCs with its tags, {}; remove the tags of all but one", .vpcs.join(", "))]
    SeveralVpcs {
        /// The cluster.
        cluster: String,
        /// Ids of the VPCs.
        vpcs: Vec<String>,
    },
}

/// Things by type and id.
#[derive(Default)]
pub(super) struct Found {
    things: BTreeMap<(&'static str, String), bool>,
}

impl Found {
    /// Notes a thing; what was noted of it before is forgotten.
    pub(super) fn put(&mut self, kind: &'static str, id: &str, shared: bool) {
        self.things.insert((kind, id.into()), shared);
    }

    /// Whether a thing was found, and is shared.
    pub(super) fn shared(&self, kind: &'static str, id: &str) -> Option<bool> {
        self.things.get(&(kind, id.to_owned())).copied()
    }
}

/// Everything that kops finds, shared things included.
///
/// # Errors
/// [`CannotTell`] where reads are missing or kops itself would stop.
pub fn listing(reads: &AwsReads, cluster: &Cluster) -> Result<Vec<Taken>, CannotTell> {
    let missing = reads.wanted(cluster);
    if !missing.is_empty() {
        return Err(CannotTell::Missing(missing));
    }
    let mut found = Found::default();
    let vpc = network::vpcs(reads, cluster, &mut found)?;
    machines::groups(reads, cluster, &mut found);
    machines::instances(reads, cluster, vpc.as_deref(), &mut found);
    named::key_pairs(reads, cluster, &mut found);
    network::security_groups(reads, cluster, &mut found);
    machines::volumes(reads, cluster, &mut found);
    network::tagged(reads, cluster, &mut found);
    network::route_tables(reads, cluster, &mut found);
    network::subnets(reads, cluster, &mut found);
    machines::interfaces(reads, cluster, vpc.as_deref(), &mut found);
    balancing::all(reads, cluster, &mut found);
    access::all(reads, cluster, &mut found);
    named::queues(reads, cluster, &mut found);
    named::rules(reads, cluster, &mut found);
    if cluster.publishes_records() {
        named::records(reads, cluster, &mut found);
    }
    network::untagged_gateways(reads, &mut found);
    machines::launch_templates(reads, cluster, &mut found);
    network::untagged_route_tables(reads, cluster, &mut found);
    network::gateways_of_routes(reads, cluster, &mut found);
    let taken = found.things.into_iter().map(|((kind, id), shared)| Taken { kind: kind.into(), id, shared });
    Ok(taken.collect())
}

/// What `kops delete cluster` would take, as (type, id), both as it prints them.
///
/// # Errors
/// As [`listing`].
pub fn would_delete(reads: &AwsReads, cluster: &Cluster) -> Result<BTreeSet<(String, String)>, CannotTell> {
    let taken = listing(reads, cluster)?;
    Ok(taken.into_iter().filter(|one| !one.shared).map(|one| (one.kind, one.id)).collect())
}

/// The tag by which kops knows what is its own since its first releases.
pub(in crate::migrate) const LEGACY_TAG: &str = "KubernetesCluster";

/// Whether a thing's tags match kops' own filter: the legacy tag with the cluster's name.
pub(super) fn is_named(tags: &BTreeMap<&str, &str>, cluster: &Cluster) -> bool {
    tags.get(LEGACY_TAG) == Some(&cluster.name.as_str())
}

/// Whether a thing is found by either of its tags.
pub(super) fn is_tagged(tags: &BTreeMap<&str, &str>, cluster: &Cluster) -> bool {
    is_named(tags, cluster) || tags.contains_key(cluster.tag_key().as_str())
}

/// kops' `HasSharedTag`: only the value `shared` spares.
pub(super) fn is_shared(tags: &BTreeMap<&str, &str>, cluster: &Cluster) -> bool {
    tags.get(cluster.tag_key().as_str()) == Some(&"shared")
}

/// kops' `HasOwnedTag`: any value but `owned` spares, and without the tag the legacy one means owned, whatever its value.
pub(super) fn is_owned(tags: &BTreeMap<&str, &str>, cluster: &Cluster) -> bool {
    match tags.get(cluster.tag_key().as_str()) {
        Some(value) => *value == "owned",
        None => tags.contains_key(LEGACY_TAG),
    }
}
