//! EBS volumes of a wave.

use super::{Asked, Concern, of_kinds, waiting};
use crate::migrate::stages::plan::Held;
use crate::migrate::stages::sight::{is, name};
use crate::migrate::volumes::{self, Disks, Input, Setting, Towards};
use crate::model::Object;
use crate::model::migration::{Gate, Outcome, Side, Stage};
use crate::model::migration_document::VolumeMethod;
use serde_json::Value;
use std::collections::BTreeSet;

const KINDS: &[&str] =
    &["Pod", "PersistentVolumeClaim", "PersistentVolume", "VolumeAttachment", "StatefulSet", "Deployment"];
/// EC2 takes up to 200 values of a filter.
const AT_ONCE: usize = 200;
/// The zone of a node, by the label of today and that of before 1.17.
const ZONES: &[&str] = &["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
/// What a role with the cluster-scoped policy of the EBS driver asks for (aws-ebs-csi-driver docs/tagging.md).
const CLUSTER_NAME: &str = "ebs.csi.aws.com/cluster-name";

/// What the planner is given, owned.
struct Given {
    setting: Setting,
    source: Vec<Object>,
    target: Vec<Object>,
    prepared: Vec<Object>,
    disks: Disks,
    approved: BTreeSet<String>,
}

/// Whether volumes are handed over at all.
fn moves(concern: &Concern<'_>) -> bool {
    concern.spec.volumes.method == VolumeMethod::HandOver
}

pub(super) fn reads(concern: &Concern<'_>) -> Vec<Asked> {
    if !moves(concern) {
        return Vec::new();
    }
    let volumes = of_kinds(concern.source, &["PersistentVolume"]);
    let ids = volumes::disks_of(&volumes, concern.namespaces);
    let calls = ids.chunks(AT_ONCE).flat_map(|ids| Disks::calls(ids, concern.migration));
    calls.map(|call| Asked::of(Side::Source, call)).collect()
}

fn disks(concern: &Concern<'_>, asked: &[Asked]) -> Disks {
    let mut all = Disks::default();
    for pair in asked.chunks(2) {
        let [volumes, snapshots] = pair else { continue };
        let answer = |asked| concern.answer(asked).unwrap_or(&Value::Null);
        let part = Disks::read(answer(volumes), answer(snapshots));
        all.volumes.extend(part.volumes);
        all.snapshots = part.snapshots;
    }
    all
}

/// Zones in which the target has nodes.
fn zones(target: &[Value]) -> BTreeSet<String> {
    let nodes = target.iter().filter(|object| is(object, "", "Node"));
    let zone = |node: &Value| {
        let labels = node.pointer("/metadata/labels")?;
        ZONES.iter().find_map(|key| labels.get(*key)?.as_str()).map(String::from)
    };
    nodes.filter_map(zone).collect()
}

fn with<T>(concern: &Concern<'_>, towards: Towards, ask: impl FnOnce(&Input<'_>) -> T) -> T {
    let spec = concern.spec;
    let name = Some(concern.target_name).filter(|name| !name.is_empty());
    let given = Given {
        setting: Setting {
            migration: concern.migration.into(),
            source_cluster: spec
                .source
                .kops
                .as_ref()
                .map(|kops| kops.cluster_name.clone())
                .unwrap_or_default(),
            target_zones: zones(concern.target),
            run: concern.run.into(),
            snapshot: spec.volumes.snapshot,
            excluded: spec.volumes.exclude.iter().cloned().collect(),
            extra_tags: name.map(|name| (CLUSTER_NAME.to_owned(), name.to_owned())).into_iter().collect(),
        },
        source: of_kinds(concern.source, KINDS),
        target: of_kinds(concern.target, KINDS),
        prepared: of_kinds(concern.prepared, KINDS),
        disks: disks(concern, &reads(concern)),
        approved: BTreeSet::new(),
    };
    let journal = concern.inverses();
    let mut input = Input {
        setting: &given.setting,
        wave: concern.wave,
        namespaces: concern.namespaces,
        source: &given.source,
        target: &given.target,
        prepared: &given.prepared,
        disks: &given.disks,
        journal: &journal,
        started: concern.started,
        approved: &given.approved,
        towards,
    };
    // A word is asked for one thing only here: for going back with what the target wrote.
    let approved: BTreeSet<String> = match volumes::way_back(&input) {
        volumes::WayBack::KeepsWrites { digest, .. } if (concern.approved)(&digest) => [digest].into(),
        _ => BTreeSet::new(),
    };
    input.approved = &approved;
    ask(&input)
}

/// What must be so before the source is scaled to 0: reclaim policies, and StatefulSets that would delete their claims.
#[must_use]
pub fn before_fence(concern: &Concern<'_>) -> Outcome {
    if !moves(concern) {
        return Outcome::default();
    }
    with(concern, Towards::Target, volumes::before_fence)
}

/// The volumes of a wave, towards its goal.
#[must_use]
pub fn volumes(concern: &Concern<'_>) -> Outcome {
    if !moves(concern) {
        return Outcome::default();
    }
    if let Some(gate) = concern.unread(&reads(concern)) {
        return waiting(gate);
    }
    let towards = if concern.goal >= Stage::HandOver { Towards::Target } else { Towards::Source };
    if towards == Towards::Target && concern.run.is_empty() {
        // The journal has it from the end of this pass on.
        return waiting(Gate::Waiting { what: "the hand-over begins".into(), limit_seconds: 0 });
    }
    with(concern, towards, volumes::plan)
}

/// What a person has to agree to before anything of a way back is done: the source gets volumes that the target has
/// written to.
#[must_use]
pub fn consent(concern: &Concern<'_>) -> Option<Held> {
    if !moves(concern) || concern.unread(&reads(concern)).is_some() {
        return None;
    }
    with(concern, Towards::Source, |input| {
        let (digest, says) = volumes::consent(input)?;
        Some(Held { digest, says: vec![says] })
    })
}

/// What is left of a hand-over that was taken back, once the source is open again.
#[must_use]
pub fn dismissed(concern: &Concern<'_>) -> Outcome {
    if !moves(concern) {
        return Outcome::default();
    }
    match concern.unread(&reads(concern)) {
        Some(gate) => waiting(gate),
        None => with(concern, Towards::Source, volumes::dismiss),
    }
}

/// Tags of volumes that were handed over, mended where somebody changed them.
#[must_use]
pub fn watched(concern: &Concern<'_>) -> (Vec<String>, Outcome) {
    if !moves(concern) || concern.unread(&reads(concern)).is_some() {
        return (Vec::new(), Outcome::default());
    }
    let (findings, outcome) = with(concern, Towards::Target, volumes::watch);
    let note =
        |finding: volumes::TagFinding| format!("tag {} of {}: {}", finding.tag, finding.volume, finding.says);
    (findings.into_iter().map(note).collect(), outcome)
}

/// EBS volumes that objects of the target stand for.
pub(super) fn of_target(target: &[Value]) -> BTreeSet<(String, String)> {
    let volumes = of_kinds(target, &["PersistentVolume"]);
    let pair = |volume: &Object| {
        let id = volumes::Backing::of_volume(volume).ebs()?.to_owned();
        Some((id, name(volume.body()).to_owned()))
    };
    volumes.iter().filter_map(pair).collect()
}
