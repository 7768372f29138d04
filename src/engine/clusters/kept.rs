//! One cluster while the daemon runs.

use super::api_server::WithApiServer;
use super::blueprint::Blueprint;
use super::catalogue::WithCatalogue;
use super::memory::Memory;
use super::progress::{Pace, Progress};
use crate::engine::destination::lock;
use crate::model::application::{Adopt, DriftPolicy};
use crate::model::cloud::{Call, Service};
use crate::model::event::{Event, Subject, What};
use crate::model::{Health, SyncStatus};
use crate::ports::{
    Clock, Cloud, CloudAccess, CloudFailure, CloudFailureKind, Clouds, Cluster, ClusterRecord, Sink,
    StateFailure, StateStore,
};
use crate::provision::gates::ApiUse;
use crate::provision::resource::{Key, Scope, Snapshot};
use crate::schedule::Schedule;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

/// What every cluster's task is given.
pub struct Context {
    /// Gives accounts.
    pub clouds: Arc<dyn Clouds>,
    /// Remembers.
    pub store: Arc<dyn StateStore>,
    /// Takes events.
    pub sink: Arc<dyn Sink>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How passes follow each other.
    pub pace: Pace,
    /// Nothing is changed.
    pub read_only: bool,
    /// Makes the tokens of this daemon unlike any other's.
    pub salt: [u8; 32],
    /// The daemon's destinations.
    pub destinations: Arc<dyn Destinations>,
}

/// What clusters and the destinations they become have to tell each other.
#[async_trait]
pub trait Destinations: Send + Sync + 'static {
    /// The API server of a cluster; connects it where it is not, else says why that cannot be.
    async fn connected(&self, name: &str) -> Result<Arc<dyn Cluster>, String>;
    /// Uses of API versions that Kubernetes removes, in what the repository declares for this destination.
    fn declared_apis(&self, name: &str) -> Vec<ApiUse>;
    /// The cluster can be connected: its applications need not wait any longer.
    fn ready(&self, name: &str);
    /// The cluster is gone, and so is everything on it.
    fn gone(&self, name: &str);
}

/// What becomes of differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What happens to drift.
    pub drift: DriftPolicy,
    /// What happens to what is there and not ours.
    pub adopt: Adopt,
    /// Why nothing may be changed; `None` when it may.
    pub suspended: Option<String>,
    /// When full passes are made.
    pub schedule: Option<Schedule>,
}

/// What a cluster shall be, and where.
#[derive(Clone)]
pub struct Wanted {
    /// How its account is reached.
    pub access: CloudAccess,
    /// Name in EKS.
    pub cluster: String,
    /// What it shall be.
    pub blueprint: Arc<dyn Blueprint>,
    /// Digest of document and ClusterConfig: equal digests, nothing new.
    pub digest: String,
    /// What becomes of differences.
    pub policy: Policy,
    /// `main@1a2b…`.
    pub revision: String,
    /// `repository path` of the ClusterConfig.
    pub source: String,
    /// Repository whose documents declare it.
    pub declared_in: String,
    /// The document is gone: everything of ours goes.
    pub removed: bool,
}

impl Wanted {
    /// The same with its document gone. What the document said against changes went with it: an approval is asked for.
    #[must_use]
    pub fn gone(&self) -> Self {
        let policy = Policy { drift: DriftPolicy::default(), suspended: None, ..self.policy.clone() };
        Self { removed: true, revision: "removed".into(), policy, ..self.clone() }
    }
}

/// The account of a cluster.
#[derive(Clone)]
pub struct Account {
    /// The account in its region.
    pub cloud: Arc<dyn Cloud>,
    /// Whose resources.
    pub scope: Scope,
}

impl Account {
    /// Opens it, and asks which account it is.
    ///
    /// # Errors
    /// No credentials, an unknown region, no answer.
    pub async fn open(
        clouds: &dyn Clouds,
        access: &CloudAccess,
        cluster: &str,
    ) -> Result<Self, CloudFailure> {
        let cloud = clouds.open(access).await?;
        let call = Call::new(Service::Sts, "GetCallerIdentity", json!({}));
        let answer = cloud.call(&call).await?;
        let account = find_account(&answer).ok_or_else(|| CloudFailure {
            kind: CloudFailureKind::Unavailable,
            code: "NoAccount".into(),
            message: "the answer names no account".into(),
            call: call.to_string(),
            service: Some(Service::Sts),
        })?;
        let scope = Scope {
            cluster: cluster.into(),
            region: cloud.region().into(),
            partition: cloud.partition().into(),
            account,
        };
        Ok(Self { cloud, scope })
    }
}

/// `Account`, at whatever depth the answer has it.
fn find_account(answer: &Value) -> Option<String> {
    let members = answer.as_object()?;
    match members.get("Account").and_then(Value::as_str) {
        Some(account) => Some(account.to_owned()),
        None => members.values().find_map(find_account),
    }
}

