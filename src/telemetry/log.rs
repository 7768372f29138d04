//! Events as log lines.

use crate::config::LogFormat;
use crate::model::event::{Event, FieldDrift, What};
use crate::ports::Sink;
use std::io::IsTerminal;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. Colour only on a terminal.
pub fn start(format: LogFormat, filter: &str) {
    // kube logs every answer of 500 and above as an error; what matters of them is told by our own events.
    let filter =
        if filter.contains("kube_client") { filter.to_owned() } else { format!("{filter},kube_client=off") };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info,kube_client=off"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A subscriber that is there already (tests) stays.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
}

/// Writes each event as one line. Texts from clusters and repositories are fields, never the format.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

impl Sink for LogSink {
    fn take(&self, event: &Event) {
        let application = event.subject.application.as_str();
        let destination = event.subject.destination.as_str();
        match &event.what {
            What::RevisionSeen { repository, revision } => info!(repository, revision, "revision seen"),
            What::RepositoryFailed { repository, message } => warn!(repository, message, "repository failed"),
            What::DocumentRefused { origin, message } => warn!(origin, message, "document refused"),
            What::DestinationFailed { message } => warn!(destination, message, "destination failed"),
            What::DestinationBack => info!(destination, "destination answers again"),
            What::Rendered { revision, objects, millis } => {
                info!(application, destination, revision, objects, millis, "rendered");
            }
            What::RenderFailed { origin, message } => {
                warn!(application, destination, origin, message, "cannot be rendered");
            }
            What::Warned { origin, message } => {
                warn!(application, destination, origin, message, "look at this")
            }
            What::Changed { action, id, revision, warnings } => {
                info!(application, destination, object = %id, action = %action, revision, "changed");
                for warning in warnings {
                    warn!(application, destination, object = %id, warning, "the API server warns");
                }
            }
            What::ChangeFailed { action, id, message } => {
                error!(application, destination, object = %id, action = %action, message, "change failed");
            }
            What::Drifted { id, fields, mending } => {
                let fields = shown(fields);
                warn!(application, destination, object = %id, fields, mending, "drifted");
            }
            What::Mended { id, fields, millis } => {
                let fields = shown(fields);
                info!(application, destination, object = %id, fields, millis, "mended");
            }
            What::Fight { id, opponent, mends } => {
                error!(application, destination, object = %id, opponent, mends, "somebody keeps changing it back");
            }
            What::Held { digest, reason, objects } => {
                let objects = objects.join(", ");
                warn!(application, destination, digest, reason, objects, "waits for an approval");
            }
            What::Hook { id, phase, state } => {
                info!(application, destination, object = %id, phase, state, "hook")
            }
            What::Synced { revision, written, millis } => {
                info!(application, destination, revision, written, millis, "synced");
            }
            What::SyncFailed { revision, message } => {
                error!(application, destination, revision, message, "not synced");
            }
            What::HealthChanged { from, to, message } => {
                info!(application, destination, from = %from, to = %to, message, "health changed");
            }
            What::ResourceBegun { action, resource, cost } => {
                info!(destination, resource, action, cost, "begun")
            }
            What::ResourceDone { action, resource, millis } => {
                info!(destination, resource, action, millis, "done");
            }
            What::ResourceFailed { action, resource, message } => {
                error!(destination, resource, action, message, "failed");
            }
            What::ResourceDrifted { resource, fields, mending } => {
                let fields = shown(fields);
                warn!(destination, resource, fields, mending, "drifted");
            }
            What::StageReached { part, stage, state, seconds, revision } => {
                info!(destination, part, stage, state, seconds, revision, "stage");
            }
            What::ResourceTraced { resource, fields } => {
                let fields = shown(fields);
                info!(destination, resource, fields, "who changed it");
            }
            What::Configuration { accepted: true, message } => info!(message, "configuration in force"),
            What::Configuration { accepted: false, message } => {
                error!(message, "configuration refused, the old one stays")
            }
        }
    }
}

/// `spec.replicas: 3 -> 5 (by kubectl-edit)`, one after the other.
pub fn shown(fields: &[FieldDrift]) -> String {
    if fields.is_empty() {
        return "the whole object".into();
    }
    let one = |field: &FieldDrift| {
        let by = field.manager.as_ref().map(|manager| format!(" (by {manager})")).unwrap_or_default();
        format!("{}: {} -> {}{by}", field.path, field.declared, field.live)
    };
    fields.iter().map(one).collect::<Vec<_>>().join("; ")
}
