//! Why a workload does not get there: what its pods wait for, and the last warning about them.
//!
//! A Deployment's own status says how many pods are missing, never why. The answer stands in the pods and in Events,
//! which are read only when somebody asks.

use super::conditions::Conditions;
use super::fields::{explain, int, one_line, text, unbroken};
use super::pod::{containers, exit, is_stuck};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most different reasons in one answer; the rest is counted.
const MOST_REASONS: usize = 3;

/// What one pod lacks. The order of the variants is the order of telling: the surest cause first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    /// A container cannot be started, or the pod failed.
    Fault(String),
    /// No node takes it.
    Node(String),
    /// It is starting, or its probe does not hold.
    Time(String),
}

impl Lack {
    fn text(&self) -> &str {
        let (Self::Fault(text) | Self::Node(text) | Self::Time(text)) = self;
        text
    }
}

/// One sentence on why the pods of a workload are not ready; `None` when neither pods nor Events say anything.
///
/// `pods` are whole Pod objects and `events` whole Event objects (core `v1` or `events.k8s.io/v1`) about these pods,
/// the workload, or what stands between them (its ReplicaSet). Pods with the same reason are told together, so the
/// sentence stays short however many there are. Events about other pods, and about pods that are ready, are left out.
#[must_use]
pub fn why(pods: &[Value], events: &[Value]) -> Option<String> {
    let mut lacking: BTreeMap<Lack, usize> = BTreeMap::new();
    let mut troubled: BTreeSet<&str> = BTreeSet::new();
    for pod in pods {
        if let Some(lack) = lack(pod) {
            *lacking.entry(lack).or_default() += 1;
            troubled.insert(text(pod, "/metadata/name"));
        }
    }
    let mut parts: Vec<String> = lacking
        .iter()
        .take(MOST_REASONS)
        .map(|(lack, count)| match (pods.len(), count) {
            (1, _) => lack.text().to_owned(),
            (all, count) => format!("{count} of {all} pods: {}", lack.text()),
        })
        .collect();
    if lacking.len() > MOST_REASONS {
        parts.push(format!("{} more reasons", lacking.len() - MOST_REASONS));
    }
    let told = parts.join("; ");
    if let Some(event) = last_warning(events, &troubled, &told) {
        parts.push(format!("last event: {event}"));
    }
    (!parts.is_empty()).then(|| unbroken(&parts.join("; ")))
}

/// What keeps one pod from being ready; `None` for a pod that is ready, has completed, or is on its way out.
fn lack(pod: &Value) -> Option<Lack> {
    let conditions = Conditions::of(pod);
    let phase = text(pod, "/status/phase");
    let leaving = !text(pod, "/metadata/deletionTimestamp").is_empty();
    if leaving || phase == "Succeeded" || (phase == "Running" && conditions.is_true("Ready")) {
        return None;
    }
    let mut faults: Vec<String> = containers(pod).filter_map(fault).collect();
    if phase == "Failed" && faults.is_empty() {
        faults
            .push(explain("pod failed", &explain(text(pod, "/status/reason"), text(pod, "/status/message"))));
    }
    if !faults.is_empty() {
        faults.sort();
        return Some(Lack::Fault(faults.join(", ")));
    }
    if let Some(condition) = conditions.with_status("PodScheduled", "False") {
        return Some(Lack::Node(condition.explain()));
    }
    let mut waiting: Vec<String> = containers(pod)
        .filter(|status| status.get("ready") != Some(&Value::Bool(true)))
        .filter_map(|status| {
            let name = text(status, "/name");
            match text(status, "/state/waiting/reason") {
                "" => status
                    .pointer("/state/running")
                    .map(|_| format!("container {name} runs but is not ready")),
                // Containers behind an init container all say so; the init container's own state tells more.
                "PodInitializing" => None,
                reason => Some(format!("container {name}: {reason}")),
            }
        })
        .collect();
    waiting.sort();
    Some(Lack::Time(if waiting.is_empty() { explain("pod is not ready", phase) } else { waiting.join(", ") }))
}

/// Why one container cannot be started, or how it last ended when it keeps ending.
fn fault(status: &Value) -> Option<String> {
    let name = text(status, "/name");
    let reason = text(status, "/state/waiting/reason");
    if is_stuck(reason) {
        // The back-off message names the pod's uid and says nothing more; how the container ended does.
        let detail = match status.pointer("/lastState/terminated").and_then(exit) {
            Some(end) if reason == "CrashLoopBackOff" => end,
            None if reason == "CrashLoopBackOff" => String::new(),
            _ => one_line(text(status, "/state/waiting/message")),
        };
        return Some(format!("container {name}: {}", explain(reason, &detail)));
    }
    let ended = status.pointer("/state/terminated")?;
    (int(ended, "/exitCode", 0) != 0).then(|| exit(ended).map(|end| format!("container {name}: {end}")))?
}

/// The newest warning that adds something to what is already told.
fn last_warning(events: &[Value], troubled: &BTreeSet<&str>, told: &str) -> Option<String> {
    events
        .iter()
        .filter(|event| text(event, "/type") == "Warning")
        .filter(|event| {
            let about =
                event.get("involvedObject").or_else(|| event.get("regarding")).unwrap_or(&Value::Null);
            text(about, "/kind") != "Pod" || troubled.contains(text(about, "/name"))
        })
        .filter_map(|event| {
            let message = match text(event, "/message") {
                "" => text(event, "/note"),
                message => message,
            };
            let reason = text(event, "/reason");
            let message = one_line(message);
            // `BackOff` and `Error: ImagePullBackOff` repeat the container's state in other words.
            let echo = reason == "BackOff" || is_stuck(message.strip_prefix("Error: ").unwrap_or_default());
            let known = !message.is_empty() && told.contains(message.as_str());
            let shown = explain(reason, &message);
            (!echo && !known && !shown.is_empty()).then(|| (time(event), shown))
        })
        .max()
        .map(|(_, shown)| shown)
}

/// When an Event was last seen, in nanoseconds since 1970; the newest of the fields that the two Event APIs use.
fn time(event: &Value) -> Option<i128> {
    [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]
    .into_iter()
    .filter_map(|field| text(event, field).parse::<jiff::Timestamp>().ok())
    .map(jiff::Timestamp::as_nanosecond)
    .max()
}
