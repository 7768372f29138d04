//! One change of one object, from the request to the ledger. Decides nothing but what a refusal means.

use super::destination::Destination;
use super::unit::Unit;
use crate::drift::{self, ForeignManager};
use crate::model::ownership::PART_OF;
use crate::model::{Object, ResourceId};
use crate::plan::Desired;
use crate::ports::{ApiFailure, ApiFailureKind, Applied, ApplyRequest, ServedKind};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Waits between attempts at a request that failed for a passing reason.
const RETRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// The longest a server's `Retry-After` is followed within a pass.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// No object ever has this resourceVersion again: an apply that carries it creates, and never changes, an object.
const ABSENT: &str = "1";

/// How a change ended.
pub(crate) enum Outcome {
    /// As planned.
    Done {
        /// The server's warnings.
        warnings: Vec<String>,
    },
    /// Something is there that is not in our inventory.
    Stranger(Box<Object>),
    /// Not done; the text says why and what to do.
    Failed(Failed),
    /// Not deleted after all, and why: it was judged anew.
    Spared(String),
    /// Another request about the same object is under way: the next round sees its result.
    Superseded,
}

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The server refused it or did not answer.
    #[error("{}", missing_namespace(.0).map_or_else(|| .0.to_string(), no_namespace))]
    Api(ApiFailure),
    /// The server does not change this field in place.
    #[error("{0}")]
    Immutable(String),
    /// Not sent at all.
    #[error("{0}")]
    NotSent(String),
}

impl Failed {
    /// Whether the same may succeed later by itself.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Api(failure) => failure.is_transient() || matches!(failure.kind, ApiFailureKind::Conflict),
            Self::Immutable(_) => false,
            Self::NotSent(_) => true,
        }
    }
}

/// Creates an object that is not there. The caller has marked it as in flight.
pub(crate) async fn create(destination: &Arc<Destination>, unit: &Unit, desired: &Desired) -> Outcome {
    let Some(kind) = destination.served(&desired.gvk) else { return not_served(destination, desired) };
    let body = with_metadata(desired.initial.as_deref().unwrap_or(&desired.body), "resourceVersion", ABSENT);
    match send(destination, unit, &kind, desired, body, false).await {
        Ok(applied) if desired.initial.is_some() => {
            release_initial(destination, unit, &kind, desired, applied).await
        }
        Ok(applied) => done(destination, desired, applied),
        Err(failure) if matches!(failure.kind, ApiFailureKind::Conflict | ApiFailureKind::AlreadyExists) => {
            found(destination, unit, &kind, desired, failure).await
        }
        Err(failure) => failed(destination, &desired.id, failure),
    }
}

/// Something is there where nothing was expected: ours (our own answer was lost, or our labels), or a stranger.
async fn found(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
    failure: ApiFailure,
) -> Outcome {
    match read(destination, kind, &desired.id).await {
        Ok(Some(live)) if is_one_of_ours(destination, &live) => {
            let uid = live.uid().unwrap_or_default().to_owned();
            Box::pin(update(destination, unit, desired, &uid, false)).await
        }
        Ok(Some(live)) => {
            destination.release(&desired.id);
            Outcome::Stranger(Box::new(live))
        }
        Ok(None) => failed(destination, &desired.id, failure),
        Err(failure) => failed(destination, &desired.id, failure),
    }
}

/// Whether an object bears our entry and no other ApplySet's label: then it is one that we applied, even where its
/// labels went.
pub(crate) fn is_one_of_ours(destination: &Destination, live: &Object) -> bool {
    live.label(PART_OF).is_none_or(|set| set == destination.parent.id()) && drift::has_our_entry(live)
}

