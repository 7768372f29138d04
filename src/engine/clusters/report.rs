//! Where a cluster stands, as it is stored and shown.

use super::execute::{Outcome, hint};
use super::kept::{Kept, State as KeptState, Wanted};
use super::look::Found;
use super::progress::spoken;
use super::shown;
use crate::model::plan::Verdict;
use crate::model::{Health, SyncStatus};
use crate::ports::{ClusterRecord, DriftedField, Waiting};
use crate::provision::resource::{Key, Kind, Live, Snapshot, State};
use crate::provision::{CloudPlan, Step, StepAction};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a pass saw and did.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What was found.
    pub found: &'a Found,
    /// What was decided.
    pub plan: &'a CloudPlan,
    /// What became of it; `None` before it was executed.
    pub outcome: Option<&'a Outcome>,
    /// When the pass began.
    pub now: Timestamp,
}

/// The record after a look, or after what followed from it.
pub fn record(kept: &Kept, seen: &Seen<'_>) -> ClusterRecord {
    let mut record = base(kept, seen.wanted);
    let state = kept.state();
    let snapshot = &seen.found.reading.snapshot;
    let scope = &seen.plan.scope;
    let cluster = snapshot.live.get(&Key::new(Kind::Cluster, scope.cluster.as_str()));
    let output = |live: &Live, name: &str| match live.outputs.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    record.region.clone_from(&scope.region);
    record.version = cluster.map(|live| output(live, "version")).unwrap_or_default();
    record.state = cluster.map(|live| output(live, "status")).unwrap_or_default();
    record.resources = seen.found.staged.resources.len();
    record.under_way = state.progress.shown();
    record.before_pods = before_pods(&record.revision, seen.plan);
    record.waiting = waiting(seen.plan);
    record.drift = drift(seen.plan);
    state.trails.fill(&mut record.drift);
    let overdue = state.progress.overdue(seen.now);
    record.problems = problems(&state, seen, &overdue);
    let changed = seen.outcome.is_some_and(|outcome| outcome.calls > 0);
    if changed {
        record.last_change = Some(seen.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    // Pods of Fargate that still run on nodes of the minor before.
    let restarts = !seen.found.staged.restart.is_empty();
    let in_place = seen.plan.is_empty()
        && record.problems.is_empty()
        && state.refused.is_none()
        && !changed
        && !restarts;
    record.sync =
        if in_place && record.drift.is_empty() { SyncStatus::Synced } else { SyncStatus::OutOfSync };
    if in_place {
        record.revision.clone_from(&seen.wanted.revision);
    }
    record.target_revision = target(&record, seen.wanted);
    let failing = failing(snapshot, seen);
    record.health = if !overdue.is_empty() || !failing.is_empty() {
        Health::Degraded
    } else if !record.under_way.is_empty() || changed || restarts || pending(cluster) {
        Health::Progressing
    } else if cluster.is_none() {
        Health::Missing
    } else {
        Health::Healthy
    };
    record.message = message(&record, &state, seen, &failing);
    record
}

/// The record while nothing can be known.
pub fn unreachable(kept: &Kept, wanted: &Wanted, words: String) -> ClusterRecord {
    let mut record = base(kept, wanted);
    record.sync = SyncStatus::Unknown;
    record.health = Health::Unknown;
    record.problems = BTreeMap::from([(String::from("account"), words.clone())]);
    record.target_revision = target(&record, wanted);
    record.message = words;
    record
}

fn base(kept: &Kept, wanted: &Wanted) -> ClusterRecord {
    let mut record = kept.record();
    record.cluster.clone_from(&wanted.cluster);
    record.region.clone_from(&wanted.access.region);
    record.source.clone_from(&wanted.source);
    record.declared_in.clone_from(&wanted.declared_in);
    record
}

fn target(record: &ClusterRecord, wanted: &Wanted) -> String {
    if wanted.removed {
        "removed".into()
    } else if record.revision == wanted.revision {
        String::new()
    } else {
        wanted.revision.clone()
    }
}

/// What applications wait for. Where everything was in place once they run, and nothing new holds them up.
pub fn before_pods(revision: &str, plan: &CloudPlan) -> Vec<String> {
    if !revision.is_empty() {
        return Vec::new();
    }
    plan.before_pods().iter().map(ToString::to_string).collect()
}

fn pending(cluster: Option<&Live>) -> bool {
    cluster.is_some_and(|live| matches!(live.state, State::Pending(_) | State::Deleting))
}

/// What waits for an approval.
fn waiting(plan: &CloudPlan) -> Option<Waiting> {
    if plan.held.is_empty() {
        return None;
    }
    let held: Vec<(&Step, &str)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.verdict {
            Verdict::Held(why) => Some((step, why.as_str())),
            _ => None,
        })
        .collect();
    let (first, why) = held.first()?;
    let more = if held.len() > 1 { format!(" (and {} more)", held.len() - 1) } else { String::new() };
    Some(Waiting {
        digest: plan.held.clone(),
        reason: format!("{}: {why}{more}", first.key),
        objects: held.iter().map(|(step, _)| format!("{} {}", step.action, step.key)).collect(),
    })
}

/// What drifted and is not mended by this plan.
fn drift(plan: &CloudPlan) -> Vec<DriftedField> {
    let mut drift = Vec::new();
    for step in &plan.steps {
        let mended = step.drifted && step.is_actionable();
        let left = if step.drifted && !mended { step.differences.as_slice() } else { &[] };
        // A tag that somebody else put on takes nothing away from the declaration.
        let reported =
            step.reported.iter().filter(|d| !(d.declared.is_null() && d.field.starts_with("/tags/")));
        for difference in left.iter().chain(reported) {
            let field = shown::field(difference);
            drift.push(DriftedField {
                resource: step.key.to_string(),
                field: difference.field.clone(),
                declared: field.declared,
                live: field.live,
                by: None,
                at: None,
            });
        }
    }
    drift
}

fn problems(
    state: &KeptState,
    seen: &Seen<'_>,
    overdue: &BTreeMap<Key, std::time::Duration>,
) -> BTreeMap<String, String> {
    let mut problems = BTreeMap::new();
    for (kind, reason) in &seen.plan.unread {
        problems.insert(format!("{kind:?}"), format!("cannot be read: {reason}"));
    }
    for step in &seen.plan.steps {
        if let Verdict::Blocked(words) = &step.verdict {
            problems.insert(step.key.to_string(), words.clone());
        }
    }
    for (key, took) in overdue {
        let words = format!("has been on its way for {}, which is longer than it should take", spoken(*took));
        problems.insert(key.to_string(), words);
    }
    if let Some(outcome) = seen.outcome {
        for (key, failure) in &outcome.failures {
            let again = state.failures.get(key).copied().unwrap_or_default();
            // The first refusals of what passes by itself are no matter for anybody.
            if !super::execute::passes(failure.kind) || again >= super::settle::TOLD_AFTER {
                problems.insert(key.to_string(), format!("{failure}; {}", hint(failure.kind)));
            }
        }
    }
    problems
}

/// What failed, or is not well, in the service's words.
fn failing(snapshot: &Snapshot, seen: &Seen<'_>) -> BTreeMap<String, String> {
    let declared: std::collections::BTreeSet<&Key> =
        seen.found.staged.resources.iter().map(|resource| &resource.key).collect();
    let live = snapshot.live.values().filter(|live| declared.contains(&live.key));
    live.filter_map(|live| {
        let words = match (&live.state, live.outputs.get("issues")) {
            (State::Failed(words), _) => words.clone(),
            (_, Some(Value::String(issues))) if !issues.is_empty() => issues.clone(),
            _ => return None,
        };
        Some((live.key.to_string(), words))
    })
    .collect()
}

fn message(
    record: &ClusterRecord,
    state: &KeptState,
    seen: &Seen<'_>,
    failing: &BTreeMap<String, String>,
) -> String {
    if let Some((origin, words)) = &state.refused {
        return format!("{origin}: {words}");
    }
    if let Some(words) = &seen.wanted.policy.suspended {
        return words.clone();
    }
    if let Some(words) = seen.found.refused() {
        return words;
    }
    if let Some((place, words)) = record.problems.first_key_value() {
        let more = record.problems.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        return format!("{place}: {words}{more}");
    }
    if let Some(waiting) = &record.waiting {
        return format!("{}: `portolan approve {} {}`", waiting.reason, record.name, waiting.digest);
    }
    if let Some(course) = &seen.found.staged.course {
        if let Some(words) = &state.restart {
            return format!("{}: {words}", course.now);
        }
        return course.now.clone();
    }
    if !record.under_way.is_empty() {
        return under_way(record);
    }
    if let Some((resource, words)) = failing.first_key_value() {
        return format!("{resource}: {words}");
    }
    let waits =
        seen.plan.steps.iter().find(|step| {
            matches!(step.verdict, Verdict::Deferred(_)) && step.action != StepAction::Unchanged
        });
    if let Some(step) = waits {
        return format!("{} {}: {}", step.action, step.key, step.waits);
    }
    record.drift.first().map_or_else(String::new, |drift| {
        format!("{} drifted: {} is {} instead of {}", drift.resource, drift.field, drift.live, drift.declared)
    })
}

/// `create Cluster/shop (CREATING), and 3 more`.
fn under_way(record: &ClusterRecord) -> String {
    let Some(first) = record.under_way.first() else { return String::new() };
    let state = if first.state.is_empty() { String::new() } else { format!(" ({})", first.state) };
    let more = record.under_way.len() - 1;
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{} {}{state}{more}", first.action, first.resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn applications_wait_for_what_pods_need_only_until_everything_was_in_place_once() {
        let plan: CloudPlan = serde_json::from_value(json!({
            "scope": {"cluster": "shop", "region": "eu-central-1", "partition": "aws", "account": "123456789012"},
            "revision": "2",
            "steps": [
                {"key": {"kind": "FargateProfile", "name": "batch"}, "action": "Create", "verdict": {"is": "Allowed"}},
                {"key": {"kind": "Nodegroup", "name": "blue"}, "action": "Create", "verdict": {"is": "Allowed"}},
            ],
        }))
        .expect("a plan");
        assert_eq!(before_pods("", &plan), ["FargateProfile/batch"]);
        assert_eq!(
            before_pods("1", &plan),
            Vec::<String>::new(),
            "pods run, and none is made to wait by something new"
        );
    }
}
