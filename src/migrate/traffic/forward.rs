//! The target's share of each name, step by step.

use super::change::replace;
use super::input::{Health, Input, Shifted};
use super::ownership;
use super::pause;
use super::records::Record;
use super::state::{Pair, State, counterpart, original, state};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use serde_json::json;

/// Route 53 says INSYNC within a minute as a rule.
const SYNC_LIMIT: u64 = 900;
/// How long a target may stay unknown before a person looks.
const HEALTH_LIMIT: u64 = 1800;

/// Everything that is next, for all names of the wave.
pub(super) fn forward(input: &Input<'_>) -> Outcome {
    // A controller that still writes the old record would be refused by Route 53 with its whole batch, again and again.
    let pauses = pause::next(input);
    if !pauses.is_done() {
        return pauses;
    }
    let mut outcome = Outcome::default();
    for name in input.names {
        let next = next(input, name);
        outcome.steps.extend(next.steps);
        outcome.gates.extend(next.gates);
    }
    outcome
}

pub(super) fn blocked(what: String, way_out: impl Into<String>) -> Outcome {
    Outcome { steps: Vec::new(), gates: vec![Gate::Blocked { what, way_out: way_out.into() }] }
}

pub(super) fn waiting(what: String, limit_seconds: u64) -> Outcome {
    Outcome { steps: Vec::new(), gates: vec![Gate::Waiting { what, limit_seconds }] }
}

pub(super) fn step(
    input: &Input<'_>,
    stage: Stage,
    key: String,
    effect: Effect,
    undo: Vec<Effect>,
    says: String,
) -> Outcome {
    let step = Step { key, stage, wave: Some(input.wave.to_owned()), effect, undo, says, final_: false };
    Outcome { steps: vec![step], gates: Vec::new() }
}

fn next(input: &Input<'_>, name: &Shifted) -> Outcome {
    if let Some(barred) = not_ours(input, name) {
        return barred;
    }
    match state(input, name) {
        State::Barred(what, way_out) => blocked(what, way_out),
        State::Simple(records) => simple(input, name, &records),
        State::Paired(pairs) => paired(input, name, &pairs),
    }
}

/// Names that another program answers for.
fn not_ours(input: &Input<'_>, name: &Shifted) -> Option<Outcome> {
    if is_of_control_plane(&name.name, &input.setting.source_cluster) {
        return Some(blocked(
            format!("{} is a name of the kops control plane, kept by its dns-controller", name.name),
            "take it out of the Migration document: clients of the old API server move by their kubeconfig",
        ));
    }
    for kind in super::records::ADDRESSES {
        for own in ownership::of(input.zones, input.controllers, &name.zone, &name.name, kind) {
            let known = input.controllers.iter().filter(|one| one.owner == own.owner);
            let sides: Vec<Side> = known.map(|one| one.side).collect();
            if sides.is_empty() {
                return Some(blocked(
                    format!(
                        "{} is owned by an external-dns with the owner id {:?}, which runs in neither cluster",
                        name.name, own.owner
                    ),
                    "find who runs it and stop it, or delete its TXT record where nobody does",
                ));
            }
        }
    }
    None
}

/// Names that kops' dns-controller keeps.
fn is_of_control_plane(name: &str, cluster: &str) -> bool {
    let name = super::records::normal(name);
    let Some(prefix) = name.strip_suffix(&format!(".{}", cluster.to_ascii_lowercase())) else { return false };
    matches!(prefix, "api" | "api.internal" | "bastion" | "kops-controller.internal")
        || prefix.starts_with("etcd-")
}

/// First the TTL, and one of the old ones later the pair.
fn simple(input: &Input<'_>, name: &Shifted, records: &[&Record]) -> Outcome {
    let ttl = input.setting.ttl;
    let old: Vec<Record> = records.iter().map(|record| (*record).clone()).collect();
    let lowered: Vec<Record> = old
        .iter()
        .map(|record| match record.ttl() {
            Some(own) if own > ttl => record.with(&[("TTL", json!(ttl))]),
            _ => record.clone(),
        })
        .collect();
    let mut new = Vec::new();
    for record in &lowered {
        match counterpart(name, record) {
            Ok(other) => {
                let weighted = |record: &Record, side: &str, weight: u64| {
                    record
                        .with(&[("SetIdentifier", json!(input.setting.set(side))), ("Weight", json!(weight))])
                };
                new.extend([weighted(record, "source", 100), weighted(&other, "target", 0)]);
            }
            Err(what) => {
                return blocked(what, "give the target's Service a load balancer of AWS, or addresses");
            }
        }
    }
    let key = format!("ttl/{}", name.name);
    if lowered != old {
        let says = format!("lower the TTL of {} to {ttl} s, so that the way back takes no longer", name.name);
        let (changed, kept): (Vec<_>, Vec<_>) =
            old.iter().zip(&lowered).partition(|(before, after)| before != after);
        let (gone, come): (Vec<Record>, Vec<Record>) =
            changed.iter().map(|(a, b)| ((*a).clone(), (*b).clone())).unzip();
        // The inverse names the records that keep their TTL as well: it is the original of the whole name.
        let mut back = vec![replace(&name.zone, &comment(input, "back"), &come, &gone)];
        if !kept.is_empty() {
            let same: Vec<Record> = kept.iter().map(|(before, _)| (*before).clone()).collect();
            back.push(replace(&name.zone, &comment(input, "back"), &same, &same));
        }
        let effect = replace(&name.zone, &comment(input, "lower the TTL"), &gone, &come);
        return step(input, Stage::Shift, key, effect, back, says);
    }
    // Resolvers may keep what they were told before the TTL was lowered.
    let before = original(input, name).into_iter().flatten().filter_map(|record| record.ttl()).max();
    if let Some(before) = before.filter(|before| *before > ttl) {
        let left = input.left(&key, before);
        if left > 0 {
            let what =
                format!("resolvers may keep {} for its old TTL of {before} s: {left} s are left", name.name);
            return waiting(what, before + SYNC_LIMIT);
        }
    }
    let says = format!(
        "replace the record of {} by two weighted ones in one change: the source 100, the target 0",
        name.name
    );
    let effect = replace(&name.zone, &comment(input, "weighted pair"), &lowered, &new);
    let undo = vec![replace(&name.zone, &comment(input, "back"), &new, &lowered)];
    step(input, Stage::Shift, format!("pair/{}", name.name), effect, undo, says)
}

