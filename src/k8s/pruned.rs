//! Pruned manifests in Secrets: compressed, bounded in number, size and age.
//!
//! One call keeps its objects together in one Secret (they went together, and can be brought back together), so
//! that pruning a hundred objects does not cost a hundred writes. An object's key is `<secret>.<index>`.

use super::pruned_batch::{Batch, ENTRY, LARGEST, batches, unpack};
use super::read::{self, Selection};
use super::store::Place;
use super::{kinds, write};
use crate::ports::{ApiFailureKind, Pruned, StateFailure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const LABEL: &str = "portolan.dev/pruned";
const DESTINATION: &str = "portolan.dev/destination";
const AT: &str = "portolan.dev/pruned-at";
const BYTES: &str = "portolan.dev/bytes";
const OBJECTS: &str = "portolan.dev/objects";
/// Most Secrets kept for one destination.
const MOST: usize = 200;
/// Most compressed bytes kept for one destination: etcd's default quota for everything is 2 GiB.
const MOST_BYTES: usize = 16 << 20;
/// Days after which a manifest is forgotten, counted from the newest prune of its destination.
const DAYS: i64 = 30;
pub(super) async fn keep(place: &Place, pruned: &[Pruned]) -> Result<(), StateFailure> {
    let mut destinations: BTreeMap<&str, Vec<&Pruned>> = BTreeMap::new();
    for object in pruned {
        destinations.entry(&object.destination).or_default().push(object);
    }
    for objects in destinations.values() {
        for batch in batches(objects)? {
            store(place, &batch).await?;
        }
    }
    let touched: BTreeSet<&str> = destinations.into_keys().collect();
    if touched.is_empty() { Ok(()) } else { forget(place, &touched).await }
}

pub(super) async fn kept(place: &Place) -> Result<Vec<(String, Pruned)>, StateFailure> {
    let secrets = read::list(&place.wire, &kinds::secret(), &all(place)).await;
    let secrets = secrets.map_err(|failure| place.failed("the pruned manifests cannot be read", &failure))?;
    let mut kept = Vec::new();
    for secret in &secrets {
        match unpack(secret) {
            Ok(objects) => kept.extend(
                objects.into_iter().enumerate().map(|(n, object)| (format!("{}.{n}", secret.name()), object)),
            ),
            Err(reason) => tracing::warn!(
                secret = secret.name(),
                reason,
                "pruned manifests cannot be read and are left out"
            ),
        }
    }
    kept.sort_by(|(_, a), (_, b)| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
    Ok(kept)
}

async fn store(place: &Place, batch: &Batch<'_>) -> Result<(), StateFailure> {
    let newest = batch.objects.iter().map(|object| object.at.as_str()).max().unwrap_or_default();
    let destination = batch.objects.first().map_or("", |object| object.destination.as_str());
    let mut shown =
        batch.objects.iter().take(20).map(|object| object.id.to_string()).collect::<Vec<_>>().join(", ");
    if batch.objects.len() > 20 {
        shown.push_str(&format!(" and {} more", batch.objects.len() - 20));
    }
    // Named by content: the same objects kept twice, because an answer was lost, are kept once.
    let digest: String =
        Sha256::digest(&batch.packed).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    let body = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "portolan.dev/pruned", "immutable": true,
        "metadata": {
            "name": format!("portolan-pruned-{digest}"),
            "namespace": place.namespace,
            "labels": { LABEL: "true" },
            "annotations": { DESTINATION: destination, AT: newest, BYTES: batch.packed.len().to_string(), OBJECTS: shown },
        },
        "data": { ENTRY: ByteString(batch.packed.clone()) },
    });
    match write::create(&place.wire, &kinds::secret(), &body, None).await {
        Err(failure) if failure.kind != ApiFailureKind::AlreadyExists => {
            Err(place.failed("pruned manifests cannot be kept", &failure))
        }
        _ => Ok(()),
    }
}

/// Removes what is over the bounds, for these destinations. Metadata is enough to know.
async fn forget(place: &Place, destinations: &BTreeSet<&str>) -> Result<(), StateFailure> {
    let which = Selection { metadata_only: true, ..all(place) };
    let secrets = read::list(&place.wire, &kinds::secret(), &which).await;
    let secrets =
        secrets.map_err(|failure| place.failed("the pruned manifests cannot be counted", &failure))?;
    for destination in destinations {
        let found = secrets.iter().filter(|secret| secret.annotation(DESTINATION) == Some(destination));
        let found = found.map(|secret| Kept {
            name: secret.name(),
            at: secret.annotation(AT).and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH),
            bytes: secret.annotation(BYTES).and_then(|bytes| bytes.parse().ok()).unwrap_or(LARGEST),
        });
        for name in too_many(found.collect()) {
            let removed =
                write::delete_record(&place.wire, &kinds::secret(), &place.id("Secret", name)).await;
            removed.map_err(|failure| {
                place.failed(&format!("the old manifests in {name} cannot be removed"), &failure)
            })?;
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Kept<'a> {
    name: &'a str,
    at: Timestamp,
    bytes: usize,
}

/// Which are over a bound. The newest always stays.
fn too_many(mut kept: Vec<Kept<'_>>) -> Vec<&str> {
    kept.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.name.cmp(b.name)));
    let Some(newest) = kept.first().map(|k| k.at) else {
        return Vec::new();
    };
    let oldest = newest.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
    let mut bytes = 0;
    let over = kept.iter().enumerate().filter(|(place, k)| {
        bytes += k.bytes;
        *place > 0 && (*place >= MOST || bytes > MOST_BYTES || k.at < oldest)
    });
    over.map(|(_, k)| k.name).collect()
}

fn all(place: &Place) -> Selection {
    Selection::labels(Some(&place.namespace), &format!("{LABEL}=true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str, at: &str, bytes: usize) -> Kept<'static> {
        Kept { name: name.to_owned().leak(), at: at.parse().unwrap(), bytes }
    }

    #[test]
    fn age_number_and_size_are_bounded_and_the_newest_stays() {
        let huge = kept("huge", "2026-01-01T00:00:00Z", MOST_BYTES * 2);
        assert!(too_many(vec![huge]).is_empty());
        let aged = vec![
            kept("old", "2026-01-01T00:00:00Z", 1),
            kept("new", "2026-02-15T00:00:00Z", 1),
            kept("young", "2026-01-20T00:00:00Z", 1),
        ];
        assert_eq!(too_many(aged), ["old"]);
        let many: Vec<_> = (0..250)
            .map(|n| kept(&format!("s{n:03}"), &format!("2026-01-01T{:02}:{:02}:00Z", n / 60, n % 60), 1))
            .collect();
        let over = too_many(many);
        assert_eq!((over.len(), over[0]), (50, "s049"));
        let large: Vec<_> = (0..4)
            .map(|n| kept(&format!("s{n}"), &format!("2026-01-0{}T00:00:00Z", n + 1), MOST_BYTES / 2))
            .collect();
        assert_eq!(too_many(large), ["s1", "s0"]);
    }
}
