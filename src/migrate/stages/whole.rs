//! The stages of the move as a whole: what lives in no namespace, and what comes before and after all waves.

use super::bridges;
use super::desired::{Level, Part};
use super::look::Known;
use super::owned::entry;
use super::patch::outstanding;
use super::plan::{StageOutcome, Way, waits};
use super::port::{Port, handed_over};
use super::preflight::preflight;
use super::seam::{self, Concern};
use super::sight::Sight;
use super::surplus::surplus;
use super::verify;
use crate::migrate::own::{Class, Whose};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::migration_document::{OWN_NAMESPACES, WaveSpec};
use crate::model::migration_journal::{Position, UNDO};
use crate::model::ownership::FIELD_MANAGER;
use crate::transform::{Phase, identity};
use std::collections::BTreeSet;

/// What a stage makes of the move as a whole.
pub(super) fn stage(known: &Known<'_>, position: Position, way: Way) -> StageOutcome {
    let mut made = of_stage(known, position, way);
    let (steps, forget) = lifted(known);
    made.outcome.steps.extend(steps);
    made.forget.extend(forget);
    let (steps, forget, notes) = bridges::kept(known);
    made.outcome.steps.extend(steps);
    made.forget.extend(forget);
    made.notes.extend(notes);
    made
}

/// Controllers of records that were paused run again once no wave is at `Shift` any more, nor on its way there.
fn lifted(known: &Known<'_>) -> (Vec<Step>, Vec<String>) {
    let (spec, journal) = (known.look.spec, &known.look.journal);
    let shifts =
        |wave: &WaveSpec| journal.position(&wave.name).stage.max(spec.stage_of(wave)) >= Stage::Shift;
    if spec.waves.iter().any(shifts) {
        return Default::default();
    }
    let index = known.look.source.index();
    let is_outstanding = |step: &Step| match &step.effect {
        Effect::Patch { id, operations, .. } => {
            let left = index.get(id).and_then(|live| outstanding(live, operations));
            left.is_some_and(|left| !left.is_empty())
        }
        _ => false,
    };
    let (steps, done): (Vec<Step>, Vec<Step>) =
        seam::lifts(&journal.entries).into_iter().partition(is_outstanding);
    let forget = done.into_iter().filter_map(|step| step.key.strip_prefix(UNDO).map(String::from));
    (steps, forget.collect())
}

fn of_stage(known: &Known<'_>, position: Position, way: Way) -> StageOutcome {
    match (way, position.stage) {
        (Way::Forward, Stage::Inventory) => inventory(known),
        (Way::Forward, Stage::Preflight) => preflight(known, position.complete),
        (Way::Forward, Stage::Provision) => provision(known, position.complete).into(),
        (Way::Forward, Stage::Verify) if !position.complete => verified(known),
        (Way::Forward, Stage::Configure | Stage::Sync | Stage::Verify) => {
            with_target(known, |target| synced(known, target, position.stage).into())
        }
        (Way::Forward, Stage::HandOver) if !position.complete => handed(known),
        (Way::Forward, Stage::Decommission) => decommission(known),
        (Way::Forward, Stage::HandOver | Stage::Shift | Stage::Soak) => {
            all_waves(known, position.stage).into()
        }
        (Way::Back, Stage::Decommission) if !known.look.journal.granted.is_empty() => Outcome {
            steps: Vec::new(),
            gates: vec![Gate::Blocked {
                what: "objects are given to their Applications: from here nothing goes back".into(),
                way_out: "set `spec.stage` to Decommission again".into(),
            }],
        }
        .into(),
        (Way::Back, Stage::Decommission) => {
            let steps = seam::taken_back(&known.look.journal.entries);
            Outcome { steps, gates: Vec::new() }.into()
        }
        (Way::Back, Stage::Configure) => with_target(known, |target| {
            let begun = |name: &str| known.look.journal.position(name).stage >= Stage::Configure;
            match known.look.spec.waves.iter().find(|wave| begun(&wave.name)) {
                // What it waits for, and how long, the wave says: it may be a word of a person.
                Some(wave) => waits(format!("wave {} goes back first", wave.name), 0).into(),
                None => port(known, target, Stage::Configure).away(None, |_| true).into(),
            }
        }),
        (Way::Back, Stage::HandOver) => with_target(known, |target| {
            let refuses = |phase| matches!(phase, Phase::Aggregated | Phase::Admission);
            port(known, target, Stage::HandOver).away(None, refuses).into()
        }),
        (Way::Back, _) => StageOutcome::default(),
    }
}

