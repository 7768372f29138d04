//! The tags of volumes that were handed over, watched until decommission.

use super::claim::claims;
use super::input::Input;
use super::tags::{cluster_key, missing, step, wanted};
use crate::migrate::decommission::LEGACY_TAG;
use crate::model::migration::Outcome;
use serde::{Deserialize, Serialize};

/// A tag of a volume that is not as the hand-over left it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagFinding {
    /// `vol-…`.
    pub volume: String,
    /// The tag's key.
    pub tag: String,
    /// What it should be.
    pub expected: String,
    /// What it is; none where it is gone.
    pub found: Option<String>,
    /// What that means, in words.
    pub says: String,
}

/// Looks at the tags of every volume of the wave that the target has, and mends them.
///
/// `KubernetesCluster` is looked at only: without it the source could not attach the volume on the way back, and it is not
/// ours to invent.
#[must_use]
pub fn watch(input: &Input<'_>) -> (Vec<TagFinding>, Outcome) {
    let (mut findings, mut outcome) = (Vec::new(), Outcome::default());
    for claim in claims(input).iter().filter(|claim| claim.is_bound_on_target()) {
        let Some(disk) = claim.disk else { continue };
        let put = missing(&wanted(input.setting, claim, &disk.tags), &disk.tags);
        for (tag, expected) in &put {
            let found = disk.tags.get(tag).cloned();
            let says = if *tag == cluster_key(input.setting) {
                "kops would delete the volume: `kops update cluster` puts `owned` back on what it finds"
                    .to_owned()
            } else {
                "the target's driver may not be allowed to attach or detach the volume".to_owned()
            };
            let expected = expected.clone();
            findings.push(TagFinding { volume: disk.id.clone(), tag: tag.clone(), expected, found, says });
        }
        if !put.is_empty() {
            let says = format!("put the tags of {} back that somebody changed", disk.id);
            outcome.steps.push(step(input, &disk.id, &put, &disk.tags, says));
        }
        let was_of_kops = disk.tags.contains_key(&cluster_key(input.setting));
        if was_of_kops && !disk.tags.contains_key(LEGACY_TAG) {
            findings.push(TagFinding {
                volume: disk.id.clone(),
                tag: LEGACY_TAG.to_owned(),
                expected: input.setting.source_cluster.clone(),
                found: None,
                says: "the source's role attaches only what has this tag: there is no way back while it is missing".into(),
            });
        }
    }
    (findings, outcome)
}
