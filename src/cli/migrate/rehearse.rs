//! `portolan migrate rehearse`.

use super::choices::Choices;
use super::folder;
use crate::cli::rehearsal::{
    End, Likeness, Moving, Plot, Replayed, Seen, Surprise, Told, Workloads, World, blockers, chapter, equal,
    expect, likeness, names_again, pods, ready, records, replay, replayed_objects, report, say, table,
};
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::migrate::dump::{self, Inventory};
use crate::migrate::overview::{Overview, overview};
use crate::migrate::proof::Proof;
use crate::model::migration::Stage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

/// Moves a likeness of the real cluster on this machine, from a dump alone: nothing real is contacted.
///
/// The kops program makes the source cluster in a local AWS by the specs of the dump; the objects of its users are put into
/// a control plane of its minor, or the nearest above that is built; the daemon moves it to an EKS cluster of the local AWS,
/// stage by stage, by commits. No secret value is needed: placeholders stand for them. It ends with the equality proof, the
/// time that each stage took, and a list of surprises; what is different from the real cluster is among them.
///
/// Exit codes: 0 the whole move held; 5 it did not; else it could not be tried.
///
/// Examples:
///   portolan migrate dump out/ --state s3://kops-state --name live.example.com --context live --aws
///   portolan migrate rehearse --dump out/
///   portolan migrate rehearse --dump out/ --choices portolan/migration-live.yaml --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Rehearse {
    /// Folder that `portolan migrate dump` wrote.
    #[arg(long, value_name = "FOLDER")]
    dump: PathBuf,
    #[command(flatten)]
    choices: Choices,
    /// Stops before the stage that has no way back, `Decommission`.
    #[arg(long)]
    reversible: bool,
}

/// What the chapters hand on to each other.
struct Rehearsal<'a> {
    world: &'a World,
    real: &'a Inventory,
    choices: BTreeMap<String, String>,
    reversible: bool,
    replayed: Replayed,
    moving: Option<Moving>,
    /// Workloads that run on the source, as they have to on the target.
    running: Workloads,
    proofs: BTreeMap<String, Proof>,
    surprises: Vec<Surprise>,
}

impl Rehearse {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let choices = self.choices.read()?;
        let content = folder::read(&self.dump)?;
        let wrong =
            |words: String| Failure::new(FailureKind::Config, format!("{}: {words}", self.dump.display()));
        let (_, real) = dump::read(&content).map_err(|error| wrong(error.to_string()))?;
        if real.objects.is_empty() {
            return Err(wrong("there are no objects in it".into())
                .hint("dump again with --context: what is rehearsed is the move of objects"));
        }
        let Likeness { text, region, differences } = likeness(&real).map_err(wrong)?;
        // What is refused by name is refused before minutes of making.
        let assessed = overview(&real, None, &choices).map_err(|error| wrong(error.to_string()))?;
        say(context, "Setting the scene: a local AWS, the cluster in it by the kops program, the daemon");
        let world = World::set(Plot { specification: Some(text), region }).await?;
        let mut rehearsal = Rehearsal {
            world: &world,
            real: &real,
            choices,
            reversible: self.reversible,
            replayed: Replayed::default(),
            moving: None,
            running: Workloads::default(),
            proofs: BTreeMap::new(),
            surprises: differences,
        };
        rehearsal.surprises.extend(Surprise::assessed(&assessed));
        let chapters = rehearsal.chapters(context).await;
        let end = rehearsal.end(chapters);
        if context.is_structured() {
            output::value(context.output, &end.json())?;
        } else {
            report(&end);
        }
        table(context, &end.chapters);
        world.strike().await?;
        if end.held() {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(Failure::new(FailureKind::Unmet, "the rehearsal did not come to its end")
                .hint("what the last chapter says would have happened to the real cluster as well"))
        }
    }
}

