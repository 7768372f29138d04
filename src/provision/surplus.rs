//! What is to be done about what is there and not declared (any longer).

use super::in_use::Uses;
use super::owner::Incarnation;
use super::plan::{PlanInput, Step, StepAction, Undeclared};
use super::resource::{Key, Kind, Live, Owner, State};
use super::{order, wording};
use crate::model::plan::Verdict;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Declared places for pods that are not there yet: those no longer declared wait for them.
pub fn capacity_to_come(steps: &[Step]) -> BTreeSet<Key> {
    steps
        .iter()
        .filter(|step| order::is_capacity(step.key.kind))
        .filter(|step| matches!(step.action, StepAction::Create | StepAction::Wait))
        .filter(|step| !matches!(step.verdict, Verdict::Blocked(_)))
        .map(|step| step.key.clone())
        .collect()
}

/// Deletions of what is ours, in order, and what is not ours, named.
pub fn judge(input: &PlanInput<'_>, capacity_to_come: &BTreeSet<Key>) -> (Vec<Step>, Vec<Undeclared>) {
    let known: BTreeMap<&Key, bool> = input.resources.iter().map(|r| (&r.key, r.existing)).collect();
    let surplus: BTreeMap<&Key, &Live> = input
        .snapshot
        .live
        .iter()
        .filter(|(key, live)| match known.get(*key) {
            None => true,
            // What the file names as existing and carries our tags was made by us from an earlier file.
            Some(existing) => input.removed && (!existing || live.owner == Owner::Ours),
        })
        .collect();
    let uses = Uses::of(input);
    let kept: BTreeMap<&Key, String> = surplus
        .iter()
        .filter(|(_, live)| live.owner == Owner::Ours && !input.removed)
        .filter_map(|(key, live)| Some((*key, uses.keeps(live)?)))
        .collect();
    let ours: BTreeSet<Key> = surplus
        .iter()
        .filter(|(key, live)| live.owner == Owner::Ours && !kept.contains_key(*key))
        .map(|(key, _)| (*key).clone())
        .collect();
    let needs: BTreeMap<&Key, &BTreeSet<Key>> = input.resources.iter().map(|r| (&r.key, &r.needs)).collect();
    let cluster_goes = ours.iter().any(|key| key.kind == Kind::Cluster);
    // What goes with the cluster has no place of its own in the order.
    let (along, ours): (BTreeSet<Key>, BTreeSet<Key>) =
        ours.into_iter().partition(|key| cluster_goes && order::goes_with_cluster(key.kind));
    let along = along.into_iter().map(|key| (key, BTreeSet::new()));
    let steps = order::by_deletion(&ours, &needs)
        .into_iter()
        .chain(along)
        .filter_map(|(key, before)| Some((surplus.get(&key).copied()?, before)))
        .map(|(live, before)| delete(input, live, before, cluster_goes, (capacity_to_come, &uses)))
        .collect();
    let undeclared = surplus
        .values()
        .filter(|live| live.owner != Owner::Ours || kept.contains_key(&live.key))
        .map(|live| Undeclared {
            key: live.key.clone(),
            id: live.id.clone(),
            owner: live.owner.clone(),
            words: kept.get(&live.key).cloned().unwrap_or_else(|| fate(live, cluster_goes)),
        })
        .collect();
    (steps, undeclared)
}

/// What becomes of something that is neither declared nor ours.
fn fate(live: &Live, cluster_goes: bool) -> String {
    let noun = wording::noun(live.key.kind);
    if cluster_goes && order::goes_with_cluster(live.key.kind) {
        return format!("the {noun} goes with the cluster");
    }
    match &live.owner {
        Owner::Stack(stack) => format!(
            "made by the CloudFormation stack {stack}: it stays; declare the {noun} to adopt it, or delete it through its stack"
        ),
        Owner::Application(name) => format!("the application {name} declares it: it stays"),
        _ => format!("nobody declared it: it stays; declare the {noun} to adopt it, or delete it by hand"),
    }
}

