//! One pass of one cluster: look, plan, remember, act, tell.

use super::decide::{Considered, consider};
use super::execute::{Execution, Outcome};
use super::kept::{Kept, Wanted};
use super::look::{Found, Looker};
use super::remember::{remember, use_up_approvals};
use super::report::{self, Seen};
use super::restart::{self, Restart};
use super::settle::{end, take};
use super::{tell, trail};
use crate::model::application::DriftPolicy;
use crate::model::event::What;
use crate::provision::resource::{Key, Kind, Snapshot, State};
use crate::provision::{CloudPlan, Step};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing is left to do, or what is left waits for a person.
    Done,
    /// Something was changed: what follows from it is looked at next.
    Acted,
    /// Something is on its way. The pause that was asked for, if one was.
    Waits(Option<Duration>),
    /// Something went wrong; tried again with a growing pause.
    Retry,
    /// Something else is wanted by now.
    Superseded,
    /// The document is gone, and so is everything of the cluster.
    Finished,
}

/// Makes one pass.
pub async fn pass(kept: &Kept) -> PassEnd {
    let Some(wanted) = kept.wanted() else { return PassEnd::Done };
    let generation = *kept.generation.borrow();
    let is_current = || *kept.generation.borrow() == generation;
    let asked = kept.state().asked;
    let considered = consider(kept, &wanted, asked).await;
    if !is_current() {
        return PassEnd::Superseded;
    }
    let considered = match considered {
        Ok(considered) => considered,
        Err(words) => return unreachable(kept, &wanted, words).await,
    };
    let Considered { found, plan, .. } = &considered;
    arrive(kept, &found.reading.snapshot, plan);
    remember(kept, &wanted, &considered);
    let drifted = tell::drift(kept, plan);
    trail::note(kept, plan, [Some(&found.reading.snapshot), considered.before.as_ref()], &drifted);
    tell::warnings(kept, &wanted, found);
    // Before anything is called: the tokens, and the approvals that let it be called.
    let seen = Seen { wanted: &wanted, found, plan, outcome: None, now: considered.now };
    if let Err(failure) = kept.put(report::record(kept, &seen)).await {
        let message = format!("nothing is changed while the state cannot be stored: {failure}");
        tell::problem(kept, &message);
        return PassEnd::Retry;
    }
    tell::waiting(kept);
    use_up_approvals(kept, plan).await;
    settle_destination(kept, &considered, &wanted);

    let outcome = if kept.context.read_only || plan.actionable().next().is_none() {
        Outcome::default()
    } else {
        act(kept, &wanted, &considered, &is_current).await
    };
    take(kept, plan, &outcome);
    let restarted = restart_pods(kept, &wanted, found).await;
    let seen = Seen { outcome: Some(&outcome), ..seen };
    let record = report::record(kept, &seen);
    // What was written before suffices to go on from; this is for those who look on.
    if let Err(failure) = kept.put(record).await {
        tell::problem(kept, &failure.to_string());
    }
    trail::ask(kept, &wanted).await;
    let end = match end(kept, &wanted, found, plan, &outcome) {
        PassEnd::Done | PassEnd::Waits(_) if restarted => PassEnd::Waits(None),
        end => end,
    };
    if end == PassEnd::Done || end == PassEnd::Finished {
        tell::done(kept, &wanted, asked);
    }
    if is_current() { end } else { PassEnd::Superseded }
}

/// Makes the calls that are due.
async fn act(
    kept: &Kept,
    wanted: &Wanted,
    considered: &Considered,
    is_current: &(dyn Fn() -> bool + Sync),
) -> Outcome {
    let Considered { account, drivers, memory, found, plan, .. } = considered;
    let at_once = kept.context.pace.at_once;
    let looker = Looker { account, wanted, memory, before: None, drivers, at_once };
    let all = memory.with_former(&found.staged.resources);
    let attempts = Mutex::new(kept.state().memory.attempts.clone());
    let execution = Execution {
        reader: looker.reader(&all),
        snapshot: &found.reading.snapshot,
        attempts: &attempts,
        settle: kept.context.pace.settle,
        now: &|| kept.context.clock.now(),
        is_current,
        begins: &|step| begin(kept, step),
    };
    let outcome = execution.execute(plan).await;
    kept.state().memory.attempts = attempts.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome
}

