//! Ring 1: desired objects and live facts in, a [`Plan`] out. Reads nothing else.

pub mod adoption;
pub mod annotations;
pub mod desired;
pub mod guard;
pub mod hooks;
pub mod input;
pub mod order;

pub use input::{Comparison, Desired, LiveFact, PlanInput};

use crate::model::application::names_kind;
use crate::model::plan::{Action, Change, Plan, Precondition, Verdict, Wave, WaveOrder};
use crate::model::{Deletion, DriftPolicy, ResourceId};
use annotations::{ApplyPolicy, Prune};
use order::Placed;
use std::collections::{BTreeMap, BTreeSet};

/// Decides everything that one pass will do.
#[must_use]
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut apply: Vec<Change> = input.desired.iter().map(|desired| judge_desired(input, desired)).collect();
    let mut prune = judge_surplus(input);

    let owned_before =
        input.live.values().filter(|fact| fact.ours && !fact.hook && !fact.terminating).count();
    let mut dangerous: Vec<&mut Change> = prune.iter_mut().chain(apply.iter_mut()).collect();
    dangerous.sort_by(|a, b| a.id.cmp(&b.id));
    let held = guard::hold(
        input.application,
        input.destination,
        &mut dangerous,
        owned_before,
        &input.sync.prune_guard,
        input.approved,
        input.held_before,
    );
    let prune_waits = input.prune_waits.clone().filter(|_| prune.iter().any(|c| c.action == Action::Delete));
    Plan {
        application: input.application.into(),
        destination: input.destination.into(),
        revision: input.revision.into(),
        apply: apply_waves(input, apply),
        prune: prune_waves(prune),
        prune_waits,
        held,
    }
}

/// What is to be done about one desired object.
fn judge_desired(input: &PlanInput<'_>, desired: &Desired) -> Change {
    let id = &desired.id;
    let mut change = Change {
        action: Action::Create,
        id: id.clone(),
        desired: desired.digest.clone(),
        precondition: Precondition::default(),
        verdict: Verdict::Allowed,
    };
    if is_left_alone(input, desired) {
        change.action = Action::Unchanged;
        return change;
    }
    if let Some(fact) = input.live.get(id) {
        change.precondition.uid = Some(fact.uid.clone());
        change.action = if is_as_desired(input, desired, fact) { Action::Unchanged } else { Action::Update };
        if fact.terminating && change.action != Action::Unchanged {
            change.verdict =
                Verdict::Deferred("it is being deleted; it is created again when it is gone".into());
        }
    } else if let Some(stranger) = input.strangers.get(id) {
        change.action = Action::Adopt;
        change.precondition.uid = Some(stranger.uid.clone());
        change.precondition.resource_version = Some(stranger.resource_version.clone());
        if let Err(refusal) = &stranger.verdict {
            change.verdict = Verdict::Blocked(refusal.clone());
        }
    } else if input.applied_whole && input.drift == DriftPolicy::Report && !input.asked {
        // It was deleted, which is drift.
        change.action = Action::Unchanged;
        return change;
    }
    if let Some(words) = input.immutable.get(id)
        && change.action == Action::Update
    {
        change.action = Action::Replace;
        change.precondition.resource_version = input.live.get(id).map(|fact| fact.resource_version.clone());
        if !names_kind(&input.sync.replace, &id.group_kind()) && !desired.directives.replace {
            change.verdict = Verdict::Blocked(format!(
                "{words}: it cannot be changed in place; name {kind} in `sync.replace` to have it deleted and created again, \
                 or give the object a new name",
                kind = id.group_kind()
            ));
        }
    }
    if change.action == Action::Unchanged {
        return change;
    }
    if let Some(reason) = input.forbidden.get(id) {
        change.verdict = Verdict::Blocked(reason.clone());
    } else if let Some(other) = input.claimed_by_others.get(id) {
        change.verdict =
            Verdict::Blocked(format!("application {other} declares it as well; keep it in one of the two"));
    } else if let Some(reason) = input.deferred.get(id) {
        change.verdict = Verdict::Deferred(reason.clone());
    } else if let Some(why) = input.frozen {
        change.verdict = Verdict::Blocked(why.into());
    } else if let Some(problem) = desired.directives.problems.iter().find(|problem| problem.fatal) {
        change.verdict = Verdict::Blocked(problem.to_string());
    }
    change
}

/// Whether the object's own annotations keep us from writing it.
fn is_left_alone(input: &PlanInput<'_>, desired: &Desired) -> bool {
    match &desired.directives.apply {
        ApplyPolicy::Always => false,
        ApplyPolicy::Never(_) => true,
        ApplyPolicy::IfNotPresent(_) => {
            input.live.contains_key(&desired.id) || input.strangers.contains_key(&desired.id)
        }
    }
}

/// Whether nothing has to be done: as applied, or drifted under a policy that leaves drift alone.
fn is_as_desired(input: &PlanInput<'_>, desired: &Desired, fact: &LiveFact) -> bool {
    if fact.application.as_deref() != Some(input.application) || fact.applied != desired.digest {
        return false;
    }
    match fact.comparison {
        Comparison::AsApplied => true,
        Comparison::Drifted => input.drift != DriftPolicy::Correct && !input.asked,
        Comparison::Unknown => false,
    }
}

