//! Records of migrations: a Secret each, `portolan-migration-NAME`, written by compare-and-swap on its
//! resourceVersion. A Secret, because the journal tells what a cluster looked like; compressed, because it tells of
//! thousands of objects what is waited for.

use super::read::{self, Selection};
use super::store::Place;
use super::{kinds, write};
use crate::model::Object;
use crate::model::packed::{LARGEST, is_packed, pack, unpack};
use crate::ports::{ApiFailureKind, MigrationRecord, StateFailure, Stored};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LABEL: &str = "portolan.dev/state";
const WHAT: &str = "migrations";
const ENTRY: &str = "record";
const PREFIX: &str = "portolan-migration-";

pub(super) async fn load(place: &Place) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
    let which = Selection::labels(Some(&place.namespace), &format!("{LABEL}={WHAT}"));
    let found = read::list(&place.wire, &kinds::secret(), &which).await;
    let found =
        found.map_err(|failure| place.failed("the records of migrations cannot be read", &failure))?;
    let mut records = BTreeMap::new();
    for object in &found {
        let Some(name) = object.name().strip_prefix(PREFIX) else { continue };
        // Without it nothing could be taken back: it is not left out.
        let value = record(object).ok_or_else(|| StateFailure {
            message: format!("the Secret {} of a migration cannot be read: restore it", object.name()),
            transient: false,
        })?;
        let version = object.resource_version().unwrap_or_default().to_owned();
        records.insert(name.to_owned(), Stored { value, version });
    }
    Ok(records)
}

pub(super) async fn save(
    place: &Place,
    name: &str,
    record: Option<&MigrationRecord>,
    expected: Option<&str>,
) -> Result<String, StateFailure> {
    let id = place.id("Secret", &format!("{PREFIX}{name}"));
    let kind = kinds::secret();
    let failed = |failure| place.failed(&format!("the Secret {} cannot be written", id.name), &failure);
    let Some(record) = record else {
        write::delete_record(&place.wire, &kind, &id).await.map_err(failed)?;
        return Ok(String::new());
    };
    let data = json!({ ENTRY: encoded(name, record)? });
    let written = match expected {
        Some(version) => {
            let patch = json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "replace", "path": "/data", "value": data},
            ]);
            write::json_patch(&place.wire, &kind, &id, &patch, None).await
        }
        None => {
            let body = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": id.name, "namespace": place.namespace, "labels": { LABEL: WHAT } },
                "data": data,
            });
            write::create(&place.wire, &kind, &body, None).await
        }
    };
    match written {
        Ok(object) => Ok(object.resource_version().unwrap_or_default().to_owned()),
        Err(failure) if matches!(failure.kind, ApiFailureKind::AlreadyExists | ApiFailureKind::Conflict) => {
            let message =
                format!("the record of migration {name} was changed by somebody else: it is read again");
            Err(StateFailure { message, transient: true })
        }
        Err(failure) => Err(failed(failure)),
    }
}

fn record(object: &Object) -> Option<MigrationRecord> {
    let text = object.body().get("data").and_then(|data| data.get(ENTRY)).and_then(Value::as_str)?;
    let bytes = STANDARD.decode(text).ok()?;
    // Records of the first versions were not compressed.
    let text = if is_packed(&bytes) { unpack(&bytes).ok()? } else { bytes };
    serde_json::from_slice(&text).ok()
}

fn encoded(name: &str, record: &MigrationRecord) -> Result<String, StateFailure> {
    let failed = |reason: String| StateFailure {
        message: format!("the record of migration {name} cannot be written: {reason}"),
        transient: false,
    };
    let text = serde_json::to_vec(record).map_err(|error| failed(error.to_string()))?;
    let packed = pack(&text);
    if packed.len() > LARGEST {
        let reason = format!(
            "it takes {} KiB, and a Secret holds {}: move fewer namespaces with one Migration document",
            packed.len() >> 10,
            LARGEST >> 10
        );
        return Err(failed(reason));
    }
    Ok(STANDARD.encode(packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_secret() {
        let mut before = MigrationRecord::new("shop");
        let secret = |text: String| {
            let metadata = json!({"name": "portolan-migration-shop"});
            let data = json!({ ENTRY: text });
            Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}))
                .unwrap()
        };
        let plain = STANDARD.encode(serde_json::to_vec(&before).unwrap());
        assert_eq!(record(&secret(plain)), Some(before.clone()), "as the first versions stored it");
        // What waits for an approval is told object by object.
        let objects =
            (0..10_000).map(|n| format!("Deployment.apps team-{n}/service-{n} is given to its Application"));
        let (digest, reason) = ("0".repeat(32), String::new());
        before.waiting = Some(crate::ports::Waiting { digest, reason, objects: objects.collect() });
        let text = encoded("shop", &before).unwrap();
        assert!(text.len() < LARGEST / 4, "{} KiB", text.len() >> 10);
        assert_eq!(record(&secret(text)), Some(before));
    }
}
