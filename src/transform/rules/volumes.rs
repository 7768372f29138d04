//! `PersistentVolumes`, handed over or left.

use super::super::context::Volumes;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use super::scheduling::terms;
use super::storage::EBS;
use serde_json::{Value, json};

const KIND: &[&str] = &["PersistentVolume"];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "volume.left",
        kinds: KIND,
        reason: "new volumes are provisioned in the target",
        source: "the migration's choice for volumes",
        apply: left,
    },
    Rule {
        id: "volume.ebs",
        kinds: KIND,
        reason: "the EBS driver takes the place of the in-tree plugin",
        source: "aws-ebs-csi-driver docs/install.md, static provisioning; kubernetes PR#84844",
        apply: ebs,
    },
    Rule {
        id: "volume.binding",
        kinds: KIND,
        reason: "the claim has another uid in the target: it is named only, so that it alone can bind",
        source: "kubernetes.io, reserving a PersistentVolume",
        apply: binding,
    },
    Rule {
        id: "volume.retain",
        kinds: KIND,
        reason: "no cluster may delete a volume that the other one could need",
        source: "velero pkg/restore (volumes with Delete are provisioned anew, empty)",
        apply: retain,
    },
    Rule {
        id: "volume.zone",
        kinds: KIND,
        reason: "labels of zones have other names, and a volume is attached in its zone only",
        source: "kubernetes.io, well-known labels; aws-ebs-csi-driver docs, static provisioning",
        apply: zone,
    },
    Rule {
        id: "volume.kind",
        kinds: KIND,
        reason: "what the volume is of decides whether the data comes along",
        source: "kubernetes.io, types of PersistentVolumes",
        apply: kind,
    },
];

const IN_TREE: &str = "/spec/awsElasticBlockStore";

fn is_ebs(work: &Work<'_>) -> bool {
    work.get(IN_TREE).is_some() || work.text("/spec/csi/driver") == Some(EBS)
}

fn left(work: &mut Work<'_>) {
    if is_ebs(work) && work.context.volumes == Volumes::Provision {
        work.drop("a new volume is provisioned in the target; this one stays with the old cluster");
    }
}

fn ebs(work: &mut Work<'_>) {
    let Some(old) = work.get(IN_TREE).cloned() else { return };
    let id = old.get("volumeID").and_then(Value::as_str).unwrap_or_default();
    let handle = id.rsplit('/').next().unwrap_or_default();
    let mut csi = json!({"driver": EBS, "volumeHandle": handle});
    // The in-tree plugin made ext4 where nothing was said.
    csi["fsType"] = old.get("fsType").filter(|kind| **kind != "").cloned().unwrap_or_else(|| json!("ext4"));
    if work.text("/spec/volumeMode") == Some("Block")
        && let Some(csi) = csi.as_object_mut()
    {
        csi.remove("fsType");
    }
    if let Some(partition) = old.get("partition").and_then(Value::as_i64).filter(|number| *number != 0) {
        csi["volumeAttributes"] = json!({"partition": partition.to_string()});
    }
    if old.get("readOnly") == Some(&Value::Bool(true)) {
        csi["readOnly"] = json!(true);
    }
    // `aws://zone/vol-...` tells the zone, which nothing else may.
    let zone =
        id.strip_prefix("aws://").and_then(|rest| rest.split_once('/')).map(|(zone, _)| zone.to_owned());
    work.remove(IN_TREE);
    work.set("/spec/csi", csi);
    if let Some(zone) = zone.filter(|zone| !zone.is_empty()) {
        set_zone(work, &zone);
    }
    let (from, to) = (&work.context.source, &work.context.target);
    let differs = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    if differs(&from.account, &to.account) || differs(&from.region, &to.region) {
        let says = "a volume cannot be attached in another account or region: copy a snapshot of it";
        work.remark(Weight::Blocker, "/spec/csi", says);
    }
}

fn set_zone(work: &mut Work<'_>, zone: &str) {
    if work.get("/spec/nodeAffinity/required").is_none() {
        let term = json!({"matchExpressions":
            [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]});
        work.set("/spec/nodeAffinity/required", json!({"nodeSelectorTerms": [term]}));
    }
}

fn binding(work: &mut Work<'_>) {
    for key in ["uid", "resourceVersion"] {
        work.remove(&at("/spec/claimRef", key));
    }
    if work.original.pointer("/status/phase").and_then(Value::as_str) == Some("Released") {
        work.remark(
            Weight::Choice,
            "/spec/claimRef",
            "its claim is gone in the old cluster: a claim of that name in the target would get its data",
        );
    }
}

fn retain(work: &mut Work<'_>) {
    work.set("/spec/persistentVolumeReclaimPolicy", "Retain");
}

fn zone(work: &mut Work<'_>) {
    let labels = "/metadata/labels";
    for (old, new) in [
        ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
        ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ] {
        if let Some(value) = work.remove(&at(labels, old)) {
            work.set_default(&at(labels, new), value);
        }
    }
    // The label speaks of a volume that is attached in one zone only.
    if is_ebs(work)
        && let Some(zone) = work.text(&at(labels, "topology.kubernetes.io/zone")).map(String::from)
        && !zone.contains("__")
    {
        set_zone(work, &zone);
    }
    terms(work, "/spec/nodeAffinity/required");
}

fn kind(work: &mut Work<'_>) {
    let has = |key: &str| work.get(&at("/spec", key)).is_some();
    if has("hostPath") || has("local") {
        let says =
            "the data lies on a node of the old cluster and does not come along: copy it, or do without it";
        return work.remark(Weight::Blocker, "/spec", says);
    }
    if ["nfs", "iscsi", "fc"].into_iter().any(has) {
        let says =
            "both clusters can mount it: writers must not overlap, and the new nodes need the way to it";
        return work.remark(Weight::Warning, "/spec", says);
    }
    match work.text("/spec/csi/driver").map(String::from).as_deref() {
        None if is_ebs(work) => {}
        Some(EBS) => {
            if work.get("/spec/nodeAffinity").is_none() {
                let says = "nothing says in which zone the volume is: a pod could be placed where it cannot be attached";
                work.remark(Weight::Warning, "/spec/nodeAffinity", says);
            }
        }
        Some(driver @ ("efs.csi.aws.com" | "fsx.csi.aws.com")) => {
            let says = format!(
                "both clusters can mount it by {driver}: writers must not overlap, and mount targets have to \
                                let the new nodes in"
            );
            work.remark(Weight::Warning, "/spec/csi", says);
        }
        Some(driver) => {
            let says = format!("the driver {driver} has to run in the target before a pod needs the volume");
            work.remark(Weight::Warning, "/spec/csi/driver", says);
        }
        None => {
            work.remark(Weight::Blocker, "/spec", "no rule knows how a volume of this kind is handed over")
        }
    }
}
