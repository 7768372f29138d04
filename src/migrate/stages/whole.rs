//! The stages of the move as a whole: what lives in no namespace, and what comes before and after all waves.

use super::desired::{Level, Part};
use super::look::{Known, Places};
use super::owned::entry;
use super::patch::outstanding;
use super::plan::{StageOutcome, Way, waits};
use super::port::{Port, handed_over};
use super::seam::{self, Concern};
use super::sight::{Sight, is};
use super::verify;
use crate::migrate::calls::{Declared, Graph, cut, verdicts};
use crate::migrate::own::{Class, Whose};
use crate::migrate::verdict::{Level as Urgency, Verdict};
use crate::model::Object;
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
        (Way::Forward, Stage::Preflight) => preflight(known).into(),
        (Way::Forward, Stage::Provision) => provision(known).into(),
        (Way::Forward, Stage::Verify) if !position.complete => verified(known),
        (Way::Forward, Stage::Configure | Stage::Sync | Stage::Verify) => with_target(known, |target| {
            port(known, target, position.stage)
                .towards(&known.intent().desired(Part::Whole, Level::Rest))
                .into()
        }),
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

fn preflight(known: &Known<'_>) -> Outcome {
    let blocked = |what: String, way_out: &str| Gate::Blocked { what, way_out: way_out.into() };
    let mut gates: Vec<Gate> = known
        .context
        .problems()
        .into_iter()
        .map(|what| blocked(what, "name the last one in `spec.mapping` or `spec.images`"))
        .collect();
    let spec = known.look.spec;
    let moved: BTreeSet<&str> =
        spec.waves.iter().flat_map(|wave| &wave.namespaces).map(String::as_str).collect();
    let there: BTreeSet<&str> =
        known.before.iter().filter(|object| is(object, "", "Namespace")).map(super::sight::name).collect();
    for absent in moved.difference(&there) {
        gates.push(blocked(
            format!("namespace {absent} of `spec.waves` is not on the source"),
            "take it out, or correct its name",
        ));
    }
    for one in known.classes.values() {
        let concerned = one.id.namespace.as_deref().is_none_or(|namespace| moved.contains(namespace));
        if let (Class::Ask { why }, true) = (&one.class, concerned) {
            let key = format!("{}@{}", one.rule, one.id);
            let way_out = format!("record `{key}: port` or `{key}: drop` in `spec.choices`");
            gates.push(Gate::Blocked { what: format!("{}: {why}", one.id), way_out });
        }
    }
    let objects: Vec<Object> =
        known.before.iter().filter_map(|object| Object::new(object.clone()).ok()).collect();
    let declared: Vec<Declared> =
        spec.edges.iter().map(|edge| Declared { from: edge.from.clone(), to: edge.to.clone() }).collect();
    let waves: Vec<BTreeSet<String>> =
        spec.waves.iter().map(|wave| wave.namespaces.iter().cloned().collect()).collect();
    let cut = verdicts(&cut(&Graph::of(&objects, &declared), &waves), &BTreeSet::new());
    gates.extend(cut.iter().filter_map(|verdict| barred(known, verdict, "move both in one wave")));
    gates.extend(super::room::gate(known));
    match known.look.places {
        Places::Unknown => {}
        Places::Due => gates.push(Gate::Waiting {
            what: "whether everything has a place on the target has not been asked".into(),
            limit_seconds: limit(known, Stage::Preflight),
        }),
        Places::Unread(words) => gates.push(blocked(
            format!("whether everything has a place on the target is not known: {words}"),
            "see that the account of the kops cluster can be read",
        )),
        Places::Told(verdicts) => {
            gates.extend(
                verdicts.iter().filter_map(|verdict| barred(known, verdict, "change the ClusterConfig")),
            );
        }
    }
    Outcome { steps: Vec::new(), gates }
}

/// A Blocker that nobody has accepted.
fn barred(known: &Known<'_>, verdict: &Verdict, way_out: &str) -> Option<Gate> {
    let keys = [format!("{}@{}", verdict.rule, verdict.subject), verdict.rule.clone()];
    let accepts = |key: &String| known.look.spec.choices.get(key).is_some_and(|choice| choice == "accept");
    if verdict.level != Urgency::Blocker || keys.iter().any(accepts) {
        return None;
    }
    let way_out = format!("{way_out}, or record `{}: accept` in `spec.choices`", keys[0]);
    Some(Gate::Blocked { what: verdict.says.clone(), way_out })
}

fn provision(known: &Known<'_>) -> Outcome {
    let gates = match (&known.look.provision, known.look.target) {
        (Some(gate), _) => vec![gate.clone()],
        (None, None) => vec![Gate::Waiting {
            what: "the target cannot be read".into(),
            limit_seconds: limit(known, Stage::Provision),
        }],
        (None, Some(_)) => Vec::new(),
    };
    Outcome { steps: Vec::new(), gates }
}

fn verified(known: &Known<'_>) -> StageOutcome {
    with_target(known, |target| {
        let desired = known.intent().desired(Part::Whole, Level::Rest);
        let synced = port(known, target, Stage::Verify).towards(&desired);
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
    let kept = target.objects.iter().filter(|object| entry(object).is_some());
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