/// Applies an object that is there and ours. The caller has marked it as in flight.
pub(crate) async fn update(
    destination: &Arc<Destination>,
    unit: &Unit,
    desired: &Desired,
    uid: &str,
    mending: bool,
) -> Outcome {
    let Some(kind) = destination.served(&desired.gvk) else { return not_served(destination, desired) };
    if let Err(failure) = restore_our_entry(destination, unit, &kind, &desired.id).await {
        return failed(destination, &desired.id, failure);
    }
    let body = match body_for_update(destination, unit, &kind, desired).await {
        Ok(body) => with_metadata(&body, "uid", uid),
        Err(failure) => return failed(destination, &desired.id, failure),
    };
    match send(destination, unit, &kind, desired, body.clone(), false).await {
        Ok(applied) => done(destination, desired, applied),
        Err(failure) if is_another_object(&failure) => {
            match read(destination, &kind, &desired.id).await {
                Ok(None) => {
                    destination.ledger().set_gone(&desired.id);
                    Box::pin(create(destination, unit, desired)).await
                }
                // The next round judges what took its place.
                Ok(Some(_)) | Err(_) => failed(destination, &desired.id, failure),
            }
        }
        Err(failure) if failure.kind == ApiFailureKind::Invalid => match immutable(&failure) {
            Some(words) => failed_with(destination, &desired.id, Failed::Immutable(words)),
            None if mending || was_drifted(destination, &desired.id) => {
                take_over_then_apply(destination, unit, &kind, desired, body, failure).await
            }
            None => failed(destination, &desired.id, failure),
        },
        Err(failure) => failed(destination, &desired.id, failure),
    }
}

