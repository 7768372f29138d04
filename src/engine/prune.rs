//! Deleting, orphaning and replacing: read again, judged again, guarded by uid and resourceVersion.

use super::destination::Destination;
use super::execute::{Failed, Outcome, create, patch_object, read, with_retries};
use super::ledger::Entry;
use super::unit::Unit;
use crate::drift;
use crate::model::ownership::APPLICATION;
use crate::model::plan::{Action, Change};
use crate::model::{Object, ResourceId};
use crate::plan::Desired;
use crate::ports::state::Pruned;
use crate::ports::{ApiFailure, ApiFailureKind, DeleteRequest, ServedKind, StateStore};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often an object that keeps changing is judged anew before the deletion is left to the next pass.
const JUDGEMENTS: usize = 4;

/// What a deletion found.
pub(crate) enum Judged {
    /// It may be deleted, as it is here.
    Ours(Box<Object>),
    /// It is gone, or on its way.
    Gone,
    /// It must not be deleted.
    Spared(String),
}

/// Reads an object and judges by all signs whether it is the one that was planned to go, and ours.
pub(crate) async fn judge(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    change: &Change,
) -> Result<Judged, ApiFailure> {
    let Some(live) = read(destination, kind, &change.id).await? else { return Ok(Judged::Gone) };
    if live.uid() != change.precondition.uid.as_deref() || live.is_terminating() {
        return Ok(Judged::Gone);
    }
    if !destination.has_every_sign(&live) {
        return Ok(Judged::Spared("it no longer bears every sign of being ours".into()));
    }
    if live.label(APPLICATION) != Some(&*unit.name) {
        return Ok(Judged::Spared("another application has taken it over".into()));
    }
    if is_claimed(destination, &change.id) && change.action == Action::Delete {
        return Ok(Judged::Spared("it is declared again".into()));
    }
    Ok(Judged::Ours(Box::new(live)))
}

fn is_claimed(destination: &Destination, id: &ResourceId) -> bool {
    destination.ledger().objects.get(id).is_some_and(|entry| entry.claimant().is_some())
}

/// Judges several objects that are to be deleted, and keeps the manifests of those that may be in one piece: the store
/// keeps a number of pieces, and one for each object would push the first ones of a large plan out again. Gives the objects
/// as they were judged; what is missing among them is judged, and kept, by itself.
pub(crate) async fn keep_together(
    destination: &Arc<Destination>,
    unit: &Unit,
    store: &dyn StateStore,
    changes: &[&Change],
) -> BTreeMap<ResourceId, Box<Object>> {
    let deletions = changes.iter().filter(|change| change.action == Action::Delete);
    let judgements = deletions.map(|change| async move {
        let kind = served(destination, &change.id)?;
        match judge(destination, unit, &kind, change).await {
            Ok(Judged::Ours(live)) => Some((change.id.clone(), live)),
            Ok(Judged::Gone | Judged::Spared(_)) | Err(_) => None,
        }
    });
    let judged: BTreeMap<_, _> = futures::future::join_all(judgements).await.into_iter().flatten().collect();
    let manifests: Vec<Pruned> = judged.values().map(|live| pruned(destination, unit, live)).collect();
    // One that alone cannot be kept must not hold up the others.
    if !manifests.is_empty() && store.keep(&manifests).await.is_err() {
        return BTreeMap::new();
    }
    judged
}

/// Deletes what a plan says, after its manifest was kept for `portolan restore`. `judged`: the object as it was judged, where
/// its manifest is kept already.
pub(crate) async fn delete(
    destination: &Arc<Destination>,
    unit: &Unit,
    store: &dyn StateStore,
    change: &Change,
    judged: Option<Box<Object>>,
) -> Outcome {
    let Some(kind) = served(destination, &change.id) else { return unserved(&change.id) };
    let mut kept = judged.is_some();
    let mut judged = judged.filter(|_| !is_claimed(destination, &change.id));
    for _ in 0..JUDGEMENTS {
        let live = match judged.take() {
            Some(live) => live,
            None => match judge(destination, unit, &kind, change).await {
                Ok(Judged::Ours(live)) => live,
                Ok(Judged::Gone) => return Outcome::Done { warnings: Vec::new() },
                Ok(Judged::Spared(why)) => return Outcome::Spared(why),
                Err(failure) => return Outcome::Failed(Failed::Api(failure)),
            },
        };
        if !kept {
            if let Err(failed) = keep(destination, unit, store, &live).await {
                return Outcome::Failed(failed);
            }
            kept = true;
        }
        match delete_as_judged(destination, unit, &kind, &change.id, &live).await {
            Ok(()) => return Outcome::Done { warnings: Vec::new() },
            // It changed since it was read: judged again.
            Err(failure) if failure.kind == ApiFailureKind::Conflict => {}
            Err(failure) => return Outcome::Failed(Failed::Api(failure)),
        }
    }
    Outcome::Failed(Failed::NotSent(
        "it keeps changing while it is to be deleted; the next pass tries again".into(),
    ))
}

/// Keeps the manifest of what is about to be deleted, for `portolan restore`.
async fn keep(
    destination: &Destination,
    unit: &Unit,
    store: &dyn StateStore,
    live: &Object,
) -> Result<(), Failed> {
    store.keep(&[pruned(destination, unit, live)]).await.map_err(|failure| {
        Failed::NotSent(format!("its manifest could not be kept for `portolan restore`: {failure}"))
    })
}

fn pruned(destination: &Destination, unit: &Unit, live: &Object) -> Pruned {
    Pruned {
        application: unit.name.to_string(),
        destination: destination.name.to_string(),
        at: destination.clock.now().to_string(),
        id: live.id(),
        manifest: restorable(live),
    }
}

