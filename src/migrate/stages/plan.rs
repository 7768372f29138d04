//! The plan of a pass: for every part of the move, what is to be done now, what holds it back, and how far it is.
//!
//! A part is the move as a whole, or a wave. It stands at a stage, under way or complete. Where its goal is later it
//! goes forward, one stage after the other; where the goal is earlier it goes back the same way, each stage by its
//! inverse. What a stage has to be is computed from what is seen, so it makes no difference how the part got there.

use super::look::{Known, Look};
use super::seam::{self, Asked};
use super::{wave, whole};
use crate::migrate::proof::Proof;
use crate::model::migration::{Gate, Outcome, Stage, Step};
use crate::model::migration_journal::{Journal, Position, WHOLE};
use crate::model::plan::digest_of;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan says of one part.
#[derive(Clone, Debug, Default)]
pub struct PartPlan {
    /// Where it goes.
    pub goal: Stage,
    /// Where it is from now on.
    pub position: Position,
    /// Steps and gates.
    pub outcome: Outcome,
    /// Entries of the journal that are of no use any longer.
    pub forget: Vec<String>,
    /// The proof, where it was made.
    pub proof: Option<Proof>,
    /// What an approval is asked for, by digest.
    pub held: Option<Held>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Steps that wait for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The digest to approve.
    pub digest: String,
    /// What the steps do.
    pub says: Vec<String>,
}

/// A plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By the part's name; the move as a whole is [`WHOLE`].
    pub parts: BTreeMap<String, PartPlan>,
    /// What only the pods of the source tell, for the journal.
    pub admitted: BTreeMap<String, BTreeSet<String>>,
    /// Digests of the keys of steps that are approved now.
    pub granted: Vec<String>,
}

/// Which way a part goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Towards a later stage, or kept where it is.
    Forward,
    /// Towards an earlier one.
    Back,
}

/// What a stage makes of a part.
#[derive(Clone, Debug, Default)]
pub struct StageOutcome {
    /// Steps and gates.
    pub outcome: Outcome,
    /// Entries of the journal that are taken back.
    pub forget: Vec<String>,
    /// The proof, where it was made.
    pub proof: Option<Proof>,
    /// What an approval is asked for, where the stage asks for one itself.
    pub held: Option<Held>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl From<Outcome> for StageOutcome {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, ..Self::default() }
    }
}

/// Plans every part.
#[must_use]
pub fn plan(known: &Known<'_>) -> Plan {
    let look = known.look;
    let mut plan = Plan { admitted: super::look::admitted(look.source), ..Plan::default() };
    let goal = look.spec.furthest();
    let mut parts = vec![(WHOLE.to_owned(), goal)];
    parts.extend(look.spec.waves.iter().map(|wave| (wave.name.clone(), look.spec.stage_of(wave))));
    // The move as a whole comes first: waves begin with what it has.
    let mut whole = look.journal.position(WHOLE);
    for (name, goal) in parts {
        let part = part(known, (&name, goal), &whole, &mut plan.granted);
        if name == WHOLE {
            whole = part.position.clone();
        }
        plan.parts.insert(name, part);
    }
    plan
}

/// What has to be read in AWS, and in whose account, before a plan can say what volumes and records need: `first` is the
/// plan that was made without.
#[must_use]
pub fn reads(known: &Known<'_>, first: &Plan) -> Vec<Asked> {
    let look = known.look;
    let concerned = |name: &str| {
        let planned = first.parts.get(name).map(|part| part.position.stage).unwrap_or_default();
        planned.max(look.journal.position(name).stage) >= Stage::HandOver
    };
    let waves: Vec<_> = look.spec.waves.iter().filter(|wave| concerned(&wave.name)).collect();
    if waves.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<Asked> = Vec::new();
    for asked in waves.into_iter().flat_map(|wave| wave::reads(known, wave)) {
        if !all.contains(&asked) {
            all.push(asked);
        }
    }
    all
}

/// The next stage in order; the last has none.
#[must_use]
pub fn next(stage: Stage) -> Stage {
    let place = Stage::ALL.iter().position(|one| *one == stage).unwrap_or_default();
    Stage::ALL.get(place + 1).copied().unwrap_or(stage)
}

