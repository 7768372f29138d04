//! The facts a plan is made from. All of them are gathered before anything is decided.

use super::annotations::{Directives, Prune};
use crate::model::{Deletion, DriftPolicy, Gvk, ResourceId, SyncSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One desired object, ready to be sent.
#[derive(Clone)]
pub struct Desired {
    /// Identity, with the namespace settled.
    pub id: ResourceId,
    /// Kind in the version that the source declares.
    pub gvk: Gvk,
    /// The body as it is applied: compact JSON with our labels, without ignored paths. May hold a Secret's data.
    pub body: Arc<[u8]>,
    /// The body for the creation, where it differs: there an ignored path starts with its declared value.
    pub initial: Option<Arc<[u8]>>,
    /// Digest of `body`.
    pub digest: String,
    /// What the object's annotations ask for.
    pub directives: Arc<Directives>,
    /// Where it comes from: `file:line`.
    pub origin: Arc<str>,
}

impl std::fmt::Debug for Desired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Desired({} {} from {})", self.id, self.digest, self.origin)
    }
}

/// How a live object compares with what was last applied to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// As it was applied, or literally as desired.
    AsApplied,
    /// A field we own differs, or is no longer ours.
    Drifted,
    /// Not known to be either: the server has to be asked.
    Unknown,
}

/// What is known of a live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFact {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The application label; `None` where the label is missing.
    pub application: Option<Arc<str>>,
    /// The digest of the desired body that was last applied or found equal; empty when not known.
    pub applied: String,
    /// Comparison with that body.
    pub comparison: Comparison,
    /// Whether every sign says that it is ours to delete: our part-of label, our application label, a
    /// `managedFields` entry of ours, no controller owner.
    pub ours: bool,
    /// Being deleted already.
    pub terminating: bool,
    /// A hook object: it goes by its delete policy, not by prune.
    pub hook: bool,
    /// Whether the live object's annotations allow to delete it, when the repository no longer declares it.
    pub prune: Prune,
    /// The same for when the Application document is removed.
    pub delete: Prune,
}

/// Everything that one plan depends on.
pub struct PlanInput<'a> {
    /// Application.
    pub application: &'a str,
    /// Destination.
    pub destination: &'a str,
    /// Revision of the desired objects.
    pub revision: &'a str,
    /// Desired objects, hooks left out. Empty when the Application document is gone.
    pub desired: &'a [Desired],
    /// Live objects that are desired here or carry this application's label.
    pub live: &'a BTreeMap<ResourceId, LiveFact>,
    /// Desired objects that another application declares as well, with that application's name.
    pub claimed_by_others: &'a BTreeMap<ResourceId, Arc<str>>,
    /// Objects whose kind or namespace is not there yet, with the reason in words.
    pub deferred: &'a BTreeMap<ResourceId, String>,
    /// Objects that may not be applied here, with the reason in words (limits of the repository).
    pub forbidden: &'a BTreeMap<ResourceId, String>,
    /// Why nothing may be pruned now: rendering incomplete, another repository not fetched.
    pub prune_waits: Option<String>,
    /// API groups whose discovery is incomplete: nothing of theirs is pruned.
    pub unavailable_groups: &'a BTreeSet<String>,
    /// The application's sync settings.
    pub sync: &'a SyncSpec,
    /// What happens to drift.
    pub drift: DriftPolicy,
    /// Why nothing at all may be written; `None` when it may.
    pub frozen: Option<&'a str>,
    /// What becomes of objects when the document is gone.
    pub deletion: Deletion,
    /// Whether the Application document is gone.
    pub removed: bool,
    /// Whether a person asked for this pass: then drift is mended whatever the policy, `Freeze` excepted.
    pub asked: bool,
    /// Whether exactly these objects were applied whole before: what is not there now was deleted by somebody.
    pub applied_whole: bool,
    /// Whether a digest has been approved.
    pub approved: &'a dyn Fn(&str) -> bool,
    /// Digest and reason of what was held by the plan before this one.
    pub held_before: Option<(&'a str, &'a str)>,
    /// Objects known to exist outside our inventory, with the verdict on adopting them.
    pub strangers: &'a BTreeMap<ResourceId, super::adoption::Stranger>,
    /// Objects that the server refuses to change in place, with the field and its words.
    pub immutable: &'a BTreeMap<ResourceId, String>,
}
