//! Jobs and `CronJobs`.

use super::super::context::Jobs;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "job.finished",
        kinds: &["Job.batch"],
        reason: "what has run has run: in the target it would run again",
        source: "velero#8800, velero#3519",
        apply: finished,
    },
    Rule {
        id: "job.selector",
        kinds: &["Job.batch"],
        reason: "the Job's controller gives selector and labels by the uid that the Job gets in the target",
        source: "velero pkg/restore/actions/job_action.go; kubernetes pkg/registry/batch/job/strategy.go",
        apply: selector,
    },
    Rule {
        id: "job.unfinished",
        kinds: &["Job.batch"],
        reason: "it would run a second time, beside the one in the old cluster or after it",
        source: "velero#8801; crane-lib job-idempotent",
        apply: unfinished,
    },
    Rule {
        id: "cron-job.suspended",
        kinds: &["CronJob.batch"],
        reason: "only one of the two clusters may run it; it is resumed at the cut",
        source: "kubernetes#42649",
        apply: suspended,
    },
    Rule {
        id: "cron-job.missed-starts",
        kinds: &["CronJob.batch"],
        reason: "after a hundred missed starts the controller starts it no more",
        source: "kubernetes#42649, kubernetes#45825",
        apply: missed_starts,
    },
    Rule {
        id: "cron-job.time-zone",
        kinds: &["CronJob.batch"],
        reason: "a time zone inside the schedule is refused",
        source: "kubernetes 1.29 changelog, KEP-3140",
        apply: time_zone,
    },
];

/// With it a person says that a Job may run twice.
const IDEMPOTENT: &str = "portolan.dev/job-idempotent";

fn finished(work: &mut Work<'_>) {
    for item in work.items("/status/conditions") {
        if work.text(&at(&item, "status")) != Some("True") {
            continue;
        }
        match work.text(&at(&item, "type")) {
            Some("Complete") => return work.drop("it has completed"),
            Some("Failed") => return work.drop("it has failed"),
            _ => {}
        }
    }
}

fn selector(work: &mut Work<'_>) {
    if work.is_true("/spec/manualSelector") {
        return;
    }
    work.remove("/spec/selector");
    for section in ["/metadata/labels", "/spec/template/metadata/labels"] {
        for key in [
            "controller-uid",
            "batch.kubernetes.io/controller-uid",
            "job-name",
            "batch.kubernetes.io/job-name",
        ] {
            work.remove(&at(section, key));
        }
    }
    if work.get("/spec/manualSelector").is_some() {
        work.remove("/spec/manualSelector");
    }
}

fn unfinished(work: &mut Work<'_>) {
    if work.annotation(IDEMPOTENT) == Some("true") {
        return;
    }
    if work.context.jobs == Jobs::Skip {
        return work.drop("it has not finished, and Jobs are left to the old cluster");
    }
    if work.is_true("/spec/suspend") {
        return;
    }
    work.set("/spec/suspend", true);
    work.offer(
        Weight::Choice,
        "/spec/suspend",
        "it has not finished in the old cluster, and waits in the target",
        &[
            ("suspend", "it waits until somebody resumes it"),
            ("skip", "it is left to the old cluster"),
            ("run", "it may run twice: annotate it with portolan.dev/job-idempotent: \"true\""),
        ],
    );
}

fn suspended(work: &mut Work<'_>) {
    if work.context.quiesce.cron_jobs {
        work.set("/spec/suspend", true);
    }
}

fn missed_starts(work: &mut Work<'_>) {
    if work.context.quiesce.cron_jobs && work.get("/spec/startingDeadlineSeconds").is_none_or(Value::is_null)
    {
        work.remark(
            Weight::Warning,
            "/spec/startingDeadlineSeconds",
            "without a deadline, a hundred starts missed while it is suspended end it for good: resume it within that time",
        );
    }
}

fn time_zone(work: &mut Work<'_>) {
    let Some(schedule) = work.text("/spec/schedule").map(String::from) else { return };
    let named = ["TZ=", "CRON_TZ="].into_iter().find_map(|prefix| schedule.strip_prefix(prefix));
    let Some((zone, rest)) = named.and_then(|rest| rest.split_once(' ')) else { return };
    work.set("/spec/schedule", rest.trim_start());
    work.set_default("/spec/timeZone", zone);
}
