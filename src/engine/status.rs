//! The status of applications: computed when something of theirs changed, and written when the answer did.

use super::destination::{Destination, lock};
use super::records::Records;
use super::unit::{Phase, Unit};
use crate::model::application::names_kind;
use crate::model::event::What;
use crate::model::{Health, ResourceId, SyncStatus};
use crate::ports::state::ApplicationRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most problems that a record names.
const PROBLEMS_NAMED: usize = 20;

/// Computes the status of touched applications for as long as the destination is there.
pub(crate) async fn keep_status(destination: Arc<Destination>, records: Arc<Records>) {
    loop {
        destination.touched.notified().await;
        let touched = std::mem::take(&mut destination.ledger().touched);
        for name in touched {
            let unit = destination.units().get(&name).cloned();
            if let Some(unit) = unit {
                if refresh(&unit, &records) {
                    wake_dependants(&destination, &name);
                    ask_why(&unit, &records);
                }
                unit.status.send_modify(|count| *count += 1);
            }
        }
    }
}

/// Reads, once, what the pods and the last Events of an object that became Degraded say. Never polled: a change of
/// health asks.
fn ask_why(unit: &Arc<Unit>, records: &Arc<Records>) {
    let degraded = lock(&unit.record).health == Health::Degraded;
    if !degraded {
        unit.state().why = None;
        return;
    }
    let Some(id) = worst(unit) else { return };
    let (unit, records) = (unit.clone(), records.clone());
    let destination = unit.destination.clone();
    destination.tasks.spawn(async move {
        if let Some(why) = unit.destination.why(&id).await {
            unit.state().why = Some((id, why));
            refresh(&unit, &records);
        }
    });
}

/// The first Degraded object of an application.
fn worst(unit: &Unit) -> Option<ResourceId> {
    let prepared = unit.state().prepared.clone()?;
    let ledger = unit.destination.ledger();
    let is_degraded =
        |id: &ResourceId| ledger.objects.get(id).is_some_and(|e| e.health().health == Health::Degraded);
    prepared.desired.iter().map(|desired| &desired.id).find(|id| is_degraded(id)).cloned()
}

fn wake_dependants(destination: &Destination, name: &str) {
    for unit in destination.units().values() {
        let depends = unit
            .state()
            .spec
            .as_ref()
            .is_some_and(|spec| spec.application.depends_on.iter().any(|dependency| dependency == name));
        if depends {
            unit.wake.notify_one();
        }
    }
}

/// Computes a unit's record; notes it for writing when it changed. True when sync status or health changed.
pub(crate) fn refresh(unit: &Arc<Unit>, records: &Records) -> bool {
    // Of two refreshes at once, the one that looked first must not be noted last: what it has seen would undo what the
    // other noted, a hook that is done among it.
    let _turn = lock(&unit.refreshing);
    let record = compute(unit);
    let after = (record.sync, record.health);
    let before = {
        let mut current = lock(&unit.record);
        if *current == record {
            return false;
        }
        let before = (current.sync, current.health);
        *current = record.clone();
        before
    };
    let (from, to) = (before.1, after.1);
    if from != to && from != Health::Unknown && to != Health::Unknown {
        let message = if to == Health::Healthy { String::new() } else { record.message.clone() };
        unit.destination.emit(&unit.name, What::HealthChanged { from, to, message });
    }
    records.put(unit.key(), record);
    before != after
}

/// The record of an application whose cluster is not there yet.
pub(crate) fn waiting_for_cluster(
    spec: &super::unit::UnitSpec,
    destination: &str,
    words: String,
    remembered: Option<&ApplicationRecord>,
) -> ApplicationRecord {
    let mut record = remembered.cloned().unwrap_or_else(|| ApplicationRecord::new(&spec.name, destination));
    record.source = format!("{} {}", spec.repository, spec.path);
    record.declared_in.clone_from(&spec.declared_in);
    record.deletion = spec.application.deletion;
    record.sync = SyncStatus::OutOfSync;
    record.health = Health::Missing;
    record.message = words;
    record
}

/// What is seen of an application's objects.
struct Seen {
    health: Health,
    worst: String,
    out_of_sync: usize,
    /// The first object that drifted, and its first field.
    drift: String,
}

