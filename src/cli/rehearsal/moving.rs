//! A migration in the story's hands: its document is advanced and reverted by commits, and what the daemon says of it is
//! waited for.

use super::snapshot::Snapshot;
use super::told::expect;
use super::world::World;
use crate::cli::migrate::{folder, shown};
use crate::failure::Failure;
use crate::migrate::overview::{Documents, Given, Names, Overview, documents, page};
use crate::migrate::proof::{self, Proof};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::Health;
use crate::model::migration::Stage;
use crate::model::yaml;
use crate::ports::{MigrationRecord, PartRecord};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest wait for one stage.
pub const STAGE: Duration = Duration::from_secs(420);
/// Longest wait for a cluster of the local EKS with its nodes and add-ons.
const CLUSTER: Duration = Duration::from_secs(600);

/// A migration.
#[derive(Clone, Debug)]
pub struct Moving {
    /// Name of the document, of its file, and of the target's `Cluster` document.
    pub name: String,
    /// The target's name in EKS.
    pub eks: String,
    /// Namespaces of all waves.
    pub namespaces: BTreeSet<String>,
}

/// What an assessment leaves for a person: what it is about, and what has to be done.
pub fn blockers(overview: &Overview) -> Vec<&Verdict> {
    overview.assessment.verdicts.iter().filter(|verdict| verdict.level == Level::Blocker).collect()
}

impl Moving {
    /// Writes what an assessment proposes as a pull request, and merges it; `adjust` is what people change in the
    /// Migration before they do. Gives the migration and the merge commit.
    ///
    /// # Errors
    /// There is nothing to commit; git fails.
    pub async fn propose(
        world: &World,
        overview: &Overview,
        inventory: &crate::migrate::dump::Inventory,
        choices: &BTreeMap<String, String>,
        adjust: impl Fn(&mut Value),
    ) -> Result<(Self, String), String> {
        let words = |failure: Failure| failure.to_string();
        let names = Names { source_context: Some(world.context().await?) };
        let given = Given { choices: choices.clone(), ..Given::default() };
        let Documents { mut files } = documents(overview, inventory, &names, &given);
        let place = files.iter().find(|(_, document)| document["kind"] == "Migration");
        let path = place.map(|(path, _)| path.clone()).ok_or("there is no ClusterConfig to commit")?;
        let migration = files.get_mut(&path).expect("found above");
        // A rehearsal is of this machine alone: its registries and quotas are nobody's.
        migration["spec"]["checks"] = json!({"images": false, "quotas": false});
        adjust(migration);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let waves = migration["spec"]["waves"].as_array().into_iter().flatten();
        let namespaces = waves.flat_map(|wave| wave["namespaces"].as_array().into_iter().flatten()).map(text);
        let name = text(&migration["metadata"]["name"]);
        let eks = overview.assessment.config.as_ref().map(|config| config.metadata.name.clone());
        let moving =
            Self { namespaces: namespaces.collect(), eks: eks.unwrap_or_else(|| name.clone()), name };
        let branch = format!("move-{}", moving.name);
        world.fleet.branch(&branch).map_err(words)?;
        for (path, document) in &files {
            let text = folder::manifest(document).map_err(words)?;
            world.fleet.write(path, &text).map_err(words)?;
        }
        super::balancers::declare(&world.fleet, &moving.name, &moving.eks).map_err(words)?;
        let report = format!("migration/{}/", moving.name);
        let reports = [
            ("report.txt", shown::text(overview, true).join("\n") + "\n"),
            ("report.html", page(overview)),
            ("report.json", serde_json::to_string_pretty(&shown::json(overview)).unwrap_or_default() + "\n"),
        ];
        for (file, text) in &reports {
            folder::write(&world.fleet.folder, &format!("{report}{file}"), text.as_bytes()).map_err(words)?;
        }
        let title = format!("Move {} to EKS", overview.assessment.cluster);
        world.fleet.commit(&title).map_err(words)?;
        let merged = world.fleet.merge(&branch, &format!("Merge pull request: {title}")).map_err(words)?;
        Ok((moving, merged))
    }

    fn file(&self) -> String {
        format!("portolan/migration-{}.yaml", self.name)
    }

    /// Commits another stage.
    ///
    /// # Errors
    /// The document cannot be read; git fails.
    pub fn commit(&self, world: &World, stage: Stage) -> Result<String, String> {
        let words = |failure: Failure| failure.to_string();
        let text = world.fleet.read(&self.file()).map_err(words)?;
        let mut read = yaml::read_stream(text.as_bytes(), &yaml::Limits::default()).into_iter();
        let mut document = match read.next() {
            Some(Ok(document)) => document.into_value(),
            _ => return Err(format!("{} cannot be read", self.file())),
        };
        document["spec"]["stage"] = json!(stage);
        let text = folder::manifest(&document).map_err(words)?;
        world.fleet.write(&self.file(), &text).map_err(words)?;
        world.daemon.chronicle().ask();
        world.fleet.commit(&format!("{}: go to {stage}", self.name)).map_err(words)
    }

