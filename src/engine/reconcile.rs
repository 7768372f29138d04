//! One pass of one application on one destination: the story of the daemon on one screen.

use super::hooks::{self, PhaseEnd};
use super::pass::{Facts, Pass};
use super::records::Records;
use super::unit::{Phase, Unit};
use super::waves::Round;
use super::world::World;
use crate::model::event::What;
use crate::model::plan::Change;
use crate::plan::hooks::Phase as HookPhase;
use std::sync::Arc;

/// Most rounds of one pass: each learns something that the one before could not know (a kind that its CRD brought, an
/// object that was there already, a field that cannot be changed in place).
const ROUNDS: usize = 6;

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PassEnd {
    /// Nothing is left to do, or what is left waits for a person.
    Done,
    /// Something failed that may succeed by itself.
    Retry,
    /// A newer commit took over.
    Superseded,
}

/// Makes one pass.
pub(crate) async fn reconcile(unit: &Arc<Unit>, world: &World, records: &Records) -> PassEnd {
    let waits = || {
        unit.destination.ledger().touched.insert(unit.name.clone());
        unit.destination.touched.notify_one();
        PassEnd::Done
    };
    let Some(pass) = Pass::begin(unit, world) else { return waits() };
    if let Some(dependency) = pass.waits_for() {
        let mut state = unit.state();
        state.phase = Phase::WaitsFor(dependency);
        // What was asked for is done when the others are ready.
        state.asked_for = pass.asked_for();
        drop(state);
        return waits();
    }
    let end = run(&pass, records).await;
    pass.finish(&end, records).await;
    end
}

async fn run(pass: &Pass<'_>, records: &Records) -> PassEnd {
    if let Err(words) = pass.prepare_destination().await {
        pass.problem("", words);
        return PassEnd::Retry;
    }
    if pass.frozen().is_none() {
        hooks::sweep(pass.unit, &pass.prepared, pass.limit()).await;
    }
    let mut facts = Facts::default();
    let mut plan = pass.plan(&mut facts).await;
    let changes = plan.changes().any(Change::is_actionable);
    if changes || pass.has_pending_hooks() {
        match pass.hooks(HookPhase::PreSync, records).await {
            PhaseEnd::Done => {}
            PhaseEnd::Superseded => return PassEnd::Superseded,
            PhaseEnd::Failed(words) => return pass.sync_failed(words, records).await,
        }
    }
    let mut settled = false;
    for _ in 0..ROUNDS {
        match pass.apply(&plan, &mut facts, records).await {
            Round::Last => {
                settled = true;
                break;
            }
            Round::Learned => plan = pass.plan(&mut facts).await,
            Round::Superseded => return PassEnd::Superseded,
            Round::HookFailed(words) => return pass.sync_failed(words, records).await,
        }
    }
    if !settled {
        // An object that is being mended all this while, say: what it waits for is not done because rounds are used up.
        pass.problem_transient(
            "",
            format!("something is left to do after {ROUNDS} rounds; it is tried again"),
        );
        return PassEnd::Retry;
    }
    if pass.failed() {
        return pass.sync_failed(String::new(), records).await;
    }
    if pass.frozen().is_none() && hooks::pending(pass.unit, &pass.prepared, HookPhase::PostSync) {
        if let Err(end) = pass.wait_healthy().await {
            return end;
        }
        match pass.hooks(HookPhase::PostSync, records).await {
            PhaseEnd::Done => {}
            PhaseEnd::Superseded => return PassEnd::Superseded,
            PhaseEnd::Failed(words) => return pass.sync_failed(words, records).await,
        }
    }
    if plan.prune.iter().flat_map(|wave| &wave.changes).any(Change::is_actionable) {
        if let Err(end) = pass.look_everywhere().await {
            return end;
        }
        plan = pass.plan(&mut facts).await;
    }
    pass.prune(&plan).await
}

/// Says what a pass did.
pub(crate) fn report(pass: &Pass<'_>, end: &PassEnd) {
    let unit = pass.unit;
    let written = pass.written();
    let millis = unit.destination.clock.now().duration_since(pass.started).as_millis().max(0) as u64;
    let revision = pass.prepared.revision.clone();
    match (end, pass.first_problem()) {
        (PassEnd::Superseded, _) => {}
        (_, Some(message)) => {
            if unit.is_news(&message) {
                unit.destination.emit(&unit.name, What::SyncFailed { revision, message });
            }
        }
        (_, None) if written > 0 => {
            unit.destination.emit(&unit.name, What::Synced { revision, written, millis })
        }
        (_, None) => {}
    }
}
