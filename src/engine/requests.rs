//! What people ask for through the state: sync, approve, restore.

use super::unit::{Phase, Unit};
use super::world::World;
use crate::model::event::What;
use crate::model::ownership::{APPLICATION, PART_OF};
use crate::ports::state::{Asked, UserRequest};
use crate::ports::{ApiFailureKind, Approval};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pauses before an answer that could not be written is written again.
const ANSWER_AGAIN: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

/// Answers requests for as long as the daemon runs.
pub(crate) async fn answer_requests(world: Arc<World>, mut asked: mpsc::Receiver<Asked>) {
    while let Some(Asked { key, request }) = asked.recv().await {
        let answer = match request {
            UserRequest::Sync { application } => sync(&world, application.as_deref()),
            UserRequest::Approve(approval) => approve(&world, &approval).await,
            UserRequest::Restore { destination, key } => restore(&world, &destination, &key).await,
        };
        // Beside the next one: a store that does not answer must not keep the others waiting.
        let answering = world.clone();
        world.tasks.spawn(async move { give(&answering, &key, &answer).await });
    }
}

/// Writes an answer, trying again what fails for a passing reason: a person waits for it. A request that could not be
/// answered stays, and is answered when the daemon starts again.
async fn give(world: &World, key: &str, answer: &str) {
    let mut pauses = ANSWER_AGAIN.into_iter();
    while let Err(failure) = world.store().answer(key, answer).await {
        match pauses.next().filter(|_| failure.transient) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                let message = format!("the request {key} cannot be answered: {failure}");
                return world.emit("", What::DestinationFailed { message });
            }
        }
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
        {
            let mut state = unit.state();
            state.asked = true;
            // Who asks is told anew what keeps failing.
            state.failures_told.clear();
        }
        unit.wake.notify_one();
    }
    let clusters: Vec<_> =
        world.clusters.all().into_iter().filter(|kept| name.is_none_or(|name| *kept.name == *name)).collect();
    clusters.iter().for_each(|kept| kept.ask());
    let migrations = world.migrations.ask(name);
    match (units.len(), name) {
        (0, Some(name)) if !clusters.is_empty() => format!("syncing cluster {name}"),
        (0, Some(name)) if migrations > 0 => format!("looking at migration {name}"),
        (0, Some(name)) => format!("there is no application {name}"),
        (1, _) => format!("syncing {}", units[0].name),
        (count, _) => format!("syncing {count} applications"),
    }
}

async fn approve(world: &World, approval: &Approval) -> String {
    world.load_approvals().await;
    if approval.application.is_empty() {
        return approve_cluster(world, approval);
    }
    let matching: Vec<Arc<Unit>> = units(world, Some(&approval.application))
        .into_iter()
        .filter(|unit| *unit.destination.name == *approval.destination)
        .collect();
    let Some(unit) = matching.first() else {
        return format!("there is no application {} on {}", approval.application, approval.destination);
    };
    let (waiting, under_way) = {
        let state = unit.state();
        (state.waiting.clone(), state.phase == Phase::Applying)
    };
    match waiting {
        Some(waiting) if waiting.digest == approval.digest => {
            unit.wake.notify_one();
            format!("approved: {} objects", waiting.objects.len())
        }
        // Its event is told before the pass is over, and whoever is quick approves before it is noted what waits.
        _ if under_way => {
            unit.wake.notify_one();
            format!("approved, if the pass under way comes to the plan with digest {}", approval.digest)
        }
        Some(waiting) => {
            format!("another plan waits by now, with digest {}: look at it first", waiting.digest)
        }
        None => format!("no plan of {} waits for an approval", unit.name),
    }
}

/// An approval that names no application is one of a cluster's plan.
fn approve_cluster(world: &World, approval: &Approval) -> String {
    let name = &approval.destination;
    if let Some(mover) = world.migrations.get(name)
        && let Some(waiting) = mover.record().waiting.filter(|waiting| waiting.digest == approval.digest)
    {
        mover.look_again();
        return format!("approved: {} steps", waiting.objects.len());
    }
    let Some(kept) = world.clusters.get(name) else {
        return format!("there is no cluster {name} to be kept, and no such plan of a migration waits");
    };
    match kept.record().waiting {
        Some(waiting) if waiting.digest == approval.digest => {
            kept.look_again();
            format!("approved: {} resources", waiting.objects.len())
        }
        Some(waiting) => {
            format!("another plan waits by now, with digest {}: look at it first", waiting.digest)
        }
        None => format!("no plan of cluster {name} waits for an approval"),
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
