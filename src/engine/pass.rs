//! The steps of a pass: facts gathered, a plan made, its waves executed.

use super::compare::Before;
use super::destination::{Destination, lock};
use super::execute;
use super::hooks::{self, PhaseEnd};
use super::parent::{Members, namespaces};
use super::prepare;
use super::reconcile::{self, PassEnd};
use super::records::Records;
use super::unit::{AskedFor, Phase, Prepared, Unit, UnitSpec};
use super::world::World;
use crate::model::event::What;
use crate::model::plan::{Change, Plan};
use crate::model::{Adopt, DriftPolicy, GroupKind, Health, ResourceId, SyncStatus};
use crate::plan::adoption::Stranger;
use crate::plan::hooks::Phase as HookPhase;
use crate::plan::{Desired, PlanInput};
use crate::ports::state::Waiting;
use crate::ports::{ApiFailure, ApiFailureKind};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for the lists of newly watched kinds.
const LIST_LIMIT: Duration = Duration::from_secs(60);

/// What the rounds of a pass learn about objects outside of the ledger.
#[derive(Default)]
pub(crate) struct Facts {
    pub strangers: BTreeMap<ResourceId, Stranger>,
    pub immutable: BTreeMap<ResourceId, String>,
}

/// One pass under way.
pub(crate) struct Pass<'a> {
    pub unit: &'a Arc<Unit>,
    pub prepared: Arc<Prepared>,
    pub started: Timestamp,
    pub world: &'a World,
    pub spec: Arc<UnitSpec>,
    removed: bool,
    pub asked: bool,
    /// This very pass was asked for by a person, and not one before it that did not come to its end.
    again: bool,
    pub progress: Mutex<Progress>,
    /// Kinds that cannot be watched, with the reason in words.
    unwatched: Mutex<BTreeMap<GroupKind, String>>,
    /// Objects of which it could not be told whether they drifted, with the reason in words.
    pub uncompared: Mutex<BTreeMap<ResourceId, String>>,
    /// What was applied last, rendered anew where it is needed.
    pub before: tokio::sync::OnceCell<Before>,
}

#[derive(Default)]
pub(crate) struct Progress {
    written: usize,
    pub problems: BTreeMap<String, String>,
    transient: bool,
    pub waiting: Option<Waiting>,
}

impl<'a> Pass<'a> {
    /// Begins a pass, when there is something to make one with.
    pub fn begin(unit: &'a Arc<Unit>, world: &'a World) -> Option<Self> {
        let held = world.migrations.holds(unit);
        let mut state = unit.state();
        state.held = held.is_some();
        if let Some(words) = held {
            state.phase = Phase::WaitsFor(words);
            return None;
        }
        let spec = state.spec.clone()?;
        let prepared = state.prepared.clone()?;
        if spec.application.suspend && !state.removed {
            state.phase = Phase::WaitsFor("suspended by its document".into());
            return None;
        }
        let asked_before = state.asked_for.take().is_some_and(|asked_for| asked_for.is_of(&prepared));
        let again = std::mem::take(&mut state.asked);
        if again {
            hooks::forget_failures(&mut state, &prepared);
        }
        let asked = again || asked_before;
        let fresh = prepared.digest != state.applied_digest;
        if fresh && !spec.application.sync.auto && !asked && !state.removed {
            state.phase =
                Phase::WaitsFor(format!("{} waits for `portolan sync {}`", prepared.revision, unit.name));
            return None;
        }
        state.phase = Phase::Applying;
        let removed = state.removed;
        drop(state);
        let started = unit.destination.clock.now();
        Some(Self {
            unit,
            prepared,
            started,
            world,
            spec,
            removed,
            asked,
            again,
            progress: Mutex::default(),
            unwatched: Mutex::default(),
            uncompared: Mutex::default(),
            before: tokio::sync::OnceCell::new(),
        })
    }

    pub fn destination(&self) -> &Arc<Destination> {
        &self.unit.destination
    }