fn delete(
    input: &PlanInput<'_>,
    live: &Live,
    before: BTreeSet<Key>,
    cluster_goes: bool,
    (capacity_to_come, uses): (&BTreeSet<Key>, &Uses),
) -> Step {
    let key = &live.key;
    let noun = wording::noun(key.kind);
    let mut step = Step::new(key, StepAction::Delete, Verdict::Allowed);
    step.precondition = Some(Incarnation::of(live));
    if live.state == State::Deleting {
        step.action = StepAction::Wait;
        step.verdict = Verdict::Deferred("it is being deleted".into());
        step.waits = "it is being deleted".into();
        return step;
    }
    if let Some(reason) = input.snapshot.unread.get(&key.kind) {
        step.action = StepAction::Wait;
        step.verdict = Verdict::Deferred(format!("it is not known which {noun}s there are: {reason}"));
        return step;
    }
    if cluster_goes && order::goes_with_cluster(key.kind) {
        let cluster =
            input.snapshot.live.keys().filter(|other| other.kind == Kind::Cluster).cloned().collect();
        step.wait_for(cluster, "it goes with the cluster".into());
        return step;
    }
    step.calls = input.driver(key.kind).map(|driver| driver.delete(input.scope, live)).unwrap_or_default();
    step.cost = cost(live);
    step.verdict = verdict(input, live);
    let (mut keys, mut words) = waits(input, live, before, capacity_to_come);
    if let Some(user) = uses.user(live).filter(|_| !input.removed && words.is_empty()) {
        words = format!("goes when {user} no longer uses it");
        keys = BTreeSet::from([user.clone()]);
    }
    step.wait_for(keys, words);
    step
}

/// What a deletion costs in nodes and time.
fn cost(live: &Live) -> String {
    let time = wording::cost_of_deletion(live.key.kind);
    match live.actual["scalingConfig"]["desiredSize"].as_u64() {
        Some(nodes) if nodes > 0 => format!("its nodes are drained and end (now {nodes}), {time}"),
        _ => time,
    }
}

fn verdict(input: &PlanInput<'_>, live: &Live) -> Verdict {
    let key = &live.key;
    let noun = wording::noun(key.kind);
    if let Some(why) = input.stop() {
        return Verdict::Blocked(why);
    }
    if let Some(why) = input.forbidden.get(key) {
        return Verdict::Blocked(why.clone());
    }
    if live.actual.get("deletionProtection").and_then(Value::as_bool) == Some(true) {
        return Verdict::Blocked(format!(
            "deletion protection is on: bring the {noun} back into the file with the protection off, then remove it again"
        ));
    }
    let strangers: BTreeSet<Key> = input
        .snapshot
        .live
        .values()
        .filter(|other| order::is_capacity(other.key.kind) && other.owner != Owner::Ours)
        .map(|other| other.key.clone())
        .collect();
    if key.kind == Kind::Cluster && !strangers.is_empty() {
        return Verdict::Blocked(format!(
            "{} stand on it and are not ours: delete them by hand, or declare them to adopt them",
            wording::list(&strangers)
        ));
    }
    let because = if input.removed { "its document is gone" } else { "it is no longer declared" };
    match &live.state {
        State::Failed(words) => {
            Verdict::Held(format!("{because} (it failed: {words}); approve its deletion"))
        }
        _ => Verdict::Held(format!("{because}; approve its deletion")),
    }
}

/// What a deletion waits for, and the same in words.
fn waits(
    input: &PlanInput<'_>,
    live: &Live,
    before: BTreeSet<Key>,
    capacity_to_come: &BTreeSet<Key>,
) -> (BTreeSet<Key>, String) {
    let kind = live.key.kind;
    if let (Some(why), false) = (input.incomplete, input.removed) {
        return (BTreeSet::new(), format!("it is not known yet whether it is declared: {why}"));
    }
    let unread: Vec<&str> = order::gone_before(kind)
        .iter()
        .filter(|other| input.snapshot.unread.contains_key(other))
        .map(|other| wording::noun(*other))
        .collect();
    if !unread.is_empty() {
        let words = format!("it is not known whether a {} still uses it", unread.join(" or a "));
        return (BTreeSet::new(), words);
    }
    if !before.is_empty() {
        let words = format!("goes after {}", wording::list(&before));
        return (before, words);
    }
    if order::is_capacity(kind) && !capacity_to_come.is_empty() {
        let words = format!("goes when {} can take its pods", wording::list(capacity_to_come));
        return (capacity_to_come.clone(), words);
    }
    if let State::Pending(word) = &live.state {
        return (BTreeSet::new(), format!("it is {word}"));
    }
    let busy = input.snapshot.live.values().find_map(|other| match &other.state {
        State::Pending(word) if other.key.kind == Kind::Cluster => Some((other.key.clone(), word)),
        _ => None,
    });
    if let Some((cluster, word)) = busy
        && (order::goes_with_cluster(kind) || matches!(kind, Kind::Nodegroup | Kind::FargateProfile))
    {
        return (BTreeSet::from([cluster]), format!("its cluster is {word}"));
    }
    (BTreeSet::new(), String::new())
}
