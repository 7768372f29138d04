//! What happened: the one closed list that logs, metrics, Kubernetes Events and the status consume.
//!
//! No event holds a Secret's value: field values arrive here already masked.

use super::plan::Action;
use super::{Health, ResourceId};
use serde::Serialize;

/// A field that left its declared value, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDrift {
    /// Path, such as `spec.replicas` or `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// Declared value, masked where it is secret.
    pub declared: String,
    /// Live value, masked where it is secret.
    pub live: String,
    /// Who changed it, where that is known: the field manager that owns it now, or of resources in the cloud the ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// When that was, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// What an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Application; empty for events of a repository or a destination.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub application: String,
    /// Destination.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
}

/// Something that happened, with its subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// A repository's tip moved.
    RevisionSeen {
        /// Repository name.
        repository: String,
        /// `main@1a2b…`.
        revision: String,
    },
    /// A repository could not be fetched or read; the last revision stays.
    RepositoryFailed {
        /// Repository name.
        repository: String,
        /// Why.
        message: String,
    },
    /// A document of a repository is refused; the last good one stays.
    DocumentRefused {
        /// `file:line:column`.
        origin: String,
        /// Why.
        message: String,
    },
    /// The destination does not answer; tried again with back-off.
    DestinationFailed {
        /// Why.
        message: String,
    },
    /// The destination answers again.
    DestinationBack,
    /// An application was rendered.
    Rendered {
        /// Revision.
        revision: String,
        /// Number of objects.
        objects: usize,
        /// Milliseconds it took.
        millis: u64,
    },
    /// A document or the whole application could not be rendered.
    RenderFailed {
        /// `file:line:column`.
        origin: String,
        /// Why.
        message: String,
    },
    /// Something to look at, though everything was taken.
    Warned {
        /// `file:line:column`.
        origin: String,
        /// What it is.
        message: String,
    },
    /// An object was changed as planned.
    Changed {
        /// What was done.
        action: Action,
        /// To which object.
        id: ResourceId,
        /// Revision it comes from.
        revision: String,
        /// The API server's warnings.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// A change could not be made.
    ChangeFailed {
        /// What was tried.
        action: Action,
        /// On which object.
        id: ResourceId,
        /// Why, and what to do.
        message: String,
    },
    /// A live field left its declared value.
    Drifted {
        /// Which object.
        id: ResourceId,
        /// Which fields; empty when the whole object went.
        fields: Vec<FieldDrift>,
        /// Whether it will be mended now.
        mending: bool,
    },
    /// Drift was mended.
    Mended {
        /// Which object.
        id: ResourceId,
        /// What was mended.
        fields: Vec<FieldDrift>,
        /// Milliseconds from seeing the drift to the server's answer.
        millis: u64,
    },
    /// Somebody keeps changing what we keep mending.
    Fight {
        /// Which object.
        id: ResourceId,
        /// The opponent's field manager.
        opponent: String,
        /// Mends within the last minute.
        mends: u32,
    },
    /// Deletions wait for an approval.
    Held {
        /// Digest to approve.
        digest: String,
        /// Why.
        reason: String,
        /// What would go.
        objects: Vec<String>,
    },
    /// A hook was started, or ended.
    Hook {
        /// The hook's object.
        id: ResourceId,
        /// Phase, such as `PreSync`.
        phase: String,
        /// `started`, `succeeded` or `failed: …`.
        state: String,
    },
    /// Everything desired is applied.
    Synced {
        /// Revision.
        revision: String,
        /// Objects written in this pass.
        written: usize,
        /// Milliseconds from the pass's start.
        millis: u64,
    },
    /// A pass ended with something left to do.
    SyncFailed {
        /// Revision.
        revision: String,
        /// The first problem, and how many more there are.
        message: String,
    },
    /// The application's health changed.
    HealthChanged {
        /// Before.
        from: Health,
        /// Now.
        to: Health,
        /// The worst object and its reason; empty when healthy.
        message: String,
    },
    /// A resource in the cloud is being changed as planned.
    ResourceBegun {
        /// What is done: `create`, `update`, `replace`, `adopt`, `delete`.
        action: String,
        /// Which resource: `Nodegroup/ng-1`.
        resource: String,
        /// What it costs in replaced nodes and time; empty when it costs neither.
        #[serde(skip_serializing_if = "String::is_empty")]
        cost: String,
    },
    /// A change of a resource in the cloud has settled.
    ResourceDone {
        /// What was done.
        action: String,
        /// Which resource.
        resource: String,
        /// Milliseconds from the call to when it was seen.
        millis: u64,
    },
    /// A resource in the cloud could not be changed, or failed.
    ResourceFailed {
        /// What was tried.
        action: String,
        /// Which resource.
        resource: String,
        /// Why, and what to do.
        message: String,
    },
    /// A field of a resource in the cloud left its declared value.
    ResourceDrifted {
        /// Which resource.
        resource: String,
        /// Which fields; empty when the whole resource went.
        fields: Vec<FieldDrift>,
        /// Whether it will be mended now.
        mending: bool,
    },
    /// A part of a migration begins a stage, or has completed it.
    StageReached {
        /// `the move`, or `wave shop`.
        part: String,
        /// Which stage.
        stage: String,
        /// `begun` or `complete`.
        state: String,
        /// How long a stage that is complete took, in seconds; 0 for one that is begun.
        seconds: u64,
        /// Revision that asks for it.
        revision: String,
    },
    /// It became known who changed fields that had left their declared values, mended or not.
    ResourceTraced {
        /// Which resource.
        resource: String,
        /// Which fields, with who and when.
        fields: Vec<FieldDrift>,
    },
    /// The daemon's own file was reloaded, or refused.
    Configuration {
        /// Whether the new file is in force.
        accepted: bool,
        /// What changed, or all problems.
        message: String,
    },
}
