//! Where a migration stands, as it is stored and shown.

use super::execute::Made;
use super::kept::{Mover, Wanted};
use crate::migrate::proof::Proof;
use crate::migrate::stages::{PartPlan, Plan};
use crate::model::Health;
use crate::model::migration::{Gate, Stage};
use crate::model::migration_journal::Journal;
use crate::ports::{MigrationRecord, PartRecord, Waiting};
use std::collections::BTreeMap;

/// Steps that were made so often without an end are a fight, or a defect.
pub(super) const OFTEN: u32 = 8;

/// The record after a look, or after what followed from it.
pub(super) fn record(
    mover: &Mover,
    wanted: &Wanted,
    plan: &Plan,
    (journal, proofs): (Option<Journal>, &BTreeMap<String, String>),
    made: Option<&Made>,
) -> MigrationRecord {
    let mut record = base(mover, wanted);
    let now = mover.context.clock.now().as_second();
    let before = std::mem::take(&mut record.parts);
    let part = |(name, part): (&String, &PartPlan)| {
        part_record(name, part, proofs.get(name), before.iter().find(|old| old.name == *name))
    };
    record.parts = plan.parts.iter().map(part).collect();
    record.journal = journal;
    record.problems.clear();
    record.waiting = plan.parts.iter().find_map(|(name, part)| {
        let held = part.held.as_ref()?;
        let reason = format!("{}: {} steps have no way back", shown(name), held.says.len());
        Some(Waiting { digest: held.digest.clone(), reason, objects: held.says.clone() })
    });
    let mut waits = Vec::new();
    for (name, part) in &plan.parts {
        for (place, gate) in part.outcome.gates.iter().enumerate() {
            match gate {
                Gate::Open | Gate::Approval { .. } => {}
                Gate::Waiting { what, limit_seconds } => {
                    let limit = i64::try_from(*limit_seconds).unwrap_or(i64::MAX);
                    let late = limit > 0 && now - part.position.since > limit;
                    if late {
                        let words = format!("{what}, for longer than {} min", limit_seconds / 60);
                        record.problems.insert(format!("{} {}", shown(name), part.position.stage), words);
                    } else {
                        waits.push(format!("{}: {what}", shown(name)));
                    }
                }
                Gate::Blocked { what, way_out } => {
                    let key = format!("{} {}#{place}", shown(name), part.position.stage);
                    record.problems.insert(key, format!("{what}; {way_out}"));
                }
            }
        }
    }
    for (key, count) in &mover.state().attempts {
        if *count >= OFTEN {
            let words = "was done again and again, and is never as it was written: somebody else changes it";
            record.problems.insert(key.clone(), words.into());
        }
    }
    record.problems.extend(mover.state().failures.clone());
    let steps: usize = plan.parts.values().map(|part| part.outcome.steps.len()).sum();
    let moving = plan.parts.values().any(|part| !part.position.complete || part.position.stage != part.goal);
    record.health = if !record.problems.is_empty() {
        Health::Degraded
    } else if record.waiting.is_some() || wanted.spec.suspend {
        Health::Suspended
    } else if steps > 0 || moving {
        Health::Progressing
    } else {
        Health::Healthy
    };
    if made.is_some_and(|made| !made.done.is_empty()) {
        record.last_change = Some(mover.context.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    record.message = message(&record, wanted, &waits, plan);
    record
}

/// The record while nothing can be known.
pub(super) fn unreachable(mover: &Mover, wanted: &Wanted, words: &str) -> MigrationRecord {
    let mut record = base(mover, wanted);
    record.health = Health::Unknown;
    record.message = words.to_owned();
    record
}

fn base(mover: &Mover, wanted: &Wanted) -> MigrationRecord {
    let stored = mover.state().stored.as_ref().map(|stored| stored.value.clone());
    let mut record = stored.unwrap_or_else(|| MigrationRecord::new(&mover.name));
    let source = &wanted.spec.source;
    let context = || {
        source.kubeconfig.as_ref().and_then(|config| config.context.clone().or_else(|| config.name.clone()))
    };
    record.source = source.cluster.clone().or_else(context).unwrap_or_default();
    record.target.clone_from(&wanted.spec.target.cluster);
    record.declared_in.clone_from(&wanted.declared_in);
    record.revision.clone_from(&wanted.revision);
    record.stage = wanted.spec.stage;
    record
}

/// What a proof comes to, in words.
pub(super) fn proven(proof: &Proof) -> String {
    format!("{} of {} objects equal", proof.counts.equal, proof.counts.expected)
}

/// Proven is what stands complete at Verify, or is past it; whatever goes back before it is proven anew.
pub(super) fn is_past_proof(part: &PartPlan) -> bool {
    (part.position.stage, part.position.complete) >= (Stage::Verify, true)
}

/// `known` is what the journal says of its proof, `before` what was told of the part last: what was proven is shown for as
/// long as the proof stands.
fn part_record(
    name: &str,
    part: &PartPlan,
    known: Option<&String>,
    before: Option<&PartRecord>,
) -> PartRecord {
    let gates = part.outcome.gates.iter().filter_map(|gate| match gate {
        Gate::Open => None,
        Gate::Waiting { what, .. } => Some(what.clone()),
        Gate::Blocked { what, way_out } => Some(format!("{what}; {way_out}")),
        Gate::Approval { digest } => Some(format!("waits for an approval of {digest}")),
    });
    let stood = || known.or(before.map(|old| &old.proof)).filter(|_| is_past_proof(part)).cloned();
    let proof = part.proof.as_ref().map(proven).or_else(stood);
    // What the world said once stays shown for as long as the part stands there.
    let same =
        |old: &&PartRecord| old.complete && old.stage == Stage::Preflight && part.position.stage == old.stage;
    let notes = match before.filter(same) {
        Some(old) if part.notes.is_empty() => old.notes.clone(),
        _ => part.notes.clone(),
    };
    PartRecord {
        name: name.into(),
        stage: part.position.stage,
        complete: part.position.complete,
        goal: part.goal,
        since: part.position.since,
        gates: gates.collect(),
        proof: proof.unwrap_or_default(),
        notes,
    }
}

/// A part as people name it.
pub(super) fn shown(part: &str) -> String {
    if part.is_empty() { "the move".into() } else { format!("wave {part}") }
}

fn message(record: &MigrationRecord, wanted: &Wanted, waits: &[String], plan: &Plan) -> String {
    if wanted.removed {
        return "the document is gone: everything stays as it is, until it is back".into();
    }
    if let Some((place, words)) = record.problems.first_key_value() {
        let more = record.problems.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let place = place.split('#').next().unwrap_or_default();
        return format!("{place}: {words}{more}");
    }
    if wanted.spec.suspend {
        return "suspended by its document".into();
    }
    if let Some(waiting) = &record.waiting {
        return format!("{}: `portolan approve {} {}`", waiting.reason, record.name, waiting.digest);
    }
    let step = plan.parts.values().flat_map(|part| &part.outcome.steps).next();
    waits.first().cloned().or_else(|| step.map(|step| step.says.clone())).unwrap_or_default()
}
