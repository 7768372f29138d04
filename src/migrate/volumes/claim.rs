//! A claim with everything around it: its volume, the disk, and what stands for them on the other side.

use super::backing::Backing;
use super::disk::Disk;
use super::input::{Input, find, of_kind};
use crate::model::{Object, ResourceId};

/// A bound claim of the source.
#[derive(Clone, Debug)]
pub(super) struct Claim<'a> {
    /// The source's claim.
    pub(super) claim: &'a Object,
    /// The source's volume.
    pub(super) volume: &'a Object,
    /// What that is of.
    pub(super) backing: Backing,
    /// The disk, for an EBS volume that EC2 knows.
    pub(super) disk: Option<&'a Disk>,
    /// The claim of the same name on the target.
    pub(super) target_claim: Option<&'a Object>,
    /// The volume on the target that is of the same thing, or has the same name.
    pub(super) target_volume: Option<&'a Object>,
    /// What the rules make of both for the target.
    pub(super) prepared: Option<(&'a Object, &'a Object)>,
}

/// The claims of the wave that have a volume, in the order of their identities. Claims of a pod's own (generic ephemeral
/// volumes) go with it, and a claim without a volume has nothing to hand over.
pub(super) fn claims<'a>(input: &Input<'a>) -> Vec<Claim<'a>> {
    let mut claims: Vec<Claim<'a>> = of_kind(input.source, "", "PersistentVolumeClaim")
        .filter(|claim| claim.namespace().is_some_and(|namespace| input.namespaces.contains(namespace)))
        .filter(|claim| !is_of_pod(claim) && !is_excluded(input, claim))
        .filter_map(|claim| {
            let name = claim.body()["spec"]["volumeName"].as_str().filter(|name| !name.is_empty())?;
            let volume = find(input.source, &ResourceId::new("", "PersistentVolume", "", name))?;
            Some(joined(input, claim, volume))
        })
        .collect();
    claims.sort_by_key(|claim| claim.claim.id());
    claims
}

/// Whether a person has said that a claim is left behind.
pub(super) fn is_excluded(input: &Input<'_>, claim: &Object) -> bool {
    let shown = format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name());
    input.setting.excluded.contains(&shown)
}

/// Whether a claim goes with its pod.
pub(super) fn is_of_pod(claim: &Object) -> bool {
    let owners = claim.body()["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["kind"] == "Pod" && owner["controller"] == true)
}

fn joined<'a>(input: &Input<'a>, claim: &'a Object, volume: &'a Object) -> Claim<'a> {
    let backing = Backing::of_volume(volume);
    let disk = backing.ebs().and_then(|id| input.disks.volumes.get(id));
    let target_volume = of_kind(input.target, "", "PersistentVolume")
        .find(|other| backing.ebs().is_some() && Backing::of_volume(other).ebs() == backing.ebs())
        .or_else(|| find(input.target, &volume.id()));
    let prepared = find(input.prepared, &volume.id()).zip(find(input.prepared, &claim.id()));
    Claim {
        claim,
        volume,
        backing,
        disk,
        target_claim: find(input.target, &claim.id()),
        target_volume,
        prepared,
    }
}

impl Claim<'_> {
    /// `namespace/name`, as people write it.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.claim.namespace().unwrap_or_default(), self.claim.name())
    }

    /// Whether the target's claim is bound to the target's volume.
    pub(super) fn is_bound_on_target(&self) -> bool {
        let (Some(claim), Some(volume)) = (self.target_claim, self.target_volume) else { return false };
        is_bound(claim, volume)
    }

    /// Whether the source's claim is bound to the source's volume still.
    pub(super) fn is_bound_on_source(&self) -> bool {
        is_bound(self.claim, self.volume)
    }
}

/// Whether claim and volume say that they have each other.
fn is_bound(claim: &Object, volume: &Object) -> bool {
    claim.body()["status"]["phase"] == "Bound"
        && claim.body()["spec"]["volumeName"] == volume.name()
        && volume.body()["status"]["phase"] == "Bound"
        && volume.body()["spec"]["claimRef"]["name"] == claim.name()
        && volume.body()["spec"]["claimRef"]["namespace"].as_str() == claim.namespace()
}

/// Pods that hold a claim: all that have not ended.
pub(super) fn pods_of<'a>(objects: &'a [Object], claim: &Object) -> Vec<&'a Object> {
    of_kind(objects, "", "Pod")
        .filter(|pod| pod.namespace() == claim.namespace())
        .filter(|pod| !matches!(pod.body()["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
        .filter(|pod| {
            let volumes = pod.body()["spec"]["volumes"].as_array().into_iter().flatten();
            volumes.into_iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim.name())
        })
        .collect()
}

/// VolumeAttachments of a volume, attached or on the way.
pub(super) fn attachments_of<'a>(objects: &'a [Object], volume: &Object) -> Vec<&'a Object> {
    of_kind(objects, "storage.k8s.io", "VolumeAttachment")
        .filter(|attachment| {
            let source = &attachment.body()["spec"]["source"];
            source["persistentVolumeName"] == volume.name()
        })
        .collect()
}
