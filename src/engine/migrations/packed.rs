//! The journal as a Secret holds it: JSON, compressed. One Secret is written by compare-and-swap as a whole, so the journal
//! stays in one; what does not fit is told at `Preflight` (`migrate::stages::room`), before anything depends on it.

use crate::model::migration_journal::Journal;
use crate::model::packed::{LARGEST, is_packed, pack, unpack};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A journal that no Secret takes.
#[derive(Debug, thiserror::Error)]
#[error(
    "the journal of {entries} steps takes {kibibytes} KiB, and a Secret holds {} at most: move fewer namespaces with one \
     Migration document, and the rest with another",
    LARGEST >> 10
)]
pub(super) struct TooLarge {
    entries: usize,
    kibibytes: usize,
}

/// As `data` of a Secret takes it.
pub(super) fn packed(journal: &Journal) -> Result<String, TooLarge> {
    let bytes = compressed(journal);
    if bytes.len() > LARGEST {
        return Err(TooLarge { entries: journal.entries.len(), kibibytes: bytes.len() >> 10 });
    }
    Ok(STANDARD.encode(bytes))
}

fn compressed(journal: &Journal) -> Vec<u8> {
    // An empty journal in its place would be stored as if nothing had ever been done.
    let text = serde_json::to_vec(journal).expect("maps with string keys only, which always become JSON");
    pack(&text)
}