    /// Why nothing may be written for this application; `None` when it may.
    pub fn frozen(&self) -> Option<&'static str> {
        if self.world.settings.read_only {
            Some("the daemon is read-only (`readOnly: true` in its file)")
        } else if self.spec.application.drift.policy == DriftPolicy::Freeze {
            Some("the application is frozen (`drift.policy: Freeze`)")
        } else {
            None
        }
    }

    /// Whether this rendering has not been applied whole yet.
    pub fn is_new(&self) -> bool {
        self.unit.state().applied_digest != self.prepared.digest
    }

    /// What a person asked for and has yet to come about: this rendering, and no newer one.
    pub fn asked_for(&self) -> Option<AskedFor> {
        self.asked.then(|| AskedFor::of(&self.prepared))
    }

    /// The application's adoption policy.
    pub fn adopt(&self) -> Adopt {
        self.spec.application.sync.adopt
    }

    pub fn limit(&self) -> Duration {
        self.spec.application.sync.timeout.duration()
    }

    /// The first application that this one depends on and that is not ready, in words.
    pub fn waits_for(&self) -> Option<String> {
        let units = self.destination().units();
        self.spec.application.depends_on.iter().find_map(|name| {
            let Some(other) = units.get(name.as_str()) else {
                return Some(format!("depends on application {name}, which is not on this destination"));
            };
            let record = lock(&other.record);
            let ready = record.sync == SyncStatus::Synced && record.health == Health::Healthy;
            (!ready).then(|| format!("waits for application {name} ({}, {})", record.sync, record.health))
        })
    }

    /// Makes sure that everything this pass may write is found again: the parent lists it, the watches see it.
    pub async fn prepare_destination(&self) -> Result<(), String> {
        let destination = self.destination();
        if self.prepared.desired.iter().any(|d| destination.served(&d.gvk).is_none())
            || destination.discovery().kinds.is_empty()
        {
            destination
                .discover()
                .await
                .map_err(|failure| format!("what {} serves: {failure}", destination.name))?;
        }
        self.watch().await?;
        if self.world.settings.read_only {
            return Ok(());
        }
        self.create_namespace().await?;
        let mut joining = Members::default();
        let hooks = self.prepared.hooks.iter().map(|hook| hook.object.id());
        for id in self.prepared.desired.iter().map(|d| d.id.clone()).chain(hooks) {
            joining.kinds.insert(id.group_kind());
            joining.namespaces.extend(id.namespace);
        }
        destination
            .parent
            .admit(destination.cluster.as_ref(), &joining)
            .await
            .map_err(|failure| format!("the ApplySet's parent cannot be written: {failure}"))
    }

    /// Creates the application's namespace where its document asks for it and no application declares it.
    ///
    /// It is not ours afterwards: as with Argo CD's `CreateNamespace`, it stays when the application goes.
    async fn create_namespace(&self) -> Result<(), String> {
        let words = |failure| {
            let namespace = self.spec.application.namespace.as_deref().unwrap_or_default();
            format!("namespace {namespace} cannot be created: {failure}")
        };
        let Some(namespace) = self.missing_namespace().await.map_err(words)? else { return Ok(()) };
        let destination = self.destination();
        let body =
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let impersonate = self.unit.impersonation();
        match destination.cluster.create(&namespaces(), &body, impersonate.as_ref()).await {
            Err(failure) if failure.kind != ApiFailureKind::AlreadyExists => Err(words(failure)),
            _ => Ok(()),
        }
    }

    /// The namespace that this pass makes for `sync.createNamespace`: it is not there and no document declares it.
    pub async fn missing_namespace(&self) -> Result<Option<String>, ApiFailure> {
        let Some(namespace) = &self.spec.application.namespace else { return Ok(None) };
        if !self.spec.application.sync.create_namespace || self.declares_namespace(namespace) || self.removed
        {
            return Ok(None);
        }
        let id = ResourceId::new("", "Namespace", "", namespace);
        let live = execute::read(self.destination(), &namespaces(), &id).await?;
        Ok(live.is_none().then(|| namespace.clone()))
    }

    /// Whether this pass makes a namespace, one way or the other.
    pub fn makes_namespace(&self, name: &str) -> bool {
        let application = &self.spec.application;
        self.declares_namespace(name)
            || (application.sync.create_namespace && application.namespace.as_deref() == Some(name))
    }

    fn declares_namespace(&self, name: &str) -> bool {
        let is_it = |id: &ResourceId| id.kind == "Namespace" && id.group.is_empty() && id.name == name;
        self.prepared.desired.iter().any(|desired| is_it(&desired.id))
    }

    /// Watches every kind that this application has or had, and waits for the lists.
    pub async fn watch(&self) -> Result<(), String> {
        let destination = self.destination();
        let mut kinds = BTreeMap::new();
        // What earlier runs applied may be of kinds that nobody declares any more.
        let words = |failure| format!("the ApplySet's parent cannot be read: {failure}");
        let members = destination.parent.members(destination.cluster.as_ref()).await.map_err(words)?;
        let discovery = destination.discovery();
        kinds.extend(
            members
                .kinds
                .into_iter()
                .filter_map(|kind| Some((kind.clone(), discovery.preferred(&kind)?.clone()))),
        );
        let hooks = self.prepared.hooks.iter().map(|hook| hook.object.gvk());
        for gvk in self.prepared.desired.iter().map(|d| d.gvk.clone()).chain(hooks) {
            if let Some(served) = destination.served(&gvk) {
                kinds.insert(gvk.group_kind(), served);
            }
        }
        destination.watch_kinds(&kinds);
        let wanted: BTreeSet<GroupKind> = kinds.into_keys().collect();
        // Objects of a kind that cannot be watched wait, each with the reason; the others go on.
        *lock(&self.unwatched) = destination.listed(&wanted, LIST_LIMIT).await;
        Ok(())
    }

    /// What is to go may be declared elsewhere by now: by an application that is still being rendered, or by a commit
    /// in another repository that is not fetched yet.
    pub async fn look_everywhere(&self) -> Result<(), PassEnd> {
        let looking = self.world.look_everywhere(&self.spec.repository);
        if tokio::time::timeout(self.limit(), looking).await.is_err() {
            let words = "nothing is pruned before every repository is fetched and rendered";
            self.problem_transient("", words.into());
            return Err(PassEnd::Retry);
        }
        if self.unit.is_current(&self.prepared) { Ok(()) } else { Err(PassEnd::Superseded) }
    }

    /// Gathers what is known and decides.
    pub async fn plan(&self, facts: &mut Facts) -> Plan {
        self.compare_unknown().await;
        let destination = self.destination();
        let application = &self.spec.application;
        let discovery = destination.discovery();
        let mut deferred = prepare::deferred(&self.prepared, &discovery, &destination.name);
        for (kind, why) in lock(&self.unwatched).iter() {
            let of_kind = self.prepared.desired.iter().filter(|d| d.gvk.group_kind() == *kind);
            deferred.extend(of_kind.map(|d| (d.id.clone(), why.clone())));
        }
        // Drift that is only to be told must not be written over because it could not be told from what is new.
        if application.drift.policy == DriftPolicy::Report && !self.asked && !self.is_new() {
            deferred.extend(std::mem::take(&mut *lock(&self.uncompared)));
        }
        let desired: Vec<Desired> = self.prepared.desired.iter().map(|d| (**d).clone()).collect();
        let approvals = self.world.approvals(&self.unit.name, &destination.name);
        let prune_waits = self.world.prune_waits(self.unit);
        let waiting = self.unit.state().waiting.clone();
        let ledger = destination.ledger();
        let live = ledger.facts(&self.unit.name, &self.prepared.desired);
        let claimed = ledger.claimed_by_others(&self.unit.name, &self.prepared.desired);
        drop(ledger);
        crate::plan::plan(&PlanInput {
            application: &self.unit.name,
            destination: &destination.name,
            revision: &self.prepared.revision,
            desired: &desired,
            live: &live,
            claimed_by_others: &claimed,
            deferred: &deferred,
            forbidden: &self.prepared.forbidden,
            prune_waits,
            unavailable_groups: &discovery.unavailable,
            sync: &application.sync,
            drift: application.drift.policy,
            frozen: self.frozen(),
            deletion: application.deletion,
            removed: self.removed,
            asked: self.asked,
            applied_whole: !self.is_new(),
            approved: &|digest| approvals.contains(digest),
            held_before: waiting.as_ref().map(|waiting| (waiting.digest.as_str(), waiting.reason.as_str())),
            strangers: &facts.strangers,
            immutable: &facts.immutable,
        })
    }

    /// Whether hooks of this rendering have not run yet.
    pub fn has_pending_hooks(&self) -> bool {
        !self.removed
            && self.frozen().is_none()
            && [HookPhase::PreSync, HookPhase::Sync, HookPhase::PostSync]
                .into_iter()
                .any(|phase| hooks::pending(self.unit, &self.prepared, phase))
    }

    /// The hooks that a sync would run, in order.
    pub fn pending_hooks(&self) -> Vec<String> {
        if !self.has_pending_hooks() {
            return Vec::new();
        }
        let of_sync = [HookPhase::PreSync, HookPhase::Sync, HookPhase::PostSync];
        let hooks = self.prepared.hooks.iter().filter(|hook| of_sync.contains(&hook.phase));
        hooks
            .filter(|hook| !hooks::is_done(self.unit, &self.prepared, hook))
            .map(|hook| hook.key.clone())
            .collect()
    }

    /// Runs the hooks of a phase.
    pub async fn hooks(&self, phase: HookPhase, records: &Records) -> PhaseEnd {
        self.hooks_up_to(phase, i32::MAX, records).await
    }

    /// Runs the hooks of a phase up to a wave.
    pub async fn hooks_up_to(&self, phase: HookPhase, wave: i32, records: &Records) -> PhaseEnd {
        if self.removed || self.frozen().is_some() {
            return PhaseEnd::Done;
        }
        let manner = hooks::Manner { up_to: wave, limit: self.limit(), again: self.again };
        hooks::run_phase(self.unit, &self.prepared, phase, manner, records).await
    }

    /// Whether hooks of the phase Sync come after a wave.
    pub fn hooks_after(&self, wave: i32) -> bool {
        !self.removed
            && self.frozen().is_none()
            && hooks::last_wave(self.unit, &self.prepared).is_some_and(|last| last > wave)
    }

    pub fn wrote(&self, change: &Change, warnings: Vec<String>) {
        lock(&self.progress).written += 1;
        let what = What::Changed {
            action: change.action,
            id: change.id.clone(),
            revision: self.prepared.revision.clone(),
            warnings,
        };
        self.destination().emit(&self.unit.name, what);
    }

    /// Notes a problem that stays until somebody does something.
    pub fn problem(&self, place: &str, words: String) {
        let place = if place.is_empty() { self.unit.name.to_string() } else { place.into() };
        lock(&self.progress).problems.insert(place, words);
    }

    pub fn problem_transient(&self, place: &str, words: String) {
        self.problem(place, words);
        lock(&self.progress).transient = true;
    }

    /// Whether something could not be done.
    pub fn failed(&self) -> bool {
        !lock(&self.progress).problems.is_empty()
    }

    /// Objects written so far.
    pub fn written(&self) -> usize {
        lock(&self.progress).written
    }

    /// The first problem, and how many more there are.
    pub fn first_problem(&self) -> Option<String> {
        let progress = lock(&self.progress);
        let (place, words) = progress.problems.first_key_value()?;
        let more = progress.problems.len() - 1;
        Some(if more > 0 {
            format!("{place}: {words} (and {more} more)")
        } else {
            format!("{place}: {words}")
        })
    }

    /// Ends a sync that went wrong: SyncFail hooks run, nothing is pruned.
    pub async fn sync_failed(&self, words: String, records: &Records) -> PassEnd {
        if !words.is_empty() {
            self.problem("", words);
        }
        if hooks::pending(self.unit, &self.prepared, HookPhase::SyncFail)
            && let PhaseEnd::Failed(words) = self.hooks(HookPhase::SyncFail, records).await
        {
            self.problem("SyncFail", words);
        }
        self.end()
    }

    pub fn end(&self) -> PassEnd {
        let progress = lock(&self.progress);
        if progress.problems.is_empty() { PassEnd::Done } else { PassEnd::Retry }
    }

    /// Puts the pass's result into the unit's state.
    pub async fn finish(&self, end: &PassEnd, records: &Records) {
        reconcile::report(self, end);
        let progress = std::mem::take(&mut *lock(&self.progress));
        {
            let mut state = self.unit.state();
            if progress.written > 0 {
                state.last_change = Some(self.destination().clock.now().to_string());
            }
            state.looked = true;
            state.running.clear();
            state.waiting = progress.waiting;
            if self.removed && progress.written > 0 {
                // Should its document come back, it is not there whole any more.
                state.applied_digest.clear();
            }
            state.phase = match (end, progress.problems.first_key_value()) {
                (PassEnd::Superseded, _) => Phase::New,
                (_, Some((place, words))) => Phase::Failed(format!("{place}: {words}")),
                (_, None) => Phase::Done,
            };
            if *end != PassEnd::Done {
                state.asked_for = self.asked_for();
            }
            if *end == PassEnd::Done && progress.problems.is_empty() {
                if state.applied_digest != self.prepared.digest {
                    state.applied_revision.clone_from(&self.prepared.revision);
                }
                state.applied_digest.clone_from(&self.prepared.digest);
                state.failures = 0;
                state.failures_told.clear();
            }
            state.problems = progress.problems;
        }
        self.destination().ledger().touched.insert(self.unit.name.clone());
        super::status::refresh(self.unit, records);
        self.destination().touched.notify_one();
    }
}