/// The limit of a stage in seconds.
pub(super) fn limit(known: &Known<'_>, stage: Stage) -> u64 {
    known.look.spec.limits.of(stage).duration().as_secs()
}

pub(super) fn with_target(known: &Known<'_>, of: impl FnOnce(&Sight) -> StageOutcome) -> StageOutcome {
    match (known.look.target, &known.look.provision) {
        (Some(target), None) => of(target),
        (_, Some(gate)) => Outcome { steps: Vec::new(), gates: vec![gate.clone()] }.into(),
        (None, None) => waits("the target cannot be read".into(), limit(known, Stage::Provision)).into(),
    }
}

fn port<'a>(known: &'a Known<'_>, target: &'a Sight, stage: Stage) -> Port<'a> {
    Port {
        migration: known.look.name,
        wave: None,
        stage,
        target,
        service_range: None,
        limit_seconds: limit(known, stage),
    }
}

fn inventory(known: &Known<'_>) -> StageOutcome {
    let source = known.look.source;
    let mut notes: Vec<String> = source
        .unread
        .iter()
        .map(|(kind, why)| format!("{kind} of the source cannot be read: {why}"))
        .collect();
    for one in known.classes.values() {
        let own = one.id.namespace.as_deref().is_some_and(|namespace| OWN_NAMESPACES.contains(&namespace));
        if own && one.whose == Whose::User && one.class == Class::Port {
            notes.push(format!("{} stays: no wave moves this namespace, move it by hand", one.id));
        }
    }
    let gates = if source.objects.is_empty() {
        vec![Gate::Waiting {
            what: "the source has not been read".into(),
            limit_seconds: limit(known, Stage::Inventory),
        }]
    } else {
        Vec::new()
    };
    StageOutcome { outcome: Outcome { steps: Vec::new(), gates }, notes, ..StageOutcome::default() }
}

/// An API server that answers is not a cluster yet: pods need node groups, and what acts on them. Once it was whole, it is
/// its own document's again: a drift of its is no matter of the move.
fn provision(known: &Known<'_>, complete: bool) -> Outcome {
    let waiting = |what: String| vec![Gate::Waiting { what, limit_seconds: limit(known, Stage::Provision) }];
    let gates = match (&known.look.provision, known.look.target, known.look.unmade) {
        (Some(gate), ..) => vec![gate.clone()],
        (None, None, _) => waiting("the target cannot be read".into()),
        (None, Some(_), Some(words)) if !complete => waiting(format!("the target is not whole yet: {words}")),
        (None, Some(_), _) => Vec::new(),
    };
    Outcome { steps: Vec::new(), gates }
}

/// What lives in no namespace, as the source has it.
fn synced(known: &Known<'_>, target: &Sight, stage: Stage) -> Outcome {
    let (port, desired) = (port(known, target, stage), known.intent().desired(Part::Whole, Level::Rest));
    let outcome = port.towards(&desired);
    if !outcome.is_done() || stage < Stage::Sync {
        return outcome;
    }
    surplus(known, &port, &desired, None)
}

fn verified(known: &Known<'_>) -> StageOutcome {
    with_target(known, |target| {
        let synced = synced(known, target, Stage::Verify);
        if !synced.is_done() {
            return synced.into();
        }
        proven(known, target, Part::Whole)
    })
}

/// The proof of a part at rest, and its gate.
pub(super) fn proven(known: &Known<'_>, target: &Sight, part: Part<'_>) -> StageOutcome {
    match verify::proof(known, target, part, Level::Rest) {
        Some(proof) => {
            let gates = verify::gate(&proof).into_iter().collect();
            StageOutcome {
                outcome: Outcome { steps: Vec::new(), gates },
                proof: Some(proof),
                ..StageOutcome::default()
            }
        }
        None => waits("who may do what is not asked yet".into(), limit(known, Stage::Verify)).into(),
    }
}