/// What is to be done about live objects that are no longer declared.
fn judge_surplus(input: &PlanInput<'_>) -> Vec<Change> {
    let wanted: BTreeSet<&ResourceId> = input.desired.iter().map(|desired| &desired.id).collect();
    input
        .live
        .iter()
        .filter(|(id, fact)| {
            !wanted.contains(id)
                && fact.application.as_deref() == Some(input.application)
                && fact.ours
                && !fact.terminating
                && (!fact.hook || input.removed)
                && !input.claimed_by_others.contains_key(*id)
        })
        .map(|(id, fact)| Change {
            action: surplus_action(input, fact),
            id: id.clone(),
            desired: String::new(),
            precondition: Precondition {
                uid: Some(fact.uid.clone()),
                resource_version: Some(fact.resource_version.clone()),
            },
            verdict: surplus_verdict(input, id, fact),
        })
        .collect()
}

/// What the live object's own annotations say to its deletion.
const fn own_word<'a>(input: &PlanInput<'_>, fact: &'a LiveFact) -> &'a Prune {
    if input.removed { &fact.delete } else { &fact.prune }
}

fn surplus_action(input: &PlanInput<'_>, fact: &LiveFact) -> Action {
    let kept = matches!(own_word(input, fact), Prune::Kept(_));
    if (input.removed && input.deletion == Deletion::Orphan) || kept {
        Action::Orphan
    } else {
        Action::Delete
    }
}

fn surplus_verdict(input: &PlanInput<'_>, id: &ResourceId, fact: &LiveFact) -> Verdict {
    if let Some(why) = input.frozen {
        Verdict::Blocked(why.into())
    } else if !input.sync.prune && !input.removed {
        Verdict::Blocked("pruning is off (`sync.prune: false`)".into())
    } else if input.unavailable_groups.contains(&id.group) {
        Verdict::Deferred(format!("the API group {} does not answer completely at the moment", id.group))
    } else if let Some(reason) = &input.prune_waits {
        Verdict::Deferred(reason.clone())
    } else if *own_word(input, fact) == Prune::Confirm && surplus_action(input, fact) == Action::Delete {
        Verdict::Held("its annotation asks for a confirmation".into())
    } else {
        Verdict::Allowed
    }
}

/// Groups changes into waves; a wave is waited for where the next one may rely on it.
fn apply_waves(input: &PlanInput<'_>, changes: Vec<Change>) -> Vec<Wave> {
    let placed: Vec<Placed> = input
        .desired
        .iter()
        .map(|d| Placed {
            id: d.id.clone(),
            sync_wave: d.directives.wave,
            depends_on: d.directives.depends_on.clone(),
        })
        .collect();
    let (order, cycle) = match order::order(&placed) {
        Ok(order) => (order, BTreeSet::new()),
        Err(cycle) => {
            // The cycle's members are blocked; the others are ordered without their edges to them.
            let members: BTreeSet<ResourceId> = cycle.into_iter().collect();
            let rest: Vec<Placed> = placed
                .into_iter()
                .map(|p| if members.contains(&p.id) { Placed { depends_on: Vec::new(), ..p } } else { p })
                .collect();
            (order::order(&rest).unwrap_or_default(), members)
        }
    };
    let mut waves: BTreeMap<WaveOrder, Wave> = BTreeMap::new();
    for mut change in changes {
        let at = order.get(&change.id).copied().unwrap_or_default();
        if cycle.contains(&change.id) && change.action != Action::Unchanged {
            let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
            change.verdict = Verdict::Blocked(format!("depends-on goes in a circle: {}", names.join(", ")));
        }
        waves.entry(at).or_insert_with(|| Wave { order: at, ..Wave::default() }).changes.push(change);
    }
    let mut waves: Vec<Wave> = waves.into_values().collect();
    for wave in &mut waves {
        wave.changes.sort_by(|a, b| a.id.cmp(&b.id));
    }
    let orders: Vec<WaveOrder> = waves.iter().map(|w| w.order).collect();
    for (wave, next) in waves.iter_mut().zip(orders.iter().skip(1)) {
        let same_group = (wave.order.sync_wave, wave.order.level) == (next.sync_wave, next.level);
        wave.wait = !same_group || wave.order.rank <= order::FOUNDATION;
    }
    waves
}

/// Deletions in the reverse order of applying: custom resources before their CRDs, namespaces last.
fn prune_waves(changes: Vec<Change>) -> Vec<Wave> {
    let mut waves: BTreeMap<WaveOrder, Wave> = BTreeMap::new();
    for change in changes {
        let order = WaveOrder { rank: order::rank(&change.id.group_kind()), ..WaveOrder::default() };
        waves.entry(order).or_insert_with(|| Wave { order, ..Wave::default() }).changes.push(change);
    }
    let mut waves: Vec<Wave> = waves.into_values().rev().collect();
    let last = waves.len().saturating_sub(1);
    for (index, wave) in waves.iter_mut().enumerate() {
        wave.changes.sort_by(|a, b| a.id.cmp(&b.id));
        wave.wait = index < last;
    }
    waves
}
