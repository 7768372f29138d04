//! A verdict on every volume before anything moves.

use super::backing::Backing;
use super::claim::{Claim, claims, is_excluded, is_of_pod};
use super::input::{Input, of_kind};
use crate::migrate::verdict::{Level, Offer, Verdict};
use crate::model::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Types that the EBS driver and EC2 know (EC2 `VolumeType`).
const TYPES: &[&str] = &["standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"];

/// Verdicts on the claims of the wave, their volumes, and what pods of the wave mount without a claim.
#[must_use]
pub fn assess(input: &Input<'_>) -> Vec<Verdict> {
    let claims = claims(input);
    let mut verdicts: Vec<Verdict> = claims.iter().flat_map(|claim| of_claim(input, claim)).collect();
    verdicts.extend(without_volume(input, &claims));
    verdicts.extend(of_pods(input));
    verdicts.sort();
    verdicts.dedup();
    verdicts
}

fn verdict(subject: &str, field: &str, level: Level, rule: &str, source: &str, says: String) -> Verdict {
    Verdict {
        subject: subject.to_owned(),
        field: field.to_owned(),
        level,
        rule: rule.to_owned(),
        source: source.to_owned(),
        says,
        becomes: None,
        choices: Vec::new(),
    }
}

fn offer(id: &str, says: &str, proposed: bool) -> Offer {
    Offer { id: id.into(), says: says.into(), proposed }
}

fn of_claim(input: &Input<'_>, claim: &Claim<'_>) -> Vec<Verdict> {
    let subject = format!("PersistentVolumeClaim {} ({})", claim.shown(), claim.volume.name());
    match &claim.backing {
        Backing::Ebs { volume, in_tree, zone } => {
            ebs(input, claim, &subject, volume, *in_tree, zone.as_deref())
        }
        Backing::Shared(driver) => vec![Verdict {
            becomes: Some("the same volume, mounted by the target".into()),
            ..verdict(
                &subject,
                "/spec",
                Level::Warning,
                "volumes.shared",
                "aws-efs-csi-driver docs; Kubernetes docs, access modes",
                format!(
                    "{driver}: both clusters can mount it. Nobody may write on both sides; mount targets and security groups \
                     have to let the new nodes in, and the driver has to run there"
                ),
            )
        }],
        Backing::OfNode(kind) => vec![Verdict {
            choices: vec![
                offer("copy", "copy the data by hand, and give the target a volume of its own", false),
                offer("drop", "do without the data", false),
            ],
            ..verdict(
                &subject,
                &format!("/spec/{kind}"),
                Level::Blocker,
                "volumes.of-node",
                "Kubernetes docs, local volumes",
                "the data lies on a node of the source and does not come along".into(),
            )
        }],
        Backing::OfPod(kind) => vec![of_pod(&subject, kind)],
        Backing::Foreign(driver) => vec![Verdict {
            choices: vec![
                offer("port", "the driver runs on the target, and the volume is put there as it is", true),
                offer("drop", "do without the data", false),
            ],
            ..verdict(
                &subject,
                "/spec",
                Level::Choice,
                "volumes.foreign",
                "Kubernetes docs, types of volumes",
                format!(
                    "{driver}: no rule knows who holds such a volume, so nothing proves that the source let go of it"
                ),
            )
        }],
    }
}

fn ebs(
    input: &Input<'_>,
    claim: &Claim<'_>,
    subject: &str,
    volume: &str,
    in_tree: bool,
    said: Option<&str>,
) -> Vec<Verdict> {
    const SOURCE: &str = "aws-ebs-csi-driver docs/install.md, static provisioning";
    let Some(disk) = claim.disk else {
        let says = format!("{volume} is not in this account and region: it has to be copied by a snapshot");
        return vec![verdict(subject, "/spec", Level::Blocker, "volumes.ebs.missing", SOURCE, says)];
    };
    let mut verdicts = Vec::new();
    let mut tell = |level, rule: &str, says: String| {
        verdicts.push(verdict(subject, "/spec", level, rule, SOURCE, says));
    };
    if !input.setting.target_zones.contains(&disk.zone) {
        let says = format!(
            "{volume} lies in {}, where the target has no nodes: add a node group there, or copy the volume by a snapshot",
            disk.zone
        );
        tell(Level::Blocker, "volumes.ebs.zone", says);
    }
    if let Some(said) = said.filter(|said| *said != disk.zone) {
        let says = format!("the object says that {volume} lies in {said}, EC2 says {}", disk.zone);
        tell(Level::Blocker, "volumes.ebs.zone-differs", says);
    }
    if !TYPES.contains(&disk.kind.as_str()) {
        let says = format!("{volume} is of the type {:?}, which no rule knows", disk.kind);
        tell(Level::Blocker, "volumes.ebs.type", says);
    }
    if let Some(outpost) = &disk.outpost {
        tell(
            Level::Blocker,
            "volumes.ebs.outpost",
            format!("{volume} lies on {outpost}: the target needs nodes on it"),
        );
    }
    if disk.multi_attach {
        let says = format!(
            "{volume} can be attached to several instances: EC2 does not keep the two sides apart, the fence alone does"
        );
        tell(Level::Warning, "volumes.ebs.multi-attach", says);
    }
    if let Some(key) = &disk.key {
        let says = format!(
            "{volume} is encrypted with {key}: the role of the target's driver needs kms:CreateGrant, kms:Decrypt and \
             kms:GenerateDataKeyWithoutPlaintext, unless it is the account's own key for EBS"
        );
        tell(Level::Warning, "volumes.ebs.key", says);
    }
    let plugin = if in_tree { "the in-tree plugin's volume" } else { "the volume" };
    verdicts.push(Verdict {
        becomes: Some(format!("PersistentVolume {} of {}", claim.volume.name(), super::backing::EBS_DRIVER)),
        ..verdict(
            subject,
            "",
            Level::Mapped,
            "volumes.ebs",
            SOURCE,
            format!(
                "{plugin} {volume} ({}, {}) is handed over in place, after a snapshot",
                disk.kind, disk.zone
            ),
        )
    });
    verdicts
}

