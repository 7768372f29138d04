//! What applying would do to a cluster, without doing it; and the same work by hand, where no daemon runs.

use super::decide::{Considered, consider};
use super::kept::Kept;
use super::shown;
use crate::engine::Engine;
use crate::engine::coordinate::Coordinator;
use crate::model::ClusterSpec;
use crate::model::event::FieldDrift;
use crate::model::plan::Verdict;
use crate::ports::DriftedField;
use crate::provision::resource::Kind;
use crate::provision::upgrade::Course;
use crate::provision::{Step, StepAction, estimate};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Begins what is told of a document, or its ClusterConfig, that cannot be taken.
pub const AS_WRITTEN: &str = "the cluster cannot be kept as it is written";

/// What would become of one cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPreview {
    /// The `Cluster` document.
    pub name: String,
    /// Name in EKS.
    pub cluster: String,
    /// Region.
    pub region: String,
    /// Account.
    pub account: String,
    /// Revision that would be applied.
    pub revision: String,
    /// What would be done, in order; what is as declared is left out.
    pub steps: Vec<StepPreview>,
    /// How many resources are as declared.
    pub unchanged: usize,
    /// Minutes that it takes to make and delete what is to be made and deleted, if nobody has to be waited for.
    pub minutes: u32,
    /// Digest to approve; empty when nothing is held.
    pub held: String,
    /// Where the cluster is on its way to another version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
    /// What is not declared and stays all the same: what is not ours, and what the file names by its id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<String>,
    /// What controllers in the cluster made in AWS and has to go first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
    /// Kinds that could not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<Kind, String>,
    /// What stands in the way of the file, or is to be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Whether the file cannot be carried out as it is.
    pub refused: bool,
}

/// One step, as people are shown it: values that may hold secrets are hidden.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPreview {
    /// What is done.
    pub action: StepAction,
    /// To which resource: `Nodegroup/ng-1`.
    pub resource: String,
    /// Where it stands in the file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub declared_at: String,
    /// Whether it may be done.
    pub verdict: Verdict,
    /// Fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDrift>,
    /// Fields that differ and are only told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<FieldDrift>,
    /// Whether the differences arose in AWS.
    pub drifted: bool,
    /// What it costs in replaced nodes and time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cost: String,
    /// The calls that would be made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
}

impl ClusterPreview {
    /// Fills in who made a drift and when, where the daemon learned it from the audit log.
    pub fn trace(&mut self, known: &[DriftedField]) {
        for step in &mut self.steps {
            for field in step.fields.iter_mut().chain(&mut step.reported) {
                let found =
                    known.iter().find(|known| known.resource == step.resource && known.field == field.path);
                if let Some(known) = found.filter(|known| known.live == field.live) {
                    (field.manager, field.time) = (known.by.clone(), known.at.clone());
                }
            }
        }
    }

    fn of(kept: &Kept, considered: &Considered) -> Self {
        let Considered { account, found, plan, .. } = considered;
        let scope = &account.scope;
        let is_told = |step: &&Step| step.action != StepAction::Unchanged || !step.reported.is_empty();
        Self {
            name: kept.name.to_string(),
            cluster: scope.cluster.clone(),
            region: scope.region.clone(),
            account: scope.account.clone(),
            revision: plan.revision.clone(),
            steps: plan.steps.iter().filter(is_told).map(StepPreview::of).collect(),
            unchanged: plan.count(StepAction::Unchanged),
            minutes: estimate::minutes(&plan.steps),
            held: plan.held.clone(),
            course: found.staged.course.clone(),
            undeclared: plan
                .undeclared
                .iter()
                .map(|undeclared| format!("{} ({}): {}", undeclared.key, undeclared.id, undeclared.words))
                .collect(),
            leftovers: found
                .leftovers
                .iter()
                .map(|leftover| format!("{} {} ({})", leftover.what, leftover.known_as, leftover.id))
                .collect(),
            unread: plan.unread.clone(),
            problems: found.problems.iter().map(ToString::to_string).collect(),
            refused: found.refused().is_some(),
        }
    }

    /// Whether anything would be done, now or later.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| step.action != StepAction::Unchanged)
    }

    /// Steps whose fields left their declared values in AWS.
    pub fn drifted(&self) -> impl Iterator<Item = &StepPreview> {
        self.steps
            .iter()
            .filter(|step| step.drifted || step.reported.iter().any(|field| field.declared != "(none)"))
    }
}

impl StepPreview {
    fn of(step: &Step) -> Self {
        Self {
            action: step.action,
            resource: step.key.to_string(),
            declared_at: step.declared_at.clone(),
            verdict: step.verdict.clone(),
            fields: step.differences.iter().map(shown::field).collect(),
            reported: step.reported.iter().map(shown::field).collect(),
            drifted: step.drifted,
            cost: step.cost.clone(),
            calls: step.calls.iter().chain(&step.later).map(ToString::to_string).collect(),
        }
    }
}

impl Engine {
    /// Fetches, and says what keeping a cluster would do now; with `removed` what taking it away would do.
    ///
    /// # Errors
    /// When a repository cannot be fetched, there is no such cluster, or nothing can be known of it.
    pub async fn cluster_preview(self, name: &str, removed: bool) -> Result<ClusterPreview, String> {
        let kept = self.cluster(name, removed).await?;
        let wanted = kept.wanted().ok_or("nothing is wanted of it")?;
        let considered = consider(&kept, &wanted, false).await?;
        Ok(ClusterPreview::of(&kept, &considered))
    }

    /// Fetches, and gives a cluster to be kept by hand, pass by pass: for where no daemon does. Two that do so at once
    /// would both make what is not there yet.
    ///
    /// # Errors
    /// When a repository cannot be fetched, or there is no such cluster.
    pub async fn cluster(&self, name: &str, removed: bool) -> Result<Arc<Kept>, String> {
        let world = &self.world;
        let remembered = world.store().clusters().await.map_err(|failure| failure.to_string())?;
        world.clusters.begin(world, remembered);
        let (_stop, stopped) = watch::channel(false);
        let mut coordinator = Coordinator::for_preview(world.clone(), stopped, BTreeMap::new());
        let documents = coordinator.read_everything().await?;
        world.clusters.take(world, &documents).await;
        let Some(kept) = world.clusters.get(name) else {
            let document = super::fleet::document(&documents, name)?;
            return Err(format!(
                "the Cluster document {name} ({}:{}) has no `clusterConfig`: others keep this cluster",
                document.origin.file, document.origin.line
            ));
        };
        if let Some((origin, message)) = kept.state().refused.clone() {
            return Err(format!("{AS_WRITTEN}: {origin}: {message}"));
        }
        if removed && let Some(wanted) = kept.wanted() {
            kept.supersede(wanted.gone());
        }
        Ok(kept)
    }

    /// Fetches, and gives what the `Cluster` document of a name says.
    ///
    /// # Errors
    /// When a repository cannot be fetched, or there is no such document.
    pub async fn cluster_spec(&self, name: &str) -> Result<ClusterSpec, String> {
        let (_stop, stopped) = watch::channel(false);
        let mut coordinator = Coordinator::for_preview(self.world.clone(), stopped, BTreeMap::new());
        let documents = coordinator.read_everything().await?;
        Ok(super::fleet::document(&documents, name)?.spec.clone())
    }
}
