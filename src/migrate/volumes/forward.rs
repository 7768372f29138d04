//! From the source to the target: what is next for each claim.

use super::back::our_volume;
use super::backing::Backing;
use super::claim::{Claim, claims};
use super::input::Input;
use super::release::held;
use super::{keep, prepared, tags};
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::{Object, ResourceId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A first snapshot of a large volume takes hours.
const SNAPSHOT_LIMIT: u64 = 6 * 3600;
/// How long the target's controller-manager may take to bind a claim to the volume that it names.
const BIND_LIMIT: u64 = 300;
/// Snapshots are taken and kept in this state only.
const COMPLETED: &str = "completed";

/// Everything that is next, for all claims of the wave.
pub(super) fn forward(input: &Input<'_>) -> Outcome {
    let claims = claims(input);
    let mut outcome = Outcome::default();
    // Retain before anything else, for all of them: a claim that is deleted meanwhile takes no data with it.
    outcome.steps.extend(keep::policies(input));
    outcome.steps.extend(claims.iter().filter_map(|claim| keep::retain(input, claim)));
    if !outcome.steps.is_empty() {
        return outcome;
    }
    outcome.gates.extend(twice(&claims));
    if !outcome.gates.is_empty() {
        return outcome;
    }
    for claim in &claims {
        let next = next(input, claim);
        outcome.steps.extend(next.steps);
        outcome.gates.extend(next.gates);
    }
    outcome
}

/// Volumes that two claims stand for: the second one would be attached to whoever comes first.
fn twice(claims: &[Claim<'_>]) -> Vec<Gate> {
    let mut by_volume: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in claims {
        if let Some(volume) = claim.backing.ebs() {
            by_volume.entry(volume).or_default().push(claim.shown());
        }
    }
    by_volume
        .into_iter()
        .filter(|(_, claims)| claims.len() > 1)
        .map(|(volume, claims)| Gate::Blocked {
            what: format!("{volume} is the volume of several claims: {}", claims.join(", ")),
            way_out: "leave one of them, for an EBS volume is attached to one side only".into(),
        })
        .collect()
}

fn steps(steps: Vec<Step>) -> Outcome {
    Outcome { steps, gates: Vec::new() }
}

fn gate(gate: Gate) -> Outcome {
    Outcome { steps: Vec::new(), gates: vec![gate] }
}

fn blocked(what: String, way_out: impl Into<String>) -> Outcome {
    gate(Gate::Blocked { what, way_out: way_out.into() })
}

fn next(input: &Input<'_>, claim: &Claim<'_>) -> Outcome {
    match &claim.backing {
        Backing::Ebs { .. } => ebs(input, claim),
        // Mounted by both: what matters is that nobody writes on both sides.
        Backing::Shared(_) | Backing::Foreign(_) => shared(input, claim),
        // Told by the assessment, and decided by a person before the wave begins.
        Backing::OfNode(_) | Backing::OfPod(_) => Outcome::default(),
    }
}

fn ebs(input: &Input<'_>, claim: &Claim<'_>) -> Outcome {
    let shown = claim.shown();
    let volume = claim.backing.ebs().unwrap_or_default();
    let Some(disk) = claim.disk else {
        return blocked(
            format!("{volume}, the volume of {shown}, is not in EC2"),
            "look whether it is in another account or region, or was deleted; the claim has no data without it",
        );
    };
    let wanted = tags::wanted(input.setting, claim, &disk.tags);
    let missing = tags::missing(&wanted, &disk.tags);
    if claim.is_bound_on_target() {
        // The tags are watched: `kops update` may put `owned` back, and kops would delete the volume then.
        return if missing.is_empty() {
            Outcome::default()
        } else {
            steps(vec![tags::step(input, volume, &missing, &disk.tags, tags_again(volume, &missing))])
        };
    }
    if !input.setting.target_zones.contains(&disk.zone) {
        return blocked(
            format!("{volume} of {shown} lies in {}, where the target has no nodes", disk.zone),
            format!(
                "add a node group in {}, or copy the volume: a snapshot of it becomes a volume in another zone",
                disk.zone
            ),
        );
    }
    if let Some(outpost) = &disk.outpost {
        return blocked(
            format!("{volume} of {shown} lies on the Outpost {outpost}"),
            "the target needs nodes on it",
        );
    }
    if !claim.is_bound_on_source() && claim.target_claim.is_none() {
        return blocked(
            format!("{shown} and {} are not bound to each other on the source", claim.volume.name()),
            "bind the claim, or leave it out of the wave: what it stands for is not certain",
        );
    }
    if let Some(held) = held(Side::Source, input.source, claim.claim, claim.volume, Some(disk)) {
        return gate(held);
    }
    let taken = input.disks.snapshot(&input.setting.migration, &input.setting.run, volume);
    match taken {
        None if input.setting.snapshot => return steps(vec![snapshot(input, claim, volume)]),
        None => {}
        Some(snapshot) if snapshot.state == "error" => {
            return blocked(
                format!("the snapshot {} of {volume} failed", snapshot.id),
                "look at it in EC2, delete it, and another one is taken",
            );
        }
        Some(snapshot) if snapshot.state != COMPLETED => {
            let what = format!("the snapshot {} of {volume} is at {}", snapshot.id, snapshot.progress);
            return gate(Gate::Waiting { what, limit_seconds: SNAPSHOT_LIMIT });
        }
        Some(_) => {}
    }
    let mut outcome = Outcome::default();
    if !missing.is_empty() {
        let says = format!(
            "tag {volume} so that the target's driver may attach it and kops spares it; KubernetesCluster stays, for \
             the source may attach only what has it"
        );
        outcome.steps.push(tags::step(input, volume, &missing, &disk.tags, says));
    }
    let put = put(input, claim, Some(disk.zone.as_str()));
    outcome.steps.extend(put.steps);
    outcome.gates.extend(put.gates);
    outcome
}

fn tags_again(volume: &str, missing: &BTreeMap<String, String>) -> String {
    let keys: Vec<&str> = missing.keys().map(String::as_str).collect();
    format!(
        "put tags of {volume} back that somebody changed ({}); `kops update cluster` does",
        keys.join(", ")
    )
}

fn shared(input: &Input<'_>, claim: &Claim<'_>) -> Outcome {
    if claim.is_bound_on_target() {
        return Outcome::default();
    }
    if let Some(held) = held(Side::Source, input.source, claim.claim, claim.volume, None) {
        return gate(held);
    }
    put(input, claim, None)
}

/// Volume and claim on the target.
fn put(input: &Input<'_>, claim: &Claim<'_>, zone: Option<&str>) -> Outcome {
    let shown = claim.shown();
    let Some((volume, own)) = claim.prepared else {
        return blocked(
            format!("nothing was prepared for {shown} on the target"),
            "look at what the rules say of the claim and its volume (`portolan migrate diff`)",
        );
    };
    let volume = match prepared::volume(claim, volume, zone) {
        Ok(volume) => volume,
        Err(misfit) => return blocked(misfit.to_string(), "look at the rules of the transform that made it"),
    };
    if let Err(misfit) = prepared::claim(claim, own) {
        return blocked(misfit.to_string(), "look at the rules of the transform that made it");
    }
    if let Some(left) = left_behind(input, claim) {
        return left;
    }
    if let Some(other) = foreign(claim) {
        return other;
    }
    let mut outcome = Outcome::default();
    if claim.target_volume.is_none() {
        let says = format!("put {} on the target, for {shown} alone", claim.volume.name());
        outcome.steps.push(apply(input, format!("volume/{}", claim.volume.name()), volume, says));
    }
    if claim.target_claim.is_none() {
        let says = format!("put {shown} on the target, bound to {}", claim.volume.name());
        outcome.steps.push(apply(input, format!("claim/{shown}"), own.body().clone(), says));
    }
    if outcome.steps.is_empty() {
        outcome.gates.push(Gate::Waiting {
            what: format!("{shown} is not bound to {} on the target yet", claim.volume.name()),
            limit_seconds: BIND_LIMIT,
        });
    }
    outcome
}

/// The volume of this claim that a way back has left when somebody turned it: its claim is gone, so it is Released, and no
/// claim binds to it any more. It has Retain: it is made anew, and the disk stays.
fn left_behind(input: &Input<'_>, claim: &Claim<'_>) -> Option<Outcome> {
    let volume = our_volume(claim).filter(|_| claim.target_claim.is_none())?;
    let of = |field: &str| volume.body()["spec"][field].as_str().unwrap_or_default().to_owned();
    let is_left = volume.body()["status"]["phase"] == "Released"
        && of("persistentVolumeReclaimPolicy") == "Retain"
        && claim.backing.ebs() == Backing::of_volume(volume).ebs();
    if !is_left {
        return None;
    }
    let id = volume.id();
    if volume.is_terminating() {
        let what = format!("{id} is being deleted on the target");
        return Some(gate(Gate::Waiting { what, limit_seconds: BIND_LIMIT }));
    }
    let says =
        format!("take {id} away from the target, to make it anew for {}: it has Retain", claim.shown());
    Some(steps(vec![Step {
        key: format!("left/{}", volume.name()),
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: delete(Side::Target, volume),
        undo: Vec::new(),
        says,
        final_: false,
    }]))
}

/// What stands in the way on the target: objects of these names that are of something else.
fn foreign(claim: &Claim<'_>) -> Option<Outcome> {
    let shown = claim.shown();
    if let Some(own) = claim.target_claim {
        let bound_to = own.body()["spec"]["volumeName"].as_str().unwrap_or_default();
        if bound_to != claim.volume.name() {
            let what = if bound_to.is_empty() {
                format!("{shown} is on the target already and would be provisioned anew, empty")
            } else {
                format!("{shown} is on the target already, with {bound_to} for its volume")
            };
            return Some(blocked(
                what,
                "if that volume has no data of value, delete the claim on the target",
            ));
        }
        if own.body()["status"]["phase"] == "Lost" {
            let what = format!("{shown} has lost its volume on the target");
            return Some(blocked(what, "delete the claim on the target, and it is made again"));
        }
    }
    let volume = claim.target_volume?;
    let same = Backing::of_volume(volume) == claim.backing
        || claim.backing.ebs().is_some_and(|id| Backing::of_volume(volume).ebs() == Some(id));
    if !same || volume.name() != claim.volume.name() {
        let what =
            format!("the PersistentVolume {} is on the target already, of something else", volume.name());
        return Some(blocked(what, "delete it there if nothing needs it"));
    }
    let reference = &volume.body()["spec"]["claimRef"];
    let ours =
        reference["name"] == claim.claim.name() && reference["namespace"].as_str() == claim.claim.namespace();
    let stale = volume.body()["status"]["phase"] == "Released";
    if !ours || stale {
        let what = format!("{} on the target is reserved for another claim", volume.name());
        return Some(blocked(what, "delete that PersistentVolume there: it has Retain, so the volume stays"));
    }
    None
}

/// A server-side apply on the target.
fn apply(input: &Input<'_>, key: String, object: Value, says: String) -> Step {
    Step {
        key,
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: Effect::Apply { side: Side::Target, object },
        undo: Vec::new(),
        says,
        final_: false,
    }
}

/// A snapshot of the state that the source left. It is found again by its tags, and never deleted by us.
fn snapshot(input: &Input<'_>, claim: &Claim<'_>, volume: &str) -> Step {
    let setting = input.setting;
    let tags = BTreeMap::from([
        ("Name".to_owned(), format!("{} before its hand-over", claim.shown())),
        (tags::MIGRATION_TAG.to_owned(), setting.migration.clone()),
        (tags::RUN_TAG.to_owned(), setting.run.clone()),
        (tags::VOLUME_TAG.to_owned(), volume.to_owned()),
        // The driver may restore from a snapshot only where it has its tag.
        ("ebs.csi.aws.com/cluster".to_owned(), "true".to_owned()),
    ]);
    let call = Call::new(
        Service::Ec2,
        "CreateSnapshot",
        json!({
            "VolumeId": volume,
            "Description": format!("{} before its hand-over by the migration {}", claim.shown(), setting.migration),
            "TagSpecifications": [{"ResourceType": "snapshot", "Tags": tags::list(&tags)}],
        }),
    );
    Step {
        key: format!("snapshot/{volume}/{}", setting.run),
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: Effect::Call { call, token: None },
        undo: Vec::new(),
        says: format!(
            "take a snapshot of {volume} ({}) as the source left it; it goes only when the source runs on the volume again",
            claim.shown()
        ),
        final_: false,
    }
}

/// A patch of an object that is as it was seen.
pub(super) fn patch(side: Side, object: &Object, operations: Vec<Value>) -> Effect {
    let uid = json!({"op": "test", "path": "/metadata/uid", "value": object.uid().unwrap_or_default()});
    let operations = std::iter::once(uid).chain(operations).collect();
    Effect::Patch { side, id: object.id(), version: object.gvk().version, operations }
}

/// A deletion of an object that is as it was seen.
pub(super) fn delete(side: Side, object: &Object) -> Effect {
    let id: ResourceId = object.id();
    Effect::Delete {
        side,
        id,
        version: object.gvk().version,
        uid: object.uid().unwrap_or_default().to_owned(),
        resource_version: object.resource_version().unwrap_or_default().to_owned(),
    }
}
