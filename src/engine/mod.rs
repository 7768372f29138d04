//! Ring 4: what happens when. Calls the pure rings for every decision and the ports for every effect.
//!
//! [`reconcile`] is the story: one pass of one application. Around it: [`follow`] fetches repositories, [`coordinate`]
//! turns commits into renderings, [`observe`] turns watch events into facts, [`heal`] mends drift, [`status`] says
//! where everything stands, [`records`] remembers it.

mod announce;
pub mod clusters;
mod compare;
mod coordinate;
mod destination;
mod execute;
mod expand;
mod follow;
mod heal;
mod hooks;
pub mod inventory;
mod keep;
mod ledger;
pub mod migrations;
mod observe;
mod parent;
mod pass;
mod prepare;
mod preview;
mod prune;
mod reconcile;
mod records;
mod rendering;
mod requests;
mod status;
mod tasks;
mod unit;
mod waves;
mod world;

use crate::migrate::proof::Proof;
use crate::model::event::What;
use crate::model::{ClusterSpec, Permissions};
use crate::ports::state::ApplicationRecord;
use crate::ports::{
    Clock, Clouds, Cluster, ClusterRecord, Folders, Images, MigrationRecord, Names, Renderer, Repository,
    Sink, StateStore,
};
use async_trait::async_trait;
use coordinate::Coordinator;
pub use preview::{ChangePreview, Preview, Previewed};
use records::Records;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use world::World;

/// How many requests of people may wait.
const REQUEST_BACKLOG: usize = 64;
/// Pause before the state is read again, when it could not be.
const STATE_RETRY: Duration = Duration::from_secs(5);

/// What the engine is told about itself.
#[derive(Clone)]
pub struct Settings {
    /// Name of the ApplySet's parent on every destination: one for each daemon that writes there.
    pub instance: String,
    /// Namespace of the parent.
    pub namespace: String,
    /// Requests under way to one destination.
    pub requests_at_once: usize,
    /// Renderings under way.
    pub renders_at_once: usize,
    /// How long a shutdown waits for what is under way.
    pub drain: Duration,
    /// Nothing is written to any destination.
    pub read_only: bool,
    /// Whether Kubernetes Events are written.
    pub events: bool,
    /// Keys the digests of secret values in memory.
    pub salt: [u8; 32],
    /// How passes over clusters in the cloud follow each other.
    pub clusters: clusters::Pace,
}

/// A repository that the daemon's file names.
pub struct RepositorySource {
    /// Its name there.
    pub name: String,
    /// How it is read.
    pub repository: Arc<dyn Repository>,
    /// Branch, tag, semver range or commit; `None` is the default branch.
    pub revision: Option<String>,
    /// Folder of its documents; `None` when it holds manifests only.
    pub documents: Option<String>,
    /// Time between fetches.
    pub interval: Duration,
    /// What may come of it.
    pub permissions: Permissions,
    /// Counts changes that were noticed without a fetch (a local repository).
    pub noticed: Option<watch::Receiver<u64>>,
}

/// Opens destinations.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// The API server of a `Cluster` document. The error is a sentence for a person.
    async fn connect(&self, name: &str, spec: &ClusterSpec) -> Result<Arc<dyn Cluster>, String>;
}

/// The outside world.
pub struct Adapters {
    /// Repositories, in the order of the daemon's file.
    pub repositories: Vec<RepositorySource>,
    /// Opens destinations.
    pub connect: Arc<dyn Connect>,
    /// Opens cloud accounts.
    pub clouds: Arc<dyn Clouds>,
    /// Opens folders with state stores of kops.
    pub folders: Arc<dyn Folders>,
    /// Asks registries of images.
    pub images: Arc<dyn Images>,
    /// Looks names of hosts up.
    pub names: Arc<dyn Names>,
    /// Renders.
    pub renderer: Arc<dyn Renderer>,
    /// Remembers.
    pub state: Arc<dyn StateStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes events.
    pub sink: Arc<dyn Sink>,
}

/// A view of the running engine for the edges: what `/readyz` and the HTTP status show.
#[derive(Clone)]
pub struct View {
    world: Arc<World>,
}