/// Nothing can be known of the cluster: says why.
async fn unreachable(kept: &Kept, wanted: &Wanted, words: String) -> PassEnd {
    tell::problem(kept, &words);
    let record = report::unreachable(kept, wanted, words);
    // What cannot be stored either is told by the log.
    let _ = kept.put(record).await;
    PassEnd::Retry
}

/// Tells what has arrived.
fn arrive(kept: &Kept, snapshot: &Snapshot, plan: &CloudPlan) {
    let now = kept.context.clock.now();
    let (arrivals, _) = {
        let mut state = kept.state();
        let looked = state.progress.look(snapshot, now);
        // Begun for what is no longer wanted, and never seen.
        state
            .progress
            .retain(|key| snapshot.live.contains_key(key) || plan.steps.iter().any(|step| step.key == *key));
        looked
    };
    for arrival in arrivals {
        // What differs still is told by the step that follows.
        let again = plan.actionable().any(|step| step.key == arrival.key && step.action == arrival.action);
        let (action, resource) = (arrival.action.to_string(), arrival.key.to_string());
        match arrival.failed {
            Some(message) => kept.emit(What::ResourceFailed { action, resource, message }),
            None if again => {}
            None => {
                let millis = u64::try_from(arrival.took.as_millis()).unwrap_or(u64::MAX);
                kept.emit(What::ResourceDone { action, resource, millis });
            }
        }
    }
}

/// Has the destination connected once the cluster can be.
fn settle_destination(kept: &Kept, considered: &Considered, wanted: &Wanted) {
    let name = considered.account.scope.cluster.as_str();
    let cluster = considered.found.reading.snapshot.live.get(&Key::new(Kind::Cluster, name));
    let usable = cluster.is_some_and(|live| match &live.state {
        State::Ready => true,
        State::Pending(word) => word == "UPDATING",
        State::Deleting | State::Failed(_) => false,
    });
    let waits = report::before_pods(&kept.record().revision, &considered.plan);
    if usable && !wanted.removed && waits.is_empty() {
        kept.context.destinations.ready(&kept.name);
    }
}

fn begin(kept: &Kept, step: &Step) {
    kept.state().progress.begin(step, kept.context.clock.now());
    let (action, resource) = (step.action.to_string(), step.key.to_string());
    // A call that is made again because the first was refused was told.
    if kept.is_news(format!("begin {action} {resource} {:?}", step.precondition)) {
        kept.emit(What::ResourceBegun { action, resource, cost: step.cost.clone() });
    }
}

/// Has one pod of Fargate come back on a newer node, where that is due. True when one was asked to go.
async fn restart_pods(kept: &Kept, wanted: &Wanted, found: &Found) -> bool {
    let nodes = &found.staged.restart;
    let frozen = wanted.policy.suspended.is_some() || wanted.policy.drift == DriftPolicy::Freeze;
    if nodes.is_empty() || frozen || kept.context.read_only {
        kept.state().restart = None;
        return false;
    }
    let Ok(cluster) = kept.context.destinations.connected(&kept.name).await else { return false };
    let (words, evicted) = match restart::one(cluster.as_ref(), nodes).await {
        Ok(Restart::Evicted(pod)) => {
            kept.emit(What::ResourceBegun { action: "evict".into(), resource: pod, cost: String::new() });
            (None, true)
        }
        Ok(Restart::Waits(words)) => (Some(words), false),
        Ok(Restart::None) => (None, false),
        Err(failure) => (Some(failure.to_string()), false),
    };
    kept.state().restart = words;
    evicted
}

/// Looks whether anything that is on its way has moved, without a plan: only the kinds of these things are read.
pub(super) async fn has_moved(kept: &Arc<Kept>) -> bool {
    let Some(wanted) = kept.wanted() else { return true };
    let (memory, known, progress) = {
        let state = kept.state();
        (state.memory.clone(), state.snapshot.clone(), state.progress.clone())
    };
    let kinds = progress.kinds();
    let (Some(known), false) = (known, kinds.is_empty()) else { return true };
    let Ok(account) = kept.account(&wanted).await else { return true };
    let drivers = wanted.blueprint.drivers();
    let looker = Looker {
        account: &account,
        wanted: &wanted,
        memory: &memory,
        before: None,
        drivers: &drivers,
        at_once: kept.context.pace.at_once,
    };
    let reading = looker.reader(&memory.resources).read_again(&known, &kinds).await;
    let (_, moved) = progress.clone().look(&reading.snapshot, Timestamp::UNIX_EPOCH);
    moved || !reading.snapshot.unread.is_empty()
}