fn previous(stage: Stage) -> Stage {
    let place = Stage::ALL.iter().position(|one| *one == stage).unwrap_or_default();
    Stage::ALL[place.saturating_sub(1)]
}

/// One part, as far as it can be followed without doing anything.
fn part(
    known: &Known<'_>,
    (name, goal): (&str, Stage),
    whole: &Position,
    granted: &mut Vec<String>,
) -> PartPlan {
    let look = known.look;
    let mut plan = PartPlan { goal, position: look.journal.position(name), ..PartPlan::default() };
    if !look.journal.positions.contains_key(name) {
        plan.position.since = look.now;
    }
    loop {
        let position = &mut plan.position;
        if position.complete && goal > position.stage {
            *position = Position { stage: next(position.stage), complete: false, since: look.now };
        }
        // A stage that was begun for a later goal and never completed is taken back as well.
        let way = if goal < position.stage { Way::Back } else { Way::Forward };
        let made = if name == WHOLE {
            whole::stage(known, position.clone(), way)
        } else {
            wave::stage(known, (name, goal), position.clone(), whole, way)
        };
        plan.outcome = made.outcome;
        plan.forget.extend(made.forget);
        plan.proof = made.proof.or(plan.proof.take());
        plan.notes.extend(made.notes);
        plan.held = hold(&mut plan.outcome, look, granted).or(made.held);
        if !plan.outcome.is_done() {
            // What is being taken back is complete no more: who turns round goes through it again.
            if way == Way::Back && position.complete && !plan.outcome.steps.is_empty() {
                *position = Position { complete: false, since: look.now, ..position.clone() };
            }
            return plan;
        }
        match way {
            Way::Forward if !position.complete => {
                *position = Position { complete: true, since: look.now, ..position.clone() };
            }
            Way::Back => {
                plan.forget.extend(entries_of(look.journal, name, position.stage));
                *position = Position { stage: previous(position.stage), complete: true, since: look.now };
            }
            Way::Forward => {}
        }
        if position.complete && position.stage == goal {
            return plan;
        }
    }
}

/// Keys of the entries of a part's stage. What lets a paused external-dns run again is kept until it does: the move as a
/// whole leaves `Shift` before its waves do.
fn entries_of(journal: &Journal, name: &str, stage: Stage) -> Vec<String> {
    let ours = journal
        .entries
        .iter()
        .filter(|(key, _)| !seam::is_pause(key))
        .filter(|(_, entry)| entry.stage == stage && entry.wave.as_deref().unwrap_or(WHOLE) == name);
    ours.map(|(key, _)| key.clone()).collect()
}

/// Holds back steps without a way back, and what follows them, until a person has approved exactly these.
fn hold(outcome: &mut Outcome, look: &Look<'_>, granted: &mut Vec<String>) -> Option<Held> {
    let key = |step: &Step| digest_of(&step.key)[..16].to_owned();
    let asked: Vec<&Step> = outcome
        .steps
        .iter()
        .filter(|step| step.final_ && !look.journal.granted.contains(&key(step)))
        .collect();
    let first = asked.first()?.key.clone();
    let digest = digest_of(&asked.iter().map(|step| step.key.as_str()).collect::<Vec<_>>());
    if (look.approved)(&digest) {
        granted.extend(asked.iter().map(|step| key(step)));
        return None;
    }
    let held = Held { digest: digest.clone(), says: asked.iter().map(|step| step.says.clone()).collect() };
    let place = outcome.steps.iter().position(|step| step.key == first).unwrap_or_default();
    outcome.steps.truncate(place);
    outcome.gates.push(Gate::Approval { digest });
    Some(held)
}

/// What holds a part back as a whole: another part that has to come first.
#[must_use]
pub fn waits(what: String, limit_seconds: u64) -> Outcome {
    Outcome { steps: Vec::new(), gates: vec![Gate::Waiting { what, limit_seconds }] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_each_other_both_ways() {
        for pair in Stage::ALL.windows(2) {
            assert_eq!((next(pair[0]), previous(pair[1])), (pair[1], pair[0]));
        }
        assert_eq!(
            (next(Stage::Decommission), previous(Stage::Inventory)),
            (Stage::Decommission, Stage::Inventory)
        );
    }
}
