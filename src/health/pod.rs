//! One Pod: kstatus `podConditions`, with Argo CD's reading of containers that cannot start.

use super::Subject;
use super::conditions::Conditions;
use super::fields::{explain, int, list, text};
use crate::model::{Assessment, Health, Object};
use serde_json::Value;

/// Seconds that the scheduler has before an unschedulable Pod counts as failed (kstatus `ScheduleWindow`).
const SCHEDULE_WINDOW: i64 = 15;

/// Argo CD's annotation: judge a Pod that runs to completion like one that runs for ever.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

/// Judges one Pod.
///
/// - A failed one is Degraded with its containers' reasons. kstatus calls every finished Pod Current; so it is here
///   when it says nothing about a failure.
/// - A running one that is meant to end (`restartPolicy` Never or OnFailure) is Progressing until it does, and is
///   not failed by a container that cannot start yet: it may be a hook (Argo CD `health_pod.go`).
/// - Any other is Degraded as soon as a container cannot be started or keeps ending.
pub(super) fn pod(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    let endless = is_endless(subject.object);
    match text(body, "/status/phase") {
        "Succeeded" => Assessment::new(Health::Healthy, "completed"),
        "Failed" => failure(body).map_or_else(
            || Assessment::new(Health::Healthy, "completed, but not successfully"),
            |why| Assessment::new(Health::Degraded, why),
        ),
        "Running" if !endless => {
            Assessment::new(Health::Progressing, explain("runs to completion", &stuck(body)))
        }
        "Running" if subject.conditions.is_true("Ready") => Assessment::healthy(),
        "Running" => {
            if let Some(why) = Some(stuck(body)).filter(|why| !why.is_empty()).or_else(|| ended(body)) {
                return Assessment::new(Health::Degraded, why);
            }
            let unready = subject.conditions.get("Ready").map_or("", |c| c.message);
            Assessment::new(Health::Progressing, explain("not ready", unready))
        }
        "Pending" => pending(subject, endless),
        "" => Assessment::new(Health::Progressing, "not yet observed"),
        phase => Assessment::new(Health::Unknown, format!("phase {phase}")),
    }
}

fn pending(subject: &Subject<'_>, endless: bool) -> Assessment {
    let why = stuck(subject.body);
    if endless && !why.is_empty() {
        return Assessment::new(Health::Degraded, why);
    }
    let scheduled = subject.conditions.with_status("PodScheduled", "False");
    match scheduled {
        Some(condition) if condition.reason == "Unschedulable" => {
            let patient = window_ends(subject.object).is_some_and(|end| subject.now < end);
            let health = if patient { Health::Progressing } else { Health::Degraded };
            Assessment::new(health, condition.explain())
        }
        Some(condition) => {
            Assessment::new(Health::Progressing, explain("not scheduled", &condition.explain()))
        }
        None => Assessment::new(Health::Progressing, explain("pending", &why)),
    }
}

/// When the health of this object changes although nothing about it does, in seconds since 1970-01-01T00:00:00Z.
///
/// `None` for all but a Pod that could not be scheduled and has time left.
#[must_use]
pub fn reassess_at(object: &Object, now: i64) -> Option<i64> {
    let body = object.body();
    let waits = object.kind() == "Pod"
        && text(body, "/apiVersion") == "v1"
        && text(body, "/status/phase") == "Pending"
        && Conditions::of(body)
            .with_status("PodScheduled", "False")
            .is_some_and(|condition| condition.reason == "Unschedulable");
    if waits { window_ends(object).filter(|end| now < *end) } else { None }
}

/// The end of the scheduling window; `None` without a creation time, which kstatus reads as long ago.
fn window_ends(object: &Object) -> Option<i64> {
    let created: jiff::Timestamp = text(object.body(), "/metadata/creationTimestamp").parse().ok()?;
    Some(created.as_second().saturating_add(SCHEDULE_WINDOW))
}

fn is_endless(object: &Object) -> bool {
    match text(object.body(), "/spec/restartPolicy") {
        "Never" | "OnFailure" => {
            let hook = ["argocd.argoproj.io/hook", "helm.sh/hook"]
                .iter()
                .any(|key| object.annotation(key).is_some());
            !hook && object.annotation(IGNORE_RESTART_POLICY) == Some("true")
        }
        _ => true,
    }
}

/// Whether a waiting reason means that the container cannot be started as it is, rather than that it is starting.
pub(super) fn is_stuck(reason: &str) -> bool {
    reason.starts_with("Err")
        || reason.ends_with("Error")
        || reason.ends_with("BackOff")
        || reason == "InvalidImageName"
}

/// Every container of a Pod, the init containers first.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"))
}

/// The containers that cannot be started, each with its reason; empty when there is none.
fn stuck(pod: &Value) -> String {
    let mut reasons: Vec<String> = containers(pod)
        .filter(|status| is_stuck(text(status, "/state/waiting/reason")))
        .map(|status| {
            let reason =
                explain(text(status, "/state/waiting/reason"), text(status, "/state/waiting/message"));
            format!("container {}: {reason}", text(status, "/name"))
        })
        .collect();
    reasons.sort();
    reasons.join("; ")
}

/// The first container that ended, now or before its last restart, in a Pod whose containers should not end.
fn ended(pod: &Value) -> Option<String> {
    list(pod, "/status/containerStatuses").iter().find_map(|status| {
        let end = ["/state/terminated", "/lastState/terminated"].iter().find_map(|at| status.pointer(at))?;
        Some(format!("container {}: {}", text(status, "/name"), exit(end)?))
    })
}

/// How a container ended: its own message, else its reason, else its exit code; `None` when it ended well and silently.
pub(super) fn exit(terminated: &Value) -> Option<String> {
    let code = terminated.get("exitCode").and_then(Value::as_i64);
    let (reason, message) = (text(terminated, "/reason"), text(terminated, "/message"));
    let known = if reason.is_empty() || reason == "Error" { "ended" } else { reason };
    match code {
        None if reason.is_empty() && message.is_empty() => None,
        None => Some(explain(known, message)),
        Some(code) => Some(explain(&format!("{known} with exit code {code}"), message)),
    }
}

/// Why a Pod failed: its own words (an eviction, a deadline), else its first container that ended badly.
fn failure(pod: &Value) -> Option<String> {
    let own = explain(text(pod, "/status/reason"), text(pod, "/status/message"));
    if !own.is_empty() {
        return Some(own);
    }
    containers(pod).find_map(|status| {
        let end = status.pointer("/state/terminated")?;
        let bad = int(end, "/exitCode", 0) != 0
            || text(end, "/reason") == "OOMKilled"
            || !text(end, "/message").is_empty();
        bad.then(|| exit(end).map(|how| format!("container {}: {how}", text(status, "/name"))))?
    })
}
