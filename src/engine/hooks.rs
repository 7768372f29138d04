//! Hooks: objects that run once for each new rendering, before, during and after its sync.
//!
//! Hooks of the phase Sync run in their waves, between the objects of earlier and of later ones.
//!
//! A hook that is done is remembered before anything else happens, and its object names the run it belongs to, so
//! that neither a heal nor a restart, even one at the worst moment, runs it again.

use super::destination::Destination;
use super::execute::{read, with_retries};
use super::prune::wait_gone;
use super::records::Records;
use super::unit::{Prepared, State, Unit};
use crate::health;
use crate::model::event::What;
use crate::model::ownership::APPLICATION;
use crate::model::{Health, Object, ResourceId};
use crate::plan::adoption;
use crate::plan::hooks::{DeletePolicy, HookRun, Phase};
use crate::plan::order;
use crate::ports::{ApplyRequest, DeleteRequest, ServedKind};
use std::sync::Arc;
use std::time::Duration;

/// Annotation on a hook's live object: the run it belongs to.
const RUN: &str = "portolan.dev/hook-run";

/// Stands between a hook's key and the reason, among the words that are remembered.
const FAILED: &str = " failed: ";

/// How a phase ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PhaseEnd {
    /// Every hook of it is done.
    Done,
    /// A hook failed; later phases do not run.
    Failed(String),
    /// A newer commit took over.
    Superseded,
}

/// Whether a phase has hooks that are not done yet.
pub(crate) fn pending(unit: &Unit, prepared: &Prepared, phase: Phase) -> bool {
    prepared.hooks.iter().any(|hook| hook.phase == phase && !is_done(unit, prepared, hook))
}

/// The wave of the last Sync hook that is not done yet. Objects of earlier waves have to be healthy before it runs.
pub(crate) fn last_wave(unit: &Unit, prepared: &Prepared) -> Option<i32> {
    let of_sync = prepared.hooks.iter().filter(|hook| hook.phase == Phase::Sync);
    of_sync.filter(|hook| !is_done(unit, prepared, hook)).map(|hook| hook.wave).max()
}

/// Whether a hook is done for this rendering.
pub(crate) fn is_done(unit: &Unit, prepared: &Prepared, hook: &HookRun) -> bool {
    let state = unit.state();
    state.hooks_digest == prepared.digest && state.hooks_done.contains(&hook.key)
}

/// Deletes the objects of succeeded hooks of phases that are done, where their policy says so.
///
/// Not before the phase is done: the ServiceAccount of a migration's Job is a hook of its own, succeeds at once, and has to
/// be there while the Job runs. Helm deletes them when the event's hooks are done, Argo CD when the sync is. The objects of a
/// phase that failed stay, for whoever looks why.
pub(crate) async fn sweep(unit: &Arc<Unit>, prepared: &Prepared, limit: Duration) {
    let done: Vec<Phase> = [Phase::PreSync, Phase::Sync, Phase::PostSync, Phase::SyncFail]
        .into_iter()
        .filter(|phase| !pending(unit, prepared, *phase))
        .collect();
    let goes = |hook: &&HookRun| {
        hook.delete_policies.contains(&DeletePolicy::HookSucceeded)
            && done.contains(&hook.phase)
            && is_done(unit, prepared, hook)
    };
    let clean = prepared.hooks.iter().filter(goes).map(async |hook| {
        let id = hook.object.id();
        let there = unit.destination.ledger().objects.get(&id).is_some_and(|entry| entry.live.is_some());
        if there && let Some(kind) = unit.destination.served(&hook.object.gvk()) {
            clean_up(unit, &kind, &id, limit).await;
        }
    });
    futures::future::join_all(clean).await;
}

/// How hooks are run.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// The last wave of those that are run.
    pub up_to: i32,
    /// Longest time until one has ended.
    pub limit: Duration,
    /// A person asked for the sync: what failed for this rendering runs once more.
    pub again: bool,
}

/// Forgets which hooks failed for a rendering, since a person asked for another try.
pub(crate) fn forget_failures(state: &mut State, prepared: &Prepared) {
    if state.hooks_digest == prepared.digest {
        state.hooks_done.retain(|word| !word.contains(FAILED));
    }
}

/// Runs the hooks of a phase up to a wave, wave by wave; in a wave by kind, as Helm does: what a Job needs comes before it.
pub(crate) async fn run_phase(
    unit: &Arc<Unit>,
    prepared: &Prepared,
    phase: Phase,
    manner: Manner,
    records: &Records,
) -> PhaseEnd {
    let Manner { up_to, limit, .. } = manner;
    let of_phase = |hook: &&HookRun| hook.phase == phase && hook.wave <= up_to;
    let hooks: Vec<&HookRun> = prepared.hooks.iter().filter(of_phase).collect();
    if hooks.iter().all(|hook| is_done(unit, prepared, hook)) {
        return PhaseEnd::Done;
    }
    let place = |hook: &HookRun| (hook.wave, order::rank(&hook.object.id().group_kind()));
    for together in hooks.chunk_by(|one, next| place(one) == place(next)) {
        let runs = together.iter().map(|hook| run(unit, prepared, hook, manner, records));
        let mut failure = None;
        for end in futures::future::join_all(runs).await {
            match end {
                PhaseEnd::Done => {}
                PhaseEnd::Superseded => return PhaseEnd::Superseded,
                PhaseEnd::Failed(words) => failure = failure.or(Some(words)),
            }
        }
        if let Some(words) = failure {
            return PhaseEnd::Failed(words);
        }
    }
    if !pending(unit, prepared, phase) {
        sweep(unit, prepared, limit).await;
    }
    PhaseEnd::Done
}

