//! What is to be done about one declared resource.

use super::compare::{applied, compare};
use super::owner::Incarnation;
use super::plan::{PlanInput, Step, StepAction};
use super::resource::{Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, State, TOKEN};
use super::{order, wording};
use crate::model::application::DriftPolicy;
use crate::model::plan::Verdict;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The steps for one declared resource: several when its differences have several verdicts. `unfinished` are the
/// resources judged before whose steps keep others waiting.
pub fn judge(input: &PlanInput<'_>, resource: &Resource, unfinished: &BTreeSet<Key>) -> Vec<Step> {
    let mut steps = decide(input, resource, unfinished);
    for step in &mut steps {
        step.declared_at.clone_from(&resource.declared_at);
        if matches!(step.action, StepAction::Unchanged | StepAction::Wait) {
            continue;
        }
        if let Some(why) = input.stop() {
            step.verdict = Verdict::Blocked(why);
        } else if let Some(why) = input.forbidden.get(&resource.key) {
            step.verdict = Verdict::Blocked(why.clone());
        }
    }
    steps
}

/// Whether what needs this step's resource cannot be created yet. A cluster that is given another logging is as good as
/// before; a role without its policies, or a gateway that is not attached, is not there yet.
pub fn keeps_others_waiting(step: &Step) -> bool {
    match step.action {
        StepAction::Unchanged | StepAction::Delete => false,
        StepAction::Create | StepAction::Replace | StepAction::Adopt | StepAction::Wait => {
            // A replace that is blocked leaves what is there in use.
            !(step.action == StepAction::Replace && matches!(step.verdict, Verdict::Blocked(_)))
        }
        StepAction::Update => {
            matches!(step.verdict, Verdict::Allowed | Verdict::Deferred(_))
                && step.differences.iter().any(|difference| match step.key.kind {
                    Kind::Cluster => difference.field == "/version",
                    Kind::Addon | Kind::Nodegroup | Kind::AutoScalingGroup => false,
                    _ => !difference.field.starts_with("/tags/"),
                })
        }
    }
}

fn decide(input: &PlanInput<'_>, resource: &Resource, unfinished: &BTreeSet<Key>) -> Vec<Step> {
    let key = &resource.key;
    let noun = wording::noun(key.kind);
    if let Some(reason) = input.snapshot.unread.get(&key.kind) {
        return vec![wait(
            key,
            Verdict::Deferred(format!("it is not known which {noun}s there are: {reason}")),
        )];
    }
    let live = input.snapshot.live.get(key);
    if resource.existing {
        return vec![look_up(key, live)];
    }
    let Some(driver) = input.driver(key.kind) else {
        let words = format!("nothing here can make a {noun}; this is a defect of Portolan: report it");
        return vec![wait(key, Verdict::Blocked(words))];
    };
    let Some(live) = live else {
        return vec![create(input, resource, driver, unfinished)];
    };
    let mut steps = match &live.state {
        State::Pending(word) => vec![wait(key, Verdict::Deferred(format!("it is {word}")))],
        State::Deleting => {
            let words = "it is being deleted; it is created again when it is gone";
            vec![wait(key, Verdict::Deferred(words.into()))]
        }
        State::Failed(words) => vec![failed(input, resource, driver, live, words)],
        State::Ready => compare(input, resource, driver, live),
    };
    for step in &mut steps {
        step.precondition = Some(Incarnation::of(live));
    }
    steps
}

fn wait(key: &Key, verdict: Verdict) -> Step {
    let mut step = Step::new(key, StepAction::Wait, verdict);
    if let Verdict::Deferred(words) = &step.verdict {
        step.waits.clone_from(words);
    }
    step
}

/// Something that belongs to somebody else and only has to be there.
fn look_up(key: &Key, live: Option<&Live>) -> Step {
    let noun = wording::noun(key.kind);
    let Some(live) = live else {
        let words = format!(
            "the file refers to the {noun} {name} as existing, and it was not found; correct the reference, or create it",
            name = key.name
        );
        return wait(key, Verdict::Blocked(words));
    };
    let mut step = match &live.state {
        State::Ready => Step::new(key, StepAction::Unchanged, Verdict::Allowed),
        State::Pending(word) => wait(key, Verdict::Deferred(format!("it is {word}"))),
        State::Deleting => wait(key, Verdict::Blocked(format!("the existing {noun} is being deleted"))),
        State::Failed(words) => wait(key, Verdict::Blocked(format!("the existing {noun} failed: {words}"))),
    };
    step.precondition = Some(Incarnation::of(live));
    step
}

