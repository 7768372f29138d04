//! The tasks that run for as long as the daemon does: one for each application on each destination.

use super::destination::{Destination, lock};
use super::reconcile::{PassEnd, reconcile};
use super::rendering::{render_again, render_unit};
use super::unit::{Phase, Unit};
use super::world::World;
use crate::model::GroupKind;
use crate::schedule::Schedule;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Back-off after failed passes: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// The longest while a namespace is being deleted: that ends soon, and no watch of ours tells when.
const BACKOFF_TERMINATING: Duration = Duration::from_secs(15);
/// The server's words about an object that would be created in such a namespace.
const TERMINATING: &str = "because it is being terminated";
/// Pauses before a rendering that failed is tried again: the first, and the longest.
const RENDER_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A destination's kinds are listed again at most this often, however many full passes fall together.
const RELIST_AT_MOST: Duration = Duration::from_secs(20);
/// Longest wait for the lists of a full pass.
const RELIST_LIMIT: Duration = Duration::from_secs(120);

/// Keeps one application for as long as it is declared.
pub(crate) async fn keep_unit(unit: Arc<Unit>, world: Arc<World>, mut stop: watch::Receiver<bool>) {
    let mut full_pass_after = unit.destination.clock.now();
    let mut rendering = RenderAgain::default();
    loop {
        if unit.destination.is_let_go() {
            return;
        }
        if unit.destination.is_gone() {
            world.records.remove(unit.key());
            return;
        }
        take_new_kinds(&unit, &world).await;
        let end = reconcile(&unit, &world, &world.records).await;
        if end == PassEnd::Done && unit.state().waiting.is_none() {
            world.use_up_approvals(&unit).await;
        }
        {
            // Under one lock with the look of whoever finds its document again: it is gone for both of them, or for neither.
            let mut units = unit.destination.units();
            if is_finished(&unit, &end) {
                world.records.remove(unit.key());
                units.remove(&unit.name);
                return;
            }
        }
        let retry = match end {
            PassEnd::Superseded => continue,
            PassEnd::Done => None,
            PassEnd::Retry => Some(backoff(&unit)),
        };
        // A clock that was ahead and was set back must not put the next one off by as much.
        full_pass_after = full_pass_after.min(unit.destination.clock.now());
        let due = next_full_pass(&unit, full_pass_after);
        let until_due = due.map(|due| wait_until(unit.destination.clock.now(), due));
        tokio::select! {
            () = unit.wake.notified() => {}
            () = sleep(retry) => {}
            () = rendering.due(unit.is_unrendered(), unit.destination.clock.now()) => render_again(&world, &unit).await,
            () = sleep(until_due) => {
                // Those that passes which took longer, or a machine that slept, left out are not made up for.
                full_pass_after = unit.destination.clock.now();
                full_pass(&unit).await;
            }
            _ = stop.changed() => return,
        }
        if *stop.borrow() {
            return;
        }
    }
}

/// Renders anew when a kind that the destination did not serve at the rendering is served by now: whether its objects
/// have a namespace was not known.
async fn take_new_kinds(unit: &Arc<Unit>, world: &Arc<World>) {
    let unserved =
        unit.state().prepared.as_ref().map(|prepared| prepared.unserved.clone()).unwrap_or_default();
    if unserved.is_empty() {
        return;
    }
    // A destination that does not answer is said by the pass that follows.
    if let Ok(discovery) = unit.destination.discover().await
        && unserved.iter().any(|kind| discovery.preferred(kind).is_some())
    {
        render_unit(world, unit).await;
    }
}

/// When a rendering that failed is tried again.
#[derive(Default)]
struct RenderAgain {
    at: Option<Timestamp>,
    failures: u32,
}

impl RenderAgain {
    /// Waits until then, however often that is begun anew; for ever where nothing failed.
    async fn due(&mut self, failed: bool, now: Timestamp) {
        if !failed {
            *self = Self::default();
            return std::future::pending().await;
        }
        let pause = RENDER_AGAIN.0.saturating_mul(1 << self.failures.min(10)).min(RENDER_AGAIN.1);
        let at = *self.at.get_or_insert_with(|| now.checked_add(pause).unwrap_or(now));
        tokio::time::sleep(wait_until(now, at).min(pause)).await;
        *self = Self { at: None, failures: self.failures.saturating_add(1) };
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Whether the application's document is gone, and so is everything of it.
fn is_finished(unit: &Unit, end: &PassEnd) -> bool {
    let state = unit.state();
    *end == PassEnd::Done && state.removed && state.waiting.is_none() && state.phase == Phase::Done
}

fn backoff(unit: &Unit) -> Duration {
    let mut state = unit.state();
    let wait = BACKOFF.0 * 2u32.saturating_pow(state.failures.min(10));
    state.failures = state.failures.saturating_add(1);
    let terminating = state.problems.values().any(|problem| problem.contains(TERMINATING));
    wait.min(if terminating { BACKOFF_TERMINATING } else { BACKOFF.1 })
}

/// When the next full pass is due. The schedule's own words were checked with the document.
fn next_full_pass(unit: &Unit, after: Timestamp) -> Option<Timestamp> {
    let state = unit.state();
    let schedule = Schedule::of(&state.spec.as_ref()?.application.reconcile);
    // Applications of one destination with the same schedule fall together: one list of a kind serves them all.
    schedule.ok()?.next_after(after, &unit.destination.name)
}

fn wait_until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default()
}

/// Finds what no event told: discovery and the lists of the application's kinds are read anew.
async fn full_pass(unit: &Unit) {
    let destination = &unit.destination;
    let kinds: BTreeSet<GroupKind> = unit
        .state()
        .prepared
        .as_ref()
        .map(|prepared| prepared.desired.iter().map(|desired| desired.gvk.group_kind()).collect())
        .unwrap_or_default();
    // A destination that does not answer is said by the pass that follows.
    let _ = destination.discover_at_most(RELIST_AT_MOST).await;
    destination.relist_at_most(&kinds, RELIST_AT_MOST);
    destination.listed(&kinds, RELIST_LIMIT).await;
}

impl Destination {
    async fn discover_at_most(&self, pause: Duration) -> Result<(), crate::ports::ApiFailure> {
        if self.is_due("discovery", pause) { self.discover().await.map(drop) } else { Ok(()) }
    }

    fn relist_at_most(&self, kinds: &BTreeSet<GroupKind>, pause: Duration) {
        let due: BTreeSet<GroupKind> =
            kinds.iter().filter(|kind| self.is_due(&kind.to_string(), pause)).cloned().collect();
        self.relist(&due);
    }

    /// Whether something was last done longer ago than the pause; if so it counts as done now.
    fn is_due(&self, what: &str, pause: Duration) -> bool {
        let now = self.clock.now();
        let mut done = lock(&self.done_at);
        // What was done in a time yet to come was done before the clock was set back.
        let due = done.get(what).is_none_or(|at| *at > now || wait_until(*at, now) >= pause);
        if due {
            done.insert(what.into(), now);
        }
        due
    }
}
