//! The tags by which both clusters can use a volume, and neither deletes it.
//!
//! | tag | for whom |
//! |---|---|
//! | `ebs.csi.aws.com/cluster=true`, `kubernetes.io/created-for/pvc/*` | the target's EBS driver: AmazonEBSCSIDriverPolicyV2 lets it attach what has one of them (aws-ebs-csi-driver docs/tagging.md, #2918) |
//! | `KubernetesCluster=<kops>` | the source's role attaches only what has it: kept until decommission, or there is no way back |
//! | `kubernetes.io/cluster/<kops>=shared` | kops: only this value spares a volume from `kops delete cluster` (kops pkg/resources/aws) |

use super::claim::Claim;
use super::input::{Input, Setting};
use crate::migrate::decommission::LEGACY_TAG;
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Stage, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whose snapshot it is: name of the `Migration`.
pub(super) const MIGRATION_TAG: &str = "portolan.dev/migration";
/// Of which run.
pub(super) const RUN_TAG: &str = "portolan.dev/run";
/// Of which volume; the snapshot's own field goes with some copies.
pub(super) const VOLUME_TAG: &str = "portolan.dev/volume";

const DRIVER: &str = "ebs.csi.aws.com/cluster";
const CLAIM_NAME: &str = "kubernetes.io/created-for/pvc/name";
const CLAIM_NAMESPACE: &str = "kubernetes.io/created-for/pvc/namespace";
const VOLUME_NAME: &str = "kubernetes.io/created-for/pv/name";

/// The tag key that tells kops whose a thing is.
pub(super) fn cluster_key(setting: &Setting) -> String {
    format!("kubernetes.io/cluster/{}", setting.source_cluster)
}

/// The tags that a volume must have after the hand-over, with their values; those that only have to be there, with any
/// value, are left out where they are.
pub(super) fn wanted(
    setting: &Setting,
    claim: &Claim<'_>,
    now: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::from([(DRIVER.to_owned(), "true".to_owned())]);
    let id = claim.claim.id();
    for (key, value) in [
        (CLAIM_NAME, id.name.as_str()),
        (CLAIM_NAMESPACE, id.namespace.as_deref().unwrap_or_default()),
        (VOLUME_NAME, claim.volume.name()),
    ] {
        // What the volume was made for stays written on it, also where it was restored under another name.
        if !now.contains_key(key) {
            wanted.insert(key.into(), value.into());
        }
    }
    // Without the legacy tag kops does not find a volume, and a tag of the cluster would only make it look like one's.
    let of_kops = now.contains_key(LEGACY_TAG) || now.contains_key(&cluster_key(setting));
    if of_kops {
        wanted.insert(cluster_key(setting), "shared".into());
    }
    wanted.extend(setting.extra_tags.clone());
    wanted
}

/// What of `wanted` is missing or different.
pub(super) fn missing(
    wanted: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    wanted
        .iter()
        .filter(|(key, value)| now.get(*key) != Some(*value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// The step that puts tags on a volume. Where the journal has its inverse already, that one stays: it knows the tags from
/// before the first time.
pub(super) fn step(
    input: &Input<'_>,
    volume: &str,
    put: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    says: String,
) -> Step {
    let key = format!("tag/{volume}");
    let undo = input.journal.get(&key).cloned().unwrap_or_else(|| inverse(volume, put, now));
    Step {
        key,
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: create(volume, put),
        undo,
        says,
        final_: false,
    }
}

/// The calls that give a volume its tags back.
fn inverse(volume: &str, put: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Effect> {
    let old: BTreeMap<String, String> =
        put.keys().filter_map(|key| Some((key.clone(), now.get(key)?.clone()))).collect();
    let new: BTreeMap<String, String> = put
        .iter()
        .filter(|(key, _)| !now.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut effects = Vec::new();
    if !old.is_empty() {
        effects.push(create(volume, &old));
    }
    if !new.is_empty() {
        // With its value: EC2 then takes only a tag away that is still as it was put there.
        let input = json!({"Resources": [volume], "Tags": list(&new)});
        effects.push(Effect::Call { call: Call::new(Service::Ec2, "DeleteTags", input), token: None });
    }
    effects
}

fn create(volume: &str, tags: &BTreeMap<String, String>) -> Effect {
    let input = json!({"Resources": [volume], "Tags": list(tags)});
    Effect::Call { call: Call::new(Service::Ec2, "CreateTags", input), token: None }
}

/// Tags as the API takes them.
pub(super) fn list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// Whether an inverse still has something to do: a tag that it would put back is different, or one that it would take
/// away is there.
pub(super) fn in_force(effect: &Effect, now: &BTreeMap<String, String>) -> bool {
    let Effect::Call { call, .. } = effect else { return false };
    let tags = call.input["Tags"].as_array().into_iter().flatten();
    tags.into_iter().any(|tag| {
        let key = tag["Key"].as_str().unwrap_or_default();
        let value = tag["Value"].as_str();
        let found = now.get(key).map(String::as_str);
        match call.operation.as_str() {
            "CreateTags" => found != value,
            _ => found.is_some() && found == value,
        }
    })
}
