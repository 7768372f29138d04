//! All clusters that documents describe: from documents to tasks.

use super::blueprint::{Described, Remembered};
use super::inside;
use super::keep::keep;
use super::kept::{Context, Destinations, Kept, Policy, Wanted};
use super::memory::Memory;
use crate::engine::destination::lock;
use crate::engine::world::World;
use crate::model::application::Adopt;
use crate::model::cluster::EksRef;
use crate::model::cluster_config;
use crate::model::document::{ClusterDocument, DocumentKind, Documents};
use crate::model::event::What;
use crate::model::migration::Stage;
use crate::model::plan::digest_of;
use crate::model::{ClusterSpec, Interval, Revision};
use crate::ports::{CloudAccess, Cluster, ClusterRecord};
use crate::provision::gates::ApiUse;
use crate::schedule::Schedule;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tokio::sync::watch;

/// Time between full passes: nothing tells of a change in AWS but a look.
const EVERY: Interval = Interval::from_secs(600);

/// The clusters of a daemon.
#[derive(Default)]
pub(crate) struct Fleet {
    context: OnceLock<Arc<Context>>,
    kept: Mutex<BTreeMap<String, Arc<Kept>>>,
    /// What was remembered when the daemon started.
    remembered: Mutex<BTreeMap<String, ClusterRecord>>,
    /// How destinations are reached, for clusters without applications.
    specs: Mutex<BTreeMap<String, ClusterSpec>>,
    /// Destinations that applications wait for.
    awaited: Mutex<BTreeSet<String>>,
}

impl Fleet {
    /// Begins with what is remembered.
    pub fn begin(&self, world: &Arc<World>, remembered: BTreeMap<String, ClusterRecord>) {
        *lock(&self.remembered) = remembered;
        self.context.get_or_init(|| {
            Arc::new(Context {
                clouds: world.adapters.clouds.clone(),
                store: world.records.store.clone(),
                sink: world.adapters.sink.clone(),
                clock: world.adapters.clock.clone(),
                pace: world.settings.clusters.clone(),
                read_only: world.settings.read_only,
                salt: world.settings.salt,
                destinations: Arc::new(Neighbours(Arc::downgrade(world))),
            })
        });
    }

    /// A cluster that is kept.
    pub fn get(&self, name: &str) -> Option<Arc<Kept>> {
        lock(&self.kept).get(name).cloned()
    }

    /// All clusters that are kept.
    pub fn all(&self) -> Vec<Arc<Kept>> {
        lock(&self.kept).values().cloned().collect()
    }

    /// Why applications of a destination wait for it; `None` when it can be connected, or nobody keeps it.
    pub fn waits(&self, name: &str) -> Option<String> {
        let words = self.get(name)?.waits()?;
        lock(&self.awaited).insert(name.into());
        Some(words)
    }

    /// Takes the documents of a commit: new clusters, changed ones, removed ones. Returns the new ones.
    pub async fn take(&self, world: &Arc<World>, documents: &Documents) -> Vec<Arc<Kept>> {
        let Some(context) = self.context.get() else { return Vec::new() };
        let mut fresh = Vec::new();
        let mut described = BTreeSet::new();
        for document in &documents.clusters {
            lock(&self.specs).insert(document.name.clone(), document.spec.clone());
            let (Some(eks), Some(path)) = (&document.spec.eks, &document.spec.cluster_config) else {
                self.release(&document.name);
                continue;
            };
            described.insert(document.name.clone());
            let (kept, is_new) = self.kept_of(&document.name, context);
            match wanted(world, document, eks, path).await {
                Ok(mut wanted) => {
                    if let Some(words) =
                        awaits_migration(&document.name, documents).filter(|_| kept.is_unmade())
                    {
                        wanted.digest = digest_of(&(&wanted.digest, &words));
                        wanted.policy.suspended.get_or_insert(words);
                    }
                    kept.supersede(wanted);
                }
                Err(Refused { origin, message }) => {
                    if kept.refuse(&origin, &message) {
                        world.emit(&document.name, What::DocumentRefused { origin, message });
                    }
                }
            }
            if is_new {
                fresh.push(kept);
            }
        }
        fresh.extend(self.remove(world, documents, &described, context));
        fresh
    }

