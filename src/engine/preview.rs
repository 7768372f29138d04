//! What applying a repository would change, without changing anything: the same facts, the same plan, and dry runs in
//! the place of writes.

use super::coordinate::Coordinator;
use super::pass::{Facts, Pass};
use super::unit::{Phase, Unit};
use super::world::World;
use super::{Engine, execute};
use crate::drift::{self, FieldChange};
use crate::model::document::Problem;
use crate::model::plan::{Action, Change, Plan, Verdict};
use crate::model::{Object, ResourceId};
use crate::plan::adoption;
use crate::ports::{ApiFailure, ApiFailureKind, RenderFailure};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What would become of everything that is declared.
#[derive(Debug, Default)]
pub struct Previewed {
    /// By destination and application.
    pub applications: Vec<Preview>,
    /// Documents that cannot be taken: what they say of applications is not in it.
    pub refused: Vec<Problem>,
}

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
    /// Why nothing would be applied by itself: a person suspended it, or it waits for one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub waits: String,
    /// What the server would make of each change.
    pub changes: Vec<ChangePreview>,
    /// Hooks that would run: `PreSync Job.batch shop/migrate`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<String>,
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
    /// Why it would fail: the server refuses it as it is declared, or could not judge it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// Why a change would fail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// In words.
    pub message: String,
    /// Whether the declaration is wrong; else something on the way to the server, its webhooks included, is.
    pub is_invalid: bool,
}

impl Preview {
    /// Whether anything would change.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty() || !self.hooks.is_empty()
    }

    /// What would fail.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.changes.iter().filter_map(|change| change.refusal.as_ref())
    }
}

impl Engine {
    /// Fetches, renders and plans once, writing nothing. `only` names one application.
    ///
    /// # Errors
    /// When a repository cannot be fetched or has no such revision, or its documents or the state cannot be read.
    pub async fn preview(self, only: Option<&str>) -> Result<Previewed, String> {
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
            let unread = world.repositories().get(&source.name).and_then(|state| state.unread.clone());
            if let Some(words) = unread {
                return Err(format!("repository {}: {words}", source.name));
            }
        }
        let problems = coordinator.documents().problems;
        let refused: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        let destinations: Vec<_> = world.destinations().values().cloned().collect();
        let units: Vec<Arc<Unit>> = destinations
            .iter()
            .flat_map(|destination| destination.units().values().cloned().collect::<Vec<_>>())
            .filter(|unit| only.is_none_or(|name| *unit.name == *name))
            .collect();
        let mut applications = Vec::new();
        for unit in &units {
            applications.push(preview_unit(unit, &world).await);
        }
        Ok(Previewed { applications, refused })
    }
}

