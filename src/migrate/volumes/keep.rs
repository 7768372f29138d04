//! Retain first: what must not happen to data while its claim is out of use.

use super::claim::Claim;
use super::forward::patch;
use super::input::{Input, of_kind};
use crate::model::Object;
use crate::model::migration::{Side, Stage, Step};
use serde_json::{Value, json};

const POLICY: &str = "/spec/persistentVolumeReclaimPolicy";
const CLAIM_POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

/// The reclaim policy `Retain` on the source's volume, where it has another: with `Delete`, whoever deletes the claim
/// deletes the data (velero pkg/restore).
pub(super) fn retain(input: &Input<'_>, claim: &Claim<'_>) -> Option<Step> {
    let volume = claim.volume;
    let policy = volume.body().pointer(POLICY).and_then(Value::as_str).unwrap_or("Retain");
    // A claim of the target with the volume cannot be left with Delete either: forward() makes it with Retain.
    if policy == "Retain" {
        return None;
    }
    let set = |from: &str, to: &str| {
        patch(
            Side::Source,
            volume,
            vec![
                json!({"op": "test", "path": POLICY, "value": from}),
                json!({"op": "replace", "path": POLICY, "value": to}),
            ],
        )
    };
    Some(Step {
        key: format!("retain/{}", volume.name()),
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: set(policy, "Retain"),
        undo: vec![set("Retain", policy)],
        says: format!(
            "set the reclaim policy of {} ({}) from {policy} to Retain",
            volume.name(),
            claim.shown()
        ),
        final_: false,
    })
}

/// StatefulSets that delete their claims when they are scaled down (`persistentVolumeClaimRetentionPolicy`, KEP-1847)
/// keep them: scaling to 0 would take the claims, and the way back with them.
pub(super) fn policies(input: &Input<'_>) -> Vec<Step> {
    of_kind(input.source, "apps", "StatefulSet")
        .filter(|set| set.namespace().is_some_and(|namespace| input.namespaces.contains(namespace)))
        .filter_map(|set| policy(input, set))
        .collect()
}

fn policy(input: &Input<'_>, set: &Object) -> Option<Step> {
    let found = set.body().pointer(CLAIM_POLICY)?;
    let deletes = ["whenScaled", "whenDeleted"].iter().any(|when| found[*when] == "Delete");
    if !deletes {
        return None;
    }
    let kept = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    let replace = |from: &Value, to: &Value| {
        patch(
            Side::Source,
            set,
            vec![
                json!({"op": "test", "path": CLAIM_POLICY, "value": from}),
                json!({"op": "replace", "path": CLAIM_POLICY, "value": to}),
            ],
        )
    };
    let shown = format!("{}/{}", set.namespace().unwrap_or_default(), set.name());
    Some(Step {
        key: format!("keep-claims/{shown}"),
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: replace(found, &kept),
        undo: vec![replace(&kept, found)],
        says: format!("let the StatefulSet {shown} keep its claims when it is scaled to 0"),
        final_: false,
    })
}