    /// Commits a stage, and waits until every part of the move has reached it. What has no way back is approved when it
    /// is asked for, if `approve` says so.
    ///
    /// # Errors
    /// It is not reached: with what holds it back.
    pub async fn advance(&self, world: &World, stage: Stage, approve: bool) -> Result<Reached, String> {
        let commit = self.commit(world, stage)?;
        self.reached(world, stage, &commit, approve).await
    }

    /// Waits until every part stands where a commit wants it.
    ///
    /// # Errors
    /// As [`Moving::advance`].
    pub async fn reached(
        &self,
        world: &World,
        stage: Stage,
        commit: &str,
        approve: bool,
    ) -> Result<Reached, String> {
        let mut approved = BTreeSet::new();
        let mut before = Instant::now();
        loop {
            let what = format!("{} did not reach {stage}", self.name);
            let found = world
                .daemon
                .until(&what, STAGE, |daemon| {
                    let record = daemon.migration(&self.name).ok_or("the daemon has no such migration")?;
                    daemon.chronicle().look(&record, std::mem::replace(&mut before, Instant::now()));
                    if let Some(waiting) = &record.waiting
                        && approve
                        && !approved.contains(&waiting.digest)
                    {
                        return Ok((record.clone(), Some(waiting.clone())));
                    }
                    let here = record.revision.contains(commit) && record.stage == stage;
                    if here && record.parts.iter().all(is_there) && !record.parts.is_empty() {
                        return Ok((record, None));
                    }
                    Err(state(&record))
                })
                .await?;
            match found {
                (record, None) => return Ok(Reached { record, commit: commit.to_owned(), approved }),
                (_, Some(waiting)) => {
                    world.daemon.approve(&self.name, &waiting.digest).await?;
                    approved.insert(waiting.digest);
                }
            }
        }
    }

    /// Waits until the target's cluster is as its ClusterConfig says, nodes and add-ons included, and what makes load
    /// balancers is delivered to it.
    ///
    /// # Errors
    /// It is not within the limit: with what its record says.
    pub async fn provisioned(&self, world: &World) -> Result<(), String> {
        let look = |daemon: &super::daemon::Daemon| -> Result<(), String> {
            let record = daemon.cluster(&self.name).ok_or("the daemon has no such cluster")?;
            let whole = record.sync == crate::model::SyncStatus::Synced && record.health == Health::Healthy;
            if whole {
                Ok(())
            } else {
                Err(format!("{}, {}: {}", record.sync, record.health, record.message))
            }
        };
        world.daemon.until(&format!("the EKS cluster {} is not whole", self.eks), CLUSTER, look).await?;
        super::balancers::installed(&world.new_cluster(&self.eks).await?).await
    }

    /// The proofs of all parts, each whole.
    ///
    /// # Errors
    /// One is missing, or not equal: with its report.
    pub fn proofs(&self, world: &World, record: &MigrationRecord) -> Result<BTreeMap<String, Proof>, String> {
        let view = world.daemon.view().ok_or("the daemon does not run")?;
        let proofs = view.proofs(&self.name);
        for part in &record.parts {
            let name = if part.name.is_empty() { "the move" } else { &part.name };
            let proof = proofs.get(&part.name).ok_or_else(|| format!("{name} was not proven"))?;
            expect(proof.equal, || format!("{name}:\n{}", proof::text(proof)))?;
        }
        Ok(proofs)
    }

    /// What the target holds of the migration: objects in its namespaces.
    ///
    /// # Errors
    /// kubectl fails.
    pub async fn on_target(&self, world: &World) -> Result<Snapshot, String> {
        Snapshot::of(&world.new_cluster(&self.eks).await?, &self.namespaces).await
    }
}

/// Where a commit has led.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The record then.
    pub record: MigrationRecord,
    /// The commit.
    pub commit: String,
    /// Digests that were approved on the way.
    pub approved: BTreeSet<String>,
}

/// How many objects are equal of how many, over all parts.
pub fn equal(proofs: &BTreeMap<String, Proof>) -> (usize, usize) {
    let counts = proofs.values().map(|proof| (proof.counts.equal, proof.counts.expected));
    counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

fn is_there(part: &PartRecord) -> bool {
    part.stage == part.goal && part.complete
}

/// Where it stands, for the message of a wait that had no end.
fn state(record: &MigrationRecord) -> String {
    let parts = record.parts.iter().map(|part| {
        let name = if part.name.is_empty() { "the move" } else { &part.name };
        let gates = part.gates.join("; ");
        format!("{name} at {} of {} {gates}", part.stage, part.goal)
    });
    let problems = record.problems.values().cloned();
    let words: Vec<String> = parts.chain([record.message.clone()]).chain(problems).collect();
    words.join(", ")
}
