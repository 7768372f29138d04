//! The end of a way back: the snapshots that the migration took.
//!
//! Until the source's workloads run on their volumes again, a snapshot may be all that there is of the state before the
//! hand-over. After that it is a leftover of a move that was taken back, and goes like everything else of it. One whose
//! tag [`MIGRATION_TAG`] a person has taken away is that person's, and stays.

use super::input::{Input, of_kind};
use super::tags::{MIGRATION_TAG, VOLUME_TAG};
use super::{Snapshot, disks_of};
use crate::model::Object;
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Gate, Outcome, Stage, Step};
use serde_json::{Value, json};

/// How long the source's workloads may take to be ready: attaching comes first, and a data base that was stopped hard.
const READY_LIMIT: u64 = 900;

/// Deletes the wave's snapshots, once every workload of the source that has volumes is ready. Done when none is left.
#[must_use]
pub fn dismiss(input: &Input<'_>) -> Outcome {
    let volumes = disks_of(input.source, input.namespaces);
    let is_ours = |snapshot: &&Snapshot| {
        let tag = |key: &str| snapshot.tags.get(key).map(String::as_str);
        tag(MIGRATION_TAG) == Some(input.setting.migration.as_str())
            && tag(VOLUME_TAG).is_some_and(|volume| volumes.iter().any(|own| own == volume))
    };
    let ours: Vec<&Snapshot> = input.disks.snapshots.iter().filter(is_ours).collect();
    if ours.is_empty() {
        return Outcome::default();
    }
    if let Some(workload) = unready(input) {
        let what = format!(
            "{workload} of the source is not ready on its volumes again; until it is, {} snapshots of the migration are kept",
            ours.len()
        );
        return Outcome {
            steps: Vec::new(),
            gates: vec![Gate::Waiting { what, limit_seconds: READY_LIMIT }],
        };
    }
    Outcome { steps: ours.into_iter().map(|snapshot| step(input, snapshot)).collect(), gates: Vec::new() }
}

fn step(input: &Input<'_>, snapshot: &Snapshot) -> Step {
    let volume = snapshot.tags.get(VOLUME_TAG).map_or("", String::as_str);
    let call = Call::new(Service::Ec2, "DeleteSnapshot", json!({"SnapshotId": snapshot.id}));
    Step {
        key: format!("back/snapshot/{}", snapshot.id),
        stage: Stage::HandOver,
        wave: Some(input.wave.to_owned()),
        effect: Effect::Call { call, token: None },
        undo: Vec::new(),
        says: format!(
            "delete {}, which was taken of {volume}: the source runs on the volume again",
            snapshot.id
        ),
        final_: false,
    }
}

/// The first workload of the source that has volumes and not all of its pods ready.
fn unready(input: &Input<'_>) -> Option<String> {
    let sets = of_kind(input.source, "apps", "StatefulSet");
    let all = sets.chain(of_kind(input.source, "apps", "Deployment"));
    let own = all.filter(|one| one.namespace().is_some_and(|of| input.namespaces.contains(of)));
    let unready = own.filter(|workload| has_claims(workload)).find(|workload| {
        let number = |pointer: &str| workload.body().pointer(pointer).and_then(Value::as_i64);
        let seen = number("/status/observedGeneration") >= number("/metadata/generation");
        !seen || number("/status/readyReplicas").unwrap_or_default() < number("/spec/replicas").unwrap_or(1)
    });
    unready.map(|workload| {
        format!("{} {}/{}", workload.kind(), workload.namespace().unwrap_or_default(), workload.name())
    })
}

fn has_claims(workload: &Object) -> bool {
    let spec = &workload.body()["spec"];
    let volumes = spec.pointer("/template/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    spec.pointer("/volumeClaimTemplates/0").is_some()
        || volumes.into_iter().any(|volume| volume["persistentVolumeClaim"].is_object())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::volumes::{Disks, Setting, Towards};
    use std::collections::{BTreeMap, BTreeSet};

    fn snapshot(id: &str, migration: &str, volume: &str) -> Snapshot {
        let tags = [(MIGRATION_TAG, migration), (VOLUME_TAG, volume)];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Snapshot { id: id.into(), tags: tags.into(), ..Snapshot::default() }
    }

    #[test]
    fn only_its_own_go_and_only_when_the_source_runs() {
        let setting = Setting { migration: "move".into(), ..Setting::default() };
        let disks = Disks {
            snapshots: vec![
                snapshot("snap-1", "move", "vol-1"),
                snapshot("snap-2", "other", "vol-1"),
                snapshot("snap-3", "move", "vol-of-another-wave"),
            ],
            ..Disks::default()
        };
        let namespaces = BTreeSet::from(["shop".to_owned()]);
        let (journal, approved) = (BTreeMap::new(), BTreeSet::new());
        let of = |ready: u32| {
            let source = [
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": {
                    "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
                    "claimRef": {"namespace": "shop", "name": "data-db-0"}}}),
                json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
                    "spec": {"replicas": 1, "volumeClaimTemplates": [{}]}, "status": {"readyReplicas": ready}}),
            ]
            .map(|object| Object::new(object).unwrap());
            dismiss(&Input {
                setting: &setting,
                wave: "shop",
                namespaces: &namespaces,
                source: &source,
                target: &[],
                prepared: &[],
                disks: &disks,
                journal: &journal,
                started: false,
                approved: &approved,
                towards: Towards::Source,
            })
        };
        let waiting = of(0);
        assert!(waiting.steps.is_empty());
        assert!(
            matches!(&waiting.gates[..], [Gate::Waiting { what, .. }] if what.contains("StatefulSet shop/db"))
        );
        let keys: Vec<String> = of(1).steps.into_iter().map(|step| step.key).collect();
        assert_eq!(keys, ["back/snapshot/snap-1"]);
    }
}
