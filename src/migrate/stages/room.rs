//! Whether the journal of a move has room in the Secret that it is kept in.
//!
//! It is written as one object, for only that is one compare-and-swap. The API server takes 1 MiB of data in a Secret
//! (kubernetes `pkg/apis/core/types.go`, `MaxSecretSize`), after what is compressed here was compressed.

use super::look::Known;
use super::sight::{is, is_in};
use crate::migrate::own::Class;
use crate::model::migration::Gate;
use crate::transform::identity;
use serde_json::Value;
use std::collections::BTreeSet;

/// Most compressed bytes of a journal.
pub use crate::model::packed::LARGEST;
/// Compressed bytes of what a workload leaves in the journal: its uid is random, so are names.
const WORKLOAD: usize = 70;
/// Of what an EBS volume leaves: its policy, its tags, and their inverses.
const VOLUME: usize = 170;
/// Of the approval of giving an object to its Application.
const OBJECT: usize = 12;
/// Of everything else.
const REST: usize = 2 << 10;

/// What leaves something in a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Workloads and CronJobs, which are held still.
    pub workloads: usize,
    /// Volumes that are handed over.
    pub volumes: usize,
    /// Objects on the target.
    pub objects: usize,
}

/// The compressed bytes that a journal may grow to.
#[must_use]
pub fn size(weights: Weights) -> usize {
    REST + weights.workloads * WORKLOAD + weights.volumes * VOLUME + weights.objects * OBJECT
}

/// What all waves of a document move.
fn weights(known: &Known<'_>) -> Weights {
    let waves = &known.look.spec.waves;
    let moved: BTreeSet<String> = waves.iter().flat_map(|wave| wave.namespaces.iter().cloned()).collect();
    let mut weights = Weights::default();
    for object in &known.before {
        let Some(id) = identity(object) else { continue };
        let ported = matches!(known.classes.get(&id).map(|one| &one.class), Some(Class::Port));
        let inside = is_in(object, &moved);
        weights.objects += usize::from(ported && (inside || id.namespace.is_none()));
        weights.workloads += usize::from(inside && is_held(object));
        weights.volumes += usize::from(inside && is(object, "", "PersistentVolumeClaim"));
    }
    weights
}

fn is_held(object: &Value) -> bool {
    let kinds = [
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
        ("", "ReplicationController"),
    ];
    kinds.iter().any(|(group, kind)| is(object, group, kind))
}

/// Tells before anything is done that the journal would not fit.
pub(super) fn gate(known: &Known<'_>) -> Option<Gate> {
    let weights = weights(known);
    let bytes = size(weights);
    (bytes > LARGEST).then(|| Gate::Blocked {
        what: format!(
            "the journal of {} workloads, {} volumes and {} objects may grow to {} KiB, and the Secret that it is kept in \
             holds {}",
            weights.workloads,
            weights.volumes,
            weights.objects,
            bytes >> 10,
            LARGEST >> 10
        ),
        way_out: "move fewer namespaces with one Migration document, and the rest with another".into(),
    })
}
