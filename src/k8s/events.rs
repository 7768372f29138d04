//! Kubernetes Events about what Portolan does, in the form of `events.k8s.io/v1` (served since 1.19).
//!
//! The body is sent with [`Cluster::create`](crate::ports::Cluster::create) and [`event_kind`].

use super::wire::Wire;
use super::{kinds, write};
use crate::model::ownership::FIELD_MANAGER;
use crate::model::{Object, ResourceId};
use crate::ports::{Announcement, ApiFailure, ServedKind};
use serde_json::{Value, json};

/// Longest `note` that the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;
/// Longest `reason` and `action`, in bytes.
const LONGEST_REASON: usize = 128;
/// Longest name that leaves room for the server's random suffix.
const LONGEST_PREFIX: usize = 240;

/// How `kubectl describe` marks an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something was done.
    Normal,
    /// Something needs a person.
    Warning,
}

/// What an Event is about and says.
#[derive(Clone, Debug)]
pub struct EventNote<'a> {
    /// Identity of the object.
    pub id: &'a ResourceId,
    /// Its `apiVersion`.
    pub api_version: &'a str,
    /// Its uid, when known: `kubectl describe` shows only Events with the object's uid.
    pub uid: &'a str,
    /// Normal or Warning.
    pub severity: Severity,
    /// One word in UpperCamelCase: `DriftCorrected`.
    pub reason: &'a str,
    /// What was done, one word: `Apply`.
    pub action: &'a str,
    /// A sentence; cut to 1,024 bytes. No secret value may be in it.
    pub note: &'a str,
    /// When it happened, RFC 3339 with microseconds: `2026-11-21T10:00:00.000000Z`.
    pub time: &'a str,
    /// Name of this daemon's pod or host.
    pub instance: &'a str,
}

impl<'a> EventNote<'a> {
    /// The reference's fields of a live object: its `apiVersion` and uid.
    #[must_use]
    pub fn about(object: &'a Object) -> (&'a str, &'a str) {
        let version = object.body().get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        (version, object.uid().unwrap_or_default())
    }
}

/// The kind to create Events with.
#[must_use]
pub fn event_kind() -> ServedKind {
    kinds::served("events.k8s.io", "v1", "Event", "events", true)
}

/// The body of an Event. About a cluster-scoped object it goes to the namespace `default`, as the API demands.
#[must_use]
pub fn event_body(event: &EventNote<'_>) -> Value {
    let mut regarding =
        json!({ "apiVersion": event.api_version, "kind": event.id.kind, "name": event.id.name });
    if let Some(namespace) = &event.id.namespace {
        regarding["namespace"] = Value::String(namespace.clone());
    }
    if !event.uid.is_empty() {
        regarding["uid"] = Value::String(event.uid.into());
    }
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "generateName": prefix(&event.id.name),
            "namespace": event.id.namespace.as_deref().unwrap_or("default"),
        },
        "eventTime": event.time,
        "reportingController": FIELD_MANAGER,
        "reportingInstance": cut(event.instance, LONGEST_REASON),
        "type": match event.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        },
        "reason": cut(event.reason, LONGEST_REASON),
        "action": cut(event.action, LONGEST_REASON),
        "note": cut(event.note, LONGEST_NOTE),
        "regarding": regarding,
    })
}

/// A prefix that the server completes to a name. Names of roles and the like hold what an Event's may not.
fn prefix(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }
    };
    let mut prefix: String =
        name.chars().take(LONGEST_PREFIX).map(|c| plain(c.to_ascii_lowercase())).collect();
    prefix.push('-');
    // A name begins with a letter or digit.
    prefix.insert(0, 'e');
    prefix.drain(..usize::from(prefix[1..].starts_with(|c: char| c != '-')));
    prefix
}

/// At most so many bytes, ending in `…` when something was cut, and never inside a character.
fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// Writes an announcement as an Event.
///
/// # Errors
/// As any creation; a namespace that is gone takes its Events along.
pub(super) async fn announce(wire: &Wire, announcement: &Announcement) -> Result<(), ApiFailure> {
    let time = announcement.time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let body = event_body(&EventNote {
        id: &announcement.id,
        api_version: &announcement.api_version,
        uid: &announcement.uid,
        severity: if announcement.warning { Severity::Warning } else { Severity::Normal },
        reason: &announcement.reason,
        action: &announcement.action,
        note: &announcement.note,
        time: &time,
        instance: crate::model::ownership::FIELD_MANAGER,
    });
    write::create(wire, &event_kind(), &body, None).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_at_a_character() {
        assert_eq!(cut("short", LONGEST_NOTE), "short");
        for text in ["ä".repeat(1000), "x".repeat(1025), format!("x{}", "€".repeat(500))] {
            let cut = cut(&text, LONGEST_NOTE);
            assert!(
                cut.len() <= LONGEST_NOTE && cut.len() > LONGEST_NOTE - 6 && cut.ends_with('…'),
                "{}",
                cut.len()
            );
        }
    }

    #[test]
    fn names_become_prefixes_that_the_server_takes() {
        assert_eq!(prefix("web"), "web-");
        assert_eq!(prefix("system:node.proxy"), "system-node-proxy-");
        assert_eq!(prefix(":odd"), "e-odd-");
        assert_eq!(prefix(&"ü".repeat(300)).len(), LONGEST_PREFIX + 2);
    }

    #[test]
    fn a_cluster_scoped_objects_event_goes_to_default() {
        let id = ResourceId::new("", "Namespace", "", "shop");
        let event = EventNote {
            id: &id,
            api_version: "v1",
            uid: "u-1",
            severity: Severity::Warning,
            reason: "DriftFound",
            action: "Report",
            note: "a label was removed",
            time: "2026-11-21T10:00:00.000000Z",
            instance: "portolan-0",
        };
        let body = event_body(&event);
        assert_eq!(body["metadata"]["namespace"], "default");
        assert_eq!(
            body["regarding"],
            json!({"apiVersion": "v1", "kind": "Namespace", "name": "shop", "uid": "u-1"})
        );
    }
}
