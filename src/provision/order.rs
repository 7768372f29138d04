//! Order: what is made before what, and what has to be gone before what goes.

use super::resource::{Key, Kind, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// Declared resources in the order of their needs; equals in the order of their keys, so that shuffled input gives the
/// same order. Members of a circle (which `resources` never makes) come last, and defer each other.
#[must_use]
pub fn by_needs(resources: &[Resource]) -> Vec<&Resource> {
    let mut waiting: BTreeMap<&Key, &Resource> = resources.iter().map(|r| (&r.key, r)).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free: Vec<&Key> = waiting
            .iter()
            .filter(|(_, r)| !r.needs.iter().any(|need| waiting.contains_key(need)))
            .map(|(key, _)| *key)
            .collect();
        let next = if free.is_empty() { waiting.keys().copied().collect() } else { free };
        ordered.extend(next.iter().filter_map(|key| waiting.remove(key)));
    }
    ordered
}

const NODES: [Kind; 3] = [Kind::Nodegroup, Kind::AutoScalingGroup, Kind::FargateProfile];

/// The kinds that have to be gone before one of this kind goes, because AWS refuses it (DependencyViolation,
/// ResourceInUse, DeleteConflict) or because what goes first still works with it: nodes drain through NAT gateways, and
/// use their roles to the end.
#[must_use]
pub const fn gone_before(kind: Kind) -> &'static [Kind] {
    use Kind::*;
    match kind {
        Nodegroup
        | AutoScalingGroup
        | FargateProfile
        | PodIdentityAssociation
        | AccessEntry
        | IdentityProvider
        | ServiceAccount => &[],
        Addon | Cluster | OidcProvider => &NODES,
        LaunchTemplate => &[Nodegroup, AutoScalingGroup],
        InstanceProfile => &[AutoScalingGroup, LaunchTemplate],
        Role => &[
            Cluster,
            Nodegroup,
            AutoScalingGroup,
            FargateProfile,
            Addon,
            PodIdentityAssociation,
            ServiceAccount,
            InstanceProfile,
        ],
        VpcEndpoint | NatGateway => &[Cluster, Nodegroup, AutoScalingGroup, FargateProfile],
        Address => &[NatGateway],
        SecurityGroup => &[Cluster, Nodegroup, AutoScalingGroup, FargateProfile, LaunchTemplate, VpcEndpoint],
        Subnet => &[Cluster, Nodegroup, AutoScalingGroup, FargateProfile, NatGateway, VpcEndpoint],
        RouteTable => &[Subnet, VpcEndpoint],
        InternetGateway => &[NatGateway, Address, RouteTable, Cluster, Nodegroup, AutoScalingGroup],
        EgressGateway => &[RouteTable],
        Vpc => &[
            Subnet,
            RouteTable,
            InternetGateway,
            EgressGateway,
            NatGateway,
            VpcEndpoint,
            SecurityGroup,
            Cluster,
            Nodegroup,
            AutoScalingGroup,
            FargateProfile,
        ],
    }
}

/// Whether the service takes things of this kind away with their cluster.
#[must_use]
pub const fn goes_with_cluster(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Addon
            | Kind::AccessEntry
            | Kind::PodIdentityAssociation
            | Kind::IdentityProvider
            | Kind::ServiceAccount
    )
}

/// Whether things of this kind are places where pods run.
#[must_use]
pub fn is_capacity(kind: Kind) -> bool {
    NODES.contains(&kind)
}

/// Deletions in order, each with what has to be gone before it; equals by key.
///
/// `needs` are those of the declared: what needs another goes before it (a security group with rules about the cluster's
/// own group before the cluster, or EKS cannot take its group away). The kinds' table adds the rest, and all of it where
/// nobody knows any longer what was declared; where the two contradict each other the declaration counts.
#[must_use]
pub fn by_deletion(
    keys: &BTreeSet<Key>,
    needs: &BTreeMap<&Key, &BTreeSet<Key>>,
) -> Vec<(Key, BTreeSet<Key>)> {
    let keys: Vec<&Key> = keys.iter().collect();
    let mut before = Precedence::new(keys.len());
    for (first, key) in keys.iter().enumerate() {
        for (then, needed) in keys.iter().enumerate() {
            if needs.get(key).is_some_and(|needs| needs.contains(*needed)) {
                before.add(first, then);
            }
        }
    }
    for (then, key) in keys.iter().enumerate() {
        for (first, other) in keys.iter().enumerate() {
            if gone_before(key.kind).contains(&other.kind) {
                before.add(first, then);
            }
        }
    }
    let mut ordered = Vec::with_capacity(keys.len());
    let mut waiting: BTreeSet<usize> = (0..keys.len()).collect();
    while !waiting.is_empty() {
        let is_free = |at: &&usize| !waiting.iter().any(|other| before.direct[*other][**at]);
        let free: Vec<usize> = waiting.iter().filter(is_free).copied().collect();
        for at in free {
            waiting.remove(&at);
            let first = (0..keys.len()).filter(|other| before.direct[*other][at]);
            ordered.push((keys[at].clone(), first.map(|other| keys[other].clone()).collect()));
        }
    }
    ordered
}

/// What comes before what, without circles.
struct Precedence {
    direct: Vec<Vec<bool>>,
    /// Directly or through others.
    reaches: Vec<Vec<bool>>,
}

impl Precedence {
    fn new(size: usize) -> Self {
        Self { direct: vec![vec![false; size]; size], reaches: vec![vec![false; size]; size] }
    }

    /// Adds that one comes before another, unless the contrary is known.
    fn add(&mut self, first: usize, then: usize) {
        if first == then || self.reaches[then][first] {
            return;
        }
        self.direct[first][then] = true;
        if self.reaches[first][then] {
            return;
        }
        let size = self.direct.len();
        let sources: Vec<usize> = (0..size).filter(|at| *at == first || self.reaches[*at][first]).collect();
        let targets: Vec<usize> = (0..size).filter(|at| *at == then || self.reaches[then][*at]).collect();
        for source in sources {
            for target in &targets {
                self.reaches[source][*target] = true;
            }
        }
    }
}
