//! The end: simple records that lead to the target, owned by the target's external-dns.

use super::change::replace;
use super::forward::{blocked, comment, step, waiting};
use super::input::{Input, Shifted};
use super::ownership::{self, ExternalDns};
use super::records::{ADDRESSES, Record};
use super::state::{State, original, state};
use crate::model::migration::{Outcome, Side, Stage};
use serde_json::{Value, json};

/// Everything that is next, for all names of the wave.
pub(super) fn settle(input: &Input<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in input.names {
        let next = next(input, name);
        outcome.steps.extend(next.steps);
        outcome.gates.extend(next.gates);
    }
    outcome
}

fn next(input: &Input<'_>, name: &Shifted) -> Outcome {
    let pairs = match state(input, name) {
        State::Paired(pairs) => pairs,
        State::Simple(_) => return Outcome::default(),
        State::Barred(what, way_out) => return blocked(what, way_out),
    };
    if pairs.iter().any(|pair| pair.share() != Some(100)) {
        return blocked(
            format!("{} does not lead to the target with all of its traffic", name.name),
            "go through the stage Shift first",
        );
    }
    let key = format!("weight/{}/100", name.name);
    let left = input.left(&key, input.setting.ttl.max(60));
    if left > 0 {
        let what = format!("resolvers may send clients of {} to the source for another {left} s", name.name);
        return waiting(what, input.setting.ttl + 900);
    }
    let originals = original(input, name).unwrap_or_default();
    let mut gone: Vec<Record> =
        pairs.iter().flat_map(|pair| [pair.source.clone(), pair.target.clone()]).collect();
    let mut come: Vec<Record> = Vec::new();
    for pair in &pairs {
        let before = originals.iter().find(|record| record.kind() == pair.target.kind());
        // An alias has no TTL, and gets none.
        let ttl = match (pair.target.ttl(), before.and_then(Record::ttl)) {
            (Some(own), before) => json!(before.unwrap_or(own)),
            (None, _) => Value::Null,
        };
        come.push(pair.target.with(&[("SetIdentifier", Value::Null), ("Weight", Value::Null), ("TTL", ttl)]));
    }
    let mut says = format!("let {} lead to the target alone", name.name);
    if let Some(owner) = heir(input) {
        let mut seen: Vec<Record> = Vec::new();
        for kind in ADDRESSES {
            for own in ownership::of(input.zones, input.controllers, &name.zone, &name.name, kind) {
                let of_source =
                    input.controllers.iter().any(|one| one.side == Side::Source && one.owner == own.owner);
                if of_source && !seen.contains(own.record) {
                    seen.push(own.record.clone());
                    gone.push(own.record.clone());
                    come.push(ownership::handed_to(&own, &owner.owner));
                }
            }
        }
        if !seen.is_empty() {
            says = format!("{says}, and its ownership records to {} of the target", owner.shown());
        }
    }
    let effect = replace(&name.zone, &comment(input, "settled"), &gone, &come);
    let undo = vec![replace(&name.zone, &comment(input, "back"), &come, &gone)];
    step(input, Stage::Decommission, format!("settle/{}", name.name), effect, undo, says)
}

/// The target's external-dns that keeps the names from now on, where there is exactly one with a TXT registry.
fn heir<'a>(input: &Input<'a>) -> Option<&'a ExternalDns> {
    let mut own = input.controllers.iter().filter(|one| one.side == Side::Target && one.registry == "txt");
    own.next().filter(|_| own.next().is_none())
}
