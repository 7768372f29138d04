//! What the daemon knows as a whole: repositories, documents, destinations, approvals.

use super::clusters::Fleet;
use super::destination::{Destination, lock};
use super::migrations::Movers;
use super::parent::Parent;
use super::records::Records;
use super::tasks::Tasks;
use super::unit::{Phase, Unit};
use super::{Adapters, RepositorySource, Settings};
use crate::drift::Salt;
use crate::model::cluster::EksRef;
use crate::model::document::Documents;
use crate::model::event::{Event, Subject, What};
use crate::model::{ClusterSpec, Permissions, Revision};
use crate::ports::{Cluster, StateStore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

/// Longest wait for a destination's credentials.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// What is known of a repository.
#[derive(Default)]
pub(crate) struct RepositoryState {
    /// The last fetch's failure; `None` after a success.
    pub failure: Option<String>,
    /// Why its documents could not be read at last, as it was told.
    pub unread: Option<String>,
    /// Whether a fetch has ever succeeded.
    pub fetched: bool,
    /// The commit whose documents are in force.
    pub revision: Option<Revision>,
    /// The documents in force.
    pub documents: Documents,
    /// When its last fetch began, by the count of [`World::fetches`].
    pub begun: u64,
    /// Fetches that found something which is not rendered yet.
    pub unrendered: u32,
    /// Something that has to do with it could not be rendered for a reason that passes: it is tried at the next tick.
    pub again: bool,
}

/// The daemon's knowledge and its adapters.
pub(crate) struct World {
    pub settings: Settings,
    pub adapters: Adapters,
    pub records: Arc<Records>,
    /// Bounds the renderings under way.
    pub render_slots: Semaphore,
    /// Wakes a repository's task before its tick.
    pub fetch_now: BTreeMap<String, Notify>,
    /// Counts the fetches that have begun.
    pub fetches: AtomicU64,
    /// Told when a fetch has ended, and when what it found is rendered.
    pub looked: watch::Sender<()>,
    /// Tasks of single applications.
    pub tasks: Tasks,
    /// Clusters that are kept in the cloud.
    pub clusters: Fleet,
    /// Migrations that are kept.
    pub migrations: Movers,
    repositories: Mutex<BTreeMap<String, RepositoryState>>,
    destinations: Mutex<BTreeMap<String, Arc<Destination>>>,
    /// How the connected destinations are reached, by name.
    ways: Mutex<BTreeMap<String, ClusterSpec>>,
    approvals: Mutex<BTreeSet<(String, String, String)>>,
    /// A document of which it is not known at the moment what it stands for, in words.
    undecided: Mutex<Option<String>>,
}

impl World {
    /// Nothing known yet.
    pub fn new(settings: Settings, adapters: Adapters, records: Arc<Records>) -> Self {
        let repositories =
            adapters.repositories.iter().map(|r| (r.name.clone(), RepositoryState::default())).collect();
        let fetch_now = adapters.repositories.iter().map(|r| (r.name.clone(), Notify::new())).collect();
        Self {
            render_slots: Semaphore::new(settings.renders_at_once.max(1)),
            settings,
            adapters,
            records,
            fetch_now,
            fetches: AtomicU64::new(0),
            looked: watch::Sender::new(()),
            tasks: Tasks::default(),
            clusters: Fleet::default(),
            migrations: Movers::default(),
            repositories: Mutex::new(repositories),
            destinations: Mutex::default(),
            ways: Mutex::default(),
            approvals: Mutex::default(),
            undecided: Mutex::default(),
        }
    }

    /// Notes what keeps it from being known which objects are declared; nothing is pruned while there is something.
    pub fn set_undecided(&self, words: Option<String>) {
        *lock(&self.undecided) = words;
    }

    /// The store of the daemon's memory.
    pub fn store(&self) -> &dyn StateStore {
        self.records.store.as_ref()
    }

    /// Emits an event about the daemon itself, a repository or a destination.
    pub fn emit(&self, destination: &str, what: What) {
        let subject = Subject { application: String::new(), destination: destination.into() };
        self.adapters.sink.take(&Event { subject, what });
    }

    /// What is known of the repositories.
    pub fn repositories(&self) -> MutexGuard<'_, BTreeMap<String, RepositoryState>> {
        lock(&self.repositories)
    }

    /// A repository's source.
    pub fn source(&self, name: &str) -> Option<&RepositorySource> {
        self.adapters.repositories.iter().find(|source| source.name == name)
    }

    /// Waits until all that was fetched is rendered, and every repository but one has been fetched from now on.
    pub async fn look_everywhere(&self, but: &str) {
        let now = self.fetches.fetch_add(1, Ordering::SeqCst);
        let mut looked = self.looked.subscribe();
        for (_, wake) in self.fetch_now.iter().filter(|(name, _)| *name != but) {
            wake.notify_one();
        }
        loop {
            looked.borrow_and_update();
            let is_done = |(name, state): (&String, &RepositoryState)| {
                state.unrendered == 0 && (name == but || state.begun > now)
            };
            let done = self.repositories().iter().all(is_done);
            if done || looked.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the documents of every repository that has some are known.
    pub fn all_documents(&self) -> bool {
        let states = self.repositories();
        self.adapters.repositories.iter().all(|source| {
            source.documents.is_none()
                || states.get(&source.name).is_some_and(|state| state.revision.is_some())
        })
    }

    /// What keeps documents from being known, in words; empty while nothing has gone wrong.
    pub fn missing_documents(&self) -> String {
        let states = self.repositories();
        let of = |source: &RepositorySource| {
            let state = states.get(&source.name).filter(|state| state.revision.is_none())?;
            let failure = state.failure.as_ref().filter(|_| source.documents.is_some())?;
            Some(format!(
                "which cluster is meant is not known before the documents of repository {} are read ({failure}); \
                 `spec.destination.cluster` names one",
                source.name
            ))
        };
        self.adapters.repositories.iter().find_map(of).unwrap_or_default()
    }

    /// Has a repository's commit rendered again at its next tick.
    pub fn render_again(&self, name: &str) {
        if let Some(state) = self.repositories().get_mut(name) {
            state.again = true;
        }
    }

    /// Has a repository's commit rendered again now.
    pub fn render_now(&self, name: &str) {
        self.render_again(name);
        if let Some(fetch) = self.fetch_now.get(name) {
            fetch.notify_one();
        }
    }

    /// Ends every task and every watch.
    pub fn end(&self) {
        self.tasks.end();
        for destination in self.destinations().values() {
            destination.end();
        }
    }

    /// The limits of repositories.
    pub fn permissions(&self, names: &[&str]) -> Vec<Permissions> {
        let names: BTreeSet<&str> = names.iter().copied().collect();
        names
            .into_iter()
            .filter_map(|name| self.source(name))
            .map(|source| source.permissions.clone())
            .collect()
    }

    /// Destinations that are connected.
    pub fn destinations(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Destination>>> {
        lock(&self.destinations)
    }

    /// The destination of a name; connects it on first use and starts its tasks.
    pub async fn destination(&self, name: &str, spec: &ClusterSpec) -> Result<Arc<Destination>, String> {
        if let Some(destination) = self.destinations().get(name) {
            return Ok(destination.clone());
        }
        let cluster = self.connect(name, spec).await?;
        let parent = Parent::new(&self.settings.instance, &self.settings.namespace);
        let (announcements, announced) = mpsc::channel(super::announce::BACKLOG);
        let (destination, events) = Destination::new(
            name,
            cluster,
            parent,
            self.settings.requests_at_once,
            self.adapters.clock.clone(),
            self.adapters.sink.clone(),
            Salt::new(self.settings.salt),
            (self.settings.events && !self.settings.read_only).then_some(announcements),
            self.settings.read_only,
        );
        let mut destinations = self.destinations();
        if let Some(first) = destinations.get(name) {
            return Ok(first.clone());
        }
        let tasks = &destination.tasks;
        tasks.spawn(super::observe::watch_events(destination.clone(), events));
        tasks.spawn(super::announce::announce(destination.clone(), announced));
        tasks.spawn(super::status::keep_status(destination.clone(), self.records.clone()));
        destinations.insert(name.into(), destination.clone());
        lock(&self.ways).insert(name.into(), way(spec));
        Ok(destination)
    }

    /// Whether a connected destination was reached in another way than its document says now.
    pub fn leads_elsewhere(&self, name: &str, spec: &ClusterSpec) -> bool {
        lock(&self.ways).get(name).is_some_and(|known| *known != way(spec))
    }

    /// Forgets how a destination was reached.
    pub fn forget_way(&self, name: &str) {
        lock(&self.ways).remove(name);
    }

    /// Ends a destination whose document leads elsewhere by now, so that it is connected anew. Gives the applications that
    /// were kept on it; what they have delivered stays.
    pub fn let_go(&self, name: &str) -> Vec<Arc<Unit>> {
        self.forget_way(name);
        let Some(destination) = self.destinations().remove(name) else { return Vec::new() };
        let units: Vec<Arc<Unit>> = std::mem::take(&mut *destination.units()).into_values().collect();
        destination.set_let_go();
        for unit in &units {
            unit.generation.send_modify(|generation| *generation += 1);
            unit.wake.notify_one();
        }
        destination.end();
        units
    }

    /// Opens the way to an API server, within a limit: credentials may come from another program.
    pub async fn connect(&self, name: &str, spec: &ClusterSpec) -> Result<Arc<dyn Cluster>, String> {
        let connecting = self.adapters.connect.connect(name, spec);
        tokio::time::timeout(CONNECT_LIMIT, connecting).await.unwrap_or_else(|_| {
            let seconds = CONNECT_LIMIT.as_secs();
            Err(format!("Cluster {name}: its credentials were not there within {seconds} s"))
        })
    }

    /// Digests approved for an application on a destination.
    pub fn approvals(&self, application: &str, destination: &str) -> BTreeSet<String> {
        lock(&self.approvals)
            .iter()
            .filter(|(a, d, _)| a == application && d == destination)
            .map(|(_, _, digest)| digest.clone())
            .collect()
    }

    /// Reads the approvals from the store.
    pub async fn load_approvals(&self) {
        match self.store().approvals().await {
            Ok(approvals) => {
                *lock(&self.approvals) =
                    approvals.into_iter().map(|a| (a.application, a.destination, a.digest)).collect();
            }
            Err(failure) => {
                self.emit(
                    "",
                    What::DestinationFailed { message: format!("approvals cannot be read: {failure}") },
                );
            }
        }
    }

    /// Forgets the approvals of an application whose plan is done: each is good for one plan.
    pub async fn use_up_approvals(&self, unit: &Unit) {
        let used: Vec<(String, String, String)> = {
            let mut approvals = lock(&self.approvals);
            let (used, rest) = std::mem::take(&mut *approvals)
                .into_iter()
                .partition(|(a, d, _)| *a == *unit.name && *d == *unit.destination.name);
            *approvals = rest;
            used.into_iter().collect()
        };
        for (application, destination, digest) in used {
            let approval = crate::ports::Approval { application, destination, digest, by: String::new() };
            // One that stays in the store is good for a plan that is done: it does no harm.
            let _ = self.store().use_up(&approval).await;
        }
    }

    /// Why nothing of an application may be pruned now; `None` when it may.
    ///
    /// An object may have moved to another application, in this repository or another one: only when everything has
    /// been rendered is it known that nobody declares it.
    pub fn prune_waits(&self, unit: &Arc<Unit>) -> Option<String> {
        for (name, repository) in self.repositories().iter() {
            if let Some(failure) = &repository.failure {
                return Some(format!("repository {name} could not be fetched ({failure})"));
            }
            // A later fetch that went well has not mended them: they are read anew after it.
            if let Some(words) = &repository.unread {
                return Some(format!("the documents of repository {name} could not be read ({words})"));
            }
            if !repository.fetched {
                return Some(format!("repository {name} has not been fetched yet"));
            }
            if let Some(refused) = repository.documents.refused.first() {
                return Some(format!("a document of repository {name} is refused ({})", refused.file));
            }
        }
        if let Some(words) = &*lock(&self.undecided) {
            return Some(words.clone());
        }
        let units: Vec<Arc<Unit>> = unit.destination.units().values().cloned().collect();
        units.iter().find_map(|other| {
            let state = other.state();
            if state.removed {
                return None;
            }
            let whose = if Arc::ptr_eq(other, unit) {
                "this application".into()
            } else {
                format!("application {}", other.name)
            };
            if let Phase::RenderFailed(words) = &state.phase {
                return Some(format!("{whose} does not render ({words})"));
            }
            if let Some(words) = &state.incomplete {
                return Some(format!("{whose} does not render completely ({words})"));
            }
            match &state.prepared {
                None => Some(format!("{whose} is not rendered yet")),
                Some(prepared) => prepared
                    .problems
                    .first()
                    .map(|problem| format!("{whose} does not render completely ({})", problem.origin)),
            }
        })
    }
}

/// What of a `Cluster` document says how the cluster is reached.
fn way(spec: &ClusterSpec) -> ClusterSpec {
    let eks = spec.eks.as_ref().map(|eks| EksRef {
        name: eks.name.clone(),
        region: eks.region.clone(),
        role_arn: eks.role_arn.clone(),
        ..EksRef::default()
    });
    ClusterSpec { eks, cluster_config: None, ..spec.clone() }
}