fn compute(unit: &Arc<Unit>) -> ApplicationRecord {
    let ignored = unit.health_spec().ignore;
    let state = unit.state();
    let prepared = state.prepared.clone();
    let mut problems = state.problems.clone();
    if let Some(prepared) = &prepared {
        problems.extend(
            prepared.problems.iter().map(|problem| (problem.origin.clone(), problem.message.clone())),
        );
    }
    let seen = prepared.as_ref().filter(|_| state.looked).map(|prepared| look(unit, prepared, &ignored));
    let digest_applied = prepared.as_ref().is_some_and(|prepared| prepared.digest == state.applied_digest);
    let sync = match (&seen, &state.phase) {
        (None, _) | (_, Phase::New) => SyncStatus::Unknown,
        // Objects that are as declared are not all: hooks of this rendering may be running still.
        (_, Phase::Applying) if !digest_applied => SyncStatus::OutOfSync,
        (Some(seen), Phase::Done | Phase::Applying)
            if seen.out_of_sync == 0
                && problems.is_empty()
                && state.waiting.is_none()
                // What is kept is not what the repository says now.
                && state.incomplete.is_none() =>
        {
            SyncStatus::Synced
        }
        _ => SyncStatus::OutOfSync,
    };
    let health = seen.as_ref().map_or(Health::Unknown, |seen| seen.health);
    let message = message(
        &state.phase,
        &state.running,
        state.waiting.as_ref(),
        state.incomplete.as_deref(),
        &problems,
        seen.as_ref(),
        state.why.as_ref(),
    );
    let more = problems.len().saturating_sub(PROBLEMS_NAMED);
    let mut named: BTreeMap<String, String> = problems.into_iter().take(PROBLEMS_NAMED).collect();
    if more > 0 {
        named.insert("…".into(), format!("and {more} more"));
    }
    let target = prepared.as_ref().map(|prepared| prepared.revision.clone()).unwrap_or_default();
    ApplicationRecord {
        name: unit.name.to_string(),
        destination: unit.destination.name.to_string(),
        source: state
            .spec
            .as_ref()
            .map(|spec| format!("{} {}", spec.repository, spec.path))
            .unwrap_or_default(),
        revision: state.applied_revision.clone(),
        target_revision: if digest_applied { String::new() } else { target },
        render_digest: state.applied_digest.clone(),
        sync,
        health,
        message,
        objects: prepared.as_ref().map_or(0, |prepared| prepared.desired.len()),
        last_change: state.last_change.clone(),
        hooks_done: state.hooks_done.clone(),
        hooks_digest: state.hooks_digest.clone(),
        deletion: state.spec.as_ref().map(|spec| spec.application.deletion).unwrap_or_default(),
        declared_in: state.spec.as_ref().map(|spec| spec.declared_in.clone()).unwrap_or_default(),
        waiting: state.waiting.clone(),
        problems: named,
    }
}

fn look(unit: &Unit, prepared: &super::unit::Prepared, ignored: &[String]) -> Seen {
    let ledger = unit.destination.ledger();
    let mut seen =
        Seen { health: Health::Healthy, worst: String::new(), out_of_sync: 0, drift: String::new() };
    for desired in &prepared.desired {
        let Some(entry) = ledger.objects.get(&desired.id) else {
            seen.out_of_sync += 1;
            seen.health = seen.health.worst(Health::Missing);
            continue;
        };
        if !entry.is_synced() {
            seen.out_of_sync += 1;
        }
        if entry.drifted && seen.drift.is_empty() {
            let field =
                entry.told.first().map(|f| format!(": {} is {} instead of {}", f.path, f.live, f.declared));
            seen.drift = format!("{} drifted{}", desired.id, field.unwrap_or_default());
        }
        let own_word = desired.directives.ignore_health
            || !matches!(desired.directives.apply, crate::plan::annotations::ApplyPolicy::Always);
        if own_word || names_kind(ignored, &desired.id.group_kind()) {
            continue;
        }
        let assessment = entry.health();
        if assessment.health > seen.health {
            seen.health = assessment.health;
            seen.worst = format!("{}: {}", desired.id, assessment.message);
        }
    }
    seen
}

fn message(
    phase: &Phase,
    running: &BTreeSet<String>,
    waiting: Option<&crate::ports::state::Waiting>,
    incomplete: Option<&str>,
    problems: &BTreeMap<String, String>,
    seen: Option<&Seen>,
    why: Option<&(ResourceId, String)>,
) -> String {
    if let Phase::RenderFailed(words) = phase {
        return words.clone();
    }
    if let (Phase::Applying, Some(hook)) = (phase, running.first()) {
        let more =
            if running.len() > 1 { format!(" (and {} more)", running.len() - 1) } else { String::new() };
        return format!("{hook}{more}");
    }
    if let Some(waiting) = waiting {
        return format!("{}: `portolan approve` with digest {}", waiting.reason, waiting.digest);
    }
    if let Phase::WaitsFor(what) = phase {
        return what.clone();
    }
    if let Some((place, words)) = problems.first_key_value() {
        let more =
            if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
        return format!("{place}: {words}{more}");
    }
    if let Phase::Failed(words) = phase {
        return words.clone();
    }
    if let Some(words) = incomplete {
        return words.into();
    }
    if let Some(seen) = seen.filter(|seen| !seen.drift.is_empty()) {
        return seen.drift.clone();
    }
    let worst =
        seen.filter(|seen| seen.health != Health::Healthy).map(|seen| seen.worst.clone()).unwrap_or_default();
    match why {
        Some((_, why)) if !worst.is_empty() => format!("{worst}: {why}"),
        _ => worst,
    }
}
