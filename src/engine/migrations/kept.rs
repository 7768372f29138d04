//! One migration while the daemon runs.

use super::kops::Kops;
use crate::engine::clusters::Pace;
use crate::engine::destination::lock;
use crate::migrate::proof::Proof;
use crate::model::cluster_config::ClusterConfig;
use crate::model::event::{Event, Subject, What};
use crate::model::migration::{Gate, Side};
use crate::model::migration_document::MigrationSpec;
use crate::model::migration_journal::{Answered, Journal};
use crate::ports::{
    Clock, Cloud, Cluster, Files, Images, MigrationRecord, Names, Sink, StateFailure, StateStore, Stored,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

/// What every migration's task is given.
pub struct Context {
    /// Remembers.
    pub store: Arc<dyn StateStore>,
    /// Takes events.
    pub sink: Arc<dyn Sink>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How passes follow each other.
    pub pace: Pace,
    /// Nothing is written on any side.
    pub read_only: bool,
    /// Keys the digests of Secrets, and makes tokens unlike those of any other daemon.
    pub salt: [u8; 32],
    /// The namespace of the journal on the target.
    pub namespace: String,
    /// The two clusters.
    pub sides: Arc<dyn Sides>,
}

/// The target, where it can be used.
pub struct Target {
    /// Its API server.
    pub cluster: Arc<dyn Cluster>,
    /// Its name in EKS; empty where it is none.
    pub eks_name: String,
}

/// How a migration reaches its two clusters.
#[async_trait]
pub trait Sides: Send + Sync + 'static {
    /// The API server of the source. The error is a sentence for a person.
    async fn source(&self, migration: &str, spec: &MigrationSpec) -> Result<Arc<dyn Cluster>, String>;
    /// The target, or what it waits for.
    async fn target(&self, spec: &MigrationSpec) -> Result<Target, Gate>;
    /// What of the target's cluster is not as its documents declare it, in words; `None`: all of it is, or nobody keeps it.
    fn unmade(&self, _spec: &MigrationSpec) -> Option<String> {
        None
    }
    /// Applications that deliver to the source, and stand still neither by their document nor by the migration, by
    /// namespace.
    fn applications(&self, spec: &MigrationSpec) -> BTreeMap<String, Vec<String>>;
    /// The account of a side; `None` where the document names none. The error is a sentence for a person.
    async fn account(&self, _side: Side, _spec: &MigrationSpec) -> Result<Option<Arc<dyn Cloud>>, String> {
        Ok(None)
    }
    /// Who asks registries of images; `None`: nobody does.
    fn images(&self) -> Option<Arc<dyn Images>> {
        None
    }
    /// Who looks names of hosts up; `None`: nobody does.
    fn names(&self) -> Option<Arc<dyn Names>> {
        None
    }
    /// The ClusterConfig that the target is made from; `None` where it is not made by this daemon.
    fn planned(&self, _spec: &MigrationSpec) -> Option<ClusterConfig> {
        None
    }
    /// The state store of kops; `None` where the document names none. The error is a sentence for a person.
    async fn state_store(&self, _spec: &MigrationSpec) -> Result<Option<Box<dyn Files>>, String> {
        Ok(None)
    }
}

/// What a migration shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What its document says.
    pub spec: MigrationSpec,
    /// `main@1a2b…`.
    pub revision: String,
    /// Repository whose documents declare it.
    pub declared_in: String,
    /// The document is gone: everything stays as it is, the fences as well.
    pub removed: bool,
}

/// The changing part.
#[derive(Default)]
pub(crate) struct State {
    pub wanted: Option<Arc<Wanted>>,
    /// The journal as it was read or written last; `None`: it has to be read.
    pub journal: Option<Journal>,
    /// Version of the journal on the target; `None`: there is none.
    pub on_target: Option<String>,
    /// Whether something may be on the target that was made for the journal: it, or the namespace made for it.
    pub left_on_target: bool,
    /// The record as it is in the store.
    pub stored: Option<Stored<MigrationRecord>>,
    /// Whether the store was asked since the start, and since the last conflict.
    pub loaded: bool,
    /// What was told since the last change of what is wanted: the same is not told again.
    pub told: BTreeSet<String>,
    /// How often a step was made in a row, by its key.
    pub attempts: BTreeMap<String, u32>,
    /// Steps that were answered since the journal was stored, by their keys: the next one has it.
    pub answered: BTreeMap<String, Answered>,
    /// The kops state store, as it was read.
    pub kops: Option<Arc<Kops>>,
    /// Failures of the last pass, by step.
    pub failures: BTreeMap<String, String>,
}

