//! From a repository's new commit to applications with new renderings.

use super::destination::{Destination, lock};
use super::expand::{self, Expansion, Wanted};
use super::keep::keep_unit;
use super::migrations::Movers;
use super::rendering::{self, render_unit};
use super::unit::{Prepared, Unit, UnitSpec};
use super::world::World;
use crate::model::document::{DocumentKind, Documents, Known, read};
use crate::model::event::What;
use crate::model::{Deletion, Revision};
use crate::ports::RepositoryFailure;
use crate::ports::state::ApplicationRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A destination and the applications on it.
type Group = (Arc<Destination>, Vec<Arc<Unit>>);

/// Endings of files that may hold documents.
const DOCUMENT_ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Longest wait for a destination's first answer before the others go on without it.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Pauses between later attempts at it: the first, and the longest.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Follows the repositories for the applications.
pub(crate) struct Coordinator {
    pub world: Arc<World>,
    pub stop: watch::Receiver<bool>,
    /// What was remembered when the daemon started, by `destination/application`.
    pub remembered: BTreeMap<String, ApplicationRecord>,
    units: BTreeMap<String, Arc<Unit>>,
    /// Destinations that cannot be connected, with the reason that was told.
    unconnected: BTreeMap<String, String>,
    /// Whether applications are kept, or only rendered.
    keeps: bool,
}

impl Coordinator {
    /// Knows no application yet.
    pub fn new(
        world: Arc<World>,
        stop: watch::Receiver<bool>,
        remembered: BTreeMap<String, ApplicationRecord>,
    ) -> Self {
        Self { world, stop, remembered, units: BTreeMap::new(), unconnected: BTreeMap::new(), keeps: true }
    }

    /// One that renders and keeps nothing.
    pub fn for_preview(
        world: Arc<World>,
        stop: watch::Receiver<bool>,
        remembered: BTreeMap<String, ApplicationRecord>,
    ) -> Self {
        Self { keeps: false, ..Self::new(world, stop, remembered) }
    }

    /// Takes the news that a repository has (or may have) a new commit.
    pub async fn repository_changed(&mut self, name: &str) {
        self.take_commit(name).await;
        if let Some(state) = self.world.repositories().get_mut(name) {
            state.unrendered = state.unrendered.saturating_sub(1);
        }
        self.world.looked.send_replace(());
        // What kept an application (another one that did not render, a document that was refused) may be mended.
        let destinations: Vec<_> = self.world.destinations().values().cloned().collect();
        destinations.iter().for_each(|destination| destination.wake_failed());
    }

    /// Fetches every repository and reads its documents.
    ///
    /// # Errors
    /// The first repository that cannot be fetched or read.
    pub async fn read_everything(&mut self) -> Result<Documents, String> {
        for source in &self.world.adapters.repositories {
            let failed = |failure: RepositoryFailure| format!("repository {}: {failure}", source.name);
            source.repository.fetch().await.map_err(failed)?;
            self.read_documents(&source.name).await.map_err(failed)?;
        }
        Ok(self.documents())
    }

    async fn take_commit(&mut self, name: &str) {
        let mut rendered = name;
        match self.read_documents(name).await {
            Ok(()) => {
                if let Some(state) = self.world.repositories().get_mut(name) {
                    state.unread = None;
                }
            }
            // Nothing of its own changes; who waits for its documents is told why.
            Err(failure) if self.fail_repository(name, &failure.to_string()) => rendered = "",
            Err(_) => return,
        }
        let documents = self.documents();
        for kept in self.world.clusters.take(&self.world, &documents).await {
            if self.keeps {
                self.world.clusters.spawn(&self.world, kept, self.stop.clone());
            }
        }
        for mover in self.world.migrations.take(&self.world, &documents) {
            if self.keeps {
                Movers::spawn(&self.world, mover, self.stop.clone());
            }
        }
        let expansion = expand::expand(&documents, &self.world, &self.remembered).await;
        // Those of a single repository are known by its own state; what contradicts another one is known only now.
        let refused =
            documents.refused.first().map(|refused| format!("a document is refused ({})", refused.file));
        self.world.set_undecided(refused.or_else(|| expansion.unread.clone()));
        self.follow_clusters(&documents);
        let fresh = self.create_units(&expansion).await;
        self.remove_units(&documents, &expansion).await;
        let mut batch: Vec<Arc<Unit>> = Vec::new();
        for (key, unit) in &self.units {
            let Some(wanted) = expansion.wanted.get(key) else { continue };
            let spec = Arc::new(wanted.spec.clone());
            let changed = unit.state().spec.as_ref() != Some(&spec);
            if changed || fresh.contains(key) || wanted.spec.repository == rendered {
                unit.state().spec = Some(spec);
                batch.push(unit.clone());
            }
        }
        self.render(batch, &fresh).await;
    }

