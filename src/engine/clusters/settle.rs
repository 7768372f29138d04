//! What became of a pass, and what that means for the next.

use super::execute::{Outcome, hint, passes};
use super::kept::{Kept, Wanted};
use super::look::Found;
use super::pass::PassEnd;
use crate::model::event::What;
use crate::model::plan::Verdict;
use crate::ports::CloudFailureKind;
use crate::provision::resource::{Key, Owner, State};
use crate::provision::{CloudPlan, Step, StepAction};
use std::collections::{BTreeMap, BTreeSet};

/// Refusals in a row after which one that may pass by itself is told.
pub(super) const TOLD_AFTER: u32 = 3;

/// Takes what became of the calls.
pub(super) fn take(kept: &Kept, plan: &CloudPlan, outcome: &Outcome) {
    let mut state = kept.state();
    state.written += outcome.calls;
    for key in &outcome.taken {
        state.failures.remove(key);
    }
    for (key, _) in
        outcome.failures.iter().filter(|(_, failure)| failure.kind != CloudFailureKind::Unanswered)
    {
        state.progress.cancel(key);
    }
    for key in outcome.later.keys().chain(outcome.refused.keys()) {
        state.progress.cancel(key);
    }
    let mut told = Vec::new();
    for (key, failure) in &outcome.failures {
        let count = state.failures.entry(key.clone()).or_default();
        *count += 1;
        if !passes(failure.kind) || *count >= TOLD_AFTER {
            let action = plan.steps.iter().find(|step| step.key == *key).map(|step| step.action.to_string());
            let message = format!("{failure}; {}", hint(failure.kind));
            told.push((action.unwrap_or_default(), key.to_string(), message));
        }
    }
    drop(state);
    for (action, resource, message) in told {
        if kept.is_news(format!("{resource} {message}")) {
            kept.emit(What::ResourceFailed { action, resource, message });
        }
    }
}

/// How the pass ended.
pub(super) fn end(
    kept: &Kept,
    wanted: &Wanted,
    found: &Found,
    plan: &CloudPlan,
    outcome: &Outcome,
) -> PassEnd {
    let snapshot = &found.reading.snapshot;
    if outcome.calls > 0 {
        return PassEnd::Acted;
    }
    if !snapshot.unread.is_empty() || !outcome.failures.values().all(|failure| passes(failure.kind)) {
        return PassEnd::Retry;
    }
    if !outcome.failures.is_empty() {
        return PassEnd::Waits(None);
    }
    if !outcome.refused.is_empty() {
        return PassEnd::Acted;
    }
    if let Some(pause) = outcome.later.values().min() {
        return PassEnd::Waits((!pause.is_zero()).then_some(*pause));
    }
    let nothing_left =
        || !snapshot.live.values().any(|live| live.owner == Owner::Ours) && plan.steps.iter().all(is_nothing);
    if wanted.removed && nothing_left() {
        return PassEnd::Finished;
    }
    let on_its_way = !kept.state().progress.is_empty()
        || snapshot.live.values().any(|live| matches!(live.state, State::Pending(_) | State::Deleting));
    // What waits for something else only (a gate, an order of nodes) is looked at again; what waits for a person is not.
    let waits = plan.steps.iter().any(|step| {
        matches!(step.verdict, Verdict::Deferred(_)) && !waits_for_person(plan, step)
            || step.action == StepAction::Wait && !matches!(step.verdict, Verdict::Blocked(_))
    });
    let gated = found.staged.course.is_some() || !found.staged.restart.is_empty();
    let leftovers = !found.leftovers.is_empty();
    if on_its_way || waits {
        PassEnd::Waits(None)
    } else if gated || leftovers {
        // Nothing of ours moves: somebody else has to do something first.
        PassEnd::Waits(Some(kept.context.pace.longest * 4))
    } else {
        PassEnd::Done
    }
}

fn is_nothing(step: &Step) -> bool {
    step.action == StepAction::Unchanged
}

/// Whether what a deferred step waits for is held or blocked itself.
fn waits_for_person(plan: &CloudPlan, step: &Step) -> bool {
    let verdicts: BTreeMap<&Key, &Verdict> =
        plan.steps.iter().map(|step| (&step.key, &step.verdict)).collect();
    let mut keys: Vec<&Key> = step.waits_for.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(key) = keys.pop() {
        if !seen.insert(key) {
            continue;
        }
        match verdicts.get(key) {
            Some(Verdict::Held(_) | Verdict::Blocked(_)) => return true,
            Some(Verdict::Deferred(_)) => {
                let more = plan.steps.iter().filter(|other| other.key == *key);
                keys.extend(more.flat_map(|other| &other.waits_for));
            }
            _ => {}
        }
    }
    false
}
