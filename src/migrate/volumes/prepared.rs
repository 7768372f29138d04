//! What the rules made for the target, looked over before it is put there.

use super::backing::{Backing, zone_of_affinity};
use super::claim::Claim;
use crate::model::Object;
use serde_json::{Value, json};

/// Why a volume or a claim must not be put on the target as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Another disk, or another kind of volume.
    #[error(
        "the PersistentVolume {0} that was prepared for the target is of something else than the source's"
    )]
    Backing(String),
    /// The in-tree plugin is gone.
    #[error(
        "the PersistentVolume {0} that was prepared for the target still names the in-tree plugin, which left Kubernetes"
    )]
    InTree(String),
    /// Somebody's claim deletes the data.
    #[error("the PersistentVolume {0} that was prepared for the target has not the reclaim policy Retain")]
    NotRetained(String),
    /// Anybody could get it.
    #[error("the PersistentVolume {0} that was prepared for the target is not reserved for {1}")]
    NotReserved(String, String),
    /// A uid of the source would never bind.
    #[error(
        "the PersistentVolume {0} that was prepared for the target is reserved for a claim of the source, by its uid"
    )]
    ForeignUid(String),
    /// Pods would go where it is not.
    #[error(
        "the PersistentVolume {volume} that was prepared for the target is bound to {said}, and the disk lies in {zone}"
    )]
    Zone {
        /// The volume.
        volume: String,
        /// What the object says.
        said: String,
        /// What EC2 says.
        zone: String,
    },
    /// Class, modes or size do not fit.
    #[error("{0} that was prepared for the target does not name {1} as its volume")]
    NotNamed(String, String),
    /// A class that differs from the volume's never binds.
    #[error("{claim} has the storage class {own:?}, and its volume {other:?}: they never bind")]
    Class {
        /// The claim.
        claim: String,
        /// Its class.
        own: String,
        /// The volume's.
        other: String,
    },
}

/// The volume to put on the target, with the zone of the disk where the object tells none.
pub(super) fn volume(claim: &Claim<'_>, volume: &Object, zone: Option<&str>) -> Result<Value, Misfit> {
    let name = volume.name().to_owned();
    let mut body = volume.body().clone();
    match (Backing::of_volume(volume), &claim.backing) {
        (Backing::Ebs { in_tree: true, .. }, _) => return Err(Misfit::InTree(name)),
        (Backing::Ebs { volume: own, .. }, Backing::Ebs { volume: other, .. }) if own == *other => {}
        (own, other) if own == *other && own.ebs().is_none() => {}
        _ => return Err(Misfit::Backing(name)),
    }
    let spec = &body["spec"];
    if spec["persistentVolumeReclaimPolicy"] != "Retain" {
        return Err(Misfit::NotRetained(name));
    }
    let reference = &spec["claimRef"];
    if reference["name"] != claim.claim.name() || reference["namespace"].as_str() != claim.claim.namespace() {
        return Err(Misfit::NotReserved(name, claim.shown()));
    }
    if reference.get("uid").is_some() {
        return Err(Misfit::ForeignUid(name));
    }
    if let Some(zone) = zone {
        match zone_of_affinity(spec) {
            Some(said) if said != zone => return Err(Misfit::Zone { volume: name, said, zone: zone.into() }),
            Some(_) => {}
            // Nothing said it: without it a pod is placed where the disk cannot be attached.
            None if spec.pointer("/nodeAffinity/required").is_none() => {
                body["spec"]["nodeAffinity"]["required"] = json!({"nodeSelectorTerms": [{"matchExpressions":
                    [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]});
            }
            None => {
                let said = "several zones".to_owned();
                return Err(Misfit::Zone { volume: name, said, zone: zone.into() });
            }
        }
    }
    Ok(body)
}

/// Looks a claim over. A claim that names its volume binds at once, also where its class waits for the first consumer.
pub(super) fn claim(claim: &Claim<'_>, own: &Object) -> Result<(), Misfit> {
    let spec = &own.body()["spec"];
    if spec["volumeName"] != claim.volume.name() {
        return Err(Misfit::NotNamed(claim.shown(), claim.volume.name().to_owned()));
    }
    let class = |spec: &Value| spec["storageClassName"].as_str().unwrap_or_default().to_owned();
    let other = claim.prepared.map(|(volume, _)| class(&volume.body()["spec"])).unwrap_or_default();
    // No class at all means the default one for a claim, and none for a volume.
    if class(spec) != other {
        return Err(Misfit::Class { claim: claim.shown(), own: class(spec), other });
    }
    Ok(())
}
