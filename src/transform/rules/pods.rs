//! Pods that nobody owns, and what admission wrote into them.

use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "pod.mirror",
        kinds: &["Pod"],
        reason: "the kubelet shows a file of its node in it",
        source: "velero pkg/restore; kubernetes.io/config.mirror",
        apply: mirror,
    },
    Rule {
        id: "pod.ended",
        kinds: &["Pod"],
        reason: "what has ended would begin again",
        source: "velero pkg/restore",
        apply: ended,
    },
    Rule {
        id: "pod.stands-still",
        kinds: &["Pod"],
        reason: "a pod has no replicas to take away: it comes with the state",
        source: "reference of the stages",
        apply: stands_still,
    },
    Rule {
        id: "pod.admission",
        kinds: &["Pod"],
        reason: "the old cluster's admission or scheduler wrote it into the pod; the target's writes its own",
        source: "velero pkg/restore/actions/pod_action.go",
        apply: admission,
    },
    Rule {
        id: "pod.account-volumes",
        kinds: &["Pod"],
        reason: "the token of the pod's account is mounted by the target's admission",
        source: "velero pkg/restore/actions/pod_action.go; kubernetes BoundServiceAccountTokenVolume",
        apply: account_volumes,
    },
];

fn mirror(work: &mut Work<'_>) {
    if work.annotation("kubernetes.io/config.mirror").is_some() {
        work.drop("the kubelet of an old node shows a file of that node in it");
    }
}

fn ended(work: &mut Work<'_>) {
    if let Some(phase @ ("Succeeded" | "Failed")) = work.text("/status/phase") {
        let phase = phase.to_owned();
        work.drop(format!("it has ended ({phase})"));
    }
}

fn stands_still(work: &mut Work<'_>) {
    let quiesce = &work.context.quiesce;
    if quiesce.all_workloads || quiesce.workloads.contains(&work.id()) {
        work.drop("a pod without a controller cannot stand still: it is carried over with the state");
    }
}

fn admission(work: &mut Work<'_>) {
    for key in ["nodeName", "priority", "preemptionPolicy", "ephemeralContainers"] {
        work.remove(&at("/spec", key));
    }
    // An account that nobody chose is `default`, and the old field repeats the new one.
    work.remove("/spec/serviceAccount");
    for item in work.items("/spec/tolerations") {
        let automatic = matches!(
            work.text(&at(&item, "key")),
            Some("node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
        ) && work.text(&at(&item, "operator")) == Some("Exists")
            && work.text(&at(&item, "effect")) == Some("NoExecute")
            && work.get(&at(&item, "tolerationSeconds")).and_then(Value::as_i64) == Some(300);
        if automatic {
            work.remove(&item);
        }
    }
    if work.get("/spec/tolerations").is_some() && work.len("/spec/tolerations") == 0 {
        work.remove("/spec/tolerations");
    }
}

fn account_volumes(work: &mut Work<'_>) {
    let account = work.text("/spec/serviceAccountName").unwrap_or("default").to_owned();
    let mut gone = Vec::new();
    for item in work.items("/spec/volumes") {
        let Some(name) = work.text(&at(&item, "name")).map(String::from) else { continue };
        let legacy =
            name.starts_with(&format!("{account}-token-")) && work.get(&at(&item, "secret")).is_some();
        let bound = name.starts_with("kube-api-access-") && work.get(&at(&item, "projected")).is_some();
        let injected = name == "aws-iam-token" || name == "eks-pod-identity-token";
        if legacy || bound || injected {
            work.remove(&item);
            gone.push(name);
        }
    }
    for list in ["/spec/containers", "/spec/initContainers"] {
        for container in work.items(list) {
            let mounts = at(&container, "volumeMounts");
            for mount in work.items(&mounts) {
                if work.text(&at(&mount, "name")).is_some_and(|name| gone.iter().any(|g| g == name)) {
                    work.remove(&mount);
                }
            }
            if work.get(&mounts).is_some() && work.len(&mounts) == 0 {
                work.remove(&mounts);
            }
        }
    }
    if work.get("/spec/volumes").is_some() && work.len("/spec/volumes") == 0 {
        work.remove("/spec/volumes");
    }
}
