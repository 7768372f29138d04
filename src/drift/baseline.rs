//! The baseline: what the server held at our fields right after our apply. Whatever differs from it later is drift.
//!
//! It is taken from the server's answer and not from the manifest, so defaults, normalised quantities and what
//! webhooks changed never look like drift. One costs the bytes of its values and a share of the path set.

use super::compare;
use super::fieldset::FieldSet;
use super::finding::Finding;
use super::interner::Interner;
use super::managed::{Entry, entries, foreign_below, owned_by_us};
use super::project::{Salt, project, truncated};
use super::trail::Trail;
use crate::model::Object;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// What [`Baseline::check`] says of a live object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every field of ours has its value and is ours.
    Same,
    /// [`Baseline::findings`] says what is not.
    Drifted,
}

/// What the server held at the fields we own, at a moment when all was as declared.
#[derive(Clone)]
pub struct Baseline {
    pub(super) api_version: Box<str>,
    pub(super) paths: Arc<FieldSet>,
    /// The projection of the object over `paths`; a Secret's values are salted hashes.
    pub(super) leaves: Box<[u8]>,
    /// For Secrets.
    pub(super) salt: Option<Salt>,
}

impl Baseline {
    /// Takes the baseline from the server's answer to our apply. A dry run's answer does as well, and so does a live
    /// object that [`literal`](super::literal) found equal.
    ///
    /// `None` when the object has no Apply entry of ours, or has it in another `apiVersion` than the object was read
    /// in, so that its paths cannot be followed.
    #[must_use]
    pub fn of(answer: &Object, salt: &Salt) -> Option<Self> {
        let api_version = api_version(answer);
        let versions_agree =
            entries(answer).filter(Entry::is_ours).all(|entry| entry.api_version == api_version);
        let paths = owned_by_us(answer).filter(|_| versions_agree)?;
        let salt = answer.is_secret().then(|| salt.clone());
        let is_foreign = |trail: &Trail<'_>| foreign_below(answer, &trail.path());
        let leaves = project(&paths, answer.body(), salt.as_ref(), &is_foreign).into();
        Some(Self { api_version: api_version.into(), paths: Arc::new(paths), leaves, salt })
    }

    /// Shares the path set with every other baseline that has an equal one.
    pub fn share(&mut self, interner: &mut Interner) {
        self.paths = interner.share(&self.paths);
    }

    /// The fields that were ours.
    #[must_use]
    pub fn paths(&self) -> &FieldSet {
        &self.paths
    }

    /// Version of the object and of the paths, such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Equal for equal paths and values (of Secrets: as long as the salt is the same).
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(self.api_version.as_bytes());
        hasher.update([0]);
        hasher.update(self.paths.to_fields_v1().to_string());
        hasher.update(&self.leaves);
        truncated(&hasher.finalize())
    }

    /// Bytes on the heap that are this baseline's alone; a shared path set does not count.
    #[must_use]
    pub const fn heap_size(&self) -> usize {
        self.leaves.len() + self.api_version.len()
    }

    /// Whether a live object is still as it was after our apply. Cheap: one walk along our fields, no clock, no
    /// request; a status update passes without a trace.
    #[must_use]
    pub fn check(&self, live: &Object) -> Check {
        let mut ours = entries(live).filter(Entry::is_ours);
        let sole = ours.next().filter(|_| ours.next().is_none());
        let owned = sole.is_some_and(|entry| {
            entry.api_version == &*self.api_version && self.paths.is_fields_v1(entry.fields)
        });
        let quick = owned
            && api_version(live) == &*self.api_version
            && *project(&self.paths, live.body(), self.salt.as_ref(), &|_| false) == *self.leaves;
        if quick || self.findings(live).is_empty() { Check::Same } else { Check::Drifted }
    }

    /// Which fields drifted, in the order of their paths; empty exactly when [`check`](Self::check) says `Same`.
    /// An object of another `apiVersion` cannot be compared and is itself a finding.
    #[must_use]
    pub fn findings(&self, live: &Object) -> Vec<Finding> {
        compare::findings(self, live)
    }
}

/// Number of fields only: values may be secret, and thousands of baselines would drown a trace.
impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Baseline({}, {} fields)", self.api_version, self.paths.leaf_count())
    }
}

/// `apiVersion` of an object.
pub(super) fn api_version(object: &Object) -> &str {
    object.body().get("apiVersion").and_then(Value::as_str).unwrap_or_default()
}