/// One migration while the daemon runs.
pub struct Mover {
    /// Name of its document.
    pub name: Arc<str>,
    pub(crate) context: Arc<Context>,
    /// Wakes its task.
    pub(crate) wake: Notify,
    /// Counts changes of what is wanted: a pass for an older one ends between two steps.
    pub(crate) generation: watch::Sender<u64>,
    record: Mutex<MigrationRecord>,
    /// The last proof of each part, by its name.
    proofs: Mutex<BTreeMap<String, Proof>>,
    state: Mutex<State>,
}

impl Mover {
    /// A migration of which nothing is read yet.
    #[must_use]
    pub fn new(name: &str, context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            context,
            wake: Notify::new(),
            generation: watch::Sender::new(0),
            record: Mutex::new(MigrationRecord::new(name)),
            proofs: Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// The changing part. Held for short, never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Its record as it is now.
    #[must_use]
    pub fn record(&self) -> MigrationRecord {
        lock(&self.record).clone()
    }

    /// The last proof of each part since this process began, by the part's name, which is empty for the move as a whole.
    #[must_use]
    pub fn proofs(&self) -> BTreeMap<String, Proof> {
        lock(&self.proofs).clone()
    }

    /// Keeps the proofs that a plan has made.
    pub(crate) fn prove(&self, proofs: impl IntoIterator<Item = (String, Proof)>) {
        lock(&self.proofs).extend(proofs);
    }

    /// What is wanted.
    #[must_use]
    pub fn wanted(&self) -> Option<Arc<Wanted>> {
        self.state().wanted.clone()
    }

    /// Puts something else in force. False when it is the same.
    pub fn supersede(&self, wanted: Wanted) -> bool {
        {
            let mut state = self.state();
            let same = state
                .wanted
                .as_ref()
                .is_some_and(|old| old.spec == wanted.spec && old.removed == wanted.removed);
            state.wanted = Some(Arc::new(wanted));
            if same {
                return false;
            }
            state.told.clear();
            state.attempts.clear();
        }
        self.generation.send_modify(|generation| *generation += 1);
        self.wake.notify_one();
        true
    }

    /// Has a pass made now.
    pub fn look_again(&self) {
        self.state().told.clear();
        self.wake.notify_one();
    }

    /// Emits an event about this migration.
    pub(crate) fn emit(&self, what: What) {
        let subject = Subject { application: String::new(), destination: self.name.to_string() };
        self.context.sink.take(&Event { subject, what });
    }

    /// Whether something has not been told yet; it counts as told now.
    pub(crate) fn is_news(&self, what: impl Into<String>) -> bool {
        self.state().told.insert(what.into())
    }

    /// Puts a new record in force, and stores it where it changed.
    pub(crate) async fn put(&self, record: MigrationRecord) -> Result<(), StateFailure> {
        let before = std::mem::replace(&mut *lock(&self.record), record.clone());
        if before.health != record.health && before.health != crate::model::Health::Unknown {
            let (from, to) = (before.health, record.health);
            self.emit(What::HealthChanged { from, to, message: record.message.clone() });
        }
        let expected = {
            let state = self.state();
            if state.stored.as_ref().is_some_and(|stored| stored.value == record) {
                return Ok(());
            }
            state.stored.as_ref().map(|stored| stored.version.clone())
        };
        match self.context.store.save_migration(&self.name, Some(&record), expected.as_deref()).await {
            Ok(version) => {
                self.state().stored = Some(Stored { value: record, version });
                Ok(())
            }
            Err(failure) => {
                // Whatever was the reason: what is stored is read before anything else is done.
                let mut state = self.state();
                state.loaded = false;
                state.journal = None;
                Err(failure)
            }
        }
    }
}