    /// Notes that the documents of a repository could not be read. True when that is news; then it is told, unless it
    /// follows from a fetch that failed, which was.
    fn fail_repository(&self, name: &str, message: &str) -> bool {
        let told = {
            let mut repositories = self.world.repositories();
            let state = repositories.entry(name.into()).or_default();
            let told = state.failure.is_some();
            let words = state.failure.get_or_insert_with(|| message.into()).clone();
            if state.unread.as_ref() == Some(&words) {
                return false;
            }
            state.unread = Some(words);
            told
        };
        if !told {
            let (repository, message) = (name.into(), message.into());
            self.world.emit("", What::RepositoryFailed { repository, message });
        }
        true
    }

    /// Reads the documents of a repository's commit, where the daemon's file says that it has some.
    async fn read_documents(&self, name: &str) -> Result<(), RepositoryFailure> {
        let Some(source) = self.world.source(name) else { return Ok(()) };
        let revision = source.repository.resolve(source.revision.as_deref()).await?;
        let known = self.world.repositories().get(name).and_then(|state| state.revision.clone());
        if known.as_ref().is_some_and(|known| known.commit == revision.commit) {
            return Ok(());
        }
        let documents = match &source.documents {
            Some(folder) => self.documents_at(name, folder, &revision).await?,
            None => Documents::default(),
        };
        self.world.emit("", What::RevisionSeen { repository: name.into(), revision: revision.to_string() });
        if let Some(state) = self.world.repositories().get_mut(name) {
            state.documents = documents;
            state.revision = Some(revision);
        }
        Ok(())
    }

    async fn documents_at(
        &self,
        name: &str,
        folder: &str,
        revision: &Revision,
    ) -> Result<Documents, RepositoryFailure> {
        let Some(source) = self.world.source(name) else { return Ok(Documents::default()) };
        let folder = folder.trim_matches('/');
        let mut documents = Documents::default();
        if source.repository.tree_id(&revision.commit, folder).await?.is_none() {
            // An empty set would remove every application; a folder that is not there is more likely a mistake.
            let message =
                format!("{} has no folder `{folder}`, where its documents are expected", revision.reference);
            return Err(RepositoryFailure { message, transient: false });
        }
        let checkout = source.repository.read(&revision.commit, folder, &DOCUMENT_ENDINGS).await?;
        for file in &checkout.files {
            documents.merge(read(name, &format!("{folder}/{}", file.path), &file.content));
        }
        for refused in &checkout.refused {
            let origin = refused.path.clone();
            self.world.emit("", What::DocumentRefused { origin, message: refused.reason.clone() });
        }
        if let Some(refused) = checkout.refused.first() {
            documents.refused.push(crate::model::document::Refusal {
                repository: name.into(),
                file: refused.path.clone(),
                kind: None,
                name: None,
            });
        }
        Ok(documents)
    }

    /// The documents of all repositories together, contradictions resolved; what is wrong is told once per commit.
    pub fn documents(&self) -> Documents {
        // In the order of the daemon's file: of two documents with one name the earlier repository's stands.
        let mut all = Documents::default();
        for source in &self.world.adapters.repositories {
            if let Some(state) = self.world.repositories().get(&source.name) {
                all.merge(state.documents.clone());
            }
        }
        let names: Vec<String> =
            self.world.adapters.repositories.iter().map(|source| source.name.clone()).collect();
        // Before every repository's documents are read, a name that is not there may only not be there yet.
        let all_documents = self.world.all_documents();
        all.settle(Known { repositories: Some(&names), all_documents, ..Known::default() });
        for problem in all.problems.iter().filter(|problem| problem.is_error()) {
            let origin = format!("{}:{}:{}", problem.file, problem.line, problem.column);
            self.world.emit("", What::DocumentRefused { origin, message: problem.message.clone() });
        }
        all
    }

    /// Lets destinations go whose documents lead elsewhere by now. Their applications begin on the new ones with what is
    /// remembered of them, as after a restart.
    fn follow_clusters(&mut self, documents: &Documents) {
        for cluster in &documents.clusters {
            if !self.world.leads_elsewhere(&cluster.name, &cluster.spec) {
                continue;
            }
            let message = "it leads elsewhere now and is connected anew; what was delivered to where it led before stays there";
            let origin = format!("Cluster {}", cluster.name);
            self.world.emit(&cluster.name, What::Warned { origin, message: message.into() });
            for unit in self.world.let_go(&cluster.name) {
                self.units.remove(&unit.key());
                self.remembered.insert(unit.key(), lock(&unit.record).clone());
            }
        }
    }