async fn preview_unit(unit: &Arc<Unit>, world: &World) -> Preview {
    let mut preview = Preview {
        application: unit.name.to_string(),
        destination: unit.destination.name.to_string(),
        revision: String::new(),
        plan: None,
        waits: String::new(),
        changes: Vec::new(),
        hooks: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
        objects: Vec::new(),
    };
    unit.state().asked = true;
    let Some(pass) = Pass::begin(unit, world) else {
        match &unit.state().phase {
            Phase::WaitsFor(words) => preview.waits.clone_from(words),
            phase => {
                let origin = format!("Application {}", unit.name);
                let message = match phase.words() {
                    "" => "it has not been rendered".into(),
                    words => words.to_owned(),
                };
                preview.problems.push(RenderFailure { origin, message });
            }
        }
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
    let mut plan = pass.plan(&mut facts).await;
    let mut shown = preview_changes(&pass, &plan, &lives, &mut facts).await;
    if !facts.immutable.is_empty() {
        // As the pass itself does: what cannot be changed in place is replaced or refused by the next plan.
        plan = pass.plan(&mut facts).await;
        shown = preview_changes(&pass, &plan, &lives, &mut facts).await;
    }
    preview.changes = shown;
    // What cannot be read is told by the dry runs.
    if let Ok(Some(namespace)) = pass.missing_namespace().await {
        preview.changes.insert(0, created_namespace(&namespace));
    }
    preview.hooks = pass.pending_hooks();
    // What the server would leave as it is, is no change: defaults and quantities make a body differ that does not.
    preview.changes.retain(|c| {
        c.action != Action::Update
            || !c.fields.is_empty()
            || !c.notes.is_empty()
            || c.refusal.is_some()
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

async fn preview_changes(
    pass: &Pass<'_>,
    plan: &Plan,
    lives: &BTreeMap<ResourceId, Object>,
    facts: &mut Facts,
) -> Vec<ChangePreview> {
    let mut shown = Vec::new();
    for change in plan.changes().filter(|change| change.action != Action::Unchanged) {
        shown.push(preview_change(pass, change, lives.get(&change.id), facts).await);
    }
    shown
}

/// The namespace that `sync.createNamespace` makes before everything else.
fn created_namespace(name: &str) -> ChangePreview {
    ChangePreview {
        action: Action::Create,
        id: ResourceId::new("", "Namespace", "", name),
        verdict: Verdict::Allowed,
        fields: Vec::new(),
        notes: vec!["for `sync.createNamespace`; it stays when the application goes".into()],
        refusal: None,
    }
}

async fn preview_change(
    pass: &Pass<'_>,
    change: &Change,
    live: Option<&Object>,
    facts: &mut Facts,
) -> ChangePreview {
    let mut shown = ChangePreview {
        action: change.action,
        id: change.id.clone(),
        verdict: change.verdict.clone(),
        fields: Vec::new(),
        notes: Vec::new(),
        refusal: None,
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
        Err(failure) => {
            if live.is_none() {
                let body: Value = serde_json::from_slice(&desired.body).unwrap_or_default();
                shown.fields = drift::changes(None, &body, secret);
            }
            match judge(pass, change, &failure) {
                Judged::Note(words) => shown.notes.push(words),
                // Said by the verdict of the next plan, and the live object's way out with it.
                Judged::Immutable(words) if facts.immutable.contains_key(&change.id) => {
                    if let Verdict::Blocked(_) = change.verdict {
                        shown.refusal = Some(Refusal { message: words, is_invalid: true });
                    }
                }
                Judged::Immutable(words) => drop(facts.immutable.insert(change.id.clone(), words)),
                Judged::Refused(refusal) => shown.refusal = Some(refusal),
            }
        }
    }
    shown
}

/// What a failed dry run means for the change.
enum Judged {
    /// It says nothing of the change itself.
    Note(String),
    /// The field cannot be changed in place.
    Immutable(String),
    /// The change would fail, too.
    Refused(Refusal),
}

fn judge(pass: &Pass<'_>, change: &Change, failure: &ApiFailure) -> Judged {
    if matches!(change.action, Action::Update | Action::Replace)
        && let Some(words) = execute::immutable(failure)
    {
        return Judged::Immutable(words);
    }
    let note = |words: &str| Judged::Note(format!("not validated by the server: {words}"));
    let refused = |is_invalid| Judged::Refused(Refusal { message: failure.to_string(), is_invalid });
    match failure.kind {
        ApiFailureKind::NotFound => match execute::missing_namespace(failure) {
            Some(name) if pass.makes_namespace(name) => {
                note(&format!("namespace {name} is not there yet, it is made first"))
            }
            Some(name) => note(&execute::no_namespace(name)),
            None => note(&failure.to_string()),
        },
        ApiFailureKind::Conflict | ApiFailureKind::AlreadyExists => note(&failure.to_string()),
        // A webhook with side effects is not asked; of the apply itself that says nothing.
        _ if failure.message.contains("does not support dry run") => note(&failure.to_string()),
        ApiFailureKind::Invalid | ApiFailureKind::TooLarge => refused(true),
        _ => refused(false),
    }
}
