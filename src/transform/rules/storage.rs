//! Claims, storage classes and snapshots.

use super::super::context::Volumes;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use crate::model::ResourceId;
use serde_json::{Value, json};

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "claim.class-annotation",
        kinds: &["PersistentVolumeClaim", "PersistentVolume", "StatefulSet.apps"],
        reason: "the annotation became a field",
        source: "velero pkg/restore/actions/pvc_action.go; kubernetes.io, storage classes",
        apply: class_annotation,
    },
    Rule {
        id: "claim.class",
        kinds: &["PersistentVolumeClaim", "PersistentVolume", "StatefulSet.apps"],
        reason: "the class has another name in the target",
        source: "the migration's mapping of storage classes; velero#2894",
        apply: class,
    },
    Rule {
        id: "claim.volume",
        kinds: &["PersistentVolumeClaim"],
        reason: "the volume is not among the objects, or the data comes on another way",
        source: "aws-ebs-csi-driver docs, static provisioning",
        apply: volume,
    },
    Rule {
        id: "claim.data-source",
        kinds: &["PersistentVolumeClaim"],
        reason: "it names what the claim was filled from once",
        source: "kubernetes.io, volume populators",
        apply: data_source,
    },
    Rule {
        id: "class.ebs",
        kinds: &["StorageClass.storage.k8s.io"],
        reason: "the in-tree provisioner was removed; the EBS driver takes its place",
        source: "aws-ebs-csi-driver docs/parameters.md",
        apply: ebs_class,
    },
    Rule {
        id: "class.default",
        kinds: &["StorageClass.storage.k8s.io"],
        reason: "the beta annotation is not read any more",
        source: "kubernetes.io, default StorageClass",
        apply: default_class,
    },
    Rule {
        id: "snapshot.content",
        kinds: &["VolumeSnapshotContent.snapshot.storage.k8s.io"],
        reason: "a snapshot that exists is named by its handle, and nothing of the target may delete it",
        source: "external-snapshotter, static provisioning",
        apply: snapshot_content,
    },
    Rule {
        id: "snapshot.static",
        kinds: &["VolumeSnapshot.snapshot.storage.k8s.io"],
        reason: "it binds to the snapshot that exists instead of taking a new one",
        source: "external-snapshotter, static provisioning",
        apply: snapshot,
    },
];

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Pointers to everything with a `spec.storageClassName`: the object, or the templates of a `StatefulSet`.
fn claims(work: &Work<'_>) -> Vec<String> {
    if work.kind() == "StatefulSet" { work.items("/spec/volumeClaimTemplates") } else { vec![String::new()] }
}

fn class_annotation(work: &mut Work<'_>) {
    for claim in claims(work) {
        if let Some(class) = work.remove(&at(&format!("{claim}/metadata/annotations"), CLASS)) {
            work.set_default(&format!("{claim}/spec/storageClassName"), class);
        }
    }
}

fn class(work: &mut Work<'_>) {
    for claim in claims(work) {
        let pointer = format!("{claim}/spec/storageClassName");
        let new = work.text(&pointer).and_then(|old| work.context.storage_classes.get(old)).cloned();
        if let Some(new) = new {
            work.set(&pointer, new);
        }
    }
}

fn volume(work: &mut Work<'_>) {
    if work.text("/status/phase") == Some("Lost") {
        work.remark(Weight::Blocker, "/spec/volumeName", "the claim has lost its volume in the old cluster");
    }
    let Some(name) = work.text("/spec/volumeName").map(String::from) else { return };
    let known = work.context.survey.is_empty() || work.context.survey.has_volume(&name);
    if work.context.volumes == Volumes::Provision {
        work.remove("/spec/volumeName");
        work.remark(
            Weight::Warning,
            "/spec/volumeName",
            "a new, empty volume is provisioned: the data has to be brought",
        );
    } else if !known {
        work.remove("/spec/volumeName");
        let says = format!(
            "PersistentVolume {name} is not among the objects: the claim would get a new, empty volume"
        );
        work.remark(Weight::Blocker, "/spec/volumeName", says);
    }
}