impl Rehearsal<'_> {
    async fn chapters(&mut self, context: &Context) -> Vec<Told> {
        let mut story = Vec::new();
        macro_rules! tell {
            ($title:literal, $chapter:expr) => {
                story.push(chapter(context, $title, $chapter).await);
                if story.last().is_some_and(|told| !told.held) {
                    return story;
                }
            };
        }
        tell!("1. The likeness of the old cluster, with the objects of the dump", self.source());
        tell!("2. It is assessed, and the pull request is merged", self.proposed());
        tell!("3. Inventory, preflight, provision", self.provisioned());
        tell!("4. Configure, sync, verify: the equality proof", self.proven());
        tell!("5. Hand-over, shift, soak", self.moved());
        if !self.reversible {
            tell!("6. Decommission", self.decommissioned());
        }
        story
    }

    fn end(self, chapters: Vec<Told>) -> End {
        let chronicle = self.world.daemon.chronicle();
        let mut surprises = self.surprises;
        surprises.extend(self.replayed.surprises);
        if let Some(moving) = &self.moving {
            surprises.extend(Surprise::met(chronicle, &moving.name));
        }
        End { chapters, proofs: self.proofs, stages: chronicle.stays(0), surprises }
    }

    fn moving(&self) -> Result<Moving, String> {
        self.moving.clone().ok_or_else(|| "nothing has been proposed".into())
    }

    async fn source(&mut self) -> Seen {
        let classified = overview(self.real, None, &self.choices).map_err(|error| error.to_string())?.objects;
        let objects = replayed_objects(self.real, &classified);
        let roles: BTreeSet<String> = objects.iter().filter_map(|(_, object)| role(object)).collect();
        self.world.make_roles(&roles.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let (wanted, old) = (objects.len(), self.world.old());
        self.replayed = replay(&old, objects).await?;
        let api = self.real.api.as_ref().map_or("?", |api| api.version.as_str()).to_owned();
        let version = self.world.source.control_plane().instance().version.clone();
        // What does not come up here would not on the target either: it is told, and the move goes on.
        self.running = match ready(&old, &self.replayed.namespaces).await {
            Ok(workloads) => workloads,
            Err(words) => {
                self.surprises.push(Surprise::new("rehearsal", "workloads of the source", words));
                Workloads::of(&old, &self.replayed.namespaces).await?
            }
        };
        let limit = std::time::Duration::from_secs(120);
        if let Err(error) = self.world.source.in_order(limit).await {
            self.surprises.push(Surprise::new("rehearsal", "controllers of the source", error.to_string()));
        }
        let volumes = old.list("persistentvolumes").await?.len();
        Ok(vec![
            format!("{} by kops {}", self.world.source.cluster(), self.world.source.kops().release().version),
            format!("Kubernetes {version} here, {api} in the dump"),
            format!("{} of {wanted} objects of its users are here again", self.replayed.objects),
            format!("{} workloads, {volumes} volumes", self.running.0.len()),
        ])
    }

    async fn proposed(&mut self) -> Seen {
        let inventory = self.world.inventory().await.map_err(|failure| failure.to_string())?;
        output::end_progress();
        let overview: Overview =
            overview(&inventory, None, &self.choices).map_err(|error| error.to_string())?;
        let blocked: Vec<String> = blockers(&overview)
            .iter()
            .map(|verdict| {
                format!("{} {}: {} [{}]", verdict.subject, verdict.field, verdict.says, verdict.rule)
            })
            .collect();
        expect(blocked.is_empty(), || format!("Blockers: {}", blocked.join("; ")))?;
        let (leading, other) = names_again(self.world, self.real).await?;
        self.surprises.extend(other);
        let adjust = |migration: &mut Value| adjusted(migration, &leading);
        let (moving, merged) =
            Moving::propose(self.world, &overview, &inventory, &self.choices, adjust).await?;
        moving.reached(self.world, Stage::Inventory, &merged, false).await?;
        let seen = vec![format!(
            "merged as {merged}; {} namespaces move, and {} records of load balancers",
            moving.namespaces.len(),
            leading.len()
        )];
        self.moving = Some(moving);
        Ok(seen)
    }

    async fn provisioned(&mut self) -> Seen {
        let moving = self.moving()?;
        let reached = moving.advance(self.world, Stage::Provision, false).await?;
        moving.provisioned(self.world).await?;
        let nodes = self.world.new_cluster(&moving.eks).await?.list("nodes").await?.len();
        Ok(vec![format!("commit {}: {} with {nodes} nodes", reached.commit, moving.eks)])
    }

    async fn proven(&mut self) -> Seen {
        let moving = self.moving()?;
        let reached = moving.advance(self.world, Stage::Verify, false).await?;
        self.proofs = moving.proofs(self.world, &reached.record)?;
        let (equal, expected) = equal(&self.proofs);
        expect(equal == expected, || format!("{equal} of {expected} objects are equal"))?;
        Ok(vec![format!("commit {}: {equal} of {expected} objects equal", reached.commit)])
    }

    async fn moved(&mut self) -> Seen {
        let moving = self.moving()?;
        let mut seen = Vec::new();
        for stage in [Stage::HandOver, Stage::Shift, Stage::Soak] {
            let reached = moving.advance(self.world, stage, true).await?;
            seen.push(format!("commit {}: {stage} complete", reached.commit));
        }
        let left = pods(&self.world.old(), &moving.namespaces).await?;
        expect(left == 0, || format!("{left} pods still run on the source"))?;
        let new = Workloads::of(&self.world.new_cluster(&moving.eks).await?, &moving.namespaces).await?;
        let missing: BTreeSet<&String> =
            self.running.0.keys().filter(|name| !new.0.contains_key(*name)).collect();
        for name in missing {
            let says = "runs on the source, and not on the target: see what the assessment says of it";
            self.surprises.push(Surprise::new("rehearsal", name, says));
        }
        let lacking = new.missing();
        expect(lacking.is_empty(), || format!("not ready on the target: {}", lacking.join(", ")))?;
        seen.push(format!("{} workloads run on EKS, none on the source", new.0.len()));
        Ok(seen)
    }

    async fn decommissioned(&mut self) -> Seen {
        let moving = self.moving()?;
        let reached = moving.advance(self.world, Stage::Decommission, true).await?;
        let notes = reached.record.parts.iter().flat_map(|part| part.notes.iter().cloned());
        let mut seen =
            vec![format!("commit {}: approved {} times by digest", reached.commit, reached.approved.len())];
        seen.extend(notes.filter(|note| note.starts_with("`kops delete cluster`")));
        Ok(seen)
    }
}

/// The name of the role that a workload's pods take on by kube2iam or kiam: the rehearsal's account has to have it.
fn role(object: &Value) -> Option<String> {
    let annotation = "metadata/annotations/iam.amazonaws.com~1role";
    let places = [format!("/{annotation}"), format!("/spec/template/{annotation}")];
    let role = places.iter().find_map(|place| object.pointer(place)?.as_str())?;
    Some(role.rsplit('/').next().unwrap_or(role).to_owned())
}

/// A rehearsal watches nothing for a day, and no share of the traffic for ten minutes.
fn adjusted(migration: &mut Value, leading: &[records::Leading]) {
    records::declare(migration, leading);
    migration["spec"]["limits"] = json!({"soak": "2s"});
}