/// Somebody took our `managedFields` entry away: an apply to an object without it would make the server invent a manager
/// that co-owns every field from then on, so the entry is written back first.
async fn restore_our_entry(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    id: &ResourceId,
) -> Result<(), ApiFailure> {
    let baseline = {
        let ledger = destination.ledger();
        ledger.objects.get(id).filter(|entry| entry.entry_lost).and_then(|entry| entry.baseline.clone())
    };
    let Some(baseline) = baseline else { return Ok(()) };
    for _ in 0..=RETRIES.len() {
        let Some(live) = read(destination, kind, id).await? else { return Ok(()) };
        let Some(patch) = drift::restore_entry(&live, &baseline) else { return Ok(()) };
        match patch_object(destination, unit, kind, id, &patch).await {
            Err(failure) if failure.kind == ApiFailureKind::Conflict => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// The drift itself can make the apply invalid: a list item whose key somebody edited stays beside ours
/// (kubernetes/kubernetes#130292). What other managers wrote becomes ours first, so that the apply removes it.
async fn take_over_then_apply(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
    body: Arc<[u8]>,
    refusal: ApiFailure,
) -> Outcome {
    let live = match read(destination, kind, &desired.id).await {
        Ok(Some(live)) => live,
        Ok(None) => return failed(destination, &desired.id, refusal),
        Err(failure) => return failed(destination, &desired.id, failure),
    };
    let baseline = destination.ledger().objects.get(&desired.id).and_then(|entry| entry.baseline.clone());
    let owners = drift::rivals(&live, baseline.as_ref());
    let managers: Vec<ForeignManager<'_>> = owners
        .iter()
        .map(|owner| ForeignManager { name: &owner.manager, operation: owner.operation })
        .collect();
    let Some(patch) = drift::adopt_client_side(&live, &managers) else {
        return failed(destination, &desired.id, refusal);
    };
    if let Err(failure) = patch_object(destination, unit, kind, &desired.id, &patch).await {
        return failed(destination, &desired.id, failure);
    }
    match send(destination, unit, kind, desired, body, false).await {
        Ok(applied) => done(destination, desired, applied),
        Err(failure) => failed(destination, &desired.id, failure),
    }
}

/// Takes over an object that exists: client-side and Helm entries become ours, then what git declares is applied.
pub(crate) async fn adopt(destination: &Arc<Destination>, unit: &Unit, desired: &Desired) -> Outcome {
    let Some(kind) = destination.served(&desired.gvk) else { return not_served(destination, desired) };
    let live = match read(destination, &kind, &desired.id).await {
        Ok(Some(live)) => live,
        Ok(None) => return create(destination, unit, desired).await,
        Err(failure) => return failed(destination, &desired.id, failure),
    };
    if !desired.directives.merge
        && let Some(patch) = drift::adopt_client_side(&live, &drift::CLIENT_SIDE)
        && let Err(failure) = patch_object(destination, unit, &kind, &desired.id, &patch).await
    {
        return failed(destination, &desired.id, failure);
    }
    let uid = live.uid().unwrap_or_default().to_owned();
    update(destination, unit, desired, &uid, false).await
}

/// Asks the server what an apply would make of the live object.
pub(crate) async fn dry_run(
    destination: &Arc<Destination>,
    unit: &Unit,
    desired: &Desired,
    uid: Option<&str>,
) -> Result<Applied, ApiFailure> {
    let Some(kind) = destination.served(&desired.gvk) else {
        return Err(ApiFailure::new(ApiFailureKind::NotFound, format!("{} is not served here", desired.gvk)));
    };
    let body = match uid {
        Some(uid) => {
            with_metadata(&body_for_update_read_only(destination, unit, &kind, desired).await?, "uid", uid)
        }
        None => desired.initial.clone().unwrap_or_else(|| desired.body.clone()),
    };
    send(destination, unit, &kind, desired, body, true).await
}

/// Asks the server what it makes of the declaration where no live object stands in its way: under a name that nobody has.
/// `None` when it refuses that, too.
pub(crate) async fn dry_run_elsewhere(
    destination: &Arc<Destination>,
    unit: &Unit,
    desired: &Desired,
) -> Option<Object> {
    let kind = destination.served(&desired.gvk)?;
    let name = format!("portolan-{}", desired.digest);
    let body = with_metadata(&desired.body, "name", &name);
    let id = ResourceId { name, ..desired.id.clone() };
    let elsewhere = Desired { id, ..desired.clone() };
    send(destination, unit, &kind, &elsewhere, body, true).await.ok().map(|applied| applied.object)
}

/// The body of an update: fields under ignore rules are handed over first, so that they keep their live values.
async fn body_for_update(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
) -> Result<Arc<[u8]>, ApiFailure> {
    let Some(ignore) = unit.ignoring(&desired.id) else { return Ok(desired.body.clone()) };
    // A handover is guarded by the resourceVersion; the object may change in between, so it is tried anew.
    let mut attempts = 0;
    loop {
        let Some(live) = read(destination, kind, &desired.id).await? else { return Ok(desired.body.clone()) };
        let owned = drift::ignored_fieldset(&live, &ignore);
        let Some(patch) = drift::release_paths(&live, &owned) else {
            return Ok(preserved(desired, &live, &ignore));
        };
        match patch_object(destination, unit, kind, &desired.id, &patch).await {
            Ok(live) => return Ok(preserved(desired, &live, &ignore)),
            Err(failure) if failure.kind == ApiFailureKind::Conflict && attempts < RETRIES.len() => {
                attempts += 1
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// As [`body_for_update`], without touching the server's state: for dry runs.
async fn body_for_update_read_only(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
) -> Result<Arc<[u8]>, ApiFailure> {
    let Some(ignore) = unit.ignoring(&desired.id) else { return Ok(desired.body.clone()) };
    Ok(read(destination, kind, &desired.id)
        .await?
        .map_or_else(|| desired.body.clone(), |live| preserved(desired, &live, &ignore)))
}

fn preserved(desired: &Desired, live: &Object, ignore: &drift::Ignore) -> Arc<[u8]> {
    let parsed = serde_json::from_slice::<Value>(&desired.body).ok().and_then(|body| Object::new(body).ok());
    let Some(mut object) = parsed else { return desired.body.clone() };
    drift::preserve(&mut object, live, ignore);
    Arc::from(object.body().to_string().into_bytes())
}

/// A new object got the declared value of an ignored path; now the path is let go.
async fn release_initial(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
    applied: Applied,
) -> Outcome {
    let Some(ignore) = unit.ignoring(&desired.id) else { return done(destination, desired, applied) };
    let owned = drift::ignored_fieldset(&applied.object, &ignore);
    let Some(patch) = drift::release_paths(&applied.object, &owned) else {
        return done(destination, desired, applied);
    };
    match patch_object(destination, unit, kind, &desired.id, &patch).await {
        Ok(object) => done(destination, desired, Applied { object, ..applied }),
        // Somebody changed it in this moment: the update that follows hands over in any case.
        Err(failure) if failure.kind == ApiFailureKind::Conflict => {
            let uid = applied.object.uid().unwrap_or_default().to_owned();
            Box::pin(update(destination, unit, desired, &uid, false)).await
        }
        Err(failure) => failed(destination, &desired.id, failure),
    }
}

fn done(destination: &Arc<Destination>, desired: &Desired, applied: Applied) -> Outcome {
    destination.settle(&desired.id, &applied.object, &desired.digest);
    Outcome::Done { warnings: applied.warnings }
}

fn failed(destination: &Arc<Destination>, id: &ResourceId, failure: ApiFailure) -> Outcome {
    failed_with(destination, id, Failed::Api(failure))
}

fn failed_with(destination: &Arc<Destination>, id: &ResourceId, failure: Failed) -> Outcome {
    destination.release(id);
    Outcome::Failed(failure)
}

fn not_served(destination: &Arc<Destination>, desired: &Desired) -> Outcome {
    let words = format!("{} is not served by {}", desired.gvk, destination.name);
    failed_with(destination, &desired.id, Failed::NotSent(words))
}

fn was_drifted(destination: &Destination, id: &ResourceId) -> bool {
    destination.ledger().objects.get(id).is_some_and(|entry| entry.drifted || entry.unequal.is_some())
}

/// Whether a refusal says that the object is not the one that was judged: it is gone, or another under its name.
fn is_another_object(failure: &ApiFailure) -> bool {
    matches!(failure.kind, ApiFailureKind::Conflict | ApiFailureKind::NotFound)
        || (failure.kind == ApiFailureKind::Invalid
            && failure.causes.iter().any(|cause| cause.field == "metadata.uid"))
}

/// The namespace that a refusal says is not there.
pub(crate) fn missing_namespace(failure: &ApiFailure) -> Option<&str> {
    let words =
        failure.message.strip_prefix("namespaces \"").filter(|_| failure.kind == ApiFailureKind::NotFound)?;
    words.strip_suffix("\" not found")
}

/// What to do about a namespace that nobody makes.
pub(crate) fn no_namespace(name: &str) -> String {
    format!(
        "namespace {name} is not there; declare it, or let an application whose `namespace` it is make it with \
         `sync.createNamespace`"
    )
}

/// The server's words about a field that it does not change in place.
pub(crate) fn immutable(failure: &ApiFailure) -> Option<String> {
    let says = |text: &str| {
        [
            "field is immutable",
            "is immutable after creation",
            "updates to statefulset spec",
            "may not be changed",
            "may not change once set",
            "cannot change roleRef",
        ]
        .iter()
        .any(|words| text.contains(words))
    };
    let mut named = Vec::new();
    for cause in failure.causes.iter().filter(|cause| says(&cause.message)) {
        // Where it names a whole section, which fields may be changed is in its first sentence.
        let only = cause.message.split_once("other than ").or_else(|| cause.message.split_once(" except "));
        let only = only
            .map(|(_, fields)| fields.lines().next().unwrap_or_default().trim_end_matches(" are forbidden"));
        named.push(match only {
            Some(only) => format!("{}: everything but {only} is immutable", cause.field),
            None => format!("{}: field is immutable", cause.field),
        });
    }
    if !named.is_empty() {
        return Some(named.join("; "));
    }
    says(&failure.message).then(|| failure.message.clone())
}

async fn send(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    desired: &Desired,
    body: Arc<[u8]>,
    dry_run: bool,
) -> Result<Applied, ApiFailure> {
    let impersonate = unit.impersonation();
    let request =
        ApplyRequest { kind: kind.clone(), id: desired.id.clone(), body, force: true, dry_run, impersonate };
    with_retries(destination, || destination.cluster.apply(&request)).await
}

/// Reads an object by name.
pub(crate) async fn read(
    destination: &Arc<Destination>,
    kind: &ServedKind,
    id: &ResourceId,
) -> Result<Option<Object>, ApiFailure> {
    with_retries(destination, || destination.cluster.get(kind, id)).await
}

/// Sends a JSON patch.
pub(crate) async fn patch_object(
    destination: &Arc<Destination>,
    unit: &Unit,
    kind: &ServedKind,
    id: &ResourceId,
    patch: &Value,
) -> Result<Object, ApiFailure> {
    let impersonate = unit.impersonation();
    with_retries(destination, || destination.cluster.json_patch(kind, id, patch, impersonate.as_ref())).await
}

/// Makes a request, and again while it fails for a passing reason, a few times.
pub(crate) async fn with_retries<T, F, R>(destination: &Destination, request: R) -> Result<T, ApiFailure>
where
    F: Future<Output = Result<T, ApiFailure>>,
    R: Fn() -> F,
{
    let mut attempt = 0;
    loop {
        let result = {
            let _permit = destination.permits.acquire().await.expect("the semaphore is never closed");
            request().await
        };
        match result {
            Err(failure) if failure.is_transient() && attempt < RETRIES.len() => {
                let wait = failure.retry_after.unwrap_or(RETRIES[attempt]).min(LONGEST_RETRY);
                attempt += 1;
                tokio::time::sleep(wait).await;
            }
            other => return other,
        }
    }
}

/// A body with one more metadata field.
fn with_metadata(body: &[u8], key: &str, value: &str) -> Arc<[u8]> {
    let mut parsed: Value = serde_json::from_slice(body).expect("desired bodies are JSON that we wrote");
    if let Some(metadata) = parsed.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(key.into(), Value::String(value.into()));
    }
    Arc::from(parsed.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ApiCause;

    fn refused(field: &str, message: &str) -> ApiFailure {
        let cause =
            ApiCause { field: field.into(), message: message.into(), reason: "FieldValueForbidden".into() };
        ApiFailure { causes: vec![cause], ..ApiFailure::new(ApiFailureKind::Invalid, message) }
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_named_with_what_can() {
        for (field, message, words) in [
            ("spec.selector", "Invalid value: {}: field is immutable", "spec.selector: field is immutable"),
            (
                "spec.clusterIPs[0]",
                "Invalid value: []: may not change once set",
                "spec.clusterIPs[0]: field is immutable",
            ),
            (
                "spec",
                "Forbidden: updates to statefulset spec for fields other than 'replicas' and 'template' are forbidden",
                "spec: everything but 'replicas' and 'template' is immutable",
            ),
            (
                "spec",
                "Forbidden: spec is immutable after creation except resources.requests for bound claims\n- 2Gi\n+ 1Gi\n",
                "spec: everything but resources.requests for bound claims is immutable",
            ),
        ] {
            assert_eq!(immutable(&refused(field, message)).as_deref(), Some(words));
        }
        assert_eq!(immutable(&refused("spec.ports", "Required value")), None);
    }

    #[test]
    fn a_missing_namespace_is_told_with_what_to_do() {
        let failure = ApiFailure::new(ApiFailureKind::NotFound, "namespaces \"shop\" not found");
        let words = Failed::Api(failure).to_string();
        assert!(
            words.starts_with("namespace shop is not there; ") && words.contains("sync.createNamespace"),
            "{words}"
        );
    }
}
