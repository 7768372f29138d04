//! What the tests of the engine look at: identities, changes in order, waits for a prune.

use crate::support::daemon::Daemon;
use portolan::model::event::What;
use portolan::model::plan::Action;
use serde_json::Value;
use std::time::{Duration, Instant};

/// An object's uid; it has to be there.
pub async fn uid(daemon: &Daemon, kind: &str, name: &str) -> String {
    let object = daemon.object(kind, name).await.unwrap_or_else(|| panic!("there is no {kind} {name}"));
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// Whether an object is there.
pub async fn is_there(daemon: &Daemon, kind: &str, name: &str) -> bool {
    daemon.object(kind, name).await.is_some()
}

/// Waits until an object is gone.
pub async fn gone(daemon: &Daemon, kind: &str, name: &str) {
    daemon.object_until(kind, name, "gone", |object| object.is_none()).await;
}

/// Every change of an object since a moment, in order: what was done, and to which name.
pub fn changes(daemon: &Daemon, moment: usize) -> Vec<(Action, String)> {
    daemon
        .since(moment)
        .into_iter()
        .filter_map(|event| match event.what {
            What::Changed { action, id, .. } => Some((action, id.name)),
            _ => None,
        })
        .collect()
}

/// The names that were deleted since a moment, in order.
pub fn deleted(daemon: &Daemon, moment: usize) -> Vec<String> {
    let of_interest = |(action, name): (Action, String)| (action == Action::Delete).then_some(name);
    changes(daemon, moment).into_iter().filter_map(of_interest).collect()
}

/// Whether an object carries a mark of ours: a label, or a `managedFields` entry.
pub fn is_marked(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let labelled = metadata["labels"].as_object().is_some_and(|labels| {
        labels.contains_key("portolan.dev/application")
            || labels.contains_key("applyset.kubernetes.io/part-of")
    });
    let entries = metadata["managedFields"].as_array();
    labelled || entries.is_some_and(|entries| entries.iter().any(|entry| entry["manager"] == "portolan"))
}

/// Waits until a pass of an application has said why it leaves something undone.
pub async fn problem(daemon: &Daemon, application: &str, words: &str) -> String {
    let record = daemon
        .until(application, &format!("stopped by `{words}`"), |record| {
            record.message.contains(words) || record.problems.values().any(|problem| problem.contains(words))
        })
        .await;
    format!("{} {:?}", record.message, record.problems)
}

/// Waits until a plan of an application is held, and gives its digest and reason.
pub async fn held(daemon: &Daemon, application: &str) -> (String, String) {
    let record = daemon.until(application, "held", |record| record.waiting.is_some()).await;
    let waiting = record.waiting.unwrap();
    (waiting.digest, waiting.reason)
}

/// Looks again and again for a while at something that must not happen.
pub async fn stays(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert!(holds().await, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
