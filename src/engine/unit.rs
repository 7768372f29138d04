//! One application on one destination, while the daemon runs.

use super::destination::{Destination, lock};
use crate::drift::Ignore;
use crate::model::{ApplicationSpec, GroupKind, HealthSpec, ResourceId, SyncStatus};
use crate::plan::Desired;
use crate::plan::hooks::HookRun;
use crate::ports::state::{ApplicationRecord, Waiting};
use crate::ports::{Impersonation, RenderFailure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

/// What an application is on one destination: the document with its globs and selectors resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitSpec {
    /// Application name; for a glob, the document's name and the folder's.
    pub name: String,
    /// Name of the repository of the manifests.
    pub repository: String,
    /// Name of the repository that holds the document.
    pub declared_in: String,
    /// Folder, without a glob.
    pub path: String,
    /// The document.
    pub application: ApplicationSpec,
}

/// A rendering, made ready for its destination.
#[derive(Default)]
pub(crate) struct Prepared {
    /// `main@1a2b…`.
    pub revision: String,
    /// The renderer's key; equal keys render equally.
    pub key: String,
    /// Digest over all desired objects and hooks.
    pub digest: String,
    /// Desired objects.
    pub desired: Vec<Arc<Desired>>,
    /// Hooks.
    pub hooks: Vec<HookRun>,
    /// Documents that could not be taken. Nothing is pruned while there is one.
    pub problems: Vec<RenderFailure>,
    /// What a person should look at although everything was taken.
    pub warnings: Vec<RenderFailure>,
    /// Objects that the repository's limits forbid here.
    pub forbidden: BTreeMap<ResourceId, String>,
    /// Kinds that the destination did not serve when this was prepared.
    pub unserved: BTreeSet<GroupKind>,
    /// Live fields that are left as they are.
    pub ignore: Arc<Ignore>,
}

/// The rendering that a person asked for: a newer one is not what the person saw.
pub(crate) struct AskedFor {
    revision: String,
    digest: String,
}

impl AskedFor {
    /// A request for this rendering.
    pub fn of(prepared: &Prepared) -> Self {
        Self { revision: prepared.revision.clone(), digest: prepared.digest.clone() }
    }

    /// Whether a rendering is the one. A commit may be rendered twice, when a kind is served that was not before; and two
    /// commits may come to the same.
    pub fn is_of(&self, prepared: &Prepared) -> bool {
        self.revision == prepared.revision || self.digest == prepared.digest
    }
}

/// Where an application stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing rendered yet.
    #[default]
    New,
    /// The rendering gave nothing: the last good one stays in force.
    RenderFailed(String),
    /// Waits for other applications.
    WaitsFor(String),
    /// A pass is under way.
    Applying,
    /// The last pass left nothing to do.
    Done,
    /// The last pass left something undone.
    Failed(String),
}

impl Phase {
    /// What a person is told of it; nothing where all goes its way.
    pub fn words(&self) -> &str {
        match self {
            Self::New | Self::Applying | Self::Done => "",
            Self::RenderFailed(words) | Self::WaitsFor(words) | Self::Failed(words) => words,
        }
    }
}

/// The changing part.
#[derive(Default)]
pub(crate) struct State {
    pub spec: Option<Arc<UnitSpec>>,
    pub prepared: Option<Arc<Prepared>>,
    pub phase: Phase,
    /// The document is gone.
    pub removed: bool,
    /// A migration holds it still.
    pub held: bool,
    /// A person asked for a sync.
    pub asked: bool,
    /// What an earlier pass was asked for and did not bring about.
    pub asked_for: Option<AskedFor>,
    /// Why nothing may be pruned: a later commit could not be rendered whole.
    pub incomplete: Option<String>,
    /// Problems of the last pass, by object.
    pub problems: BTreeMap<String, String>,
    pub waiting: Option<Waiting>,
    pub last_change: Option<String>,
    pub applied_revision: String,
    pub applied_digest: String,
    pub hooks_done: BTreeSet<String>,
    pub hooks_digest: String,
    /// What the pods and last Events of the worst object say, read once when it became Degraded.
    pub why: Option<(ResourceId, String)>,
    /// Whether a pass has looked at the destination: before, nothing is known of its objects.
    pub looked: bool,
    /// Hooks that the pass waits for, in words.
    pub running: BTreeSet<String>,
    /// Passes that failed in a row.
    pub failures: u32,
    /// What was said of failures since the rendering or a person's request: the same is not said again at each attempt.
    pub failures_told: BTreeSet<String>,
}

