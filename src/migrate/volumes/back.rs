//! From the target back to the source: the inverse, from the end to the beginning.
//!
//! ```text
//! target lets go ─► its claim, its volume object ─► tags ─► reclaim policy, claims' retention
//! ```
//!
//! The disk is never deleted: the objects on the target have Retain, and that is looked at before each is taken away.

use super::claim::{Claim, claims};
use super::forward::{delete, patch};
use super::input::{Input, of_kind};
use super::release::held;
use super::tags;
use super::way_back::{WayBack, way_back};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::{Object, ResourceId};
use serde_json::json;

/// How long the target may take to let go of a claim that is being deleted.
const DELETE_LIMIT: u64 = 300;

/// Everything that is next, for all claims of the wave.
pub(super) fn back(input: &Input<'_>) -> Outcome {
    let claims = claims(input);
    let mut outcome = Outcome::default();
    for claim in &claims {
        let next = next(input, claim);
        outcome.steps.extend(next.steps);
        outcome.gates.extend(next.gates);
    }
    if claims.iter().all(|claim| is_off_target(claim)) {
        outcome.steps.extend(policies(input));
    }
    // Only what is left to do needs a word of a person: a wave that is back asks nobody.
    if !outcome.steps.is_empty()
        && let WayBack::KeepsWrites { digest, .. } = way_back(input)
        && !input.approved.contains(&digest)
        && claims.iter().any(|claim| !is_off_target(claim))
    {
        outcome.steps.clear();
        outcome.gates.push(Gate::Approval { digest });
    }
    outcome
}

/// Whether nothing of the hand-over is on the target any more.
pub(super) fn is_off_target(claim: &Claim<'_>) -> bool {
    claim.target_claim.is_none_or(|own| !is_ours(claim, own)) && our_volume(claim).is_none()
}

/// The target's volume, where it is the one of the hand-over.
pub(super) fn our_volume<'a>(claim: &Claim<'a>) -> Option<&'a Object> {
    let volume = claim.target_volume.filter(|volume| volume.name() == claim.volume.name())?;
    let reference = &volume.body()["spec"]["claimRef"];
    (reference["name"] == claim.claim.name() && reference["namespace"].as_str() == claim.claim.namespace())
        .then_some(volume)
}

/// Whether a claim of the target is the one of the hand-over.
fn is_ours(claim: &Claim<'_>, own: &Object) -> bool {
    own.body()["spec"]["volumeName"] == claim.volume.name()
}

fn next(input: &Input<'_>, claim: &Claim<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let off = is_off_target(claim);
    if !off {
        let own = claim.target_claim.filter(|own| is_ours(claim, own));
        let volume = our_volume(claim);
        // A claim without its volume binds to nothing: nobody can hold what it stands for.
        let holder = own.unwrap_or(claim.claim);
        if let Some(held) =
            volume.and_then(|volume| held(Side::Target, input.target, holder, volume, claim.disk))
        {
            outcome.gates.push(held);
            return outcome;
        }
        if let Some(volume) = volume
            && volume.body()["spec"]["persistentVolumeReclaimPolicy"] != "Retain"
        {
            outcome.steps.push(retain_on_target(input, volume));
            return outcome;
        }
        let going = own.or(volume);
        if let Some(going) = going {
            if going.is_terminating() {
                outcome.gates.push(Gate::Waiting {
                    what: format!("{} is being deleted on the target", going.id()),
                    limit_seconds: DELETE_LIMIT,
                });
            } else {
                outcome.steps.push(take_away(input, claim, going));
            }
        }
        return outcome;
    }
    if let (Some(volume), Some(disk)) = (claim.backing.ebs(), claim.disk) {
        let effects = undo_of(input, &format!("tag/{volume}"));
        let steps = effects.iter().filter(|effect| tags::in_force(effect, &disk.tags)).enumerate();
        outcome.steps.extend(steps.map(|(at, effect)| {
            let says = format!("give {volume} the tags back that it had before the hand-over");
            returned(input, format!("back/tag/{volume}/{at}"), effect, says)
        }));
    }
    let key = format!("retain/{}", claim.volume.name());
    for effect in undo_of(input, &key).iter().filter(|effect| is_as_patched(effect, claim.volume)) {
        if claim.is_bound_on_source() {
            let says = format!("give {} its reclaim policy back", claim.volume.name());
            outcome.steps.push(returned(input, format!("back/{key}"), effect, says));
        } else {
            // The old policy would delete the data of a volume that no claim has.
            outcome.gates.push(Gate::Blocked {
                what: format!(
                    "{} is not bound to {} on the source: it keeps Retain",
                    claim.volume.name(),
                    claim.shown()
                ),
                way_out: "bind the claim to its volume again, or keep Retain and settle the wave by hand"
                    .into(),
            });
        }
    }
    outcome
}

/// Retention policies of StatefulSets.
fn policies(input: &Input<'_>) -> Vec<Step> {
    of_kind(input.source, "apps", "StatefulSet")
        .filter(|set| set.namespace().is_some_and(|namespace| input.namespaces.contains(namespace)))
        .flat_map(|set| {
            let key = format!("keep-claims/{}/{}", set.namespace().unwrap_or_default(), set.name());
            let effects = undo_of(input, &key).iter().filter(|effect| is_as_patched(effect, set));
            let says = format!("give the StatefulSet {} its policy for claims back", set.name());
            effects
                .map(|effect| returned(input, format!("back/{key}"), effect, says.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn undo_of<'a>(input: &Input<'a>, key: &str) -> &'a [Effect] {
    input.journal.get(key).map(Vec::as_slice).unwrap_or_default()
}

/// Whether every `test` of a patch holds: what it undoes is in force, on the object that it was made for.
fn is_as_patched(effect: &Effect, object: &Object) -> bool {
    let Effect::Patch { id, operations, .. } = effect else { return false };
    *id == object.id()
        && operations.iter().filter(|operation| operation["op"] == "test").all(|test| {
            let path = test["path"].as_str().unwrap_or_default();
            object.body().pointer(path) == test.get("value")
        })
}

fn step(input: &Input<'_>, key: String, effect: Effect, says: String) -> Step {
    Step {
        key,
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect,
        undo: Vec::new(),
        says,
        final_: false,
    }
}

fn returned(input: &Input<'_>, key: String, effect: &Effect, says: String) -> Step {
    step(input, key, effect.clone(), says)
}

fn retain_on_target(input: &Input<'_>, volume: &Object) -> Step {
    let path = "/spec/persistentVolumeReclaimPolicy";
    let effect = patch(Side::Target, volume, vec![json!({"op": "replace", "path": path, "value": "Retain"})]);
    let says = format!(
        "set Retain on {} of the target again, before its claim goes: somebody changed it",
        volume.name()
    );
    step(input, format!("back/keep/{}", volume.name()), effect, says)
}

fn take_away(input: &Input<'_>, claim: &Claim<'_>, object: &Object) -> Step {
    let volume = claim.backing.ebs().unwrap_or("what it stands for");
    let id: ResourceId = object.id();
    let says = format!("take {id} away from the target; {volume} stays, for the object has Retain");
    // Its inverse is to go forward again.
    step(
        input,
        format!("back/{}/{}", id.kind.to_lowercase(), claim.shown()),
        delete(Side::Target, object),
        says,
    )
}