fn data_source(work: &mut Work<'_>) {
    // A claim that is bound to its volume is not filled again.
    if work.get("/spec/volumeName").is_some() {
        work.remove("/spec/dataSource");
        work.remove("/spec/dataSourceRef");
        return;
    }
    let Some(source) = work.get("/spec/dataSource").cloned() else { return };
    let text = |key: &str| source.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = ResourceId::new(text("apiGroup"), text("kind"), work.namespace(), text("name"));
    if !work.context.survey.is_empty() && !work.context.survey.has(&id) {
        let says = format!("{id} is not among the objects, and the claim waits for it");
        work.remark(Weight::Blocker, "/spec/dataSource", says);
    }
}

const IN_TREE: &str = "kubernetes.io/aws-ebs";
/// What the EBS driver answers to.
pub const EBS: &str = "ebs.csi.aws.com";
const ZONE: &str = "topology.ebs.csi.aws.com/zone";

fn ebs_class(work: &mut Work<'_>) {
    if work.context.storage_classes.contains_key(work.name()) {
        return work.drop("claims of this class get another one in the target");
    }
    let provisioner = work.text("/provisioner").unwrap_or_default().to_owned();
    if provisioner != IN_TREE {
        if provisioner.starts_with("kubernetes.io/") && provisioner != "kubernetes.io/no-provisioner" {
            let says =
                format!("the provisioner {provisioner} left Kubernetes: claims of this class stay pending");
            work.remark(Weight::Blocker, "/provisioner", says);
        }
        return;
    }
    work.set("/provisioner", EBS);
    work.rename("/parameters/fsType", "/parameters/csi.storage.k8s.io~1fstype");
    work.rename("/parameters/fstype", "/parameters/csi.storage.k8s.io~1fstype");
    let mut zones: Vec<String> = Vec::new();
    for key in ["/parameters/zone", "/parameters/zones"] {
        if let Some(Value::String(listed)) = work.remove(key) {
            zones
                .extend(listed.split(',').map(|zone| zone.trim().to_owned()).filter(|zone| !zone.is_empty()));
        }
    }
    if !zones.is_empty() && work.get("/allowedTopologies").is_none() {
        work.set("/allowedTopologies", json!([{"matchLabelExpressions": [{"key": ZONE, "values": zones}]}]));
    }
    for term in work.items("/allowedTopologies") {
        for expression in work.items(&at(&term, "matchLabelExpressions")) {
            let key = at(&expression, "key");
            if let Some("failure-domain.beta.kubernetes.io/zone" | "topology.kubernetes.io/zone") =
                work.text(&key)
            {
                work.set(&key, ZONE);
            }
        }
    }
    if work.get("/parameters").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        work.remove("/parameters");
    }
    if work.text("/volumeBindingMode") != Some("WaitForFirstConsumer") {
        work.set_for(
            "/volumeBindingMode",
            "WaitForFirstConsumer",
            "a volume is made in the zone of its pod, not in one where the pod cannot run",
        );
    }
    if work.get("/parameters/kmsKeyId").is_some() {
        let says = "the EBS driver's role needs kms:CreateGrant and kms:Decrypt on the key";
        work.remark(Weight::Warning, "/parameters/kmsKeyId", says);
    }
}

fn default_class(work: &mut Work<'_>) {
    let old = at("/metadata/annotations", "storageclass.beta.kubernetes.io/is-default-class");
    let new = at("/metadata/annotations", "storageclass.kubernetes.io/is-default-class");
    if let Some(value) = work.remove(&old) {
        work.set_default(&new, value);
    }
    if work.text(&new) == Some("true") {
        work.remark(
            Weight::Warning,
            &new,
            "exactly one class of the target may be the default: look at those that EKS has",
        );
    }
}

fn snapshot_content(work: &mut Work<'_>) {
    work.set("/spec/deletionPolicy", "Retain");
    work.remove("/spec/volumeSnapshotRef/uid");
    work.remove("/spec/volumeSnapshotRef/resourceVersion");
    if let Some(handle) = work.original.pointer("/status/snapshotHandle").cloned()
        && work.get("/spec/source/snapshotHandle").is_none()
    {
        work.set("/spec/source", json!({"snapshotHandle": handle}));
    }
}

fn snapshot(work: &mut Work<'_>) {
    let Some(content) = work.original.pointer("/status/boundVolumeSnapshotContentName").cloned() else {
        return;
    };
    if work.get("/spec/source/volumeSnapshotContentName").is_none() {
        work.set("/spec/source", json!({"volumeSnapshotContentName": content}));
    }
}
