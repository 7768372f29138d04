//! What differs about a resource that is there, and which steps that makes.

use super::judge::{is_usable, tags_of};
use super::owner::is_ours;
use super::plan::{Applied, FieldRule, PlanInput, Step, StepAction};
use super::resource::{Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, TOKEN};
use super::wording;
use crate::model::application::{Adopt, DriftPolicy};
use crate::model::cloud::{Call, Service};
use crate::model::plan::{Verdict, digest_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered of a declaration once it is in place.
pub(super) fn applied(resource: &Resource, desired: &Value) -> Applied {
    Applied { digest: digest_of(&(desired, &resource.tags)), tags: resource.tags.keys().cloned().collect() }
}

/// Compares something that is Ready with what is declared.
pub(super) fn compare(
    input: &PlanInput<'_>,
    resource: &Resource,
    driver: &dyn Driver,
    live: &Live,
) -> Vec<Step> {
    let key = &resource.key;
    let desired = match input.snapshot.resolve(&resource.desired) {
        Ok(desired) => desired,
        Err(missing) => {
            let mut step = Step::new(key, StepAction::Wait, Verdict::Allowed);
            let words = format!("waits for {missing}");
            step.wait_for(BTreeSet::from([missing]), words);
            return vec![step];
        }
    };
    let tags = tags_of(input, resource);
    let mut differences = driver.differences(input.scope, resource, &desired, &tags, live, input.snapshot);
    differences.sort_by(|a, b| a.field.cmp(&b.field));
    let applied = applied(resource, &desired);
    let before = input.applied.get(key);
    let drifted = before.is_some_and(|before| before.digest == applied.digest);

    let (mut mended, mut reported): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|difference| !is_anothers_tag(difference, before));
    if let Owner::Application(_) = &live.owner {
        return vec![of_application(key, mended, applied)];
    }
    if live.owner != Owner::Ours {
        let mut step = adopt(input, key, live, mended);
        step.reported = reported;
        step.desired = Some(applied);
        return vec![step];
    }
    if drifted && input.drift == DriftPolicy::Report && !input.asked {
        reported.append(&mut mended);
        reported.sort_by(|a, b| a.field.cmp(&b.field));
    }
    if mended.is_empty() {
        let mut step = Step::new(key, StepAction::Unchanged, Verdict::Allowed);
        step.reported = reported;
        step.desired = Some(applied);
        return vec![step];
    }
    let mut steps = by_verdict(input, resource, driver, live, &desired, mended);
    for step in &mut steps {
        step.drifted = drifted;
        step.desired = Some(applied.clone());
        let waits_for: BTreeSet<Key> =
            resource.needs.iter().filter(|need| !is_usable(input, need)).cloned().collect();
        if !waits_for.is_empty() {
            let words = format!("waits for {}", wording::list(&waits_for));
            step.wait_for(waits_for, words);
        }
    }
    if let Some(first) = steps.first_mut() {
        first.reported = reported;
    }
    steps
}

/// A tag that is neither declared now, nor was by us before, nor one of our marks.
fn is_anothers_tag(difference: &Difference, before: Option<&Applied>) -> bool {
    difference.declared.is_null()
        && difference.field.strip_prefix("/tags/").is_some_and(|name| {
            let name = name.replace("~1", "/").replace("~0", "~");
            !is_ours(&name) && !before.is_some_and(|before| before.tags.contains(&name))
        })
}

/// An application declares it, and says itself what it is: either the same as the ClusterConfig, or a person has to choose.
fn of_application(key: &Key, differences: Vec<Difference>, applied: Applied) -> Step {
    let way_out = differences.iter().find_map(|difference| match &difference.mend {
        Mend::Impossible(words) => Some(words.clone()),
        _ => None,
    });
    let mut step = match way_out {
        Some(words) => Step::new(key, StepAction::Update, Verdict::Blocked(words)),
        None => Step::new(key, StepAction::Unchanged, Verdict::Allowed),
    };
    step.differences = differences;
    step.desired = Some(applied);
    step
}

fn adopt(input: &PlanInput<'_>, key: &Key, live: &Live, differences: Vec<Difference>) -> Step {
    let noun = wording::noun(key.kind);
    let whose = wording::whose(&live.owner);
    let stack = matches!(live.owner, Owner::Stack(_));
    let mut step = Step::new(key, StepAction::Adopt, Verdict::Allowed);
    let (tags, rest): (Vec<_>, Vec<_>) = differences.iter().partition(|d| d.field.starts_with("/tags/"));
    step.calls = calls_of(&tags);
    step.later = calls_of(&rest);
    step.verdict = match input.adopt {
        Adopt::Never => Verdict::Blocked(format!(
            "a {noun} of this name exists and is {whose}; allow adoption, or choose another name"
        )),
        Adopt::Always if !stack => Verdict::Allowed,
        _ if stack => Verdict::Held(format!(
            "it is {whose}; approve that it is kept on this file from now on (a later change of the stack would undo that)"
        )),
        _ => Verdict::Held(format!(
            "it exists and is {whose}; approve that it is kept on this file from now on"
        )),
    };
    if step.calls.is_empty() {
        step.verdict = Verdict::Blocked(format!("it is {whose}, and nothing here can put tags on a {noun}"));
    }
    step.differences = differences;
    step
}