/// One application on one destination.
pub(crate) struct Unit {
    pub name: Arc<str>,
    pub destination: Arc<Destination>,
    /// Wakes the unit's task.
    pub wake: Notify,
    /// Counts renderings: a wait for an older one ends.
    pub generation: watch::Sender<u64>,
    /// Counts status changes: for those who wait for readiness.
    pub status: watch::Sender<u64>,
    /// The last record computed.
    pub record: Mutex<ApplicationRecord>,
    /// Whose turn it is to compute it. Taken before every other lock, and by nobody who holds one.
    pub refreshing: Mutex<()>,
    /// Whose turn it is to render it: of two renderings the later one resolves the revision later, and ends later.
    pub rendering: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

impl Unit {
    /// A unit with what is remembered of it.
    pub fn new(
        name: &str,
        destination: Arc<Destination>,
        remembered: Option<&ApplicationRecord>,
    ) -> Arc<Self> {
        let mut record =
            remembered.cloned().unwrap_or_else(|| ApplicationRecord::new(name, &destination.name));
        record.sync = SyncStatus::Unknown;
        let state = State {
            last_change: record.last_change.clone(),
            applied_revision: record.revision.clone(),
            applied_digest: record.render_digest.clone(),
            hooks_done: record.hooks_done.clone(),
            hooks_digest: record.hooks_digest.clone(),
            waiting: record.waiting.clone(),
            ..State::default()
        };
        Arc::new(Self {
            name: name.into(),
            destination,
            wake: Notify::new(),
            generation: watch::Sender::new(0),
            status: watch::Sender::new(0),
            record: Mutex::new(record),
            refreshing: Mutex::default(),
            rendering: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        })
    }

    /// The changing part. Held for short, never across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes what people are shown of a pass under way, and has the status computed anew.
    pub fn show(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.looked = true;
        drop(state);
        self.destination.ledger().touched.insert(self.name.clone());
        self.destination.touched.notify_one();
    }

    /// Whether the newest commit could not be rendered, the last one that could being in force, if there was one.
    pub fn is_unrendered(&self) -> bool {
        let state = self.state();
        state.incomplete.is_some() || matches!(state.phase, Phase::RenderFailed(_))
    }

    /// Whether a failure has not been said yet; it counts as said now.
    pub fn is_news(&self, failure: &str) -> bool {
        self.state().failures_told.insert(failure.into())
    }

    /// The key of its record.
    pub fn key(&self) -> String {
        format!("{}/{}", self.destination.name, self.name)
    }

    /// Health settings of the document.
    pub fn health_spec(&self) -> HealthSpec {
        self.state().spec.as_ref().map(|spec| spec.application.health.clone()).unwrap_or_default()
    }

    /// Whether a rendering is still the one in force.
    pub fn is_current(&self, prepared: &Prepared) -> bool {
        self.state().prepared.as_ref().is_some_and(|current| std::ptr::eq(&**current, prepared))
    }

    /// Puts a new rendering in force and ends waits for the older one.
    pub fn supersede(&self, prepared: Arc<Prepared>) {
        let before = {
            let mut state = self.state();
            state.incomplete = None;
            if !matches!(state.phase, Phase::Applying) {
                state.phase = Phase::New;
            }
            state.failures = 0;
            state.failures_told.clear();
            state.prepared.replace(prepared.clone())
        };
        let old: &[Arc<Desired>] = before.as_ref().map_or(&[], |before| &before.desired);
        self.destination.ledger().declare(&self.name, old, &prepared.desired);
        self.generation.send_modify(|generation| *generation += 1);
        self.destination.touched.notify_one();
        self.wake.notify_one();
    }

    /// Its document, which was gone, is there again: nothing is done before it is rendered anew, and what a pass was
    /// taking away is left. Nothing happens where it was not gone.
    pub fn come_back(&self) {
        {
            let mut state = self.state();
            if !std::mem::take(&mut state.removed) {
                return;
            }
            // What is in force declares nothing. Without a document it counts as changed, and so is rendered, also where
            // the commit is one of another repository than that of its manifests.
            state.prepared = None;
            state.spec = None;
            state.waiting = None;
        }
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// The ignore rules that touch an object, if any do.
    pub fn ignoring(&self, id: &ResourceId) -> Option<Arc<Ignore>> {
        let state = self.state();
        let ignore = &state.prepared.as_ref()?.ignore;
        (!ignore.is_empty_for(id)).then(|| ignore.clone())
    }

    /// The ServiceAccount that writes are made as: `namespace/name`, or a name in the application's namespace.
    pub fn impersonation(&self) -> Option<Impersonation> {
        let state = self.state();
        let application = &state.spec.as_ref()?.application;
        let account = application.service_account.as_ref()?;
        Some(match account.split_once('/') {
            Some((namespace, name)) => Impersonation { namespace: namespace.into(), name: name.into() },
            None => Impersonation {
                namespace: application.namespace.clone().unwrap_or_else(|| "default".into()),
                name: account.clone(),
            },
        })
    }
}