/// What [`packed`] made, or a version of Portolan that did not compress.
pub(super) fn unpacked(text: &str) -> Option<Journal> {
    let bytes = STANDARD.decode(text).ok()?;
    // Journals that were stored before they were compressed begin with a brace.
    let text = if is_packed(&bytes) { unpack(&bytes).ok()? } else { bytes };
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::stages::Sight;
    use crate::migrate::stages::fence::Fence;
    use crate::migrate::stages::room::{Weights, size};
    use crate::model::cloud::{Call, Service};
    use crate::model::migration::{Effect, Side, Stage, Step};
    use crate::model::{ResourceId, plan::hex};
    use serde_json::{Value, json};
    use sha2::{Digest as _, Sha256};
    use std::collections::{BTreeMap, BTreeSet};

    /// Random as uids are, and the same every time.
    fn noise(of: &str) -> String {
        hex(&Sha256::digest(of.as_bytes()))
    }

    fn uid(of: &str) -> String {
        let text = noise(of);
        format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[12..15], &text[15..18], &text[18..30])
    }

    fn workload(number: usize) -> Value {
        let (kind, version, spec) = match number % 4 {
            0 => ("StatefulSet", "apps/v1", json!({"replicas": 3})),
            1 => ("DaemonSet", "apps/v1", json!({"template": {"spec": {"containers": []}}})),
            2 => ("CronJob", "batch/v1", json!({"schedule": "0 3 * * *"})),
            _ => ("Deployment", "apps/v1", json!({"replicas": number % 7 + 1})),
        };
        let name = format!("service-{}-{number}", &noise(&number.to_string())[..6]);
        json!({"apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": format!("team-{}", number / 40), "uid": uid(&name)}})
    }

    /// The steps for a volume that leave something in the journal, in the forms of `migrate::volumes`.
    fn of_volume(number: usize) -> [Step; 2] {
        let name = format!("pvc-{}", uid(&format!("pv{number}")));
        let volume = format!("vol-0{}", &noise(&name)[..16]);
        let patch = |from: &str, to: &str| Effect::Patch {
            side: Side::Source,
            id: ResourceId::new("", "PersistentVolume", "", &name),
            version: "v1".into(),
            operations: vec![
                json!({"op": "test", "path": "/metadata/uid", "value": uid(&name)}),
                json!({"op": "test", "path": "/spec/persistentVolumeReclaimPolicy", "value": from}),
                json!({"op": "replace", "path": "/spec/persistentVolumeReclaimPolicy", "value": to}),
            ],
        };
        let call = |operation: &str, tags: Value| Effect::Call {
            call: Call::new(Service::Ec2, operation, json!({"Resources": [volume], "Tags": tags})),
            token: None,
        };
        let step = |key: String, effect: Effect, undo: Vec<Effect>, says: String| Step {
            key,
            stage: Stage::HandOver,
            wave: Some("shop".into()),
            effect,
            undo,
            says,
            final_: false,
        };
        let shown = format!("team-{}/data-service-{number}-0", number / 40);
        let old = json!([{"Key": "kubernetes.io/cluster/live.example.com", "Value": "owned"}]);
        let new = json!([
            {"Key": "ebs.csi.aws.com/cluster", "Value": "true"},
            {"Key": "kubernetes.io/created-for/pv/name", "Value": name},
            {"Key": "kubernetes.io/created-for/pvc/name", "Value": shown},
            {"Key": "kubernetes.io/created-for/pvc/namespace", "Value": "team"},
        ]);
        let says = format!("set the reclaim policy of {name} ({shown}) from Delete to Retain");
        let tagged = format!("tag {volume} so that the target's driver may attach it and kops spares it");
        [
            step(format!("retain/{name}"), patch("Delete", "Retain"), vec![patch("Retain", "Delete")], says),
            step(
                format!("tag/{volume}"),
                call("CreateTags", new.clone()),
                vec![call("CreateTags", old), call("DeleteTags", new)],
                tagged,
            ),
        ]
    }

    /// The journal of a move of so many workloads, volumes and objects, at its end.
    fn journal(weights: Weights) -> Journal {
        let objects: Vec<Value> = (0..weights.workloads).map(workload).collect();
        let namespaces: BTreeSet<String> =
            objects.iter().map(|object| object["metadata"]["namespace"].as_str().unwrap().into()).collect();
        let fence = Fence {
            side: Side::Source,
            stage: Stage::HandOver,
            wave: "shop",
            namespaces: &namespaces,
            sight: &Sight { objects, ..Sight::default() },
            entries: &BTreeMap::new(),
            limit_seconds: 0,
        };
        let mut journal = Journal::default();
        let steps = fence.raise().steps;
        assert_eq!(steps.len(), weights.workloads, "each leaves an entry");
        journal.note(&steps, |key, _| noise(key));
        journal
            .note((0..weights.volumes).flat_map(of_volume).collect::<Vec<_>>().iter(), |key, _| noise(key));
        journal.entries.values_mut().for_each(|entry| entry.made = Some(1_800_000_000));
        journal.granted =
            (0..weights.objects).map(|number| noise(&number.to_string())[..16].into()).collect();
        journal
    }

    #[test]
    fn the_journal_of_ten_thousand_objects_fits_and_what_does_not_is_foretold() {
        let of = |workloads, volumes, objects| Weights { workloads, volumes, objects };
        for (what, weights) in [
            ("as clusters are", of(1_250, 250, 10_000)),
            ("nothing but workloads", of(10_000, 0, 10_000)),
            ("nothing but claims and their volumes", of(100, 2_450, 5_000)),
            ("a small one", of(5, 1, 30)),
        ] {
            let journal = journal(weights);
            let plain = serde_json::to_vec(&journal).unwrap().len();
            let took = compressed(&journal).len();
            let foretold = size(weights);
            let told = format!(
                "{what}: {weights:?}, {} entries: {} KiB of JSON, {} KiB compressed, {} KiB foretold",
                journal.entries.len(),
                plain >> 10,
                took >> 10,
                foretold >> 10
            );
            assert!(took <= foretold, "more than foretold: {told}");
            assert!(foretold <= 2 * took + 4096, "far more is foretold than is needed: {told}");
            match packed(&journal) {
                Ok(text) => assert!(unpacked(&text).unwrap() == journal && took <= LARGEST),
                Err(error) => assert!(took > LARGEST && error.to_string().contains("another"), "{error}"),
            }
        }
        assert!(size(of(1_250, 250, 10_000)) < LARGEST / 2, "there is room");
    }

    #[test]
    fn what_was_stored_before_it_was_compressed_is_read() {
        let journal = Journal { sequence: 7, ..Journal::default() };
        let old = STANDARD.encode(serde_json::to_vec(&journal).unwrap());
        assert_eq!(unpacked(&old), Some(journal.clone()));
        assert_eq!(unpacked(&packed(&journal).unwrap()), Some(journal));
        assert_eq!(unpacked("H4sI"), None);
    }
}