async fn delete_as_judged(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    id: &ResourceId,
    live: &Object,
) -> Result<(), ApiFailure> {
    let propagation =
        unit.state().spec.as_ref().map(|spec| spec.application.sync.propagation).unwrap_or_default();
    let request = DeleteRequest {
        kind: kind.clone(),
        id: id.clone(),
        uid: live.uid().unwrap_or_default().into(),
        resource_version: live.resource_version().unwrap_or_default().into(),
        propagation,
        impersonate: unit.impersonation(),
        dry_run: false,
    };
    with_retries(destination, || destination.cluster.delete(&request)).await
}

/// Lets an object go: our labels and our `managedFields` entry leave it, its fields stay.
pub(crate) async fn orphan(destination: &Arc<Destination>, unit: &Unit, change: &Change) -> Outcome {
    let Some(kind) = served(destination, &change.id) else { return unserved(&change.id) };
    for _ in 0..JUDGEMENTS {
        let live = match judge(destination, unit, &kind, change).await {
            Ok(Judged::Ours(live)) => live,
            Ok(Judged::Gone) => return Outcome::Done { warnings: Vec::new() },
            Ok(Judged::Spared(why)) => {
                return Outcome::Spared(why);
            }
            Err(failure) => return Outcome::Failed(Failed::Api(failure)),
        };
        let Some(patch) = drift::release_all(&live) else { return Outcome::Done { warnings: Vec::new() } };
        match patch_object(destination, unit, &kind, &change.id, &patch).await {
            Ok(_) => return Outcome::Done { warnings: Vec::new() },
            Err(failure) if failure.kind == ApiFailureKind::Conflict => {}
            Err(failure) => return Outcome::Failed(Failed::Api(failure)),
        }
    }
    Outcome::Failed(Failed::NotSent(
        "it keeps changing while it is to be let go; the next pass tries again".into(),
    ))
}

/// Deletes an object that cannot be changed in place and creates it as declared.
pub(crate) async fn replace(
    destination: &Arc<Destination>,
    unit: &Unit,
    store: &dyn StateStore,
    change: &Change,
    desired: &Desired,
    limit: Duration,
) -> Outcome {
    match remove_for_replacement(destination, unit, store, change, desired, limit).await {
        Ok(()) => create(destination, unit, desired).await,
        Err(outcome) => {
            destination.release(&change.id);
            outcome
        }
    }
}

/// The first half of a replacement. The object stays marked as in flight: that it goes is no drift.
async fn remove_for_replacement(
    destination: &Arc<Destination>,
    unit: &Unit,
    store: &dyn StateStore,
    change: &Change,
    desired: &Desired,
    limit: Duration,
) -> Result<(), Outcome> {
    let api = |failure| Outcome::Failed(Failed::Api(failure));
    let kind = destination.served(&desired.gvk).ok_or_else(|| unserved(&change.id))?;
    let live = match read(destination, &kind, &change.id).await {
        Ok(Some(live)) if live.uid() == change.precondition.uid.as_deref() => live,
        Ok(_) => return Err(Outcome::Superseded),
        Err(failure) => return Err(api(failure)),
    };
    keep(destination, unit, store, &live).await.map_err(Outcome::Failed)?;
    delete_as_judged(destination, unit, &kind, &change.id, &live).await.map_err(api)?;
    if !wait_gone(destination, unit, &change.id, limit).await {
        return Err(Outcome::Failed(Failed::NotSent(stuck(&live))));
    }
    let mut ledger = destination.ledger();
    ledger.set_gone(&change.id);
    if let Some(entry) = ledger.objects.get_mut(&change.id) {
        // The news that it went is taken.
        entry.in_flight = Some(None);
    }
    Ok(())
}

/// Waits until the watch says that an object is gone. False when the limit came first.
pub(crate) async fn wait_gone(
    destination: &Arc<Destination>,
    unit: &Unit,
    id: &ResourceId,
    limit: Duration,
) -> bool {
    let mut status = unit.status.subscribe();
    let gone = async {
        loop {
            status.borrow_and_update();
            let there = destination.ledger().objects.get(id).is_some_and(Entry::is_there);
            if !there || status.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(limit, gone).await.is_ok()
}

/// What keeps a terminating object, in words.
pub(crate) fn stuck(live: &Object) -> String {
    let finalizers: Vec<&str> = live
        .body()
        .pointer("/metadata/finalizers")
        .and_then(serde_json::Value::as_array)
        .map(|list| list.iter().filter_map(serde_json::Value::as_str).collect())
        .unwrap_or_default();
    if finalizers.is_empty() {
        "it is being deleted and not gone yet".into()
    } else {
        format!("it is being deleted and waits for its finalizers: {}", finalizers.join(", "))
    }
}

/// The manifest as it can be applied again: without what only the server sets.
fn restorable(live: &Object) -> Object {
    let mut object = live.clone();
    if let Some(body) = object.body_mut().as_object_mut() {
        body.remove("status");
    }
    let metadata = object.metadata_mut();
    for key in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "deletionTimestamp",
        "selfLink",
    ] {
        metadata.remove(key);
    }
    object
}

fn served(destination: &Destination, id: &ResourceId) -> Option<ServedKind> {
    destination.discovery().preferred(&id.group_kind()).cloned()
}

fn unserved(id: &ResourceId) -> Outcome {
    Outcome::Failed(Failed::NotSent(format!("{} is not served at the moment", id.group_kind())))
}