impl View {
    /// Every application's record, as it is now.
    #[must_use]
    pub fn applications(&self) -> Vec<ApplicationRecord> {
        let destinations: Vec<_> = self.world.destinations().values().cloned().collect();
        destinations
            .iter()
            .flat_map(|destination| {
                let units = destination.units();
                units.values().map(|unit| destination::lock(&unit.record).clone()).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Every cluster's record, as it is now.
    #[must_use]
    pub fn clusters(&self) -> Vec<ClusterRecord> {
        self.world.clusters.all().iter().map(|kept| kept.record()).collect()
    }

    /// Every migration's record, as it is now.
    #[must_use]
    pub fn migrations(&self) -> Vec<MigrationRecord> {
        self.world.migrations.records()
    }

    /// The last proof of each part of a migration since the start, by the part's name; empty for the move as a whole.
    #[must_use]
    pub fn proofs(&self, migration: &str) -> BTreeMap<String, Proof> {
        self.world.migrations.get(migration).map(|mover| mover.proofs()).unwrap_or_default()
    }

    /// Whether every repository was fetched or tried, and every application has been looked at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let repositories =
            self.world.repositories().values().all(|state| state.fetched || state.failure.is_some());
        repositories
            && self
                .world
                .repositories()
                .values()
                .all(|state| state.revision.is_some() || state.failure.is_some())
    }

    /// Failures of repositories, by name.
    #[must_use]
    pub fn repository_failures(&self) -> BTreeMap<String, String> {
        let repositories = self.world.repositories();
        repositories.iter().filter_map(|(name, state)| Some((name.clone(), state.failure.clone()?))).collect()
    }
}

/// The daemon's engine.
pub struct Engine {
    world: Arc<World>,
}

impl Engine {
    /// An engine that does nothing yet.
    #[must_use]
    pub fn new(settings: Settings, adapters: Adapters) -> Self {
        let records = Arc::new(Records::new(adapters.state.clone(), adapters.sink.clone()));
        Self { world: Arc::new(World::new(settings, adapters, records)) }
    }

    /// A view of it for the edges.
    #[must_use]
    pub fn view(&self) -> View {
        View { world: self.world.clone() }
    }

    /// Runs until told to stop, then drains: no new change begins, those under way end within the limit.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let world = self.world;
        // However this ends: nothing of this engine goes on beside the next one.
        let _ends = Ends(world.clone());
        let remembered = tokio::select! {
            remembered = load(&world) => remembered,
            _ = stop.changed() => return,
        };
        world.load_approvals().await;
        let clusters = tokio::select! {
            clusters = load_clusters(&world) => clusters,
            _ = stop.changed() => return,
        };
        world.clusters.begin(&world, clusters);
        world.migrations.begin(&world);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(world.records.clone().keep_writing());

        let (asked, requests) = mpsc::channel(REQUEST_BACKLOG);
        let listening = world.clone();
        tasks.spawn(async move {
            let mut told = String::new();
            // What keeps them from being read may be mended: people would ask in vain until a restart.
            while let Err(failure) = listening.store().requests(asked.clone()).await {
                let message = format!("requests cannot be read: {failure}");
                if told != message {
                    told.clone_from(&message);
                    listening.emit("", What::DestinationFailed { message });
                }
                tokio::time::sleep(STATE_RETRY).await;
            }
        });
        tasks.spawn(requests::answer_requests(world.clone(), requests));

        let (changed, mut changes) = mpsc::channel(world.adapters.repositories.len().max(1));
        for index in 0..world.adapters.repositories.len() {
            tasks.spawn(follow::follow(world.clone(), index, changed.clone(), stop.clone()));
        }
        drop(changed);
        let mut coordinator = Coordinator::new(world.clone(), stop.clone(), remembered);
        let coordinating = async {
            while let Some(name) = changes.recv().await {
                coordinator.repository_changed(&name).await;
            }
            // Whoever follows the repositories ends with the engine.
            std::future::pending::<()>().await;
        };
        // A rendering that is under way is given up.
        tokio::select! {
            () = coordinating => {}
            _ = stop.changed() => {}
        }
        drain(&world).await;
        tasks.shutdown().await;
        // A write that is under way is waited for: what it holds is nowhere else.
        let words = match tokio::time::timeout(world.settings.drain, world.records.flush()).await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => format!("it takes longer than {} s", world.settings.drain.as_secs()),
        };
        world
            .emit("", What::DestinationFailed { message: format!("the state could not be stored: {words}") });
    }
}

/// Ends an engine's tasks and watches when it is dropped.
struct Ends(Arc<World>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What was remembered. Without it hooks would run twice, so nothing begins before it is read.
async fn load(world: &World) -> BTreeMap<String, ApplicationRecord> {
    loop {
        match world.store().load().await {
            Ok(records) => return records,
            Err(failure) => {
                world.emit(
                    "",
                    What::DestinationFailed { message: format!("the state cannot be read: {failure}") },
                );
                tokio::time::sleep(STATE_RETRY).await;
            }
        }
    }
}

/// What was remembered of clusters. Without it a removed one would never be taken away.
async fn load_clusters(world: &World) -> BTreeMap<String, ClusterRecord> {
    loop {
        match world.store().clusters().await {
            Ok(records) => return records,
            Err(failure) => {
                let message = format!("the records of clusters cannot be read: {failure}");
                world.emit("", What::DestinationFailed { message });
                tokio::time::sleep(STATE_RETRY).await;
            }
        }
    }
}

/// Takes every permit of every destination: then nothing is under way, and nothing begins any more.
async fn drain(world: &World) {
    let destinations: Vec<_> = world.destinations().values().cloned().collect();
    let permits = u32::try_from(world.settings.requests_at_once).unwrap_or(u32::MAX);
    let idle = destinations.iter().map(|destination| destination.permits.acquire_many(permits));
    if let Ok(permits) = tokio::time::timeout(world.settings.drain, futures::future::join_all(idle)).await {
        for permit in permits.into_iter().flatten() {
            permit.forget();
        }
    }
}