/// The changing part.
#[derive(Default)]
pub(crate) struct State {
    pub wanted: Option<Arc<Wanted>>,
    /// Account and access it was opened with.
    pub account: Option<(CloudAccess, Account)>,
    pub memory: Memory,
    /// What the last pass found: tells what is to be declared before anything is read.
    pub snapshot: Option<Snapshot>,
    pub progress: Progress,
    /// A person asked for a sync.
    pub asked: bool,
    /// The document, or its ClusterConfig, that cannot be taken: the last good one stays in force.
    pub refused: Option<(String, String)>,
    /// Failures in a row, by resource.
    pub failures: BTreeMap<Key, u32>,
    /// What was told since the last change of what is wanted: the same is not told again.
    pub told: BTreeSet<String>,
    /// Calls that had an effect since everything was last in place.
    pub written: usize,
    /// When what is wanted now was first acted on, to say how long it took.
    pub begun: Option<jiff::Timestamp>,
    /// The record that is stored.
    pub stored: Option<ClusterRecord>,
    /// Its document no longer describes it.
    pub released: bool,
    /// Why pods of Fargate are not restarted yet.
    pub restart: Option<String>,
    /// Calls of the last pass, by kind.
    pub calls: super::Calls,
    /// Who changed what, where that is not known yet.
    pub trails: super::trail::Trails,
}

/// One cluster while the daemon runs.
pub struct Kept {
    /// Name of its document.
    pub name: Arc<str>,
    pub(crate) context: Arc<Context>,
    /// Wakes its task.
    pub(crate) wake: Notify,
    /// Counts changes of what is wanted: a wait for an older one ends.
    pub(crate) generation: watch::Sender<u64>,
    /// The last record.
    record: Mutex<ClusterRecord>,
    /// Counts changes of the record.
    pub(crate) changed: watch::Sender<u64>,
    state: Mutex<State>,
}

impl Kept {
    /// A cluster with what is remembered of it.
    #[must_use]
    pub fn new(name: &str, context: Arc<Context>, remembered: Option<&ClusterRecord>) -> Arc<Self> {
        let mut record = remembered.cloned().unwrap_or_else(|| ClusterRecord::new(name));
        let mut memory = Memory::of(&record);
        if memory.attempts.seed.is_empty() {
            memory.attempts.seed =
                crate::model::plan::digest_of(&(context.salt, context.clock.now().to_string(), name));
        }
        let state = State { memory, stored: remembered.cloned(), ..State::default() };
        record.sync = SyncStatus::Unknown;
        record.health = Health::Unknown;
        Arc::new(Self {
            name: name.into(),
            context,
            wake: Notify::new(),
            generation: watch::Sender::new(0),
            record: Mutex::new(record),
            changed: watch::Sender::new(0),
            state: Mutex::new(state),
        })
    }

    /// The changing part. Held for short, never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Its record as it is now.
    #[must_use]
    pub fn record(&self) -> ClusterRecord {
        lock(&self.record).clone()
    }

    /// Tells of changes of the record.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Calls of the last pass, by kind and operation.
    #[must_use]
    pub fn calls(&self) -> super::Calls {
        self.state().calls.clone()
    }

