//! One pass of one migration: look at both sides, plan, write the journal, act, tell.

use super::aws::Accounts;
use super::consider::{Considered, Considering, consider, is_for};
use super::execute::{Execution, Made};
use super::kept::{Mover, Wanted};
use super::noted::noted;
use super::report::{self, OFTEN, shown};
use super::sights::Side;
use super::{journal, kops};
use crate::migrate::stages::Plan;
use crate::model::event::What;
use crate::model::migration::{Gate, Side as Which, Stage, Step};
use crate::model::migration_journal::{Answered, Journal};
use crate::ports::Cluster;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Everything is where the document says it goes.
    Done,
    /// Something was changed: what follows from it is looked at next.
    Acted,
    /// Something is waited for that comes by itself.
    Waits,
    /// Something is waited for that a person has to do.
    Blocked,
    /// Something went wrong; tried again with a growing pause.
    Retry,
    /// Something else is wanted by now.
    Superseded,
}

/// Makes one pass.
pub async fn pass(mover: &Mover) -> PassEnd {
    let Some(wanted) = mover.wanted() else { return PassEnd::Done };
    let generation = *mover.generation.borrow();
    let is_current = || *mover.generation.borrow() == generation;
    match look_and_act(mover, &wanted, &is_current).await {
        Ok(_) if !is_current() => PassEnd::Superseded,
        Ok(end) => end,
        Err(words) => {
            if mover.is_news(format!("problem {words}")) {
                mover.emit(What::SyncFailed { revision: wanted.revision.clone(), message: words.clone() });
            }
            // What cannot be stored either is told by the log.
            if mover.state().loaded {
                let _ = mover.put(report::unreachable(mover, &wanted, &words)).await;
            }
            PassEnd::Retry
        }
    }
}

async fn look_and_act(
    mover: &Mover,
    wanted: &Wanted,
    is_current: &(dyn Fn() -> bool + Sync),
) -> Result<PassEnd, String> {
    let sides = &mover.context.sides;
    let at_once = mover.context.pace.at_once;
    let source: Arc<dyn Cluster> = sides.source(&mover.name, &wanted.spec).await?;
    // The target is asked for once the move gets there, or has been there.
    let (target, mut provision) = match sides.target(&wanted.spec).await {
        Ok(target) => (Some(target), None),
        Err(gate) => (None, Some(gate)),
    };
    let words = |what: &str| {
        let what = what.to_owned();
        move |failure: crate::ports::ApiFailure| format!("{what} cannot be read: {failure}")
    };
    let source = Side::open(source.as_ref()).await.map_err(words("the source"))?;
    let there = match &target {
        Some(target) => match Side::open(target.cluster.as_ref()).await {
            Ok(side) => Some(side),
            Err(failure) => {
                let what = format!("the target does not answer: {failure}");
                let limit_seconds = wanted.spec.limits.of(Stage::Provision).duration().as_secs();
                provision = Some(Gate::Waiting { what, limit_seconds });
                None
            }
        },
        None => None,
    };
    let stored = journal::load(mover, there.as_ref()).await?;
    let answered = mover.state().answered.clone();
    let mut journal = stored.clone();
    journal.take_back(&answered);
    let kops = kops::read(mover, wanted).await?;
    let target_look = async {
        match &there {
            Some(side) => side.look(None, at_once).await.map(Some),
            None => Ok(None),
        }
    };
    let (source_sight, target_sight) =
        futures::future::join(source.look(there.as_ref(), at_once), target_look).await;
    let source_sight = source_sight.map_err(words("the source"))?;
    let target_sight = target_sight.map_err(words("the target"))?;
    let Considered { plan, reads } = consider(Considering {
        mover,
        wanted,
        journal: &journal,
        source: (&source, &source_sight),
        target: there.as_ref().zip(target_sight.as_ref()),
        provision,
        target_name: target.as_ref().map(|target| target.eks_name.as_str()).unwrap_or_default(),
        unmade: sides.unmade(&wanted.spec),
        kops: kops.as_deref(),
    })
    .await?;
    if !is_current() {
        return Ok(PassEnd::Superseded);
    }
    mover.prove(plan.parts.iter().filter_map(|(name, part)| Some((name.clone(), part.proof.clone()?))));
    let frozen = wanted.removed || wanted.spec.suspend || mover.context.read_only;
    if frozen {
        let own = mover.state().stored.as_ref().and_then(|stored| stored.value.journal.clone());
        let own = own.or_else(|| (!journal.is_on_target()).then(|| journal.clone()));
        mover
            .put(report::record(mover, wanted, &plan, (own, &journal.proofs), None))
            .await
            .map_err(|failure| failure.to_string())?;
        return Ok(PassEnd::Blocked);
    }
    let next = noted(mover, &stored, journal, &answered, (&plan, &reads));
    // Before anything is changed: how it is taken back, and how far everything is.
    let own = journal::save(mover, there.as_ref(), &next).await?;
    let record = report::record(mover, wanted, &plan, (own.clone(), &next.proofs), None);
    mover
        .put(record)
        .await
        .map_err(|failure| format!("nothing is changed while the state cannot be stored: {failure}"))?;
    journal::tidy(mover, there.as_ref(), &next).await?;
    mover.state().answered.clear();
    tell(mover, wanted, &stored, &plan);
    use_up_approvals(mover, &plan).await;

    let calls = plan.parts.values().flat_map(|part| &part.outcome.steps).any(is_call);
    let cloud = if calls { Accounts::of(mover, wanted).open(Which::Source).await? } else { None };
    let execution = Execution {
        source: &source,
        target: there.as_ref(),
        cloud: cloud.as_deref(),
        journal: &next,
        is_current,
        at_once,
    };
    let made = act(mover, &execution, &plan).await;
    take(mover, &made);
    // What was written before suffices to go on from; this is for those who look on.
    let _ = mover.put(report::record(mover, wanted, &plan, (own, &next.proofs), Some(&made))).await;
    Ok(end(&plan, &made, stored.positions != next.positions))
}

