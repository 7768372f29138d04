//! EBS volumes handed over in place, from one cluster to the other, and back.
//!
//! ```text
//! Retain, read back ─► (the fence: 0 pods) ─► detached, available ─► snapshot ─► tags ─► volume, claim ─► bound
//!        ▲                                                                                          │
//!        └── policy ◄── tags ◄── volume, claim taken away ◄── detached ◄── (0 pods on the target) ◄─┘
//! ```
//!
//! Each call of [`plan`] looks at both clusters and at EC2 and says what is next; nothing is remembered but the inverses of
//! what cannot be seen any more. A volume is never deleted, nor is anything on the source. Snapshots of the migration are,
//! at the end of a complete way back ([`dismiss`]).
//!
//! - The source keeps its claim and its volume object: with them, and the tag `KubernetesCluster`, it can attach the disk
//!   again. Until a workload starts on the target the way back is exact; after that [`way_back`] says what it keeps.
//! - The claim's name stays: a StatefulSet finds the claims of its ordinals by name, so they have to be bound before it
//!   starts. A claim that names its volume binds at once, also with a class that waits for the first consumer.
//! - Objects for the target come from the rules of `transform`; here they are looked over ([`Misfit`]).

mod assess;
mod back;
mod backing;
mod claim;
mod disk;
mod dismiss;
mod forward;
mod input;
mod keep;
mod prepared;
mod release;
mod tags;
mod watch;
mod way_back;

pub use assess::assess;
pub use backing::Backing;
pub use disk::{Disk, Disks, Snapshot};
pub use dismiss::dismiss;
pub use input::{Input, Setting, Towards};
pub use prepared::Misfit;
pub use watch::{TagFinding, watch};
pub use way_back::{WayBack, consent, first_write, way_back};

use crate::model::migration::Outcome;

/// What is next for the volumes of a wave. Done when the outcome is empty.
#[must_use]
pub fn plan(input: &Input<'_>) -> Outcome {
    match input.towards {
        Towards::Target => forward::forward(input),
        Towards::Source => back::back(input),
    }
}

/// What must be so before the source is scaled to 0: reclaim policies, and StatefulSets that would delete their claims.
/// [`plan`] begins with the same; a stage that fences first asks for this before.
#[must_use]
pub fn before_fence(input: &Input<'_>) -> Outcome {
    let mut steps = keep::policies(input);
    steps.extend(claim::claims(input).iter().filter_map(|claim| keep::retain(input, claim)));
    Outcome { steps, gates: Vec::new() }
}

/// Ids of the EBS volumes of the wave, for [`Disks::calls`].
#[must_use]
pub fn disks_of(
    source: &[crate::model::Object],
    namespaces: &std::collections::BTreeSet<String>,
) -> Vec<String> {
    let mut ids: Vec<String> = input::of_kind(source, "", "PersistentVolume")
        .filter(|volume| {
            let namespace = volume.body()["spec"]["claimRef"]["namespace"].as_str();
            namespace.is_some_and(|namespace| namespaces.contains(namespace))
        })
        .filter_map(|volume| Backing::of_volume(volume).ebs().map(str::to_owned))
        .collect();
    ids.sort();
    ids.dedup();
    ids
}