/// The comment of a change, which Route 53 and CloudTrail keep.
pub(super) fn comment(input: &Input<'_>, what: &str) -> String {
    format!("portolan migration {}: {what}", input.setting.migration)
}

/// The batch that gives the target a share, and its inverse.
pub(super) fn share(input: &Input<'_>, name: &Shifted, pairs: &[Pair<'_>], to: u64) -> (Effect, Vec<Effect>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for pair in pairs {
        gone.extend([pair.source.clone(), pair.target.clone()]);
        come.extend([
            pair.source.with(&[("Weight", json!(100 - to))]),
            pair.target.with(&[("Weight", json!(to))]),
        ]);
    }
    let effect = replace(&name.zone, &comment(input, &format!("{to} % to the target")), &gone, &come);
    (effect, vec![replace(&name.zone, &comment(input, "back"), &come, &gone)])
}

fn paired(input: &Input<'_>, name: &Shifted, pairs: &[Pair<'_>]) -> Outcome {
    let shares = input.setting.shares();
    let limit = u64::from(name.up_to);
    let now: Vec<Option<u64>> = pairs.iter().map(Pair::share).collect();
    let current = match now.as_slice() {
        [Some(first), rest @ ..] if rest.iter().all(|other| *other == Some(*first)) => *first,
        // Somebody has changed a weight: the smallest share of all is the careful one.
        _ => {
            let least = now.iter().map(|share| share.unwrap_or_default()).min().unwrap_or_default();
            let least = shares.keys().rev().find(|share| **share <= least).copied().unwrap_or_default();
            let (effect, undo) = share(input, name, pairs, least);
            let says = format!(
                "put the weights of {} right: they are not what was written ({least} % to the target)",
                name.name
            );
            return step(input, Stage::Shift, format!("weight/{}/mend", name.name), effect, undo, says);
        }
    };
    if current > limit {
        let to = shares.keys().rev().find(|share| **share <= limit).copied().unwrap_or_default();
        return to_share(input, name, pairs, to);
    }
    let Some(to) = shares.keys().find(|share| **share > current && **share <= limit).copied() else {
        return held(input, name, current, &shares);
    };
    let hold = held(input, name, current, &shares);
    if !hold.is_done() {
        return hold;
    }
    to_share(input, name, pairs, to)
}

fn to_share(input: &Input<'_>, name: &Shifted, pairs: &[Pair<'_>], to: u64) -> Outcome {
    let (effect, undo) = share(input, name, pairs, to);
    let says = format!(
        "give the target {to} % of {}; the way back takes {} s",
        name.name,
        input.setting.ttl.max(60)
    );
    step(input, Stage::Shift, format!("weight/{}/{to}", name.name), effect, undo, says)
}

/// What holds a share: its time, and the target's health.
fn held(
    input: &Input<'_>,
    name: &Shifted,
    current: u64,
    shares: &std::collections::BTreeMap<u64, u64>,
) -> Outcome {
    let key =
        if current == 0 { format!("pair/{}", name.name) } else { format!("weight/{}/{current}", name.name) };
    match input.health.get(&name.name) {
        Some(Health::Healthy) => {}
        Some(Health::Failing(why)) => {
            return blocked(
                format!("the target does not answer for {} at {current} %: {why}", name.name),
                format!(
                    "mend it, and the next share follows; or revert the commit: the source has all traffic again within {} s",
                    input.setting.ttl.max(60)
                ),
            );
        }
        None => {
            return waiting(format!("nothing is known of the target behind {} yet", name.name), HEALTH_LIMIT);
        }
    }
    let hold = shares.get(&current).copied().unwrap_or(input.setting.ttl);
    let left = input.left(&key, hold);
    if left == 0 {
        return Outcome::default();
    }
    let in_sync = input.made.get(&key).is_some_and(|made| made.in_sync);
    let what = if in_sync {
        format!("{current} % of {} are watched for another {left} s", name.name)
    } else {
        format!("Route 53 has not told all its servers of {current} % for {}", name.name)
    };
    waiting(what, hold + SYNC_LIMIT)
}