    fn kept_of(&self, name: &str, context: &Arc<Context>) -> (Arc<Kept>, bool) {
        let mut all = lock(&self.kept);
        if let Some(kept) = all.get(name) {
            return (kept.clone(), false);
        }
        let remembered = lock(&self.remembered).remove(name);
        let kept = Kept::new(name, context.clone(), remembered.as_ref());
        all.insert(name.into(), kept.clone());
        (kept, true)
    }

    /// The document stays, and no longer has a ClusterConfig: the cluster is somebody else's from now on.
    fn release(&self, name: &str) {
        let was_remembered = lock(&self.remembered).contains_key(name);
        let kept = lock(&self.kept).remove(name);
        if let Some(kept) = kept {
            kept.release();
        } else if was_remembered && let Some(context) = self.context.get() {
            let (kept, _) = self.kept_of(name, context);
            lock(&self.kept).remove(name);
            kept.release();
            // Its task has nothing to do but to forget it.
            let (_stop, stopped) = watch::channel(false);
            tokio::spawn(async move { keep(kept, stopped).await });
        }
    }

    /// Clusters whose document is gone, while the daemon ran or before; never because it cannot be read at the moment.
    fn remove(
        &self,
        world: &Arc<World>,
        documents: &Documents,
        described: &BTreeSet<String>,
        context: &Arc<Context>,
    ) -> Vec<Arc<Kept>> {
        let read: BTreeSet<String> = world
            .repositories()
            .iter()
            .filter(|(_, state)| state.revision.is_some() && state.failure.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        let is_gone = |name: &str, declared_in: &str| {
            !described.contains(name)
                && read.contains(declared_in)
                && !documents.conceals(declared_in, DocumentKind::Cluster, name)
        };
        for kept in self.all() {
            let Some(wanted) = kept.wanted() else {
                // Its file could not be read since the start: the memory tells what it was.
                let record = kept.record();
                if let Some(wanted) = removed(&record).filter(|_| is_gone(&kept.name, &record.declared_in)) {
                    kept.supersede(wanted);
                }
                continue;
            };
            if wanted.removed {
                continue;
            }
            if is_gone(&kept.name, &wanted.declared_in) {
                kept.supersede(wanted.gone());
            }
        }
        let gone: Vec<ClusterRecord> = lock(&self.remembered)
            .values()
            .filter(|record| is_gone(&record.name, &record.declared_in))
            .cloned()
            .collect();
        let mut fresh = Vec::new();
        for record in gone {
            let Some(wanted) = removed(&record) else { continue };
            let (kept, _) = self.kept_of(&record.name, context);
            kept.supersede(wanted);
            fresh.push(kept);
        }
        fresh
    }

    /// Keeps a cluster for as long as the daemon runs.
    pub fn spawn(&self, world: &Arc<World>, kept: Arc<Kept>, stop: watch::Receiver<bool>) {
        let owner = Arc::downgrade(world);
        world.tasks.spawn(async move {
            keep(kept.clone(), stop).await;
            if let Some(world) = owner.upgrade() {
                let mut all = lock(&world.clusters.kept);
                if all.get(&*kept.name).is_some_and(|current| Arc::ptr_eq(current, &kept)) {
                    all.remove(&*kept.name);
                }
            }
        });
    }
}

/// Why a document's ClusterConfig cannot be taken.
struct Refused {
    origin: String,
    message: String,
}

/// What a document and its ClusterConfig want.
async fn wanted(
    world: &World,
    document: &ClusterDocument,
    eks: &EksRef,
    path: &str,
) -> Result<Wanted, Refused> {
    let repository = &document.origin.repository;
    let at = |pointer: &str, message: String| {
        let problem = document.origin.problem(pointer, message);
        Refused {
            origin: format!("{}:{}:{}", problem.file, problem.line, problem.column),
            message: format!("Cluster {}: {}", document.name, problem.message),
        }
    };
    for permissions in world.permissions(&[repository]) {
        permissions.destination(&document.name).map_err(|denied| at("/spec", denied.to_string()))?;
    }
    let revision = world.repositories().get(repository).and_then(|state| state.revision.clone());
    let (Some(source), Some(revision)) = (world.source(repository), revision) else {
        return Err(at("/spec/clusterConfig", format!("repository {repository} has not been read")));
    };
    let text = file(source.repository.as_ref(), &revision, path)
        .await
        .map_err(|message| at("/spec/clusterConfig", message))?;
    let config = match cluster_config::read(&text, path) {
        Ok((config, _)) => config,
        Err(problems) => {
            let first = problems.0.iter().find(|problem| problem.is_error()).or_else(|| problems.0.first());
            let origin =
                first.map_or_else(|| path.to_owned(), |p| format!("{}:{}:{}", p.file, p.line, p.column));
            let more = problems.0.iter().filter(|problem| problem.is_error()).count().saturating_sub(1);
            let more = if more > 0 {
                format!(" (and {more} more; `portolan check` lists them)")
            } else {
                String::new()
            };
            let message = first.map(|problem| problem.message.clone()).unwrap_or_default();
            let hint = first.and_then(|problem| problem.hint.as_deref()).map(|hint| format!("; {hint}"));
            return Err(Refused { origin, message: format!("{message}{}{more}", hint.unwrap_or_default()) });
        }
    };
    if let Some(violation) = cluster_config::disagreements(eks, &config, path).first() {
        let hint = violation.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
        return Err(at(&violation.pointer, format!("{}{hint}", violation.message)));
    }
    let schedule = eks.reconcile.as_ref().map_or_else(|| Schedule::every(EVERY), Schedule::of);
    let policy = Policy {
        drift: eks.drift.policy,
        adopt: eks.adopt,
        suspended: eks.suspend.then(|| "its document says `suspend: true`: nothing is written".into()),
        schedule: Some(
            schedule.map_err(|error| at("/spec/eks/reconcile", format!("`spec.eks.reconcile`: {error}")))?,
        ),
    };
    Ok(Wanted {
        access: CloudAccess { region: eks.region.clone(), role_arn: eks.role_arn.clone() },
        cluster: eks.name.clone(),
        digest: digest_of(&(&document.spec, &config)),
        blueprint: Arc::new(Described { settings: eks.clone(), config }),
        policy,
        revision: revision.to_string(),
        source: format!("{repository} {path}"),
        declared_in: repository.clone(),
        removed: false,
    })
}

/// Why a cluster that a migration moves to is not made yet: the stage `Provision` makes it.
fn awaits_migration(cluster: &str, documents: &Documents) -> Option<String> {
    let migration = documents.migrations.iter().find(|migration| migration.spec.target.cluster == cluster)?;
    let stage = migration.spec.furthest();
    (stage < Stage::Provision)
        .then(|| format!("Migration {} is at {stage}: the cluster is made at Provision", migration.name))
}

async fn file(
    repository: &dyn crate::ports::Repository,
    revision: &Revision,
    path: &str,
) -> Result<String, String> {
    let path = path.trim_start_matches("./").trim_matches('/');
    let checkout = repository.file(&revision.commit, path).await.map_err(|failure| failure.to_string())?;
    if let Some(refused) = checkout.refused.first() {
        return Err(format!("{} cannot be read: {}", refused.path, refused.reason));
    }
    let Some(file) = checkout.files.first() else {
        return Err(format!("there is no file `{path}` at {revision}"));
    };
    String::from_utf8(file.content.to_vec()).map_err(|_| format!("`{path}` is not UTF-8"))
}

/// A cluster whose document went while the daemon was down: what is remembered of it.
pub(super) fn removed(record: &ClusterRecord) -> Option<Wanted> {
    let memory = Memory::of(record);
    // Nothing was ever looked at: there is nothing of it to be taken away.
    let scope = memory.scope?;
    Some(Wanted {
        access: CloudAccess { region: scope.region.clone(), role_arn: memory.role_arn },
        cluster: scope.cluster,
        blueprint: Arc::new(Remembered(memory.resources)),
        digest: "removed".into(),
        policy: Policy {
            drift: Default::default(),
            adopt: Adopt::Never,
            suspended: None,
            schedule: Schedule::every(EVERY).ok(),
        },
        revision: "removed".into(),
        source: record.source.clone(),
        declared_in: record.declared_in.clone(),
        removed: true,
    })
}

/// The daemon's destinations, as clusters see them.
struct Neighbours(Weak<World>);

#[async_trait]
impl Destinations for Neighbours {
    async fn connected(&self, name: &str) -> Result<Arc<dyn Cluster>, String> {
        let world = self.0.upgrade().ok_or("the daemon ends")?;
        let spec = lock(&world.clusters.specs).get(name).cloned();
        let spec = spec.ok_or_else(|| format!("there is no Cluster document {name} any longer"))?;
        Ok(world.destination(name, &spec).await?.cluster.clone())
    }

