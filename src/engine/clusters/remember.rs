//! What a pass leaves for the next one, before it changes anything.

use super::decide::{Considered, is_for};
use super::kept::{Kept, Wanted};
use crate::provision::eks::service_account::SWEPT;
use crate::provision::resource::{Difference, Key, Kind, Owner};
use crate::provision::{CloudPlan, StepAction};
use std::collections::BTreeSet;

/// Brings the memory up to date.
pub(super) fn remember(kept: &Kept, wanted: &Wanted, considered: &Considered) {
    let Considered { account, found, plan, before, .. } = considered;
    let snapshot = &found.reading.snapshot;
    let now = kept.context.clock.now();
    let settle = kept.context.pace.settle;
    let mut state = kept.state();
    state.calls.clone_from(&found.reading.calls);
    // Kinds that could not be read now were there before: what is declared of them must not seem to be gone.
    let mut known = snapshot.clone();
    for (key, live) in before.iter().flat_map(|before| &before.live) {
        if snapshot.unread.contains_key(&key.kind) {
            known.live.entry(key.clone()).or_insert_with(|| live.clone());
        }
    }
    state.snapshot = Some(known);
    let memory = &mut state.memory;
    memory.scope = Some(account.scope.clone());
    memory.role_arn.clone_from(&wanted.access.role_arn);
    if snapshot.facts.contains_key(SWEPT) {
        memory.swept = true;
        let ours = snapshot.live.values().filter(|live| live.key.kind == Kind::ServiceAccount);
        ours.filter(|live| live.owner == Owner::Ours).for_each(|live| memory.find(live));
    }
    if found.refused().is_none() {
        let is_there = |key: &Key| {
            snapshot.live.contains_key(key) || snapshot.unread.contains_key(&key.kind) || wanted.removed
        };
        memory.declare(&found.staged.resources, is_there);
    }
    memory.granted.clone_from(&plan.granted);
    for step in &plan.steps {
        if let (StepAction::Unchanged, Some(desired)) = (step.action, &step.desired)
            && step.reported.iter().all(is_anothers_tag)
        {
            memory.applied.insert(step.key.clone(), desired.clone());
        }
    }
    if found.incomplete().is_none() && found.refused().is_none() {
        let declared: BTreeSet<&Key> = found.staged.resources.iter().map(|resource| &resource.key).collect();
        memory.applied.retain(|key, _| declared.contains(key));
    }
    memory.attempts.follow(plan, snapshot, settle, now);
    memory.moving = match (&found.staged.course, found.looked_inside) {
        (Some(_), _) => true,
        (None, true) => !found.staged.restart.is_empty(),
        // The pods of Fargate are seen from the inside only.
        (None, false) => {
            memory.moving
                && !wanted.removed
                && snapshot.live.keys().any(|key| key.kind == Kind::FargateProfile)
        }
    };
    let written = plan.actionable().next().is_some();
    if written && state.begun.is_none() {
        state.begun = Some(now);
    }
}

/// A tag that somebody else put on: told, and no sign that the declaration is not in place.
fn is_anothers_tag(difference: &Difference) -> bool {
    difference.declared.is_null() && difference.field.starts_with("/tags/")
}

/// Forgets approvals that are in the memory now, and so in force.
pub(super) async fn use_up_approvals(kept: &Kept, plan: &CloudPlan) {
    if plan.granted.is_empty() {
        return;
    }
    // One that stays in the store is good for a plan that is done: it does no harm.
    let Ok(approvals) = kept.context.store.approvals().await else { return };
    for approval in approvals.iter().filter(|approval| is_for(kept, approval) && approval.digest != plan.held)
    {
        let _ = kept.context.store.use_up(approval).await;
    }
}
