//! What applying a repository would change, without changing anything: the same facts, the same plan, and dry runs in
//! the place of writes.

use super::coordinate::Coordinator;
use super::pass::{Facts, Pass};
use super::unit::Unit;
use super::world::World;
use super::{Engine, execute};
use crate::drift::{self, FieldChange};
use crate::model::plan::{Action, Change, Plan, Verdict};
use crate::model::{Object, ResourceId};
use crate::plan::adoption;
use crate::ports::RenderFailure;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What would become of one application.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Application.
    pub application: String,
    /// Destination.
    pub destination: String,
    /// Revision that would be applied.
    pub revision: String,
    /// The plan; `None` when the application could not be rendered at all.
    pub plan: Option<Plan>,
    /// What the server would make of each change.
    pub changes: Vec<ChangePreview>,
    /// What could not be rendered or asked.
    pub problems: Vec<RenderFailure>,
    /// What a person should look at although it could be rendered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RenderFailure>,
    /// The objects that would be applied, hooks included, by identity; values of Secrets are in them.
    #[serde(skip)]
    pub objects: Vec<Object>,
}

/// What the server would make of one change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangePreview {
    /// What is done.
    pub action: Action,
    /// To which object.
    pub id: ResourceId,
    /// Whether it may be done.
    pub verdict: Verdict,
    /// Fields as they are and as they would be; values of Secrets are masked.
    pub fields: Vec<FieldChange>,
    /// Warnings of the server, or why it could not be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Preview {
    /// Whether anything would change.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }
}

impl Engine {
    /// Fetches, renders and plans once, writing nothing. `only` names one application.
    ///
    /// # Errors
    /// When a repository cannot be fetched or the state cannot be read, or there is no such application.
    pub async fn preview(self, only: Option<&str>) -> Result<Vec<Preview>, String> {
        let world = self.world;
        let remembered = world.store().load().await.map_err(|failure| failure.to_string())?;
        world.load_approvals().await;
        let (_stop, stopped) = watch::channel(false);
        let mut coordinator = Coordinator::for_preview(world.clone(), stopped, remembered);
        for source in &world.adapters.repositories {
            source
                .repository
                .fetch()
                .await
                .map_err(|failure| format!("repository {}: {failure}", source.name))?;
            if let Some(state) = world.repositories().get_mut(&source.name) {
                state.fetched = true;
            }
        }
        for source in &world.adapters.repositories {
            coordinator.repository_changed(&source.name).await;
        }
        let destinations: Vec<_> = world.destinations().values().cloned().collect();
        let units: Vec<Arc<Unit>> = destinations
            .iter()
            .flat_map(|destination| destination.units().values().cloned().collect::<Vec<_>>())
            .filter(|unit| only.is_none_or(|name| *unit.name == *name))
            .collect();
        if let (Some(name), true) = (only, units.is_empty()) {
            return Err(format!("no application {name} is declared"));
        }
        let mut previews = Vec::new();
        for unit in &units {
            previews.push(preview_unit(unit, &world).await);
        }
        Ok(previews)
    }
}

async fn preview_unit(unit: &Arc<Unit>, world: &World) -> Preview {
    let mut preview = Preview {
        application: unit.name.to_string(),
        destination: unit.destination.name.to_string(),
        revision: String::new(),
        plan: None,
        changes: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
        objects: Vec::new(),
    };
    unit.state().asked = true;
    let Some(pass) = Pass::begin(unit, world) else {
        let phase = format!("{:?}", unit.state().phase);
        preview.problems.push(RenderFailure { origin: unit.name.to_string(), message: phase });
        return preview;
    };
    preview.revision.clone_from(&pass.prepared.revision);
    preview.problems.clone_from(&pass.prepared.problems);
    preview.warnings.clone_from(&pass.prepared.warnings);
    let desired =
        pass.prepared.desired.iter().filter_map(|d| Object::new(serde_json::from_slice(&d.body).ok()?).ok());
    preview.objects = desired.chain(pass.prepared.hooks.iter().map(|hook| hook.object.clone())).collect();
    if let Err(message) = pass.watch().await {
        preview.problems.push(RenderFailure { origin: unit.destination.name.to_string(), message });
        return preview;
    }
    let mut facts = Facts::default();
    let mut lives = BTreeMap::new();
    find_strangers(&pass, &mut facts, &mut lives).await;
    let plan = pass.plan(&mut facts).await;
    for change in plan.changes().filter(|change| change.action != Action::Unchanged) {
        preview.changes.push(preview_change(&pass, change, lives.get(&change.id)).await);
    }
    // What the server would leave as it is, is no change: defaults and quantities make a body differ that does not.
    preview.changes.retain(|c| {
        c.action != Action::Update
            || !c.fields.is_empty()
            || !c.notes.is_empty()
            || c.verdict != Verdict::Allowed
    });
    preview.plan = Some(plan);
    preview
}

/// Reads what is there outside of the inventory, so that the plan says adopt, and not create.
async fn find_strangers(pass: &Pass<'_>, facts: &mut Facts, lives: &mut BTreeMap<ResourceId, Object>) {
    let destination = &pass.unit.destination;
    for desired in &pass.prepared.desired {
        let known = destination.ledger().objects.get(&desired.id).is_some_and(|entry| entry.live.is_some());
        let Some(kind) = destination.served(&desired.gvk) else { continue };
        let Ok(Some(live)) = execute::read(destination, &kind, &desired.id).await else { continue };
        if !known {
            facts
                .strangers
                .insert(desired.id.clone(), adoption::judge(&live, destination.parent.id(), pass.adopt()));
        }
        lives.insert(desired.id.clone(), live);
    }
}

async fn preview_change(pass: &Pass<'_>, change: &Change, live: Option<&Object>) -> ChangePreview {
    let mut shown = ChangePreview {
        action: change.action,
        id: change.id.clone(),
        verdict: change.verdict.clone(),
        fields: Vec::new(),
        notes: Vec::new(),
    };
    let Some(desired) = pass.desired(&change.id) else { return shown };
    if matches!(change.verdict, Verdict::Deferred(_)) {
        return shown;
    }
    let secret = change.id.kind == "Secret" && change.id.group.is_empty();
    let uid = live.and_then(Object::uid);
    match execute::dry_run(&pass.unit.destination, pass.unit, desired, uid).await {
        Ok(answer) => {
            shown.fields = drift::changes(live.map(Object::body), answer.object.body(), secret);
            shown.notes = answer.warnings;
        }
        // A namespace that the same plan creates is not there for a dry run.
        Err(failure) => {
            if live.is_none() {
                let body: Value = serde_json::from_slice(&desired.body).unwrap_or_default();
                shown.fields = drift::changes(None, &body, secret);
            }
            shown.notes.push(format!("not validated by the server: {failure}"));
        }
    }
    shown
}
