//! The kinds that keep a number of pods: Deployment, StatefulSet, ReplicaSet, ReplicationController, DaemonSet.

use super::Subject;
use super::fields::{explain, int, text};
use crate::model::{Assessment, Health};

/// The value the API server fills in for `progressDeadlineSeconds: 2147483647`, which the controller reads as "none".
const NO_DEADLINE: i64 = i32::MAX as i64;

fn progressing(message: impl Into<String>) -> Assessment {
    Assessment::new(Health::Progressing, message)
}

/// A count that has to reach another: `1 of 3 ready`.
fn short_of(have: i64, want: i64, what: &str) -> Option<Assessment> {
    (have < want).then(|| progressing(format!("{have} of {want} {what}")))
}

/// More pods than wanted: the old ones are on their way out.
fn surplus(have: i64, want: i64) -> Option<Assessment> {
    (have > want).then(|| progressing(format!("{} old pods terminating", have.saturating_sub(want))))
}

/// kstatus `deploymentConditions`. A paused one never comes here: it is Suspended.
///
/// What keeps pods from being created at all (a quota, an admission webhook) stands in the `ReplicaFailure` condition:
/// it is added to the message, while the verdict stays Progressing until the deadline, as kstatus has it.
pub(super) fn deployment(subject: &Subject<'_>) -> Assessment {
    let (body, conditions) = (subject.body, &subject.conditions);
    if let Some(late) =
        conditions.iter().find(|c| c.kind == "Progressing" && c.reason == "ProgressDeadlineExceeded")
    {
        return Assessment::new(Health::Degraded, late.explain());
    }
    let wanted = int(body, "/spec/replicas", 1);
    let count = |field: &str| int(body, &format!("/status/{field}"), 0);
    let (replicas, updated) = (count("replicas"), count("updatedReplicas"));
    let counts = short_of(replicas, wanted, "created")
        .or_else(|| short_of(updated, wanted, "updated"))
        .or_else(|| surplus(replicas, wanted))
        .or_else(|| short_of(count("availableReplicas"), updated, "available"))
        .or_else(|| short_of(count("readyReplicas"), wanted, "ready"));
    if let Some(mut assessment) = counts {
        if let Some(failure) = conditions.with_status("ReplicaFailure", "True") {
            assessment.message = format!("{}; {}", assessment.message, failure.explain());
        }
        return assessment;
    }
    // Without a deadline the controller does not write Progressing, so there is nothing to wait for.
    let no_deadline = int(body, "/spec/progressDeadlineSeconds", NO_DEADLINE) == NO_DEADLINE;
    let rolled_out = conditions
        .iter()
        .any(|c| c.kind == "Progressing" && c.holds() && c.reason == "NewReplicaSetAvailable");
    if !no_deadline && !rolled_out {
        return progressing("new ReplicaSet not yet available");
    }
    if !conditions.is_true("Available") {
        let why = conditions.get("Available").map(|c| c.explain()).unwrap_or_default();
        return progressing(explain("not yet available", &why));
    }
    Assessment::healthy()
}

/// kstatus `stsConditions`. The controller writes no conditions, so a failure cannot be read here: see
/// [`why`](super::why) for the reasons of its pods.
///
/// With `OnDelete` a person replaces the pods, so nothing is waited for.
pub(super) fn stateful_set(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    let wanted = int(body, "/spec/replicas", 1);
    let count = |field: &str| int(body, &format!("/status/{field}"), 0);
    let (replicas, ready, updated) = (count("replicas"), count("readyReplicas"), count("updatedReplicas"));
    if text(body, "/spec/updateStrategy/type") == "OnDelete" {
        let message = format!("update strategy OnDelete: {ready} of {wanted} ready, {updated} updated");
        return Assessment::new(Health::Healthy, message);
    }
    if let Some(counts) = short_of(replicas, wanted, "created")
        .or_else(|| short_of(ready, wanted, "ready"))
        .or_else(|| surplus(replicas, wanted))
    {
        return counts;
    }
    let partition = int(body, "/spec/updateStrategy/rollingUpdate/partition", -1);
    if partition != -1 {
        // https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions
        let share = wanted.saturating_sub(partition);
        return short_of(updated, share, "updated").unwrap_or_else(Assessment::healthy);
    }
    if let Some(counts) = short_of(count("currentReplicas"), wanted, "current") {
        return counts;
    }
    if text(body, "/status/currentRevision") != text(body, "/status/updateRevision") {
        return progressing(format!("{updated} of {wanted} updated"));
    }
    Assessment::healthy()
}

/// kstatus `replicasetConditions`. `ReplicaFailure` is Progressing, because the controller tries again.
pub(super) fn replica_set(subject: &Subject<'_>) -> Assessment {
    replicas(subject, "fullyLabeledReplicas")
}

/// As a ReplicaSet: kstatus has no rule for it, but a controller without ready pods is not healthy. Only
/// `fullyLabeledReplicas` is not asked for, since old controllers leave it out here.
pub(super) fn replication_controller(subject: &Subject<'_>) -> Assessment {
    replicas(subject, "replicas")
}

fn replicas(subject: &Subject<'_>, created: &str) -> Assessment {
    let body = subject.body;
    if let Some(failure) = subject.conditions.with_status("ReplicaFailure", "True") {
        return progressing(explain("pods cannot be created", &failure.explain()));
    }
    let wanted = int(body, "/spec/replicas", 1);
    let count = |field: &str| int(body, &format!("/status/{field}"), 0);
    short_of(count(created), wanted, "created")
        .or_else(|| short_of(count("availableReplicas"), wanted, "available"))
        .or_else(|| short_of(count("readyReplicas"), wanted, "ready"))
        .or_else(|| surplus(count("replicas"), wanted))
        .unwrap_or_else(Assessment::healthy)
}

/// kstatus `daemonsetConditions`: the controller always writes `observedGeneration`, so without one nothing is known.
///
/// With `OnDelete` a person replaces the pods (Argo CD): only what runs is asked for, not what is updated.
pub(super) fn daemon_set(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    let by_hand = text(body, "/spec/updateStrategy/type") == "OnDelete";
    let observed = |pointer: &str| body.pointer(pointer).is_some_and(|value| value.as_i64().is_some());
    if !observed("/status/observedGeneration") || (!by_hand && !observed("/metadata/generation")) {
        return progressing("not yet observed by the controller");
    }
    let wanted = int(body, "/status/desiredNumberScheduled", -1);
    if wanted == -1 {
        return progressing("number of nodes not yet known");
    }
    let count = |field: &str| int(body, &format!("/status/{field}"), 0);
    short_of(count("currentNumberScheduled"), wanted, "scheduled")
        .or_else(|| if by_hand { None } else { short_of(count("updatedNumberScheduled"), wanted, "updated") })
        .or_else(|| short_of(count("numberAvailable"), wanted, "available"))
        .or_else(|| short_of(count("numberReady"), wanted, "ready"))
        .unwrap_or_else(Assessment::healthy)
}
