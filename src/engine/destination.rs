//! One destination: its API server, its watches, and the ledger they keep.

use super::ledger::{KindState, Ledger};
use super::parent::Parent;
use super::tasks::Tasks;
use super::unit::{Phase, Unit};
use crate::drift::Salt;
use crate::model::event::{Event, Subject, What};
use crate::model::ownership::PART_OF;
use crate::model::{GroupKind, Gvk, ResourceId};
use crate::ports::{
    Announcement, ApiFailure, ApiFailureKind, Clock, Cluster, Discovery, ServedKind, Sink, WatchEvent,
    WatchGuard,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

/// How many events may wait for the ledger before the watches are slowed down.
const EVENT_BACKLOG: usize = 256;

/// A destination while the daemon runs.
pub(crate) struct Destination {
    pub name: Arc<str>,
    pub cluster: Arc<dyn Cluster>,
    /// The ApplySet's parent: its id is the watches' label selector.
    pub parent: Parent,
    /// Bounds the requests under way.
    pub permits: Semaphore,
    pub clock: Arc<dyn Clock>,
    pub sink: Arc<dyn Sink>,
    /// Keys the digests of secret values in memory, so that equal secrets do not look equal to a reader of a dump.
    pub salt: Salt,
    /// Nothing is written here.
    pub read_only: bool,
    /// Its cluster is gone.
    gone: AtomicBool,
    /// Another one has taken its place, for its document leads elsewhere.
    let_go: AtomicBool,
    /// Tasks that belong to it.
    pub tasks: Tasks,
    /// Why it is not known what it serves, while it is asked for that again and again.
    pub unreached: Mutex<Option<String>>,
    /// Wakes the status task.
    pub touched: Notify,
    /// Counts changes of the watches' states.
    pub listed: watch::Sender<u64>,
    /// Where Kubernetes Events go; `None` when they are off.
    announcements: Option<mpsc::Sender<Announcement>>,
    /// When full passes last did what one of them does for all.
    pub done_at: Mutex<HashMap<String, Timestamp>>,
    /// What Helm is told of the destination, with the discovery it was made from.
    pub api_versions: Mutex<Option<ApiVersions>>,
    ledger: Mutex<Ledger>,
    discovery: Mutex<Arc<Discovery>>,
    watches: Mutex<HashMap<GroupKind, Watch>>,
    units: Mutex<BTreeMap<Arc<str>, Arc<Unit>>>,
    events: mpsc::Sender<(GroupKind, WatchEvent)>,
}

/// The watch of a kind, and the version that it is in.
struct Watch {
    served: ServedKind,
    _guard: WatchGuard,
}

/// `--api-versions` with the discovery they were made from.
type ApiVersions = (Arc<Discovery>, Arc<[String]>);

/// Locks a mutex whose holders never leave it half-changed, so that a panic elsewhere does not end everything.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Destination {
    #[allow(clippy::too_many_arguments, reason = "each is one thing that a destination is made of")]
    /// A destination that watches nothing yet, and the receiver that its event task reads.
    pub fn new(
        name: &str,
        cluster: Arc<dyn Cluster>,
        parent: Parent,
        requests_at_once: usize,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn Sink>,
        salt: Salt,
        announcements: Option<mpsc::Sender<Announcement>>,
        read_only: bool,
    ) -> (Arc<Self>, mpsc::Receiver<(GroupKind, WatchEvent)>) {
        let (events, receiver) = mpsc::channel(EVENT_BACKLOG);
        let destination = Self {
            name: name.into(),
            cluster,
            parent,
            permits: Semaphore::new(requests_at_once),
            clock,
            sink,
            salt,
            tasks: Tasks::default(),
            unreached: Mutex::default(),
            touched: Notify::new(),
            listed: watch::Sender::new(0),
            announcements,
            read_only,
            gone: AtomicBool::new(false),
            let_go: AtomicBool::new(false),
            done_at: Mutex::default(),
            api_versions: Mutex::default(),
            ledger: Mutex::default(),
            discovery: Mutex::default(),
            watches: Mutex::default(),
            units: Mutex::default(),
            events,
        };
        (Arc::new(destination), receiver)
    }

    /// The ledger. Held for short, never across an await.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Applications on this destination.
    pub fn units(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Unit>>> {
        lock(&self.units)
    }

    /// What the server served when it was last asked.
    pub fn discovery(&self) -> Arc<Discovery> {
        lock(&self.discovery).clone()
    }

    /// Asks the server what it serves.
    pub async fn discover(&self) -> Result<Arc<Discovery>, ApiFailure> {
        let found = Arc::new(self.cluster.discover().await?);
        *lock(&self.discovery) = found.clone();
        Ok(found)
    }

    /// Emits an event about an application here.
    pub fn emit(&self, application: &str, what: What) {
        let subject = Subject { application: application.into(), destination: self.name.to_string() };
        if let Some(announcements) = &self.announcements
            && let Some(announcement) = self.announcement(application, &what)
        {
            // A full queue drops it: the log has it.
            let _ = announcements.try_send(announcement);
        }
        self.sink.take(&Event { subject, what });
    }

    /// The kind as it is watched and read: in the version that is declared, else the preferred one.
    pub fn served(&self, gvk: &Gvk) -> Option<ServedKind> {
        let discovery = self.discovery();
        discovery.kind(gvk).or_else(|| discovery.preferred(&gvk.group_kind())).cloned()
    }

    /// What the pods and last Events of a workload say of why it is not ready. Without an answer its own conditions have
    /// to do.
    pub async fn why(&self, id: &ResourceId) -> Option<String> {
        let evidence = self.cluster.evidence(id).await.ok()?;
        crate::health::why(&evidence.pods, &evidence.events)
    }

    /// Starts the watches of kinds that have none, in the version that is declared: objects are compared in that. Kinds that
    /// cannot be watched are passed over.
    pub fn watch_kinds(&self, kinds: &BTreeMap<GroupKind, ServedKind>) {
        let discovery = self.discovery();
        let mut watches = lock(&self.watches);
        for (kind, served) in kinds {
            let watched = watches.get(kind).map(|watch| &watch.served.gvk);
            let best = {
                let ledger = self.ledger();
                let best = ledger.version_to_watch(kind, watched, |gvk| discovery.kind(gvk).is_some());
                best.and_then(|gvk| discovery.kind(gvk)).cloned()
            };
            let is_declared = best.is_some();
            let served = best.unwrap_or_else(|| served.clone());
            let is_watched = watched.is_some_and(|watched| !is_declared || *watched == served.gvk);
            if is_watched || !["list", "watch"].iter().all(|verb| served.verbs.contains(*verb)) {
                continue;
            }
            self.ledger().kinds.insert(kind.clone(), KindState::default());
            watches.insert(kind.clone(), self.subscribe(served));
        }
    }

    /// Whether objects of a kind are seen in another version than this one, in which some of them are declared.
    pub fn is_seen_in_another_version(&self, gvk: &Gvk) -> bool {
        lock(&self.watches).get(&gvk.group_kind()).is_some_and(|watch| watch.served.gvk != *gvk)
            && self.discovery().kind(gvk).is_some()
    }

    /// Lists watched kinds once more: the full pass that finds what no event told.
    pub fn relist(&self, kinds: &BTreeSet<GroupKind>) {
        let discovery = self.discovery();
        let mut watches = lock(&self.watches);
        for kind in kinds {
            let Some(watch) = watches.get_mut(kind) else { continue };
            let served = discovery.kind(&watch.served.gvk).or_else(|| discovery.preferred(kind));
            let Some(served) = served.cloned() else { continue };
            if let Some(state) = self.ledger().kinds.get_mut(kind) {
                state.listed = false;
            }
            *watch = self.subscribe(served);
        }
    }

    /// Lets applications whose last pass failed try again now: what kept them may be over.
    pub fn wake_failed(&self) {
        for unit in self.units().values() {
            let mut state = unit.state();
            if matches!(state.phase, Phase::Failed(_)) {
                state.failures = 0;
                unit.wake.notify_one();
            }
        }
    }

    /// Whether an application declares an object of a kind.
    pub fn is_declared(&self, kind: &GroupKind) -> bool {
        let of_kind = |id: &ResourceId| id.kind == kind.kind && id.group == kind.group;
        self.ledger().objects.iter().any(|(id, entry)| of_kind(id) && entry.desired().is_some())
    }

    /// Ends the watch of a kind that is served no more, and forgets what it had.
    pub fn forget_kind(&self, kind: &GroupKind) {
        lock(&self.watches).remove(kind);
        let mut ledger = self.ledger();
        ledger.kinds.remove(kind);
        let gone: Vec<ResourceId> = ledger
            .objects
            .keys()
            .filter(|id| id.kind == kind.kind && id.group == kind.group)
            .cloned()
            .collect();
        for id in gone {
            ledger.set_gone(&id);
        }
    }

    /// Notes that its cluster is gone.
    pub fn set_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Whether its cluster is gone: there is nothing left to keep.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Notes that another one has taken its place.
    pub fn set_let_go(&self) {
        self.let_go.store(true, Ordering::SeqCst);
    }

    /// Whether another one has taken its place: what is remembered of its applications is that one's.
    pub fn is_let_go(&self) -> bool {
        self.let_go.load(Ordering::SeqCst)
    }

    /// Ends its tasks and watches, and lets go of its applications, which hold it: nothing else would free either.
    pub fn end(&self) {
        self.tasks.end();
        lock(&self.watches).clear();
        self.units().clear();
    }

    fn subscribe(&self, served: ServedKind) -> Watch {
        let selector = format!("{PART_OF}={}", self.parent.id());
        Watch { _guard: self.cluster.watch(&served, &selector, self.events.clone()), served }
    }

    /// Waits until the watches of the kinds have listed everything, or fail, or the limit is over. Returns the kinds
    /// that are not known completely, with the reason.
    pub async fn listed(&self, kinds: &BTreeSet<GroupKind>, limit: Duration) -> BTreeMap<GroupKind, String> {
        let mut changes = self.listed.subscribe();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                // What may go away by itself (a CRD's storage that is being set up) is waited for.
                let hopeless =
                    |failure: &Option<ApiFailure>| failure.as_ref().is_some_and(|f| !f.is_transient());
                if self.unlisted(kinds).values().all(hopeless) {
                    return;
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // On time-out what is missing is said below.
        let _ = tokio::time::timeout(limit, waiting).await;
        self.unlisted(kinds)
            .into_iter()
            .map(|(kind, failure)| {
                let words = failure
                    .map_or_else(|| "its list is not complete yet".into(), |failure| failure.to_string());
                (kind, format!("its kind cannot be watched on {}: {words}", self.name))
            })
            .collect()
    }

    /// Kinds without a complete list; the failure of their watch, if it has one.
    fn unlisted(&self, kinds: &BTreeSet<GroupKind>) -> BTreeMap<GroupKind, Option<ApiFailure>> {
        let ledger = self.ledger();
        kinds
            .iter()
            .filter_map(|kind| match ledger.kinds.get(kind) {
                Some(state) if state.listed => None,
                Some(state) => Some((kind.clone(), state.failure.clone())),
                None => Some((
                    kind.clone(),
                    Some(ApiFailure::new(ApiFailureKind::Forbidden, "it has no list or watch")),
                )),
            })
            .collect()
    }
}
