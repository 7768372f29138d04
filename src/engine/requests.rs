//! What people ask for through the state: sync, approve, restore.

use super::unit::Unit;
use super::world::World;
use crate::model::ownership::{APPLICATION, PART_OF};
use crate::ports::state::{Asked, UserRequest};
use crate::ports::{ApiFailureKind, Approval};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Answers requests for as long as the daemon runs.
pub(crate) async fn answer_requests(world: Arc<World>, mut asked: mpsc::Receiver<Asked>) {
    while let Some(Asked { key, request }) = asked.recv().await {
        let answer = match request {
            UserRequest::Sync { application } => sync(&world, application.as_deref()),
            UserRequest::Approve(approval) => approve(&world, &approval).await,
            UserRequest::Restore { destination, key } => restore(&world, &destination, &key).await,
        };
        // A request that could not be answered stays, and is answered when the daemon starts again.
        let _ = world.store().answer(&key, &answer).await;
    }
}

fn units(world: &World, name: Option<&str>) -> Vec<Arc<Unit>> {
    let destinations: Vec<_> = world.destinations().values().cloned().collect();
    destinations
        .iter()
        .flat_map(|destination| destination.units().values().cloned().collect::<Vec<_>>())
        .filter(|unit| name.is_none_or(|name| *unit.name == *name))
        .collect()
}

fn sync(world: &World, name: Option<&str>) -> String {
    for wake in world.fetch_now.values() {
        wake.notify_one();
    }
    let units = units(world, name);
    for unit in &units {
        unit.state().asked = true;
        unit.wake.notify_one();
    }
    match (units.len(), name) {
        (0, Some(name)) => format!("there is no application {name}"),
        (1, _) => format!("syncing {}", units[0].name),
        (count, _) => format!("syncing {count} applications"),
    }
}

async fn approve(world: &World, approval: &Approval) -> String {
    world.load_approvals().await;
    let matching: Vec<Arc<Unit>> = units(world, Some(&approval.application))
        .into_iter()
        .filter(|unit| *unit.destination.name == *approval.destination)
        .collect();
    let Some(unit) = matching.first() else {
        return format!("there is no application {} on {}", approval.application, approval.destination);
    };
    let waiting = unit.state().waiting.clone();
    match waiting {
        Some(waiting) if waiting.digest == approval.digest => {
            unit.wake.notify_one();
            format!("approved: {} objects", waiting.objects.len())
        }
        Some(waiting) => {
            format!("another plan waits by now, with digest {}: look at it first", waiting.digest)
        }
        None => format!("no plan of {} waits for an approval", unit.name),
    }
}

/// Puts a pruned object back as it was, without our marks: the repository does not declare it.
async fn restore(world: &World, destination: &str, key: &str) -> String {
    let kept = match world.store().kept().await {
        Ok(kept) => kept,
        Err(failure) => return format!("the pruned manifests cannot be read: {failure}"),
    };
    let Some((_, pruned)) =
        kept.into_iter().find(|(k, pruned)| k == key && pruned.destination == destination)
    else {
        return format!("nothing is kept under {key} for {destination}");
    };
    let Some(destination) = world.destinations().get(destination).cloned() else {
        return format!("{destination} is not connected");
    };
    if destination.read_only {
        return "the daemon is read-only (`readOnly: true` in its file)".into();
    }
    let unit = destination.units().get(pruned.application.as_str()).cloned();
    let impersonate = unit.and_then(|unit| unit.impersonation());
    let mut object = pruned.manifest;
    if let Some(labels) = object.metadata_mut().get_mut("labels").and_then(serde_json::Value::as_object_mut) {
        labels.remove(PART_OF);
        labels.remove(APPLICATION);
    }
    let Some(kind) = destination.served(&object.gvk()) else {
        return format!("{} is not served by {}", object.gvk(), destination.name);
    };
    match destination.cluster.create(&kind, object.body(), impersonate.as_ref()).await {
        Ok(_) => format!(
            "{} is back, owned by nobody; declare it in the repository, and it is adopted, or it stays as it is",
            pruned.id
        ),
        Err(failure) if failure.kind == ApiFailureKind::AlreadyExists => {
            format!("{} exists already", pruned.id)
        }
        Err(failure) => format!("{} could not be restored: {failure}", pruned.id),
    }
}
