//! Words of a migration: its stages, the steps that stages are made of, and what holds a stage back.
//!
//! A stage is a desired state for every side. What it takes is computed anew from what is seen (look, plan, act, look
//! again), so a kill at any point is healed by looking. What cannot be seen any more once it has been changed (a
//! replica count, a reclaim policy, a record's weight) is written to the journal *before* the change, as the step's
//! inverse: going back is a plan towards an earlier stage with those originals as its desired values.

use super::cloud::Call;
use super::resource::ResourceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The stages of a migration, in their order. A merged commit names the next one, a revert an earlier one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Stage {
    /// Everything is read and assessed; nothing is written anywhere.
    #[default]
    Inventory,
    /// What would stop the move is looked for: access, quotas, Blockers, packing.
    Preflight,
    /// The EKS cluster is made from its ClusterConfig.
    Provision,
    /// Namespaces, definitions, access, storage classes and controllers are on the target: no traffic, no state.
    Configure,
    /// Workloads are on the target, held at rest; the source's changes flow until the cut.
    Sync,
    /// The equality proof holds, object by object.
    Verify,
    /// The writer's place moves: fence the source, hand volumes over, start on the target.
    HandOver,
    /// Traffic moves, step by step.
    Shift,
    /// Both sides stand; nothing but watching.
    Soak,
    /// Objects are handed to their Applications; what `kops delete cluster` would take is proven harmless.
    Decommission,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 10] = [
        Self::Inventory,
        Self::Preflight,
        Self::Provision,
        Self::Configure,
        Self::Sync,
        Self::Verify,
        Self::HandOver,
        Self::Shift,
        Self::Soak,
        Self::Decommission,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inventory => "Inventory",
            Self::Preflight => "Preflight",
            Self::Provision => "Provision",
            Self::Configure => "Configure",
            Self::Sync => "Sync",
            Self::Verify => "Verify",
            Self::HandOver => "HandOver",
            Self::Shift => "Shift",
            Self::Soak => "Soak",
            Self::Decommission => "Decommission",
        })
    }
}

/// Which API server a step speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The kops cluster.
    Source,
    /// The EKS cluster.
    Target,
}

/// One write. Everything it needs is in it; execution makes no choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// A server-side apply of these fields by the migration's field manager.
    Apply {
        /// Where.
        side: Side,
        /// The fields, with `apiVersion`, `kind` and name.
        object: Value,
    },
    /// A JSON patch (RFC 6902). It carries `test` operations for what it builds on: the uid and the old values.
    Patch {
        /// Where.
        side: Side,
        /// Which object.
        id: ResourceId,
        /// The version that the object is read and written in.
        version: String,
        /// The operations.
        operations: Vec<Value>,
    },
    /// A deletion of something that the migration made.
    Delete {
        /// Where.
        side: Side,
        /// Which object.
        id: ResourceId,
        /// The version that the object is read and written in.
        version: String,
        /// Precondition.
        uid: String,
        /// Precondition.
        resource_version: String,
    },
    /// A call of a cloud's API. `token` names the member that takes an idempotency token, if the operation has one:
    /// the journal stores the token before the call is made.
    Call {
        /// The call.
        call: Call,
        /// The member of the input for the idempotency token, empty until execution.
        token: Option<String>,
    },
}

/// A write and how it is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Stable name over passes: `fence/shop`, `retain/pvc-1b2`, `weight/shop.example.com./10`. The journal's key.
    pub key: String,
    /// What it belongs to.
    pub stage: Stage,
    /// The wave of namespaces it belongs to; none for what concerns the whole move.
    pub wave: Option<String>,
    /// The write.
    pub effect: Effect,
    /// The writes that take it back, complete before the effect is made. Empty: looking again suffices (an applied
    /// object of ours is taken back by deleting it), or `final_` says that there is no way back.
    pub undo: Vec<Effect>,
    /// What it does, in words for a person.
    pub says: String,
    /// There is no way back once it is done: needs an approval bound to the plan's digest.
    pub final_: bool,
}

/// What stands between a stage and the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    /// Nothing.
    Open,
    /// Something that comes by itself, with its limit in seconds.
    Waiting {
        /// What is waited for.
        what: String,
        /// After so many seconds it is a failure.
        limit_seconds: u64,
    },
    /// Something that a person has to do.
    Blocked {
        /// What is wrong.
        what: String,
        /// What to do about it.
        way_out: String,
    },
    /// An approval bound to this digest.
    Approval {
        /// The digest of the steps concerned.
        digest: String,
    },
}

/// What a planner says of one concern (a fence, a volume, a record) after looking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What is to be done now, in order. Steps of one outcome may be made one after the other without looking again.
    pub steps: Vec<Step>,
    /// What holds the stage back beside the steps; open gates are left out.
    pub gates: Vec<Gate>,
}

impl Outcome {
    /// Whether nothing is left to do or to wait for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.steps.is_empty() && self.gates.is_empty()
    }
}
