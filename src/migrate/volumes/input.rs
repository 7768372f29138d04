//! What a look has seen, and what is wanted.

use super::disk::Disks;
use crate::model::migration::Effect;
use crate::model::{Object, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// What is the same for every volume of a migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Name of the `Migration` document.
    pub migration: String,
    /// The kops cluster's name, as its tags have it.
    pub source_cluster: String,
    /// Zones in which the target has nodes, or is planned to have some.
    pub target_zones: BTreeSet<String>,
    /// Which time the wave goes forward: another one needs another snapshot, since the source has written between.
    pub run: String,
    /// Whether each volume is snapshotted after it was detached and before the target attaches it.
    pub snapshot: bool,
    /// Claims that are left behind, as `namespace/name`.
    pub excluded: BTreeSet<String>,
    /// Tags that the target's policies ask for beside those of the EBS driver: `ebs.csi.aws.com/cluster-name` for a role
    /// with the cluster-scoped policy, `eks:eks-cluster-name` for Auto Mode.
    pub extra_tags: BTreeMap<String, String>,
}

/// Which way the wave goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// The target gets the volumes.
    Target,
    /// The source gets them back.
    Source,
}

/// Everything that [`super::plan`] decides by. Nothing is read beside it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The migration.
    pub setting: &'a Setting,
    /// The wave.
    pub wave: &'a str,
    /// Its namespaces.
    pub namespaces: &'a BTreeSet<String>,
    /// The source's claims, volumes, VolumeAttachments, pods and StatefulSets: of the namespaces, and all without one.
    pub source: &'a [Object],
    /// The same of the target.
    pub target: &'a [Object],
    /// Volumes and claims as the rules of `transform` make them for the target.
    pub prepared: &'a [Object],
    /// What EC2 says.
    pub disks: &'a Disks,
    /// The inverses that the journal holds, by the keys of the steps that were made.
    pub journal: &'a BTreeMap<String, Vec<Effect>>,
    /// Whether a workload of the wave was started on the target since the hand-over: from then on it may have written.
    /// The stage's journal knows it from before the start.
    pub started: bool,
    /// Digests that a person has approved.
    pub approved: &'a BTreeSet<String>,
    /// Which way.
    pub towards: Towards,
}

/// An object of a list, by its identity.
pub(super) fn find<'a>(objects: &'a [Object], id: &ResourceId) -> Option<&'a Object> {
    objects.iter().find(|object| object.id() == *id)
}

/// The objects of a kind.
pub(super) fn of_kind<'a>(
    objects: &'a [Object],
    group: &'static str,
    kind: &'static str,
) -> impl Iterator<Item = &'a Object> {
    objects.iter().filter(move |object| {
        let id = object.id();
        id.group == group && id.kind == kind
    })
}