    /// Makes units for what is wanted and not there. Returns the keys of the new ones.
    async fn create_units(&mut self, expansion: &Expansion) -> BTreeSet<String> {
        let mut fresh = BTreeSet::new();
        for (key, Wanted { spec, destination, cluster }) in &expansion.wanted {
            if let Some(unit) = self.units.get(key) {
                let units = unit.destination.units();
                if units.contains_key(&unit.name) {
                    unit.come_back();
                    continue;
                }
                // What was known of it when the daemon started went with it: it begins anew, hooks included.
                self.remembered.remove(key);
            }
            if let Some(words) = self.world.clusters.waits(destination) {
                self.wait_for_cluster(key, spec, destination, words);
                continue;
            }
            match self.world.destination(destination, cluster).await {
                Ok(destination) => {
                    self.unconnected.remove(&*destination.name);
                    self.add_unit(key, Unit::new(&spec.name, destination, self.remembered.get(key)), spec);
                    fresh.insert(key.clone());
                }
                Err(message) => {
                    self.world.render_again(&spec.declared_in);
                    self.cannot_connect(destination, message);
                }
            }
        }
        fresh
    }

    /// Shows an application whose cluster is not there yet: it is made when the cluster is.
    fn wait_for_cluster(&self, key: &str, spec: &UnitSpec, destination: &str, words: String) {
        if self.keeps {
            let record =
                super::status::waiting_for_cluster(spec, destination, words, self.remembered.get(key));
            self.world.records.put(key.into(), record);
        }
    }

    /// Says why a destination cannot be connected, once for each reason: it is tried at every tick.
    fn cannot_connect(&mut self, destination: &str, message: String) {
        if self.unconnected.insert(destination.into(), message.clone()).as_ref() != Some(&message) {
            self.world.emit(destination, What::DestinationFailed { message });
        }
    }

    fn add_unit(&mut self, key: &str, unit: Arc<Unit>, spec: &UnitSpec) {
        unit.state().spec = Some(Arc::new(spec.clone()));
        unit.destination.units().insert(unit.name.clone(), unit.clone());
        self.units.insert(key.into(), unit);
    }

