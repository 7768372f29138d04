//! From a repository's new commit to applications with new renderings.

use super::destination::lock;
use super::expand::{self, Expansion, Wanted};
use super::keep::keep_unit;
use super::prepare::{self, Setting};
use super::unit::{Phase, Prepared, Unit, UnitSpec};
use super::world::World;
use crate::model::document::{DocumentKind, Documents, Known, read};
use crate::model::event::What;
use crate::model::{Deletion, Revision};
use crate::ports::state::ApplicationRecord;
use crate::ports::{RenderRequest, RepositoryFailure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;

/// Endings of files that may hold documents.
const DOCUMENT_ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Follows the repositories for the applications.
pub(crate) struct Coordinator {
    pub world: Arc<World>,
    pub stop: watch::Receiver<bool>,
    /// What was remembered when the daemon started, by `destination/application`.
    pub remembered: BTreeMap<String, ApplicationRecord>,
    units: BTreeMap<String, Arc<Unit>>,
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
        Self { world, stop, remembered, units: BTreeMap::new(), keeps: true }
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

    async fn take_commit(&mut self, name: &str) {
        if let Err(failure) = self.read_documents(name).await {
            self.fail_repository(name, &failure.to_string());
            return;
        }
        let documents = self.documents();
        let expansion = expand::expand(&documents, &self.world).await;
        let fresh = self.create_units(&expansion).await;
        self.remove_units(&documents, &expansion).await;
        let mut batch: Vec<Arc<Unit>> = Vec::new();
        for (key, unit) in &self.units {
            let Some(wanted) = expansion.wanted.get(key) else { continue };
            let spec = Arc::new(wanted.spec.clone());
            let changed = unit.state().spec.as_ref() != Some(&spec);
            if changed || fresh.contains(key) || wanted.spec.repository == name {
                unit.state().spec = Some(spec);
                batch.push(unit.clone());
            }
        }
        self.render(batch).await;
        // Only now: a pass that starts before everything is declared would ask the server about objects whose
        // desired state is about to be known.
        for key in fresh.into_iter().filter(|_| self.keeps) {
            if let Some(unit) = self.units.get(&key) {
                tokio::spawn(keep_unit(unit.clone(), self.world.clone(), self.stop.clone()));
            }
        }
    }

    fn fail_repository(&self, name: &str, message: &str) {
        {
            let mut repositories = self.world.repositories();
            let state = repositories.entry(name.into()).or_default();
            if state.failure.is_some() {
                // The fetch has said what is wrong; that the mirror is empty follows from it.
                return;
            }
            state.failure = Some(message.into());
        }
        self.world.emit("", What::RepositoryFailed { repository: name.into(), message: message.into() });
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
    fn documents(&self) -> Documents {
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
        let all_documents = {
            let states = self.world.repositories();
            let sources = &self.world.adapters.repositories;
            sources.iter().all(|source| {
                source.documents.is_none()
                    || states.get(&source.name).is_some_and(|state| state.revision.is_some())
            })
        };
        all.settle(Known { repositories: Some(&names), all_documents, ..Known::default() });
        for problem in all.problems.iter().filter(|problem| problem.is_error()) {
            let origin = format!("{}:{}:{}", problem.file, problem.line, problem.column);
            self.world.emit("", What::DocumentRefused { origin, message: problem.message.clone() });
        }
        all
    }

    /// Makes units for what is wanted and not there. Returns the keys of the new ones.
    async fn create_units(&mut self, expansion: &Expansion) -> BTreeSet<String> {
        let mut fresh = BTreeSet::new();
        for (key, Wanted { spec, destination, cluster }) in &expansion.wanted {
            let gone =
                self.units.get(key).is_some_and(|unit| !unit.destination.units().contains_key(&unit.name));
            if self.units.contains_key(key) && !gone {
                if let Some(unit) = self.units.get(key) {
                    unit.state().removed = false;
                }
                continue;
            }
            match self.world.destination(destination, cluster).await {
                Ok(destination) => {
                    self.add_unit(key, Unit::new(&spec.name, destination, self.remembered.get(key)), spec);
                    fresh.insert(key.clone());
                }
                Err(message) => {
                    self.world.render_again(&spec.declared_in);
                    self.world.emit(destination, What::DestinationFailed { message });
                }
            }
        }
        fresh
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
        self.units
            .retain(|_, unit| !unit.state().removed || unit.destination.units().contains_key(&unit.name));
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
                    self.world.emit(&record.destination, What::DestinationFailed { message });
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
            tokio::spawn(keep_unit(unit, self.world.clone(), self.stop.clone()));
        }
    }

    /// Renders a batch, as many at once as the settings allow.
    async fn render(&self, batch: Vec<Arc<Unit>>) {
        let mut tasks = tokio::task::JoinSet::new();
        for unit in batch {
            let world = self.world.clone();
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
}

/// Renders one application, if what it reads has changed, and puts the result in force.
pub(crate) async fn render_unit(world: &Arc<World>, unit: &Arc<Unit>) {
    let Ok(_slot) = world.render_slots.acquire().await else { return };
    let started = unit.destination.clock.now();
    let fail = |origin: String, message: String| {
        unit.destination.emit(&unit.name, What::RenderFailed { origin, message: message.clone() });
        let mut state = unit.state();
        if state.prepared.is_some() {
            state.incomplete = Some(message);
        } else {
            state.phase = Phase::RenderFailed(message);
        }
        drop(state);
        unit.destination.ledger().touched.insert(unit.name.clone());
        unit.destination.touched.notify_one();
    };
    let Some(spec) = unit.state().spec.clone() else { return };
    let Some(source) = world.source(&spec.repository) else {
        return fail(
            spec.path.clone(),
            format!("repository `{}` is not in the daemon's file", spec.repository),
        );
    };
    let reference = spec.application.revision.as_deref().or(source.revision.as_deref());
    let revision = match source.repository.resolve(reference).await {
        Ok(revision) => revision,
        Err(failure) => return fail(spec.repository.clone(), failure.to_string()),
    };
    let mut discovery = unit.destination.discovery();
    if discovery.kinds.is_empty() {
        discovery = match unit.destination.discover().await {
            Ok(discovery) => discovery,
            Err(failure) => {
                world.render_again(&spec.repository);
                return fail(unit.destination.name.to_string(), format!("what it serves: {failure}"));
            }
        };
    }
    let request = RenderRequest {
        application: spec.name.clone(),
        namespace: spec.application.namespace.clone().unwrap_or_else(|| "default".into()),
        repository: source.repository.clone(),
        commit: revision.commit.clone(),
        path: spec.path.clone(),
        source: spec.application.source.clone(),
        kube_version: discovery.version.clone(),
        api_versions: unit.destination.api_versions(),
        ignored: spec.application.ignore.clone(),
    };
    let key = match world.adapters.renderer.key(&request).await {
        Ok(key) => prepared_key(&key, &spec),
        Err(failure) => return fail(failure.origin, failure.message),
    };
    let current = unit.state().prepared.clone();
    if let Some(current) = current.filter(|current| current.key == key && current.unserved.is_empty()) {
        // Equal inputs give an equal rendering: nothing to do, not even to say.
        let mut state = unit.state();
        if state.incomplete.take().is_some() {
            drop(state);
            unit.destination.emit(
                &unit.name,
                What::Rendered { revision: revision.to_string(), objects: current.desired.len(), millis: 0 },
            );
            unit.wake.notify_one();
        }
        return;
    }
    match world.adapters.renderer.render(&request).await {
        Ok(rendered) => {
            let setting = Setting {
                spec: &spec,
                applyset: unit.destination.parent.id(),
                discovery: &discovery,
                permissions: &world.permissions(&[&spec.declared_in, &spec.repository]),
                revision: revision.to_string(),
                key,
            };
            let prepared = prepare::prepare(rendered, setting);
            for problem in &prepared.problems {
                let (origin, message) = (problem.origin.clone(), problem.message.clone());
                unit.destination.emit(&unit.name, What::RenderFailed { origin, message });
            }
            for warning in &prepared.warnings {
                let (origin, message) = (warning.origin.clone(), warning.message.clone());
                unit.destination.emit(&unit.name, What::Warned { origin, message });
            }
            let millis = unit.destination.clock.now().duration_since(started).as_millis().max(0) as u64;
            let objects = prepared.desired.len();
            unit.destination
                .emit(&unit.name, What::Rendered { revision: revision.to_string(), objects, millis });
            unit.supersede(Arc::new(prepared));
        }
        Err(failure) => fail(failure.origin, failure.message),
    }
}

/// The renderer's key and the document's settings: a changed ignore rule changes what is sent.
fn prepared_key(render_key: &str, spec: &UnitSpec) -> String {
    crate::model::plan::digest_of(&(render_key, &spec.name, &spec.application))
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

impl super::destination::Destination {
    /// `--api-versions` of the destination, made once for each discovery.
    pub fn api_versions(&self) -> Arc<[String]> {
        let discovery = self.discovery();
        let mut made = lock(&self.api_versions);
        match &*made {
            Some((of, versions)) if Arc::ptr_eq(of, &discovery) => versions.clone(),
            _ => {
                let versions: Arc<[String]> = discovery.api_versions().into();
                *made = Some((discovery, versions.clone()));
                versions
            }
        }
    }
}
