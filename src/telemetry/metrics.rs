//! Metrics in Prometheus' names: fed by events, read at `/metrics`.

use crate::model::event::{Event, What};
use crate::model::{Health, SyncStatus};
use crate::ports::{ApiFailure, ApplicationRecord, ObservedRequest, RequestObserver, Sink};
use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ApplicationLabels {
    application: String,
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActionLabels {
    action: String,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RepositoryLabels {
    repository: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StageLabels {
    migration: String,
    part: String,
    stage: String,
    state: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DurationLabels {
    stage: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    sync: String,
    health: String,
}

/// Every series of the daemon.
pub struct Metrics {
    registry: Registry,
    changes: Family<ActionLabels, Counter>,
    drifts: Family<ApplicationLabels, Counter>,
    mends: Histogram,
    syncs: Histogram,
    renders: Histogram,
    repository_failures: Family<RepositoryLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    applications: Family<StateLabels, Gauge>,
    stages: Family<StageLabels, Counter>,
    stage_durations: Family<DurationLabels, Histogram>,
    /// Applications are counted anew for each scrape: of two at once each would count the other's, too.
    counting: Mutex<()>,
}

/// Seconds: from a stage that had nothing to do to one that took a day.
const STAGE_BUCKETS: [f64; 9] = [1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];

/// Seconds: from a mend of a few milliseconds to a sync of minutes.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("portolan"),
            changes: Family::default(),
            drifts: Family::default(),
            mends: histogram(),
            syncs: histogram(),
            renders: histogram(),
            repository_failures: Family::default(),
            requests: Family::default(),
            applications: Family::default(),
            stages: Family::default(),
            stage_durations: Family::new_with_constructor(|| Histogram::new(STAGE_BUCKETS)),
            counting: Mutex::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("changes", "Objects changed, by action and result", metrics.changes.clone());
        registry.register("drifts", "Objects found drifted", metrics.drifts.clone());
        registry.register(
            "mend_duration_seconds",
            "From seeing a drift to the server's answer",
            metrics.mends.clone(),
        );
        registry.register("sync_duration_seconds", "Passes that changed something", metrics.syncs.clone());
        registry.register("render_duration_seconds", "Renderings", metrics.renders.clone());
        registry.register(
            "repository_failures",
            "Failures to fetch or read",
            metrics.repository_failures.clone(),
        );
        registry.register("kubernetes_requests", "Requests to API servers", metrics.requests.clone());
        registry.register("applications", "Applications by state", metrics.applications.clone());
        registry.register(
            "migration_stages",
            "Stages of migrations that were begun or completed, by part",
            metrics.stages.clone(),
        );
        registry.register(
            "migration_stage_duration_seconds",
            "From the beginning of a stage to its end",
            metrics.stage_durations.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// The text of `/metrics`, in the OpenMetrics format, with the applications as they are now.
    #[must_use]
    pub fn text(&self, applications: &[ApplicationRecord]) -> String {
        let _turn = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        self.applications.clear();
        for record in applications {
            let labels = StateLabels { sync: record.sync.to_string(), health: record.health.to_string() };
            self.applications.get_or_create(&labels).inc();
        }
        if applications.is_empty() {
            let labels =
                StateLabels { sync: SyncStatus::Synced.to_string(), health: Health::Healthy.to_string() };
            self.applications.get_or_create(&labels).set(0);
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn change(&self, action: &str, result: &str) {
        let labels = ActionLabels { action: action.into(), result: result.into() };
        self.changes.get_or_create(&labels).inc();
    }
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

impl Sink for Metrics {
    fn take(&self, event: &Event) {
        let subject = || ApplicationLabels {
            application: event.subject.application.clone(),
            destination: event.subject.destination.clone(),
        };
        match &event.what {
            What::Changed { action, .. } => self.change(action.as_str(), "success"),
            What::ChangeFailed { action, .. } => self.change(action.as_str(), "failure"),
            What::Drifted { .. } => {
                self.drifts.get_or_create(&subject()).inc();
            }
            What::Mended { millis, .. } => {
                self.change("mend", "success");
                self.mends.observe(seconds(*millis));
            }
            What::ResourceDone { action, .. } => self.change(action, "success"),
            What::ResourceFailed { action, .. } => self.change(action, "failure"),
            What::ResourceDrifted { .. } => {
                self.drifts.get_or_create(&subject()).inc();
            }
            What::Synced { millis, .. } => self.syncs.observe(seconds(*millis)),
            What::Rendered { millis, .. } => self.renders.observe(seconds(*millis)),
            What::StageReached { part, stage, state, seconds, .. } => {
                let labels = StageLabels {
                    migration: event.subject.destination.clone(),
                    part: part.clone(),
                    stage: stage.clone(),
                    state: state.clone(),
                };
                self.stages.get_or_create(&labels).inc();
                if state == "complete" {
                    let labels = DurationLabels { stage: stage.clone() };
                    // Whole seconds are all that the journal has.
                    let seconds = std::time::Duration::from_secs(*seconds).as_secs_f64();
                    self.stage_durations.get_or_create(&labels).observe(seconds);
                }
            }
            What::RepositoryFailed { repository, .. } => {
                self.repository_failures
                    .get_or_create(&RepositoryLabels { repository: repository.clone() })
                    .inc();
            }
            _ => {}
        }
    }
}

/// Counts requests by verb, dry runs and watches apart.
pub struct RequestCounter(pub Arc<Metrics>);

#[async_trait]
impl RequestObserver for RequestCounter {
    async fn before(&self, _: &ObservedRequest<'_>) -> Option<ApiFailure> {
        None
    }

    async fn after(&self, request: &ObservedRequest<'_>, status: u16) -> Option<ApiFailure> {
        let labels = RequestLabels { verb: verb(request), code: status.to_string() };
        self.0.requests.get_or_create(&labels).inc();
        None
    }
}

/// The verb of a request in Kubernetes' words.
fn verb(request: &ObservedRequest<'_>) -> &'static str {
    let has = |parameter: &str| request.query.split('&').any(|pair| pair.starts_with(parameter));
    match request.method {
        _ if has("dryRun=") => "dryrun",
        "GET" if has("watch=") => "watch",
        "GET" if has("limit=") => "list",
        "GET" => "get",
        "PATCH" => "patch",
        "POST" => "create",
        "PUT" => "update",
        "DELETE" => "delete",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Subject;

    fn reached(stage: &str, state: &str, seconds: u64) -> Event {
        let subject = Subject { application: String::new(), destination: "old-to-new".into() };
        let what = What::StageReached {
            part: "wave shop".into(),
            stage: stage.into(),
            state: state.into(),
            seconds,
            revision: "main@1".into(),
        };
        Event { subject, what }
    }

    #[test]
    fn stages_of_a_migration_are_counted_and_only_whole_ones_are_timed() {
        let metrics = Metrics::default();
        metrics.take(&reached("Sync", "begun", 0));
        metrics.take(&reached("Sync", "complete", 42));
        metrics.take(&reached("Verify", "begun", 0));
        let text = metrics.text(&[]);
        let line = |has: &[&str]| {
            let found = text.lines().find(|line| has.iter().all(|part| line.contains(part)));
            found.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
        };
        let count = |stage: &str, state: &str| {
            let (stage, state) = (format!("stage=\"{stage}\""), format!("state=\"{state}\""));
            line(&[
                "migration_stages_total{",
                "migration=\"old-to-new\"",
                "part=\"wave shop\"",
                &stage,
                &state,
            ])
        };
        assert_eq!((count("Sync", "begun"), count("Sync", "complete")), ("1".into(), "1".into()));
        assert_eq!(count("Verify", "complete"), "");
        assert_eq!(line(&["migration_stage_duration_seconds_sum", "stage=\"Sync\""]), "42.0");
        assert_eq!(line(&["migration_stage_duration_seconds_count", "stage=\"Verify\""]), "");
    }
}
