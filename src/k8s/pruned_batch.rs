//! Pruned objects as one compressed entry of a Secret, and back.

pub(super) use crate::model::packed::LARGEST;
use crate::model::{Object, ResourceId, packed};
use crate::ports::{Pruned, StateFailure};
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The Secret's entry.
pub(super) const ENTRY: &str = "manifests.json.gz";

/// One object as stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    application: String,
    destination: String,
    at: String,
    id: ResourceId,
    manifest: Value,
}

/// Objects that fit into one Secret, compressed.
pub(super) struct Batch<'a> {
    pub(super) objects: Vec<&'a Pruned>,
    pub(super) packed: Vec<u8>,
}

pub(super) fn batches<'a>(objects: &[&'a Pruned]) -> Result<Vec<Batch<'a>>, StateFailure> {
    let packed = pack(objects).map_err(|error| StateFailure {
        message: format!("manifests cannot be compressed: {error}"),
        transient: false,
    })?;
    if packed.len() <= LARGEST {
        return Ok(vec![Batch { objects: objects.to_vec(), packed }]);
    }
    let (first, second) = objects.split_at(objects.len() / 2);
    if first.is_empty() {
        let message = format!(
            "{} is too large to be kept: it would take {} bytes of a Secret's 1 MiB",
            objects[0].id,
            packed.len()
        );
        return Err(StateFailure { message, transient: false });
    }
    let mut all = batches(first)?;
    all.extend(batches(second)?);
    Ok(all)
}

fn pack(objects: &[&Pruned]) -> serde_json::Result<Vec<u8>> {
    let stored = |o: &&Pruned| Stored {
        application: o.application.clone(),
        destination: o.destination.clone(),
        at: o.at.clone(),
        id: o.id.clone(),
        manifest: o.manifest.body().clone(),
    };
    Ok(packed::pack(&serde_json::to_vec(&objects.iter().map(stored).collect::<Vec<_>>())?))
}

/// Reads a Secret's objects. The reason never quotes them.
pub(super) fn unpack(secret: &Object) -> Result<Vec<Pruned>, String> {
    let found = secret.body().get("data").and_then(|data| data.get(ENTRY)).ok_or("it has no manifests")?;
    let stored: ByteString = serde_json::from_value(found.clone()).map_err(|_| "it is not base64")?;
    let text = packed::unpack(&stored.0).map_err(|error| format!("it cannot be decompressed: {error}"))?;
    let stored: Vec<Stored> = serde_json::from_slice(&text).map_err(|error| super::answer::place(&error))?;
    let pruned = stored.into_iter().map(|s| {
        let manifest = Object::new(s.manifest).map_err(|error| format!("{}: {error}", s.id))?;
        Ok(Pruned { application: s.application, destination: s.destination, at: s.at, id: s.id, manifest })
    });
    pruned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_split_and_comes_back() {
        let noise = |seed: u64| {
            let mut state = seed;
            let next = |state: &mut u64| {
                *state =
                    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + (*state >> 59) as u8 % 26)
            };
            (0..700_000).map(|_| next(&mut state)).collect::<String>()
        };
        let pruned: Vec<Pruned> = (0..4)
            .map(|n| {
                let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{n}"), "namespace": "a"}, "data": {"k": noise(n)}});
                let manifest = Object::new(body).unwrap();
                Pruned { application: "shop".into(), destination: "d".into(), at: "2026-01-01T00:00:00Z".into(), id: manifest.id(), manifest }
            })
            .collect();
        let batches = batches(&pruned.iter().collect::<Vec<_>>()).unwrap();
        assert!(batches.len() > 1 && batches.iter().all(|b| b.packed.len() <= LARGEST), "{}", batches.len());
        let mut names = Vec::new();
        for batch in batches {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {ENTRY: ByteString(batch.packed)}});
            names.extend(
                unpack(&Object::new(secret).unwrap())
                    .unwrap()
                    .into_iter()
                    .map(|p| p.manifest.name().to_owned()),
            );
        }
        assert_eq!(names, ["c0", "c1", "c2", "c3"]);
    }
}