/// Whether a thing of this kind may be deleted and made again in place of a change: nothing is kept in it.
const fn can_be_made_anew(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::FargateProfile
            | Kind::AccessEntry
            | Kind::PodIdentityAssociation
            | Kind::IdentityProvider
            | Kind::Addon
    )
}

/// Groups differences by what may be done about them.
fn by_verdict(
    input: &PlanInput<'_>,
    resource: &Resource,
    driver: &dyn Driver,
    live: &Live,
    desired: &Value,
    differences: Vec<Difference>,
) -> Vec<Step> {
    let key = &resource.key;
    let impossible: Vec<String> = differences
        .iter()
        .filter_map(|d| match &d.mend {
            Mend::Impossible(way_out) => Some(format!("{}: {way_out}", d.field)),
            _ => None,
        })
        .collect();
    if !impossible.is_empty() && can_be_made_anew(key.kind) {
        let words = format!(
            "it has to be deleted and created anew, with a gap between: {}; approve that",
            impossible.join("; ")
        );
        let mut step = Step::new(key, StepAction::Replace, Verdict::Held(words));
        step.calls = driver.delete(input.scope, live);
        step.later = vec![driver.create(input.scope, resource, desired, &tags_of(input, resource), TOKEN)];
        step.cost = wording::cost_of_creation(key.kind);
        step.differences = differences;
        return vec![step];
    }
    let mut groups: BTreeMap<(u8, String), (StepAction, FieldRule, Vec<Difference>)> = BTreeMap::new();
    let own = input.fields.get(key);
    let free = |verdict| FieldRule { verdict, waits_for: BTreeSet::new(), waits: String::new() };
    for difference in differences {
        let (action, rule) = match (&difference.mend, own.and_then(|fields| fields.get(&difference.field))) {
            (Mend::Impossible(_), _) => (StepAction::Replace, free(Verdict::Blocked(impossible.join("; ")))),
            (_, Some(rule)) => (StepAction::Update, rule.clone()),
            (_, None) => (StepAction::Update, free(Verdict::Allowed)),
        };
        let (rank, words) = match &rule.verdict {
            Verdict::Allowed => (0, ""),
            Verdict::Deferred(words) => (1, words.as_str()),
            Verdict::Held(words) => (2, words.as_str()),
            Verdict::Blocked(words) => (3, words.as_str()),
        };
        let group = (rank, format!("{words}\n{}", rule.waits));
        groups.entry(group).or_insert_with(|| (action, rule, Vec::new())).2.push(difference);
    }
    let steps = groups.into_values().map(|(action, rule, differences)| {
        let mut step = Step::new(key, action, rule.verdict);
        let references: Vec<&Difference> = differences.iter().collect();
        (step.calls, step.later) = due(calls_of(&references));
        step.cost = cost_of(&differences);
        step.differences = differences;
        if let Verdict::Deferred(words) = &step.verdict {
            step.waits.clone_from(words);
        }
        step.wait_for(rule.waits_for, rule.waits);
        step
    });
    steps.collect()
}

/// The calls of differences, each once, in the order of the fields.
fn calls_of(differences: &[&Difference]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for difference in differences {
        if let Mend::InPlace(call) | Mend::Rolling(call, _) = &difference.mend
            && !calls.contains(call)
        {
            calls.push(call.clone());
        }
    }
    calls
}

/// What is due now and what comes later: EKS makes one update of a thing at a time (`ResourceInUseException`).
fn due(calls: Vec<Call>) -> (Vec<Call>, Vec<Call>) {
    let mut seen = false;
    calls.into_iter().partition(|call| {
        let first = !(is_update(call) && seen);
        seen |= is_update(call);
        first
    })
}

/// Whether EKS carries the call out as an update that is followed by DescribeUpdate.
#[must_use]
pub fn is_update(call: &Call) -> bool {
    call.service == Service::Eks
        && matches!(
            call.operation.as_str(),
            "UpdateClusterConfig"
                | "UpdateClusterVersion"
                | "AssociateEncryptionConfig"
                | "AssociateIdentityProviderConfig"
                | "DisassociateIdentityProviderConfig"
                | "UpdateNodegroupConfig"
                | "UpdateNodegroupVersion"
                | "UpdateAddon"
        )
}

fn cost_of(differences: &[Difference]) -> String {
    let words: BTreeSet<&str> = differences
        .iter()
        .filter_map(|d| match &d.mend {
            Mend::Rolling(_, words) => Some(words.as_str()),
            _ => None,
        })
        .collect();
    words.into_iter().collect::<Vec<_>>().join("; ")
}