fn is_call(step: &Step) -> bool {
    matches!(step.effect, crate::model::migration::Effect::Call { .. })
}

/// Makes the steps of every part, one part after the other. A step that was made too often is left alone.
async fn act(mover: &Mover, execution: &Execution<'_>, plan: &Plan) -> Made {
    let mut all = Made::default();
    for (name, part) in &plan.parts {
        let due: Vec<Step> = {
            let state = mover.state();
            let often = |step: &&Step| state.attempts.get(&step.key).copied().unwrap_or_default() < OFTEN;
            part.outcome.steps.iter().filter(often).cloned().collect()
        };
        if due.is_empty() {
            continue;
        }
        let made = execution.execute(&due).await;
        for done in &made.done {
            let (action, resource) = ("step".into(), format!("{}: {}", shown(name), done.says));
            mover.emit(What::ResourceDone { action, resource, millis: 0 });
        }
        for (key, failed) in &made.failed {
            if !failed.passes && mover.is_news(format!("failed {key} {}", failed.message)) {
                let (action, resource) = ("step".into(), key.clone());
                mover.emit(What::ResourceFailed { action, resource, message: failed.message.clone() });
            }
        }
        all.done.extend(made.done);
        all.failed.extend(made.failed);
    }
    all
}

/// Takes in what became of the steps.
fn take(mover: &Mover, made: &Made) {
    let mut state = mover.state();
    let now = mover.context.clock.now().as_second();
    let answered = made.done.iter().filter(|done| !made.failed.contains_key(&done.key));
    let answered = answered.map(|done| (done.key.clone(), Answered { at: now, change: done.change.clone() }));
    state.answered.extend(answered);
    let keys: BTreeSet<&String> = made.done.iter().map(|done| &done.key).collect();
    // A step that is no longer made has had its effect.
    state.attempts.retain(|key, count| keys.contains(key) || *count >= OFTEN);
    for key in keys {
        *state.attempts.entry(key.clone()).or_default() += 1;
    }
    let lasting = made.failed.iter().filter(|(_, failed)| !failed.passes);
    state.failures = lasting.map(|(key, failed)| (key.clone(), failed.message.clone())).collect();
}

fn end(plan: &Plan, made: &Made, moved: bool) -> PassEnd {
    if !made.failed.is_empty() {
        return PassEnd::Retry;
    }
    if !made.done.is_empty() || moved {
        return PassEnd::Acted;
    }
    // Where the move as a whole waits for a wave, the wave says what for.
    let of_wave = |name: &str, gate: &&Gate| {
        !name.is_empty() || !matches!(gate, Gate::Waiting { limit_seconds: 0, .. })
    };
    let all =
        plan.parts.iter().flat_map(|(name, part)| part.outcome.gates.iter().map(move |gate| (name, gate)));
    let open = all.clone().count() == 0;
    let gates: Vec<&Gate> = all.filter(|(name, gate)| of_wave(name, gate)).map(|(_, gate)| gate).collect();
    if gates.iter().any(|gate| matches!(gate, Gate::Waiting { .. })) {
        PassEnd::Waits
    } else if open {
        PassEnd::Done
    } else {
        PassEnd::Blocked
    }
}

fn tell(mover: &Mover, wanted: &Wanted, before: &Journal, plan: &Plan) {
    for (name, part) in &plan.parts {
        let old = before.position(name);
        if (old.stage, old.complete) != (part.position.stage, part.position.complete) {
            let state = if part.position.complete { "complete" } else { "begun" };
            let took = part.position.since.saturating_sub(old.since);
            let seconds = if part.position.complete && old.stage == part.position.stage { took } else { 0 };
            mover.emit(What::StageReached {
                part: shown(name),
                stage: part.position.stage.to_string(),
                state: state.into(),
                seconds: u64::try_from(seconds).unwrap_or_default(),
                revision: wanted.revision.clone(),
            });
        }
        if let Some(held) = &part.held
            && mover.is_news(format!("held {}", held.digest))
        {
            let reason = format!("{}: steps without a way back", shown(name));
            mover.emit(What::Held { digest: held.digest.clone(), reason, objects: held.says.clone() });
        }
        for gate in &part.outcome.gates {
            if let Gate::Blocked { what, way_out } = gate
                && mover.is_news(format!("blocked {name} {what}"))
            {
                let origin = format!("{} at {}", shown(name), part.position.stage);
                mover.emit(What::Warned { origin, message: format!("{what}; {way_out}") });
            }
        }
    }
}

/// Forgets approvals that are in the journal now, and so in force.
async fn use_up_approvals(mover: &Mover, plan: &Plan) {
    if plan.granted.is_empty() {
        return;
    }
    // One that stays in the store is good for steps that are done: it does no harm.
    let Ok(approvals) = mover.context.store.approvals().await else { return };
    for approval in approvals.iter().filter(|approval| is_for(mover, approval)) {
        let _ = mover.context.store.use_up(approval).await;
    }
}
