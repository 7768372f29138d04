//! All traffic to the source at once, then every record as it was.

use super::change::replace;
use super::forward::{blocked, comment, share, step, waiting};
use super::input::{Input, Shifted};
use super::pause;
use super::records::Record;
use super::state::{Pair, State, original, state};
use crate::model::migration::{Outcome, Stage};
use serde_json::Value;

/// Everything that is next, for all names of the wave.
pub(super) fn back(input: &Input<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for name in input.names {
        let next = next(input, name);
        outcome.steps.extend(next.steps);
        outcome.gates.extend(next.gates);
    }
    if outcome.is_done() {
        outcome.steps.extend(pause::lift(input));
    }
    outcome
}

fn next(input: &Input<'_>, name: &Shifted) -> Outcome {
    match state(input, name) {
        State::Paired(pairs) => paired(input, name, &pairs),
        State::Simple(records) => simple(input, name, &records),
        // Nothing of ours is there: somebody else's business on the way back.
        State::Barred(what, way_out) if original(input, name).is_some() => blocked(what, way_out),
        State::Barred(..) => Outcome::default(),
    }
}

fn paired(input: &Input<'_>, name: &Shifted, pairs: &[Pair<'_>]) -> Outcome {
    let key = format!("back/weight/{}", name.name);
    if pairs.iter().any(|pair| pair.share() != Some(0)) {
        let (effect, undo) = share(input, name, pairs, 0);
        let says = format!(
            "give all traffic of {} back to the source, within {} s",
            name.name,
            input.setting.ttl.max(60)
        );
        return step(input, Stage::Shift, key, effect, undo, says);
    }
    let originals = before(input, name, pairs);
    // Those that still ask the target were told so before the weights changed.
    if input.made.contains_key(&key) {
        let left = input.left(&key, input.setting.ttl.max(60));
        if left > 0 {
            let what =
                format!("resolvers may send clients of {} to the target for another {left} s", name.name);
            return waiting(what, input.setting.ttl + 900);
        }
    }
    let gone: Vec<Record> =
        pairs.iter().flat_map(|pair| [pair.source.clone(), pair.target.clone()]).collect();
    let effect = replace(&name.zone, &comment(input, "as it was"), &gone, &originals);
    let undo = vec![replace(&name.zone, &comment(input, "weighted pair"), &originals, &gone)];
    let says = format!("put the record of {} back as it was", name.name);
    step(input, Stage::Shift, format!("back/pair/{}", name.name), effect, undo, says)
}

/// The records to put back: the journal's, where the source's records have not been changed since; else those, with the
/// TTL that they had.
fn before(input: &Input<'_>, name: &Shifted, pairs: &[Pair<'_>]) -> Vec<Record> {
    let originals = original(input, name).unwrap_or_default();
    pairs
        .iter()
        .map(|pair| {
            let bare = pair.source.with(&[("SetIdentifier", Value::Null), ("Weight", Value::Null)]);
            let Some(before) = originals.iter().find(|record| record.kind() == bare.kind()) else {
                return bare;
            };
            let ttl = |record: &Record| record.body().get("TTL").cloned().unwrap_or_default();
            if before.with(&[("TTL", ttl(&bare))]) == bare {
                before.clone()
            } else {
                bare.with(&[("TTL", ttl(before))])
            }
        })
        .collect()
}

/// A simple record whose TTL was lowered, and nothing more.
fn simple(input: &Input<'_>, name: &Shifted, records: &[&Record]) -> Outcome {
    let Some(originals) = original(input, name) else { return Outcome::default() };
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for record in records {
        let Some(before) = originals.iter().find(|other| other.kind() == record.kind()) else { continue };
        let only_ttl = before.with(&[("TTL", record.body()["TTL"].clone())]) == **record;
        if *record != before && only_ttl {
            gone.push((*record).clone());
            come.push(before.clone());
        }
        // Anything else was changed by somebody since: it is theirs now.
    }
    if gone.is_empty() {
        return Outcome::default();
    }
    let effect = replace(&name.zone, &comment(input, "as it was"), &gone, &come);
    let undo = vec![replace(&name.zone, &comment(input, "lower the TTL"), &come, &gone)];
    let says = format!("give {} its TTL back", name.name);
    step(input, Stage::Shift, format!("back/ttl/{}", name.name), effect, undo, says)
}
