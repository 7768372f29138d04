//! What is held until a person approves its digest, and what an approval covers.

use super::plan::{PlanInput, Step, StepAction};
use crate::model::plan::{Verdict, digest_of};
use std::collections::BTreeSet;

/// Gives every held step its digest, lets through what is approved, and returns the digest of what is still held (empty
/// when nothing is) with the approvals in force.
///
/// The digest covers exactly the held steps, with the incarnation of each resource and its differences: applying the
/// rest of the plan does not change it, and a resource that was made anew under the same name is not covered. An
/// approval of the whole is remembered step by step, for a cluster goes in many passes.
pub fn settle(input: &PlanInput<'_>, steps: &mut [Step]) -> (String, BTreeSet<String>) {
    let mut asked = Vec::new();
    for step in steps.iter_mut().filter(|step| matches!(step.verdict, Verdict::Held(_))) {
        step.approval = digest(step);
        if !input.granted.contains(&step.approval) {
            asked.push(step.approval.clone());
        }
    }
    asked.sort();
    let held = if asked.is_empty() { String::new() } else { digest_of(&(input.scope, &asked)) };
    let approved = !held.is_empty() && (input.approved)(&held);
    let mut granted = input.granted.clone();
    if approved {
        granted.extend(asked);
    }
    for step in steps.iter_mut().filter(|step| granted.contains(&step.approval)) {
        if matches!(step.verdict, Verdict::Held(_)) {
            step.verdict =
                if step.waits.is_empty() { Verdict::Allowed } else { Verdict::Deferred(step.waits.clone()) };
        }
    }
    // Kept while anything remains to be done: a kind that cannot be read for one pass must not cost an approval.
    let done =
        input.snapshot.unread.is_empty() && steps.iter().all(|step| step.action == StepAction::Unchanged);
    if done {
        granted.clear();
    }
    (if approved { String::new() } else { held }, granted)
}

/// What the approval of a step is bound to. Of two things that are one resource either may be called the duplicate, and
/// while a cluster goes they change places (the one in use is used no longer): the incarnation tells them apart.
fn digest(step: &Step) -> String {
    let differences: Vec<_> = step.differences.iter().map(|d| (&d.field, &d.declared, &d.actual)).collect();
    digest_of(&(step.action, step.key.original(), &step.precondition, differences))
}
