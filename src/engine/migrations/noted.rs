//! The journal as it has to be before a plan is executed.

use super::kept::Mover;
use super::report::{is_past_proof, proven};
use super::sights::Reads;
use crate::migrate::stages::Plan;
use crate::migrate::stages::seam::in_sync;
use crate::model::migration::Stage;
use crate::model::migration_journal::{Answered, Journal};
use crate::model::plan::digest_of;
use std::collections::{BTreeMap, BTreeSet};

/// `stored` is what is in force; `next` the same without what was taken back since, with which the plan was made;
/// `answered` what became of the steps of the last pass.
pub(super) fn noted(
    mover: &Mover,
    stored: &Journal,
    mut next: Journal,
    answered: &BTreeMap<String, Answered>,
    (plan, reads): (&Plan, &Reads),
) -> Journal {
    let settled = in_sync(&next, reads);
    for (name, part) in &plan.parts {
        next.positions.insert(name.clone(), part.position.clone());
        for key in &part.forget {
            next.entries.remove(key);
        }
        let seed = (mover.context.salt, next.sequence);
        next.note(&part.outcome.steps, |key, number| digest_of(&(seed, key, number)));
    }
    for (name, part) in &plan.parts {
        if !is_past_proof(part) {
            next.proofs.remove(name);
        } else if let Some(proof) = &part.proof {
            next.proofs.insert(name.clone(), proven(proof));
        }
    }
    for (namespace, policies) in &plan.admitted {
        next.admitted.entry(namespace.clone()).or_default().extend(policies.iter().cloned());
    }
    next.granted.extend(plan.granted.iter().cloned());
    let due: BTreeSet<&str> = plan
        .parts
        .values()
        .flat_map(|part| part.outcome.steps.iter().map(|step| step.key.as_str()))
        .collect();
    let now = mover.context.clock.now().as_second();
    next.follow(&due, answered, &settled, now);
    for (name, part) in &plan.parts {
        let begins = |prefix: &str| due.iter().any(|key| key.starts_with(&format!("{prefix}/{name}/un")));
        // Where the target's fence is taken away, something may start at once.
        if begins("target") && part.position.stage == Stage::HandOver {
            next.started.insert(name.clone());
        } else if part.position.stage < Stage::HandOver {
            next.started.remove(name);
        }
        // Where the source's is, it writes again: what is handed over after that is another state.
        let forward = part.goal >= Stage::HandOver && part.position.stage == Stage::HandOver;
        if begins("source") || part.position.stage < Stage::HandOver {
            next.runs.remove(name);
        } else if forward && !next.runs.contains_key(name) {
            next.runs.insert(name.clone(), format!("{now}-{}", next.sequence));
        }
    }
    if next != *stored {
        next.sequence += 1;
    }
    next
}
