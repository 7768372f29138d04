//! One pass of one migration: look at both sides, plan, write the journal, act, tell.

use super::access;
use super::execute::{Execution, Made};
use super::journal;
use super::kept::{Mover, Wanted};
use super::report::{self, OFTEN, shown};
use super::sights::{Reads, Side};
use crate::migrate::own::Index;
use crate::migrate::proof::{Answers, Key};
use crate::migrate::stages::{Known, Look, Plan, Sight, plan, verify};
use crate::model::event::What;
use crate::model::migration::{Gate, Stage, Step};
use crate::model::migration_journal::Journal;
use crate::model::plan::digest_of;
use crate::ports::{Approval, Cluster};
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
    let journal = journal::load(mover, there.as_ref()).await?;
    let source_sight = source.look(there.as_ref(), at_once).await.map_err(words("the source"))?;
    let target_sight = match &there {
        Some(side) => Some(side.look(None, at_once).await.map_err(words("the target"))?),
        None => None,
    };
    let plan = consider(Considering {
        mover,
        wanted,
        journal: &journal,
        source: (&source, &source_sight),
        target: there.as_ref().zip(target_sight.as_ref()),
        provision,
        target_name: target.as_ref().map(|target| target.eks_name.as_str()).unwrap_or_default(),
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
            .put(report::record(mover, wanted, &plan, own, None))
            .await
            .map_err(|failure| failure.to_string())?;
        return Ok(PassEnd::Blocked);
    }
    let next = noted(mover, &journal, &plan);
    // Before anything is changed: how it is taken back, and how far everything is.
    let own = journal::save(mover, there.as_ref(), &next).await?;
    let record = report::record(mover, wanted, &plan, own.clone(), None);
    mover
        .put(record)
        .await
        .map_err(|failure| format!("nothing is changed while the state cannot be stored: {failure}"))?;
    journal::tidy(mover, there.as_ref(), &next).await?;
    tell(mover, wanted, &journal, &plan);
    use_up_approvals(mover, &plan).await;

    let execution = Execution {
        source: &source,
        target: there.as_ref(),
        cloud: None,
        journal: &next,
        is_current,
        at_once,
    };
    let made = act(mover, &execution, &plan).await;
    take(mover, &made);
    // What was written before suffices to go on from; this is for those who look on.
    let _ = mover.put(report::record(mover, wanted, &plan, own, Some(&made))).await;
    Ok(end(&plan, &made, journal.positions != next.positions))
}

/// What a plan is made from.
struct Considering<'a> {
    mover: &'a Mover,
    wanted: &'a Wanted,
    journal: &'a Journal,
    source: (&'a Side<'a>, &'a Sight),
    target: Option<(&'a Side<'a>, &'a Sight)>,
    provision: Option<Gate>,
    target_name: &'a str,
}

/// Plans; asks for approvals, and who may do what, only when something waits for them.
async fn consider(of: Considering<'_>) -> Result<Plan, String> {
    let Considering { mover, wanted, journal, source, target, provision, target_name } = of;
    let applications = mover.context.sides.applications(&wanted.spec);
    let (index, reads) = (Index::default(), Reads::new());
    let key = Key::new(mover.context.salt);
    let approvals = mover.context.store.approvals().await.map_err(|failure| failure.to_string())?;
    let approved =
        |digest: &str| approvals.iter().any(|approval| is_for(mover, approval) && approval.digest == digest);
    let look = |answers| Look {
        name: &mover.name,
        spec: &wanted.spec,
        journal,
        source: source.1,
        target: target.map(|(_, sight)| sight),
        provision: provision.clone(),
        target_name,
        index: &index,
        applications: &applications,
        answers,
        reads: &reads,
        guard: None,
        key: &key,
        approved: &approved,
        now: mover.context.clock.now().as_second(),
    };
    let first = plan(&look(None));
    let verifies = first.parts.values().any(|part| {
        part.position.stage == Stage::Verify && !part.position.complete && part.outcome.steps.is_empty()
    });
    let (true, Some((target, _))) = (verifies, target) else { return Ok(first) };
    let (there, here) = verify::asked(&Known::of(&look(None)));
    let failed = |failure: crate::ports::ApiFailure| format!("who may do what is not answered: {failure}");
    let at_once = mover.context.pace.at_once;
    let before: Answers = access::ask(source.0.cluster, &there, at_once).await.map_err(failed)?;
    let after: Answers = access::ask(target.cluster, &here, at_once).await.map_err(failed)?;
    Ok(plan(&look(Some(&(before, after)))))
}

/// Whether an approval is one of this migration's: it names no application.
fn is_for(mover: &Mover, approval: &Approval) -> bool {
    approval.application.is_empty() && *approval.destination == *mover.name
}

/// The journal as it has to be before the plan is executed.
fn noted(mover: &Mover, journal: &Journal, plan: &Plan) -> Journal {
    let mut next = journal.clone();
    for (name, part) in &plan.parts {
        next.positions.insert(name.clone(), part.position.clone());
        for key in &part.forget {
            next.entries.remove(key);
        }
        let seed = (mover.context.salt, next.sequence);
        next.note(&part.outcome.steps, |key, number| digest_of(&(seed, key, number)));
    }
    for (namespace, policies) in &plan.admitted {
        next.admitted.entry(namespace.clone()).or_default().extend(policies.iter().cloned());
    }
    next.granted.extend(plan.granted.iter().cloned());
    let due: BTreeSet<&String> =
        plan.parts.values().flat_map(|part| part.outcome.steps.iter().map(|step| &step.key)).collect();
    let now = mover.context.clock.now().as_second();
    let answered = std::mem::take(&mut mover.state().made);
    for (key, entry) in
        next.entries.iter_mut().filter(|(key, entry)| entry.made.is_none() && !due.contains(key))
    {
        entry.made = Some(answered.get(key).copied().unwrap_or(now));
    }
    // Where the target's fence is taken away, something may start at once.
    for (name, part) in &plan.parts {
        let opens =
            part.outcome.steps.iter().any(|step| step.key.starts_with(&format!("target/{name}/unfence/")));
        if opens && part.position.stage == Stage::HandOver {
            next.started.insert(name.clone());
        } else if part.position.stage < Stage::HandOver {
            next.started.remove(name);
        }
    }
    if next != *journal {
        next.sequence += 1;
    }
    next
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
        for (_, says) in &made.done {
            let (action, resource) = ("step".into(), format!("{}: {says}", shown(name)));
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
    state.made.extend(made.done.iter().map(|(key, _)| (key.clone(), now)));
    let keys: BTreeSet<&String> = made.done.iter().map(|(key, _)| key).collect();
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
            mover.emit(What::StageReached {
                part: shown(name),
                stage: part.position.stage.to_string(),
                state: state.into(),
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