    /// Retires units whose document is gone; never because a document cannot be read at the moment.
    async fn remove_units(&mut self, documents: &Documents, expansion: &Expansion) {
        let read: BTreeSet<String> = self
            .world
            .repositories()
            .iter()
            .filter(|(_, state)| state.revision.is_some() && state.failure.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for (key, unit) in &self.units {
            let Some(spec) = unit.state().spec.clone() else { continue };
            let concealed = documents.conceals(&spec.declared_in, DocumentKind::Application, &spec.name)
                || expand::may_come_from(&spec.name, &expansion.unresolved);
            if expansion.wanted.contains_key(key) || concealed || !read.contains(&spec.declared_in) {
                continue;
            }
            let already = std::mem::replace(&mut unit.state().removed, true);
            if !already {
                unit.supersede(Arc::new(Prepared { revision: "removed".into(), ..Prepared::default() }));
            }
        }
        let remembered = &mut self.remembered;
        self.units.retain(|key, unit| {
            let stays = !unit.state().removed || unit.destination.units().contains_key(&unit.name);
            if !stays {
                remembered.remove(key);
            }
            stays
        });
        self.retire_remembered(documents, expansion, &read).await;
    }

    /// Applications whose document went while the daemon was down: known from the records only.
    async fn retire_remembered(
        &mut self,
        documents: &Documents,
        expansion: &Expansion,
        read: &BTreeSet<String>,
    ) {
        let gone: Vec<(String, ApplicationRecord)> = self
            .remembered
            .iter()
            .filter(|(key, record)| {
                !self.units.contains_key(*key)
                    && !expansion.wanted.contains_key(*key)
                    && read.contains(&record.declared_in)
                    && !documents.conceals(&record.declared_in, DocumentKind::Application, &record.name)
                    && !expand::may_come_from(&record.name, &expansion.unresolved)
            })
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect();
        for (key, record) in gone {
            let spec = expand::cluster(documents, &record.destination);
            let Some(spec) = spec else { continue };
            let destination = match self.world.destination(&record.destination, &spec).await {
                Ok(destination) => destination,
                Err(message) => {
                    self.world.render_again(&record.declared_in);
                    self.cannot_connect(&record.destination, message);
                    continue;
                }
            };
            self.remembered.remove(&key);
            if !self.keeps {
                continue;
            }
            let unit = Unit::new(&record.name, destination, Some(&record));
            let spec = removed_spec(&record);
            unit.state().removed = true;
            self.add_unit(&key, unit.clone(), &spec);
            unit.supersede(Arc::new(Prepared { revision: "removed".into(), ..Prepared::default() }));
            self.world.tasks.spawn(keep_unit(unit, self.world.clone(), self.stop.clone()));
        }
    }

    /// Renders a batch, and has the new ones among it kept. Each destination for itself: one that does not answer holds
    /// nobody up.
    async fn render(&self, batch: Vec<Arc<Unit>>, fresh: &BTreeSet<String>) {
        let mut groups: BTreeMap<Arc<str>, Group> = BTreeMap::new();
        for unit in batch {
            let destination = unit.destination.clone();
            groups.entry(destination.name.clone()).or_insert_with(|| (destination, Vec::new())).1.push(unit);
        }
        let groups = groups.into_values().map(|(destination, units)| async move {
            self.render_for(&destination, &units).await;
            // Only now: a pass that starts before everything is declared would ask the server about objects whose
            // desired state is about to be known.
            for unit in units.into_iter().filter(|unit| self.keeps && fresh.contains(&unit.key())) {
                self.world.tasks.spawn(keep_unit(unit, self.world.clone(), self.stop.clone()));
            }
        });
        futures::future::join_all(groups).await;
    }

    /// Renders for one destination, as many at once as the settings allow.
    async fn render_for(&self, destination: &Arc<Destination>, units: &[Arc<Unit>]) {
        if let Err(words) = self.reach(destination).await {
            for unit in units {
                rendering::fail(unit, destination.name.to_string(), format!("what it serves: {words}"));
            }
            return;
        }
        let mut tasks = tokio::task::JoinSet::new();
        for unit in units {
            let (world, unit) = (self.world.clone(), unit.clone());
            tasks.spawn(async move { render_unit(&world, &unit).await });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(panic) = ended {
                self.world.emit(
                    "",
                    What::DestinationFailed { message: format!("a rendering ended abnormally: {panic}") },
                );
            }
        }
    }

    /// Learns what a destination serves, where that is not known. One that does not answer soon is asked again beside
    /// everything else, and its applications are rendered once it does.
    async fn reach(&self, destination: &Arc<Destination>) -> Result<(), String> {
        if !destination.discovery().kinds.is_empty() {
            return Ok(());
        }
        if let Some(words) = &*lock(&destination.unreached) {
            return Err(words.clone());
        }
        let words = match tokio::time::timeout(FIRST_ANSWER, destination.discover()).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => format!("{} has not answered within {} s", destination.name, FIRST_ANSWER.as_secs()),
        };
        *lock(&destination.unreached) = Some(words.clone());
        if self.keeps {
            self.world.tasks.spawn(reach_later(self.world.clone(), destination.clone()));
        }
        Err(words)
    }
}

/// Asks a destination what it serves until it answers, then has its applications rendered.
async fn reach_later(world: Arc<World>, destination: Arc<Destination>) {
    let mut pause = ASK_AGAIN.0;
    loop {
        tokio::time::sleep(pause).await;
        match destination.discover().await {
            Ok(_) => break,
            Err(failure) => *lock(&destination.unreached) = Some(failure.to_string()),
        }
        pause = (pause * 2).min(ASK_AGAIN.1);
    }
    *lock(&destination.unreached) = None;
    destination.emit("", What::DestinationBack);
    let units: Vec<Arc<Unit>> = destination.units().values().cloned().collect();
    let repositories: BTreeSet<String> =
        units.iter().filter_map(|unit| Some(unit.state().spec.as_ref()?.repository.clone())).collect();
    repositories.iter().for_each(|name| world.render_now(name));
}

/// What is known of an application whose document is gone: its name, and what its document said of this moment.
fn removed_spec(record: &ApplicationRecord) -> UnitSpec {
    let deletion = match record.deletion {
        Deletion::Orphan => "Orphan",
        Deletion::Delete => "Delete",
    };
    let application = serde_json::from_value(serde_json::json!({"path": "", "deletion": deletion}))
        .expect("an ApplicationSpec needs nothing but its path");
    UnitSpec {
        name: record.name.clone(),
        repository: record.declared_in.clone(),
        declared_in: record.declared_in.clone(),
        path: String::new(),
        application,
    }
}