    fn declared_apis(&self, name: &str) -> Vec<ApiUse> {
        let Some(world) = self.0.upgrade() else { return Vec::new() };
        let Some(destination) = world.destinations().get(name).cloned() else { return Vec::new() };
        let units: Vec<_> = destination.units().values().cloned().collect();
        let mut uses = Vec::new();
        for unit in units {
            let Some(prepared) = unit.state().prepared.clone() else { continue };
            for desired in &prepared.desired {
                let Some(removed_in) = inside::removed_in(&desired.gvk) else { continue };
                let api = format!("{} {}", desired.gvk.api_version(), desired.gvk.kind);
                uses.push(ApiUse {
                    api,
                    removed_in,
                    place: format!("application {}: {}", unit.name, desired.id),
                });
            }
        }
        uses
    }

    fn ready(&self, name: &str) {
        let Some(world) = self.0.upgrade() else { return };
        if lock(&world.clusters.awaited).remove(name) {
            let repositories: Vec<String> = world.repositories().keys().cloned().collect();
            repositories.iter().for_each(|repository| world.render_now(repository));
        }
    }

    fn gone(&self, name: &str) {
        if let Some(world) = self.0.upgrade() {
            world.forget_destination(name);
        }
    }
}

impl World {
    /// Ends a destination whose cluster is gone, with its applications: there is nothing left to prune.
    pub fn forget_destination(&self, name: &str) {
        self.forget_way(name);
        let Some(destination) = self.destinations().remove(name) else { return };
        destination.set_gone();
        let units = std::mem::take(&mut *destination.units());
        for unit in units.values() {
            self.records.remove(unit.key());
            unit.wake.notify_one();
        }
        destination.end();
    }
}

/// The `Cluster` document of a name, as a person asks for it.
pub(super) fn document<'a>(documents: &'a Documents, name: &str) -> Result<&'a ClusterDocument, String> {
    documents.clusters.iter().find(|document| document.name == name).ok_or_else(|| {
        let known: Vec<&str> = documents.clusters.iter().map(|document| document.name.as_str()).collect();
        let near = crate::model::document::nearest(name, known.iter().copied());
        near.map_or_else(
            || format!("there is no Cluster document called {name}"),
            |near| format!("there is no Cluster document called {name}; did you mean `{near}`?"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::{MigrationDocument, Origin};
    use crate::model::migration_document::{MigrationSpec, MigrationTarget};

    #[test]
    fn a_cluster_that_a_migration_moves_to_waits_for_its_stage() {
        let documents = |stage| {
            let spec = MigrationSpec {
                target: MigrationTarget { cluster: "new".into() },
                stage,
                ..MigrationSpec::default()
            };
            let labels = BTreeMap::new();
            let migration =
                MigrationDocument { name: "move".into(), labels, spec, origin: Origin::default() };
            Documents { migrations: vec![migration], ..Documents::default() }
        };
        let waits = awaits_migration("new", &documents(Stage::Preflight)).unwrap();
        assert!(waits.contains("Migration move is at Preflight"), "{waits}");
        assert_eq!(awaits_migration("new", &documents(Stage::Provision)), None);
        assert_eq!(awaits_migration("other", &documents(Stage::Inventory)), None);
    }
}