    /// What the last pass found.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.state().snapshot.clone()
    }

    /// What is wanted.
    #[must_use]
    pub fn wanted(&self) -> Option<Arc<Wanted>> {
        self.state().wanted.clone()
    }

    /// Puts something else in force, and ends waits for the older. False when it is the same.
    pub fn supersede(&self, wanted: Wanted) -> bool {
        {
            let mut state = self.state();
            state.refused = None;
            let same = state.wanted.as_ref().is_some_and(|old| {
                old.digest == wanted.digest && old.removed == wanted.removed && old.access == wanted.access
            });
            if same {
                // A later commit that changed nothing here.
                state.wanted = Some(Arc::new(wanted));
                return false;
            }
            state.told.clear();
            state.failures.clear();
            state.begun = None;
            state.wanted = Some(Arc::new(wanted));
        }
        self.generation.send_modify(|generation| *generation += 1);
        self.wake.notify_one();
        true
    }

    /// Notes that the document's ClusterConfig cannot be taken. True when that is news.
    pub fn refuse(&self, origin: &str, message: &str) -> bool {
        let news = (origin.to_owned(), message.to_owned());
        let mut state = self.state();
        let is_news = state.refused.as_ref() != Some(&news);
        state.refused = Some(news);
        drop(state);
        if is_news {
            self.wake.notify_one();
        }
        is_news
    }

    /// Lets it be: its document stays and no longer describes it. Nothing is changed, and nothing is remembered.
    pub fn release(&self) {
        self.state().released = true;
        self.generation.send_modify(|generation| *generation += 1);
        self.wake.notify_one();
    }

    /// Whether it is let be.
    pub(crate) fn is_released(&self) -> bool {
        self.state().released
    }

    /// Why its applications wait, while it cannot be connected.
    #[must_use]
    pub fn waits(&self) -> Option<String> {
        let record = self.record();
        let usable = matches!(record.state.as_str(), "ACTIVE" | "UPDATING" | "UPGRADING");
        let removed = self.wanted().is_some_and(|wanted| wanted.removed);
        let refused = self.state().refused.as_ref().map(|(origin, message)| format!("{origin}: {message}"));
        if usable && !removed && record.before_pods.is_empty() {
            return None;
        }
        let state = match (removed, record.state.as_str()) {
            (true, _) => "it is being taken away".into(),
            (false, _) if usable => format!("pods need {} first", record.before_pods.join(", ")),
            (false, "") => refused.unwrap_or_else(|| record.message.clone()),
            (false, state) => state.to_owned(),
        };
        let state = if state.is_empty() { "not there yet".into() } else { state };
        Some(format!("waits for cluster {} ({state})", self.name))
    }

    /// What of it is not as declared, in words; `None`: all of it is.
    #[must_use]
    pub fn unmade(&self) -> Option<String> {
        let record = self.record();
        // What drifted and is held so by its document is there all the same.
        let there =
            record.target_revision.is_empty() && record.under_way.is_empty() && !record.revision.is_empty();
        if record.sync == SyncStatus::Synced
            || (there && !record.drift.is_empty() && record.problems.is_empty())
        {
            return None;
        }
        let under_way: Vec<String> = record.under_way.iter().map(|one| one.resource.clone()).collect();
        let words = match (under_way.is_empty(), record.message.is_empty()) {
            (false, _) => format!("{} are on their way", under_way.join(", ")),
            (true, false) => record.message,
            (true, true) => "it has not been looked at since it changed".into(),
        };
        Some(format!("cluster {}: {words}", self.name))
    }

    /// Whether nothing is known of it in EKS, and nothing was ever changed for it.
    pub(super) fn is_unmade(&self) -> bool {
        let record = self.record();
        record.state.is_empty() && record.last_change.is_none()
    }

    /// Has a pass made now, that does what a person asked for.
    pub fn ask(&self) {
        {
            let mut state = self.state();
            state.asked = true;
            state.told.clear();
        }
        self.wake.notify_one();
    }

    /// Has a pass made now: an approval was given, or a destination is connected.
    pub fn look_again(&self) {
        self.wake.notify_one();
    }

    /// Emits an event about this cluster.
    pub(crate) fn emit(&self, what: What) {
        let subject = Subject { application: String::new(), destination: self.name.to_string() };
        self.context.sink.take(&Event { subject, what });
    }

    /// Whether something has not been told yet; it counts as told now.
    pub(crate) fn is_news(&self, what: impl Into<String>) -> bool {
        self.state().told.insert(what.into())
    }

    /// The account, opened where it is not.
    pub(crate) async fn account(&self, wanted: &Wanted) -> Result<Account, CloudFailure> {
        if let Some((access, account)) = &self.state().account
            && *access == wanted.access
            && account.scope.cluster == wanted.cluster
        {
            return Ok(account.clone());
        }
        let Account { cloud, scope } =
            Account::open(self.context.clouds.as_ref(), &wanted.access, &wanted.cluster).await?;
        let (destinations, name) = (self.context.destinations.clone(), self.name.clone());
        let cloud = Arc::new(WithCatalogue::new(cloud, self.context.clock.clone()));
        let account = Account { cloud: Arc::new(WithApiServer { cloud, destinations, name }), scope };
        self.state().account = Some((wanted.access.clone(), account.clone()));
        Ok(account)
    }

    /// Puts a new record in force, with the memory in it, and stores it where it changed.
    pub(crate) async fn put(&self, mut record: ClusterRecord) -> Result<(), StateFailure> {
        self.state().memory.put_into(&mut record);
        let before = std::mem::replace(&mut *lock(&self.record), record.clone());
        if before.health != record.health && before.health != Health::Unknown {
            let message =
                if record.health == Health::Healthy { String::new() } else { record.message.clone() };
            self.emit(What::HealthChanged { from: before.health, to: record.health, message });
        }
        if before != record {
            self.changed.send_modify(|count| *count += 1);
        }
        if self.state().stored.as_ref() == Some(&record) {
            return Ok(());
        }
        self.context.store.save_cluster(&self.name, Some(&record)).await?;
        self.state().stored = Some(record);
        Ok(())
    }

    /// Forgets it: nothing of it is left.
    pub(crate) async fn forget(&self) -> Result<(), StateFailure> {
        self.context.store.save_cluster(&self.name, None).await?;
        self.state().stored = None;
        Ok(())
    }
}