async fn run(
    unit: &Arc<Unit>,
    prepared: &Prepared,
    hook: &HookRun,
    manner: Manner,
    records: &Records,
) -> PhaseEnd {
    let limit = manner.limit;
    if is_done(unit, prepared, hook) {
        return PhaseEnd::Done;
    }
    let id = hook.object.id();
    if let Some(words) = failed_before(unit, prepared, hook) {
        return PhaseEnd::Failed(failure(unit, hook, &words));
    }
    let destination = &unit.destination;
    let say = |state: &str| {
        let phase = format!("{:?}", hook.phase);
        destination.emit(&unit.name, What::Hook { id: id.clone(), phase, state: state.into() });
    };
    let fail = |words: String| {
        if unit.is_news(&format!("{}{FAILED}{words}", hook.key)) {
            say(&format!("failed: {words}"));
        }
        PhaseEnd::Failed(failure(unit, hook, &words))
    };
    if let Some(reason) = prepared.forbidden.get(&id) {
        return fail(reason.clone());
    }
    let Some(kind) = destination.served(&hook.object.gvk()) else {
        return fail(format!("{} is not served by {}", hook.object.gvk(), destination.name));
    };
    let run_key = format!("{}/{}", prepared.digest, hook.key);
    let live = match read(destination, &kind, &id).await {
        Ok(live) => live,
        Err(failure) => return fail(failure.to_string()),
    };
    // The object of this very run is there when an earlier attempt was cut short. One that was let go has kept its
    // annotation, and without our labels no watch would tell of its end.
    let is_this_run = |live: &&Object| {
        live.annotation(RUN) == Some(&run_key)
            && destination.has_label(live)
            && live.label(APPLICATION) == Some(&*unit.name)
    };
    let same_run = live.as_ref().filter(is_this_run);
    let failed = same_run.is_some_and(|live| {
        health::assess(live, destination.clock.now().as_second()).health == Health::Degraded
    });
    let resumed = same_run.is_some() && !(failed && manner.again);
    if !resumed {
        if let Some(words) = live.as_ref().and_then(|live| belongs_to(unit, live)) {
            return fail(words);
        }
        if let Some(live) = live
            && (failed || hook.delete_policies.contains(&DeletePolicy::BeforeHookCreation))
            && let Err(words) = remove(unit, &kind, &live, limit).await
        {
            return fail(words);
        }
        say("started");
        if let Err(words) = start(unit, &kind, hook, &run_key).await {
            return fail(words);
        }
    }
    let runs = format!("{:?} hook {id} is running", hook.phase);
    unit.show(|state| {
        state.running.insert(runs.clone());
    });
    let end = wait_for_end(unit, prepared, &kind, &id, limit).await;
    unit.show(|state| {
        state.running.remove(&runs);
    });
    let Some(end) = end else { return PhaseEnd::Superseded };
    if let Err(words) = end {
        if hook.delete_policies.contains(&DeletePolicy::HookFailed) {
            // Without its object only this says that it has run.
            remember(unit, prepared, format!("{}{FAILED}{words}", hook.key));
            if let Err(failure) = records.save_now(unit).await {
                return fail(format!("that it failed ({words}) could not be stored: {failure}"));
            }
            clean_up(unit, &kind, &id, limit).await;
        }
        return fail(words);
    }
    remember(unit, prepared, hook.key.clone());
    // Remembered before its object may go: without either, a restart would run it again.
    if let Err(failure) = records.save_now(unit).await {
        return fail(format!("that it is done could not be stored: {failure}"));
    }
    say("succeeded");
    PhaseEnd::Done
}

/// What failed, and what to do.
fn failure(unit: &Unit, hook: &HookRun, words: &str) -> String {
    let (phase, id) = (hook.phase, hook.object.id());
    format!("{phase} hook {id}: {words}; `portolan sync {}` tries it again", unit.name)
}

/// Why an object in a hook's place is neither deleted nor written over; `None` when it may be. What the application may not
/// adopt it may not run over either, and an object has one application.
fn belongs_to(unit: &Unit, live: &Object) -> Option<String> {
    let destination = &unit.destination;
    let adopt = unit.state().spec.as_ref().map(|spec| spec.application.sync.adopt).unwrap_or_default();
    if let Err(words) = adoption::judge(live, destination.parent.id(), adopt).verdict {
        return Some(words);
    }
    let id = live.id();
    let claimant = destination.ledger().objects.get(&id).and_then(|entry| entry.claimant().cloned());
    if let Some(other) = claimant {
        return Some(format!(
            "application {other} declares it, and not as a hook; give the hook another name"
        ));
    }
    let label = live.label(APPLICATION).filter(|label| **label != *unit.name)?;
    let other = destination.units().get(label).cloned()?;
    let state = other.state();
    let runs = state.prepared.iter().flat_map(|prepared| &prepared.hooks).any(|hook| hook.object.id() == id);
    (runs && !state.removed)
        .then(|| format!("application {label} has a hook of the same name; give one of the two another"))
}