/// Claims of the wave that have no volume, or one that is not there.
fn without_volume(input: &Input<'_>, known: &[Claim<'_>]) -> Vec<Verdict> {
    let known: BTreeSet<_> = known.iter().map(|claim| claim.claim.id()).collect();
    of_kind(input.source, "", "PersistentVolumeClaim")
        .filter(|claim| claim.namespace().is_some_and(|namespace| input.namespaces.contains(namespace)))
        .filter(|claim| !known.contains(&claim.id()))
        .map(|claim| {
            let subject =
                format!("PersistentVolumeClaim {}/{}", claim.namespace().unwrap_or_default(), claim.name());
            if is_of_pod(claim) {
                return of_pod(&subject, "ephemeral");
            }
            if is_excluded(input, claim) {
                let says =
                    "left behind, as the Migration document says: its data stays with the source".to_owned();
                return verdict(
                    &subject,
                    "",
                    Level::Warning,
                    "volumes.excluded",
                    "spec.volumes.exclude",
                    says,
                );
            }
            let named = claim.body()["spec"]["volumeName"].as_str().filter(|name| !name.is_empty());
            match named {
                Some(volume) => verdict(
                    &subject,
                    "/spec/volumeName",
                    Level::Blocker,
                    "volumes.lost",
                    "Kubernetes docs, phase Lost",
                    format!("its volume {volume} is gone: find the data, or delete the claim"),
                ),
                None => verdict(
                    &subject,
                    "",
                    Level::Mapped,
                    "volumes.unbound",
                    "Kubernetes docs, dynamic provisioning",
                    "it has no volume yet; the target provisions one when a pod asks".into(),
                ),
            }
        })
        .collect()
}

fn of_pod(subject: &str, kind: &str) -> Verdict {
    verdict(
        subject,
        &format!("/spec/{kind}"),
        Level::Irrelevant,
        "volumes.of-pod",
        "Kubernetes docs, ephemeral volumes",
        format!(
            "{kind}: it lives as long as its pod, also on the source, and a new pod begins with an empty one"
        ),
    )
}

/// What pods of the wave mount without a claim, once for each workload that makes them.
fn of_pods(input: &Input<'_>) -> Vec<Verdict> {
    let mut seen: BTreeMap<(String, String), Verdict> = BTreeMap::new();
    for pod in of_kind(input.source, "", "Pod")
        .filter(|pod| pod.namespace().is_some_and(|namespace| input.namespaces.contains(namespace)))
    {
        let subject = maker(pod);
        for volume in pod.body()["spec"]["volumes"].as_array().into_iter().flatten() {
            let name = volume["name"].as_str().unwrap_or_default().to_owned();
            let Some(backing) = Backing::of_pod_volume(volume) else { continue };
            let verdict = match backing {
                Backing::OfPod(kind) => of_pod(&subject, kind),
                Backing::OfNode(kind) => verdict(
                    &subject,
                    &format!("/spec/volumes/{name}"),
                    Level::Warning,
                    "volumes.host-path",
                    "Kubernetes docs, hostPath",
                    format!(
                        "{kind}: a pod on the target sees that node's directory, and nothing of the source's"
                    ),
                ),
                Backing::Ebs { volume, .. } => verdict(
                    &subject,
                    &format!("/spec/volumes/{name}"),
                    Level::Blocker,
                    "volumes.inline-ebs",
                    "Kubernetes 1.31 release notes, in-tree plugins of clouds are gone",
                    format!(
                        "the pod names {volume} itself, which EKS cannot attach: make a PersistentVolume and a claim of it"
                    ),
                ),
                Backing::Shared(driver) | Backing::Foreign(driver) => verdict(
                    &subject,
                    &format!("/spec/volumes/{name}"),
                    Level::Warning,
                    "volumes.inline-shared",
                    "Kubernetes docs, types of volumes",
                    format!("{driver}: the new nodes need the way to it, and nobody may write on both sides"),
                ),
            };
            seen.entry((subject.clone(), verdict.rule.clone() + &name)).or_insert(verdict);
        }
    }
    seen.into_values().collect()
}

/// Who makes a pod, for a subject that is the same for all of its pods.
fn maker(pod: &Object) -> String {
    let owners = pod.body()["metadata"]["ownerReferences"].as_array();
    let owner = owners.into_iter().flatten().find(|owner| owner["controller"] == Value::Bool(true));
    let namespace = pod.namespace().unwrap_or_default();
    match owner {
        Some(owner) => {
            let text = |field: &str| owner[field].as_str().unwrap_or_default().to_owned();
            format!("pods of {} {namespace}/{}", text("kind"), text("name"))
        }
        None => format!("Pod {namespace}/{}", pod.name()),
    }
}
