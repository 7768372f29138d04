//! Whether a side has let go of a volume.

use super::claim::{attachments_of, pods_of};
use super::disk::Disk;
use crate::model::Object;
use crate::model::migration::{Gate, Side};

/// How long a pod may take to end and its volume to be detached. After an unclean detach Kubernetes itself waits six
/// minutes before it forces one (aws-ebs-csi-driver FAQ).
pub(super) const DETACH_LIMIT: u64 = 900;

/// What still holds a volume on a side: pods, then VolumeAttachments, then EC2. `None` when nothing does.
pub(super) fn held(
    side: Side,
    objects: &[Object],
    claim: &Object,
    volume: &Object,
    disk: Option<&Disk>,
) -> Option<Gate> {
    let name = match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let shown = format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name());
    let waiting = |what: String| Some(Gate::Waiting { what, limit_seconds: DETACH_LIMIT });
    let pods = pods_of(objects, claim);
    if let Some(pod) = pods.first() {
        return waiting(format!(
            "{} pods of the {name} hold {shown}, the first is {}",
            pods.len(),
            pod.name()
        ));
    }
    let attachments = attachments_of(objects, volume);
    if let Some(attachment) = attachments.first() {
        let node = attachment.body()["spec"]["nodeName"].as_str().unwrap_or_default();
        let error =
            attachment.body().pointer("/status/detachError/message").and_then(serde_json::Value::as_str);
        let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
        return waiting(format!("the {name} has not detached {} from {node}{why}", volume.name()));
    }
    let disk = disk?;
    match disk.state.as_str() {
        "available" => None,
        "in-use" | "creating" => {
            let at = disk.attachments.iter().next();
            let at = at.map(|(instance, state)| format!(" ({state} at {instance})")).unwrap_or_default();
            waiting(format!("{} is {}{at}", disk.id, disk.state))
        }
        state => Some(Gate::Blocked {
            what: format!("{} is `{state}` in EC2", disk.id),
            way_out: "look at it in EC2; a volume in error is restored from its last snapshot".into(),
        }),
    }
}
