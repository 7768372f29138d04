//! All migrations that documents describe: from documents to tasks.

use super::holds;
use super::keep::keep;
use super::kept::{Context, Mover, Sides, Target, Wanted};
use crate::engine::destination::lock;
use crate::engine::inventory::Bucket;
use crate::engine::world::World;
use crate::model::cluster::ClusterSpec;
use crate::model::cluster_config::ClusterConfig;
use crate::model::document::{DocumentKind, Documents};
use crate::model::migration::{Gate, Side, Stage};
use crate::model::migration_document::MigrationSpec;
use crate::ports::{Cloud, CloudAccess, Cluster, Files, Images, MigrationRecord, Names};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tokio::sync::watch;

/// The migrations of a daemon.
#[derive(Default)]
pub(crate) struct Movers {
    context: OnceLock<Arc<Context>>,
    kept: Mutex<BTreeMap<String, Arc<Mover>>>,
    known: Mutex<Known>,
}

/// What documents say of clusters.
#[derive(Default)]
struct Known {
    clusters: BTreeMap<String, ClusterSpec>,
}

impl Movers {
    /// Begins.
    pub fn begin(&self, world: &Arc<World>) {
        self.context.get_or_init(|| {
            Arc::new(Context {
                store: world.records.store.clone(),
                sink: world.adapters.sink.clone(),
                clock: world.adapters.clock.clone(),
                pace: world.settings.clusters.clone(),
                read_only: world.settings.read_only,
                salt: world.settings.salt,
                namespace: world.settings.namespace.clone(),
                sides: Arc::new(Neighbours { world: Arc::downgrade(world), accounts: Default::default() }),
            })
        });
    }

    /// A migration that is kept.
    pub fn get(&self, name: &str) -> Option<Arc<Mover>> {
        lock(&self.kept).get(name).cloned()
    }

    /// Every migration that is kept.
    pub fn all(&self) -> Vec<Arc<Mover>> {
        lock(&self.kept).values().cloned().collect()
    }

    /// Every migration's record, as it is now.
    pub fn records(&self) -> Vec<MigrationRecord> {
        lock(&self.kept).values().map(|mover| mover.record()).collect()
    }

    /// Has a pass of every migration, or of one, made now. Gives how many that were.
    pub fn ask(&self, name: Option<&str>) -> usize {
        let kept = lock(&self.kept);
        let asked: Vec<_> =
            kept.values().filter(|mover| name.is_none_or(|name| *mover.name == *name)).collect();
        asked.iter().for_each(|mover| mover.look_again());
        asked.len()
    }

    /// Takes the documents of a commit. Returns migrations that are new.
    pub fn take(&self, world: &Arc<World>, documents: &Documents) -> Vec<Arc<Mover>> {
        let Some(context) = self.context.get() else { return Vec::new() };
        self.learn(documents);
        let mut fresh = Vec::new();
        let mut kept = lock(&self.kept);
        for document in &documents.migrations {
            let revision = world
                .repositories()
                .get(&document.origin.repository)
                .and_then(|state| state.revision.as_ref().map(ToString::to_string));
            let mover = kept.entry(document.name.clone()).or_insert_with(|| {
                let mover = Mover::new(&document.name, context.clone());
                fresh.push(mover.clone());
                mover
            });
            mover.supersede(Wanted {
                spec: document.spec.clone(),
                revision: revision.unwrap_or_default(),
                declared_in: document.origin.repository.clone(),
                removed: false,
            });
        }
        let described: BTreeSet<&str> =
            documents.migrations.iter().map(|document| document.name.as_str()).collect();
        for mover in kept.values().filter(|mover| !described.contains(&*mover.name)) {
            let Some(wanted) = mover.wanted() else { continue };
            // One that cannot be read is not gone; and one that is gone is only let be.
            if !documents.conceals(&wanted.declared_in, DocumentKind::Migration, &mover.name) {
                mover.supersede(Wanted { removed: true, ..(*wanted).clone() });
            }
        }
        fresh
    }

    fn learn(&self, documents: &Documents) {
        let mut known = lock(&self.known);
        known.clusters = documents
            .clusters
            .iter()
            .map(|document| (document.name.clone(), document.spec.clone()))
            .collect();
    }

    /// Keeps a migration for as long as the daemon runs.
    pub fn spawn(world: &Arc<World>, mover: Arc<Mover>, stop: watch::Receiver<bool>) {
        world.tasks.spawn(keep(mover, stop));
    }

    fn spec_of(&self, cluster: &str) -> Option<ClusterSpec> {
        let spec = lock(&self.known).clusters.get(cluster).cloned();
        let own = || ClusterSpec { in_cluster: true, ..ClusterSpec::default() };
        spec.or_else(|| (cluster == crate::model::cluster::IN_CLUSTER).then(own))
    }
}