/// What refuses others' writes and answers for parts of the API comes when every wave runs on the target.
fn handed(known: &Known<'_>) -> StageOutcome {
    let waiting = all_waves(known, Stage::HandOver);
    if !waiting.is_done() {
        return waiting.into();
    }
    with_target(known, |target| {
        let desired = known.intent().desired(Part::Whole, Level::Running);
        port(known, target, Stage::HandOver).towards(&desired).into()
    })
}

/// Waits until every wave has completed a stage.
fn all_waves(known: &Known<'_>, stage: Stage) -> Outcome {
    let behind = known.look.spec.waves.iter().find(|wave| {
        let position = known.look.journal.position(&wave.name);
        (position.stage, position.complete) < (stage, true)
    });
    // A wave goes as far as it is told; that is no failure of the move, and has no limit.
    behind.map_or_else(Outcome::default, |wave| waits(format!("wave {} is not at {stage} yet", wave.name), 0))
}

fn decommission(known: &Known<'_>) -> StageOutcome {
    let waiting = all_waves(known, Stage::Soak);
    if !waiting.is_done() {
        return waiting.into();
    }
    if let Some(gate) = bridges::lasting(known) {
        return Outcome { steps: Vec::new(), gates: vec![gate] }.into();
    }
    with_target(known, |target| {
        let guarded = match guarded(known, target) {
            Ok(guarded) => guarded,
            Err(gate) => return Outcome { steps: Vec::new(), gates: vec![gate] }.into(),
        };
        if !guarded.spares.is_done() {
            return StageOutcome { outcome: guarded.spares, notes: guarded.notes, ..StageOutcome::default() };
        }
        let mut outcome = Outcome { steps: given(target, &guarded.digest), gates: Vec::new() };
        // What ends the way back comes after what was approved.
        if outcome.steps.is_empty() {
            outcome.steps.extend(guarded.last);
            for wave in &known.look.spec.waves {
                let namespaces: BTreeSet<String> = wave.namespaces.iter().cloned().collect();
                let concern = Concern::of(known, (&wave.name, Stage::Decommission), &namespaces, &[], target);
                let settled = seam::settled(&concern);
                outcome.steps.extend(settled.steps);
                outcome.gates.extend(settled.gates);
            }
        }
        StageOutcome { outcome, notes: guarded.notes, ..StageOutcome::default() }
    })
}

/// What the guard says; nothing where no kops cluster is named.
fn guarded(known: &Known<'_>, target: &Sight) -> Result<seam::Decommission, Gate> {
    if known.look.spec.source.kops.is_none() {
        return Ok(seam::Decommission::default());
    }
    match &known.look.guard {
        // Read once the move is here, in the same pass.
        None => Err(Gate::Waiting {
            what: "what `kops delete cluster` would take has not been read".into(),
            limit_seconds: limit(known, Stage::Decommission),
        }),
        Some(Err(words)) => Err(Gate::Blocked {
            what: format!("what `kops delete cluster` would take is not known: {words}"),
            way_out: "see that the account and the state store of the kops cluster can be read".into(),
        }),
        Some(Ok(guarding)) => Ok(seam::decommission(guarding, target)),
    }
}

/// Every object that the migration still keeps is given to its Application: nothing of its spec is written.
fn given(target: &Sight, digest: &str) -> Vec<Step> {
    let cleared = if digest.is_empty() { String::new() } else { format!("/{digest}") };
    let kept = target.objects.iter().filter(|object| entry(object).is_some() && !bridges::is_bridge(object));
    kept.filter_map(|object| {
        let id = identity(object)?;
        let effect = Effect::Patch {
            side: Side::Target,
            id: id.clone(),
            version: super::patch::version_of(object),
            operations: handed_over(object, FIELD_MANAGER)?,
        };
        Some(Step {
            // An approval is good for these objects, and for this list of what kops would delete.
            key: format!("give/{id}{cleared}"),
            stage: Stage::Decommission,
            wave: None,
            effect,
            undo: Vec::new(),
            says: format!("{id} is given to its Application"),
            final_: true,
        })
    })
    .collect()
}