/// All tags that a resource shall have.
pub(super) fn tags_of(input: &PlanInput<'_>, resource: &Resource) -> BTreeMap<String, String> {
    let mut tags = resource.tags.clone();
    tags.extend(input.scope.tags(&resource.key));
    tags
}

fn create(
    input: &PlanInput<'_>,
    resource: &Resource,
    driver: &dyn Driver,
    unfinished: &BTreeSet<Key>,
) -> Step {
    let key = &resource.key;
    let mut waits_for: BTreeSet<Key> = resource
        .needs
        .iter()
        .filter(|need| unfinished.contains(*need) || !is_usable(input, need))
        .cloned()
        .collect();
    let resolved = input.snapshot.resolve(&resource.desired);
    if let Err(missing) = &resolved {
        waits_for.insert(missing.clone());
    }
    let shown = resolved.as_ref().unwrap_or(&resource.desired);
    let call = driver.create(input.scope, resource, shown, &tags_of(input, resource), TOKEN);

    let mut step = Step::new(key, StepAction::Create, Verdict::Allowed);
    step.desired = resolved.as_ref().ok().map(|desired| applied(resource, desired));
    step.drifted = step.desired.is_some() && step.desired.as_ref() == input.applied.get(key);
    if step.drifted && input.drift == DriftPolicy::Report && !input.asked {
        // It was in place as declared, so somebody deleted it.
        step.action = StepAction::Unchanged;
        step.drifted = false;
        step.reported.push(Difference {
            field: String::new(),
            declared: shown.clone(),
            actual: Value::Null,
            mend: Mend::InPlace(call),
        });
        return step;
    }
    step.calls.push(call);
    step.cost = wording::cost_of_creation(key.kind);
    let words =
        if waits_for.is_empty() { String::new() } else { format!("waits for {}", wording::list(&waits_for)) };
    step.wait_for(waits_for, words);
    step
}

/// Whether others can be built on it: Ready, and ours or meant to be somebody else's.
pub(super) fn is_usable(input: &PlanInput<'_>, key: &Key) -> bool {
    let existing = || input.resources.iter().any(|resource| resource.key == *key && resource.existing);
    !input.snapshot.unread.contains_key(&key.kind)
        && input
            .snapshot
            .live
            .get(key)
            .is_some_and(|live| live.state == State::Ready && (live.owner == Owner::Ours || existing()))
}

fn failed(input: &PlanInput<'_>, resource: &Resource, driver: &dyn Driver, live: &Live, words: &str) -> Step {
    let key = &resource.key;
    let noun = wording::noun(key.kind);
    if live.owner != Owner::Ours {
        let words = format!(
            "the {noun} failed ({words}) and is {}: mend or delete it by hand",
            wording::whose(&live.owner)
        );
        return wait(key, Verdict::Blocked(words));
    }
    let on_it = input.snapshot.live.keys().filter(|other| order::is_capacity(other.kind)).cloned().collect();
    let mut step = Step::new(key, StepAction::Replace, Verdict::Allowed);
    step.verdict = if key.kind == Kind::Cluster && !BTreeSet::is_empty(&on_it) {
        Verdict::Blocked(format!(
            "the cluster failed ({words}) and is not deleted while {} stand on it: mend the cause, or take them away first",
            wording::list(&on_it)
        ))
    } else {
        Verdict::Held(format!(
            "the {noun} failed ({words}); mend the cause, then approve that it is deleted and created anew"
        ))
    };
    step.calls = driver.delete(input.scope, live);
    let desired = input.snapshot.resolve(&resource.desired);
    let shown = desired.as_ref().unwrap_or(&resource.desired);
    step.later = vec![driver.create(input.scope, resource, shown, &tags_of(input, resource), TOKEN)];
    step.cost = wording::cost_of_creation(key.kind);
    step
}