/// The daemon's destinations, as migrations see them.
struct Neighbours {
    world: Weak<World>,
    /// Accounts that were opened before.
    accounts: tokio::sync::Mutex<BTreeMap<CloudAccess, Arc<dyn Cloud>>>,
}

impl Neighbours {
    fn world(&self) -> Result<Arc<World>, String> {
        self.world.upgrade().ok_or_else(|| "the daemon is ending".into())
    }

    async fn opened(&self, access: CloudAccess) -> Result<Arc<dyn Cloud>, String> {
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(&access) {
            return Ok(known.clone());
        }
        let cloud =
            self.world()?.adapters.clouds.open(&access).await.map_err(|failure| failure.to_string())?;
        accounts.insert(access, cloud.clone());
        Ok(cloud)
    }

    async fn connected(&self, name: &str) -> Result<(Arc<dyn Cluster>, ClusterSpec), String> {
        let world = self.world()?;
        let spec =
            world.migrations.spec_of(name).ok_or_else(|| format!("there is no Cluster document {name}"))?;
        if let Some(words) = world.clusters.waits(name) {
            return Err(words);
        }
        let destination = world.destination(name, &spec).await?;
        Ok((destination.cluster.clone(), spec))
    }
}

#[async_trait]
impl Sides for Neighbours {
    async fn source(&self, migration: &str, spec: &MigrationSpec) -> Result<Arc<dyn Cluster>, String> {
        if let Some(name) = &spec.source.cluster {
            return Ok(self.connected(name).await?.0);
        }
        let world = self.world()?;
        let of = ClusterSpec { kubeconfig: spec.source.kubeconfig.clone(), ..ClusterSpec::default() };
        world.connect(&format!("{migration}-source"), &of).await
    }

    async fn target(&self, spec: &MigrationSpec) -> Result<Target, Gate> {
        match self.connected(&spec.target.cluster).await {
            Ok((cluster, of)) => {
                Ok(Target { cluster, eks_name: of.eks.map(|eks| eks.name).unwrap_or_default() })
            }
            Err(what) => {
                let limit_seconds = spec.limits.of(Stage::Provision).duration().as_secs();
                Err(Gate::Waiting { what, limit_seconds })
            }
        }
    }

    fn unmade(&self, spec: &MigrationSpec) -> Option<String> {
        self.world.upgrade()?.clusters.get(&spec.target.cluster)?.unmade()
    }

    fn applications(&self, spec: &MigrationSpec) -> BTreeMap<String, Vec<String>> {
        let (Some(world), Some(source)) = (self.world.upgrade(), spec.source.cluster.as_deref()) else {
            return BTreeMap::new();
        };
        let destinations: Vec<_> = world.destinations().values().cloned().collect();
        let units: Vec<_> = destinations
            .iter()
            .flat_map(|destination| destination.units().values().cloned().collect::<Vec<_>>())
            .collect();
        holds::delivering(&world.migrations, &units, source)
    }

    async fn account(&self, side: Side, spec: &MigrationSpec) -> Result<Option<Arc<dyn Cloud>>, String> {
        let access = match side {
            Side::Source => spec.source.kops.as_ref().map(|kops| (&kops.region, &kops.role_arn)).map(access),
            Side::Target => {
                let of = self.world()?.migrations.spec_of(&spec.target.cluster);
                of.and_then(|of| of.eks).map(|eks| access((&eks.region, &eks.role_arn)))
            }
        };
        match access {
            Some(access) => self.opened(access).await.map(Some),
            None => Ok(None),
        }
    }

    fn images(&self) -> Option<Arc<dyn Images>> {
        Some(self.world.upgrade()?.adapters.images.clone())
    }

    fn names(&self) -> Option<Arc<dyn Names>> {
        Some(self.world.upgrade()?.adapters.names.clone())
    }

    fn planned(&self, spec: &MigrationSpec) -> Option<ClusterConfig> {
        let kept = self.world.upgrade()?.clusters.get(&spec.target.cluster)?;
        kept.wanted()?.blueprint.config().cloned()
    }

    async fn state_store(&self, spec: &MigrationSpec) -> Result<Option<Box<dyn Files>>, String> {
        let Some(kops) = &spec.source.kops else { return Ok(None) };
        let store = kops.state_store.as_str();
        if store.starts_with("s3://") {
            let cloud = self.opened(access((&kops.region, &kops.role_arn))).await?;
            let bucket = Bucket::at(store, cloud).ok_or_else(|| format!("{store} names no bucket"))?;
            return Ok(Some(Box::new(bucket)));
        }
        if store.contains("://") {
            return Err(format!(
                "the state store {store} is in another cloud; stores in S3 and in folders are read"
            ));
        }
        Ok(Some(self.world()?.adapters.folders.open(store)))
    }
}

fn access((region, role): (&String, &Option<String>)) -> CloudAccess {
    CloudAccess { region: region.clone(), role_arn: role.clone() }
}
