//! A plan: complete, serialisable data, decided before anything is done.

use super::ResourceId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// It is not there.
    Create,
    /// It is ours and differs.
    Update,
    /// It cannot be changed in place: deleted, then created again.
    Replace,
    /// It exists, is not ours, and is taken over.
    Adopt,
    /// It is as declared.
    Unchanged,
    /// It is ours and no longer declared.
    Delete,
    /// It is ours, no longer declared, and stays without our marks.
    Orphan,
}

impl Action {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Unchanged => "unchanged",
            Self::Delete => "delete",
            Self::Orphan => "orphan",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What has to hold of the live object when a change is executed; the server refuses it otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// The object judged is the object changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Nothing changed since it was judged. Only deletions, replaces and ownership patches ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// Whether a change may be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "because")]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// Not before the plan's digest is approved.
    Held(String),
    /// Not at all as things stand; the text says what to do.
    Blocked(String),
    /// Not in this pass: something it needs is not there yet.
    Deferred(String),
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To which object.
    pub id: ResourceId,
    /// Digest of the desired body; empty for deletions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub desired: String,
    /// What has to hold when it is executed.
    #[serde(default)]
    pub precondition: Precondition,
    /// Whether it may be executed.
    pub verdict: Verdict,
}

impl Change {
    /// Whether the change does something and may.
    #[must_use]
    pub fn is_actionable(&self) -> bool {
        self.action != Action::Unchanged && self.verdict == Verdict::Allowed
    }
}

/// Changes that are executed together. The next wave starts when this one is done, and healthy where it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Why they are together: sync wave, dependency level, kind rank.
    pub order: WaveOrder,
    /// Whether the next wave waits until all objects of this one are healthy.
    pub wait: bool,
    /// In order of identity.
    pub changes: Vec<Change>,
}

/// The place of a wave in its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveOrder {
    /// `argocd.argoproj.io/sync-wave`.
    pub sync_wave: i32,
    /// Longest way through `depends-on` edges.
    pub level: u32,
    /// Rank in the kinds table.
    pub rank: u8,
}

/// All that one pass will do for one application on one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Application.
    pub application: String,
    /// Destination.
    pub destination: String,
    /// Revision the desired objects come from.
    pub revision: String,
    /// Creates, updates, replaces and adoptions, in order.
    pub apply: Vec<Wave>,
    /// Deletions, in order; executed after everything in `apply` went well.
    pub prune: Vec<Wave>,
    /// Why nothing is pruned in this pass, though something would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_waits: Option<String>,
    /// Digest of the changes that are held, to be approved; empty when none is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub held: String,
}

impl Plan {
    /// Every change, applies first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.apply.iter().chain(&self.prune).flat_map(|wave| &wave.changes)
    }

    /// Whether executing it would do nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes().all(|change| change.action == Action::Unchanged)
    }

    /// How many changes there are of an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.changes().filter(|change| change.action == action).count()
    }

    /// Digest over the whole plan: equal for equal decisions, whatever the order of the input.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(self)
    }
}

/// The first 16 bytes of a value's SHA-256 over its JSON, in hex: a name for a plan, not a proof of its contents.
///
/// # Panics
/// Never: plans hold maps with string keys only, which always serialise.
#[must_use]
pub fn digest_of<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_vec(value).expect("plans hold nothing that JSON cannot");
    hex(&Sha256::digest(&json)[..16])
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
