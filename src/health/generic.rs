//! What can be read from any object, built in or custom (kstatus `generic.go` and `status.go`).

use super::Subject;
use super::fields::{int, is_true, list, text};
use crate::model::{Assessment, Gvk, Health};
use serde_json::Value;

/// Conditions that sum an object up when it has no `Ready`; all that are present have to be `True`.
///
/// `Available` and `Established` are the API's own words (Deployment, APIService, CRD) that custom resources took over,
/// `Healthy` is Crossplane's for packages, `Accepted` and `Programmed` are the Gateway API's.
const SUMMARIES: [&str; 5] = ["Available", "Established", "Healthy", "Accepted", "Programmed"];

/// Conditions that name a failure when they are `True` (API conventions: abnormal-true polarity).
const FAILURES: [&str; 2] = ["Degraded", "Failed"];

/// An object under deletion is on its way out, whatever else it says, with the finalizers that hold it.
pub(super) fn terminating(subject: &Subject<'_>) -> Option<Assessment> {
    if text(subject.body, "/metadata/deletionTimestamp").is_empty() {
        return None;
    }
    let mut finalizers: Vec<&str> =
        list(subject.body, "/metadata/finalizers").iter().filter_map(Value::as_str).collect();
    finalizers.sort_unstable();
    // A namespace says in its conditions what is left in it.
    let left: Vec<&str> = ["NamespaceContentRemaining", "NamespaceFinalizersRemaining"]
        .into_iter()
        .filter_map(|kind| subject.conditions.with_status(kind, "True"))
        .map(|condition| condition.message)
        .collect();
    let message = if !left.is_empty() {
        format!("terminating: {}", super::fields::one_line(&left.join("; ")))
    } else if finalizers.is_empty() {
        "terminating".to_owned()
    } else {
        format!("terminating: waits for finalizer {}", finalizers.join(", "))
    };
    Some(Assessment::new(Health::Progressing, message))
}

/// What a person stopped on purpose (Argo CD's word; kstatus has none).
///
/// Comes before the generation, because a controller may leave a suspended object's generation unobserved. A Job is
/// left to its own rule: one that finished stays finished. Custom resources say `spec.suspend` (Flux, Argo Workflows)
/// or `spec.paused` (Argo Rollouts, Cluster API).
pub(super) fn suspended(subject: &Subject<'_>, gvk: &Gvk) -> Option<Assessment> {
    let by = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("batch", "Job") => return None,
        ("apps" | "extensions", "Deployment") => is_true(subject.body, "/spec/paused").then_some("paused"),
        ("batch", "CronJob") => is_true(subject.body, "/spec/suspend").then_some("suspended"),
        (group, _) if is_builtin(group) => None,
        _ if ["/spec/suspend", "/spec/suspended"].iter().any(|field| is_true(subject.body, field)) => {
            Some("suspended")
        }
        _ => is_true(subject.body, "/spec/paused").then_some("paused"),
    }?;
    Some(Assessment::new(Health::Suspended, by))
}

/// Whether Kubernetes itself serves the group: `spec.paused` and the like have no meaning there but the one we know.
fn is_builtin(group: &str) -> bool {
    // All groups of Kubernetes itself are either without a dot or below k8s.io; so are some that are not built in
    // (`gateway.networking.k8s.io`, `cluster.x-k8s.io`), hence the list.
    const DOTTED: [&str; 6] = [
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "networking.k8s.io",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
    ];
    !group.contains('.') || DOTTED.contains(&group)
}

/// A status that speaks of an older spec says nothing about this one.
///
/// Only where both numbers are there: many kinds have no `observedGeneration` (kstatus `checkGeneration`).
pub(super) fn unobserved(subject: &Subject<'_>) -> Option<Assessment> {
    let generation = subject.body.pointer("/metadata/generation")?.as_i64()?;
    let observed = subject.body.pointer("/status/observedGeneration")?.as_i64()?;
    (generation != observed).then(|| not_yet_observed(generation, observed))
}

fn not_yet_observed(generation: i64, observed: i64) -> Assessment {
    Assessment::new(
        Health::Progressing,
        format!("generation {generation} not yet observed, the controller is at {observed}"),
    )
}

/// kstatus's own two conditions, which decide for every kind that has them.
///
/// With both `True`, kstatus takes whichever comes first in the list; here Stalled wins, so that the order of the
/// conditions does not matter. A condition that speaks of an older generation is not believed.
pub(super) fn standard_conditions(subject: &Subject<'_>) -> Option<Assessment> {
    for (kind, health, fallback) in
        [("Stalled", Health::Degraded, "stalled"), ("Reconciling", Health::Progressing, "reconciling")]
    {
        let Some(condition) = subject.conditions.with_status(kind, "True") else {
            continue;
        };
        return Some(stale(subject, condition.observed_generation).unwrap_or_else(|| {
            let message = condition.explain();
            Assessment::new(health, if message.is_empty() { fallback.to_owned() } else { message })
        }));
    }
    None
}

/// Progressing, when a condition's generation is older than the object's (API conventions, "Typical status properties").
fn stale(subject: &Subject<'_>, observed: Option<i64>) -> Option<Assessment> {
    let observed = observed?;
    let generation = int(subject.body, "/metadata/generation", observed);
    (observed < generation).then(|| not_yet_observed(generation, observed))
}

/// Any other kind: a failure condition, then `Ready`, then its [cousins](SUMMARIES), then the few phases that mean the
/// same everywhere; without any of them the object is healthy as soon as it exists (kstatus `Compute`).
///
/// `Ready` that is not `True` is Progressing, never Degraded: there is no telling a slow start from a failure there.
pub(super) fn custom(subject: &Subject<'_>) -> Assessment {
    let conditions = &subject.conditions;
    for kind in FAILURES {
        if let Some(condition) = conditions.with_status(kind, "True")
            && stale(subject, condition.observed_generation).is_none()
        {
            return Assessment::new(Health::Degraded, or_type(condition.explain(), kind));
        }
    }
    let summaries: &[&str] = if conditions.get("Ready").is_some() { &["Ready"] } else { &SUMMARIES };
    let mut summed_up = false;
    for kind in summaries {
        let Some(condition) = conditions.get(kind) else {
            continue;
        };
        if let Some(stale) = stale(subject, condition.observed_generation) {
            return stale;
        }
        match condition.status {
            "True" => summed_up = true,
            "False" | "Unknown" => {
                return Assessment::new(
                    Health::Progressing,
                    or_type(condition.explain(), &format!("not {kind}")),
                );
            }
            _ => {}
        }
    }
    if summed_up {
        return Assessment::healthy();
    }
    match text(subject.body, "/status/phase") {
        phase @ ("Failed" | "Error") => Assessment::new(Health::Degraded, phase_message(subject, phase)),
        phase @ "Pending" => Assessment::new(Health::Progressing, phase_message(subject, phase)),
        _ => Assessment::healthy(),
    }
}

fn phase_message(subject: &Subject<'_>, phase: &str) -> String {
    super::fields::explain(&format!("phase {phase}"), text(subject.body, "/status/message"))
}

fn or_type(message: String, fallback: &str) -> String {
    if message.is_empty() { fallback.to_owned() } else { message }
}
