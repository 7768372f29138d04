//! Kubernetes Events about single objects: drift, mends, failures, deletions. Not for every object of a first sync.

use super::destination::Destination;
use crate::model::event::{FieldDrift, What};
use crate::model::plan::Action;
use crate::model::{Gvk, ResourceId};
use crate::ports::Announcement;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Announcements that wait; more are dropped, for the log has them all.
pub(crate) const BACKLOG: usize = 256;
/// Fields that an announcement names.
const FIELDS_NAMED: usize = 3;

/// Sends announcements one after the other, beside everything that is more important.
pub(crate) async fn announce(destination: Arc<Destination>, mut announcements: mpsc::Receiver<Announcement>) {
    while let Some(announcement) = announcements.recv().await {
        // Who may not write Events is told once by the log of the API server; nothing depends on it.
        let _ = destination.cluster.announce(&announcement).await;
    }
}

impl Destination {
    /// What is announced of an event, if anything is.
    pub fn announcement(&self, application: &str, what: &What) -> Option<Announcement> {
        let (id, warning, reason, action, note) = match what {
            What::Drifted { id, fields, mending: false } => {
                (id, true, "Drifted", "Compare", described(fields))
            }
            What::Mended { id, fields, millis } => {
                (id, false, "DriftMended", "Apply", format!("after {millis} ms: {}", described(fields)))
            }
            What::ChangeFailed { action, id, message } => {
                (id, true, "ChangeFailed", action_word(*action), message.clone())
            }
            What::Changed { action: Action::Delete, id, revision, .. } => {
                (id, false, "Pruned", "Delete", format!("no longer declared at {revision}"))
            }
            What::Fight { id, opponent, mends } => (
                id,
                true,
                "Fight",
                "Apply",
                format!("{opponent} keeps changing it back, {mends} times within a minute"),
            ),
            What::Hook { id, phase, state } if state.starts_with("failed") => {
                (id, true, "HookFailed", "Apply", format!("{phase} {state}"))
            }
            _ => return None,
        };
        let (gvk, uid) = self.reference(id);
        Some(Announcement {
            id: id.clone(),
            api_version: gvk.api_version(),
            uid,
            warning,
            reason: reason.into(),
            action: action.into(),
            note: format!("application {application}: {note}"),
            time: self.clock.now(),
        })
    }

    /// Version and uid of an object, for those who look for its Events.
    fn reference(&self, id: &ResourceId) -> (Gvk, String) {
        let ledger = self.ledger();
        let entry = ledger.objects.get(id);
        let uid = entry.and_then(|e| e.live.as_ref()).map(|live| live.uid.clone()).unwrap_or_default();
        let declared = entry.and_then(|e| e.desired()).map(|desired| desired.gvk.clone());
        drop(ledger);
        let served = || self.discovery().preferred(&id.group_kind()).map(|kind| kind.gvk.clone());
        (declared.or_else(served).unwrap_or_else(|| Gvk::new(&id.group, "v1", &id.kind)), uid)
    }
}

const fn action_word(action: Action) -> &'static str {
    match action {
        Action::Delete => "Delete",
        Action::Orphan => "Release",
        _ => "Apply",
    }
}

fn described(fields: &[FieldDrift]) -> String {
    if fields.is_empty() {
        return "it had been deleted".into();
    }
    let one = |field: &FieldDrift| {
        let by = field.manager.as_ref().map(|manager| format!(" by {manager}")).unwrap_or_default();
        format!("{} was {} instead of {}{by}", field.path, field.live, field.declared)
    };
    let mut text = fields.iter().take(FIELDS_NAMED).map(one).collect::<Vec<_>>().join("; ");
    if fields.len() > FIELDS_NAMED {
        text.push_str(&format!("; and {} more", fields.len() - FIELDS_NAMED));
    }
    text
}