/// Notes what became of a hook of this rendering.
fn remember(unit: &Unit, prepared: &Prepared, word: String) {
    let mut state = unit.state();
    if state.hooks_digest != prepared.digest {
        state.hooks_digest.clone_from(&prepared.digest);
        state.hooks_done.clear();
    }
    state.hooks_done.insert(word);
}

/// Why a hook whose object is gone failed for this rendering.
fn failed_before(unit: &Unit, prepared: &Prepared, hook: &HookRun) -> Option<String> {
    let state = unit.state();
    let of_this = |word: &String| Some(word.strip_prefix(&hook.key)?.strip_prefix(FAILED)?.to_owned());
    state.hooks_done.iter().filter(|_| state.hooks_digest == prepared.digest).find_map(of_this)
}

async fn start(unit: &Arc<Unit>, kind: &ServedKind, hook: &HookRun, run_key: &str) -> Result<(), String> {
    let mut object = hook.object.clone();
    object.set_annotation(RUN, run_key);
    let request = ApplyRequest {
        kind: kind.clone(),
        id: object.id(),
        body: Arc::from(object.body().to_string().into_bytes()),
        force: true,
        dry_run: false,
        impersonate: unit.impersonation(),
    };
    let destination = &unit.destination;
    with_retries(destination, || destination.cluster.apply(&request))
        .await
        .map(drop)
        .map_err(|failure| failure.to_string())
}

/// Waits until the hook's object has ended. `None` when a newer commit took over.
async fn wait_for_end(
    unit: &Arc<Unit>,
    prepared: &Prepared,
    kind: &ServedKind,
    id: &ResourceId,
    limit: Duration,
) -> Option<Result<(), String>> {
    let mut status = unit.status.subscribe();
    let mut generation = unit.generation.subscribe();
    generation.borrow_and_update();
    if !unit.is_current(prepared) {
        return None;
    }
    let ended = async {
        loop {
            status.borrow_and_update();
            if let Some(end) = end_of(&unit.destination, id) {
                return end;
            }
            if status.changed().await.is_err() {
                return Err("the daemon is stopping".into());
            }
        }
    };
    tokio::select! {
        end = tokio::time::timeout(limit, ended) => Some(match end {
            Ok(end) => end,
            Err(_) => Err(overdue(&unit.destination, kind, id, limit).await),
        }),
        _ = generation.changed() => None,
    }
}

/// How the hook ended; `None` while it runs.
fn end_of(destination: &Destination, id: &ResourceId) -> Option<Result<(), String>> {
    let ledger = destination.ledger();
    let live = ledger.objects.get(id)?.live.as_ref()?;
    match live.assessment.health {
        Health::Healthy | Health::Suspended if !live.terminating && !live.unfinished => Some(Ok(())),
        Health::Degraded => Some(Err(live.assessment.message.clone())),
        _ => None,
    }
}

async fn overdue(
    destination: &Arc<Destination>,
    kind: &ServedKind,
    id: &ResourceId,
    limit: Duration,
) -> String {
    let mut now = match read(destination, kind, id).await {
        Ok(Some(live)) => health::assess(&live, destination.clock.now().as_second()).message,
        Ok(None) => "its object is not there".into(),
        Err(failure) => failure.to_string(),
    };
    if let Some(why) = destination.why(id).await {
        now = format!("{now}: {why}");
    }
    format!("it did not end within {} s: {now}", limit.as_secs())
}

async fn remove(unit: &Arc<Unit>, kind: &ServedKind, live: &Object, limit: Duration) -> Result<(), String> {
    let destination = &unit.destination;
    let request = DeleteRequest {
        kind: kind.clone(),
        id: live.id(),
        uid: live.uid().unwrap_or_default().into(),
        resource_version: String::new(),
        propagation: crate::model::Propagation::Background,
        impersonate: unit.impersonation(),
        dry_run: false,
    };
    with_retries(destination, || destination.cluster.delete(&request))
        .await
        .map_err(|failure| failure.to_string())?;
    if wait_gone(destination, unit, &live.id(), limit).await {
        Ok(())
    } else {
        Err(super::prune::stuck(live))
    }
}

/// Deletes a hook's object after its end. A failure leaves it; the next run deletes it first.
async fn clean_up(unit: &Arc<Unit>, kind: &ServedKind, id: &ResourceId, limit: Duration) {
    if let Ok(Some(live)) = read(&unit.destination, kind, id).await {
        let _ = remove(unit, kind, &live, limit).await;
    }
}
