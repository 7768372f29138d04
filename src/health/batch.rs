//! The kinds that run to an end: Job, CronJob, and Argo's Workflow.

use super::Subject;
use super::conditions::Conditions;
use super::fields::{explain, int, is_true, list, one_line, text};
use crate::model::{Assessment, Health, Object};

/// kstatus `jobConditions`: Healthy while it runs and when it completed, Degraded when it failed.
///
/// Argo CD has a running Job Progressing. Who has to wait for its end (a hook, a wave) asks [`awaits_completion`].
pub(super) fn job(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    let conditions = &subject.conditions;
    let wanted = int(body, "/spec/completions", int(body, "/spec/parallelism", 1));
    let count = |field: &str| int(body, &format!("/status/{field}"), 0);
    let (succeeded, failed) = (count("succeeded"), count("failed"));
    if let Some(condition) = conditions.with_status("Failed", "True") {
        let why = condition.explain();
        let tried = format!("{failed} pods failed, {succeeded} of {wanted} succeeded");
        return Assessment::new(Health::Degraded, if why.is_empty() { tried } else { why });
    }
    if conditions.is_true("Complete") {
        return Assessment::new(Health::Healthy, format!("completed: {succeeded} of {wanted} succeeded"));
    }
    if is_true(body, "/spec/suspend") {
        let why = conditions.with_status("Suspended", "True").map_or("", |c| c.message);
        return Assessment::new(
            Health::Suspended,
            if why.is_empty() { "suspended".into() } else { one_line(why) },
        );
    }
    if text(body, "/status/startTime").is_empty() {
        return Assessment::new(Health::Progressing, "not started");
    }
    let active = count("active");
    Assessment::new(
        Health::Healthy,
        format!("running: {active} active, {succeeded} of {wanted} succeeded, {failed} failed"),
    )
}

/// Whether this is a Job that has yet to complete or fail, and is not suspended.
///
/// kstatus calls such a Job Current as soon as it started, but the waves of Argo CD and the `wait` of Flux let nothing
/// pass before it ended; this is the question for them.
#[must_use]
pub fn awaits_completion(object: &Object) -> bool {
    let body = object.body();
    let conditions = Conditions::of(body);
    object.kind() == "Job"
        && object.gvk().group == "batch"
        && !conditions.is_true("Complete")
        && !conditions.is_true("Failed")
        && !is_true(body, "/spec/suspend")
}

/// Always healthy (kstatus): its Jobs may fail and the next one is tried anyway, so a bad night does not hold a
/// release. A last run without success is said in the message. Suspended ones never come here.
pub(super) fn cron_job(subject: &Subject<'_>) -> Assessment {
    let body = subject.body;
    let at = |pointer: &str| text(body, pointer).parse::<jiff::Timestamp>().ok();
    let failed = match (at("/status/lastScheduleTime"), at("/status/lastSuccessfulTime")) {
        (Some(scheduled), Some(succeeded)) => {
            list(body, "/status/active").is_empty() && succeeded < scheduled
        }
        _ => false,
    };
    Assessment::new(Health::Healthy, if failed { "the last run did not succeed" } else { "" })
}

/// Argo CD's rule for its Workflow, by phase.
pub(super) fn workflow(subject: &Subject<'_>) -> Assessment {
    let phase = text(subject.body, "/status/phase");
    let message = explain(phase, text(subject.body, "/status/message"));
    match phase {
        "" => Assessment::new(Health::Progressing, "not yet observed"),
        "Pending" | "Running" => Assessment::new(Health::Progressing, message),
        "Succeeded" => Assessment::new(Health::Healthy, "completed"),
        "Failed" | "Error" => Assessment::new(Health::Degraded, message),
        _ => Assessment::new(Health::Unknown, message),
    }
}
