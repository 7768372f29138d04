//! Where the journal is kept: in the daemon's own state until something of the migration stands on the target, then on
//! the target, by compare-and-swap. Of two the one with the larger sequence is in force: it is written in the new place
//! before it is taken away in the old one.

use super::kept::Mover;
use super::packed::{packed, unpacked};
use super::sights::{Side, served_kind};
use crate::migrate::stages::port::MADE_BY;
use crate::model::migration_journal::Journal;
use crate::model::{Object, Propagation, ResourceId};
use crate::ports::{ApiFailure, ApiFailureKind, DeleteRequest, ServedKind};
use serde_json::{Value, json};

const PREFIX: &str = "portolan-migration-";
const ENTRY: &str = "journal";

/// The journal's Secret on the target.
struct Place<'a> {
    side: &'a Side<'a>,
    secret: &'a ServedKind,
    namespace: &'a ServedKind,
    id: ResourceId,
    migration: &'a str,
}

impl<'a> Place<'a> {
    fn of(mover: &'a Mover, side: &'a Side<'a>) -> Option<Self> {
        let (secret, namespace) =
            (served_kind(side, "", "v1", "Secret")?, served_kind(side, "", "v1", "Namespace")?);
        let id = ResourceId::new("", "Secret", &mover.context.namespace, &format!("{PREFIX}{}", mover.name));
        Some(Self { side, secret, namespace, id, migration: &mover.name })
    }

    fn namespace_id(&self) -> ResourceId {
        ResourceId::new("", "Namespace", "", self.id.namespace.as_deref().unwrap_or_default())
    }

    async fn read(&self) -> Result<Option<(Journal, String)>, String> {
        let found =
            self.side.cluster.get(self.secret, &self.id).await.map_err(|failure| failure.to_string())?;
        let Some(object) = found else { return Ok(None) };
        let text = object.body().get("data").and_then(|data| data.get(ENTRY)).and_then(Value::as_str);
        let journal = text.and_then(unpacked).ok_or_else(|| {
            format!("the Secret {} on the target holds no journal that can be read: restore it", self.id.name)
        })?;
        Ok(Some((journal, object.resource_version().unwrap_or_default().to_owned())))
    }

    /// Writes what [`packed`] made.
    async fn write(&self, journal: &str, expected: Option<&str>) -> Result<String, ApiFailure> {
        let data = json!({ ENTRY: journal });
        let written = match expected {
            Some(version) => {
                let patch = json!([
                    {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                    {"op": "replace", "path": "/data", "value": data},
                ]);
                self.side.cluster.json_patch(self.secret, &self.id, &patch, None).await
            }
            None => {
                let metadata = json!({"name": self.id.name, "namespace": self.id.namespace});
                let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
                match self.side.cluster.create(self.secret, &body, None).await {
                    Err(failure) if failure.kind == ApiFailureKind::NotFound => {
                        self.make_namespace().await?;
                        self.side.cluster.create(self.secret, &body, None).await
                    }
                    other => other,
                }
            }
        };
        written.map(|object: Object| object.resource_version().unwrap_or_default().to_owned())
    }

    async fn make_namespace(&self) -> Result<(), ApiFailure> {
        let name = &self.namespace_id().name;
        let body = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "annotations": {MADE_BY: self.migration}},
        });
        match self.side.cluster.create(self.namespace, &body, None).await {
            Err(failure) if failure.kind != ApiFailureKind::AlreadyExists => Err(failure),
            _ => Ok(()),
        }
    }

    /// Takes it away, and its namespace where the migration made it.
    async fn remove(&self) -> Result<(), ApiFailure> {
        self.delete(self.secret, &self.id, "").await?;
        if let Some(namespace) = self.own_namespace().await? {
            self.delete(self.namespace, &self.namespace_id(), namespace.uid().unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// The namespace, where the migration made it and it is not going already.
    async fn own_namespace(&self) -> Result<Option<Object>, ApiFailure> {
        let found = self.side.cluster.get(self.namespace, &self.namespace_id()).await?;
        Ok(found.filter(|namespace| {
            namespace.annotation(MADE_BY) == Some(self.migration) && !namespace.is_terminating()
        }))
    }

    async fn delete(&self, kind: &ServedKind, id: &ResourceId, uid: &str) -> Result<(), ApiFailure> {
        let request = DeleteRequest {
            kind: kind.clone(),
            id: id.clone(),
            uid: uid.into(),
            resource_version: String::new(),
            propagation: Propagation::Background,
            impersonate: None,
            dry_run: false,
        };
        self.side.cluster.delete(&request).await
    }
}

/// Reads the journal, where it was not read since the start or since somebody else wrote it.
///
/// # Errors
/// It cannot be read, or is on a target that cannot be reached.
pub(super) async fn load(mover: &Mover, target: Option<&Side<'_>>) -> Result<Journal, String> {
    if !mover.state().loaded {
        let stored = mover.context.store.migrations().await.map_err(|failure| failure.to_string())?;
        let mut state = mover.state();
        state.stored = stored.get(&*mover.name).cloned();
        state.loaded = true;
        state.journal = None;
    }
    if let Some(journal) = mover.state().journal.clone() {
        return Ok(journal);
    }
    let stored = mover.state().stored.clone().map(|stored| stored.value);
    let own = stored.as_ref().and_then(|record| record.journal.clone());
    let mut left_on_target = false;
    let there = match target.and_then(|side| Place::of(mover, side)) {
        Some(place) => {
            let there = place.read().await?;
            // A daemon that ended between the two leaves the namespace without the journal.
            left_on_target = there.is_some()
                || place.own_namespace().await.map_err(|failure| failure.to_string())?.is_some();
            there
        }
        None => {
            // A record without a journal gave it to the target.
            if let (Some(record), None) = (&stored, &own)
                && !record.parts.is_empty()
            {
                return Err("the journal is on the target, which cannot be reached".into());
            }
            None
        }
    };
    let version = there.as_ref().map(|(_, version)| version.clone());
    let journal = match (own, there) {
        (Some(own), Some((there, _))) if own.sequence > there.sequence => own,
        (_, Some((there, _))) => there,
        (Some(own), None) => own,
        (None, None) => Journal::default(),
    };
    let mut state = mover.state();
    state.on_target = version;
    state.left_on_target = left_on_target;
    state.journal = Some(journal.clone());
    Ok(journal)
}

/// Stores the journal where it belongs. Gives what the daemon's own record has to hold of it.
///
/// # Errors
/// It is not stored: nothing may be changed.
pub(super) async fn save(
    mover: &Mover,
    target: Option<&Side<'_>>,
    journal: &Journal,
) -> Result<Option<Journal>, String> {
    let place = target.and_then(|side| Place::of(mover, side));
    if !journal.is_on_target() {
        mover.state().journal = Some(journal.clone());
        return Ok(Some(journal.clone()));
    }
    let Some(place) = place else {
        return Err("the journal belongs on the target, which cannot be reached".into());
    };
    let (before, expected) = {
        let state = mover.state();
        (state.journal.clone(), state.on_target.clone())
    };
    if before.as_ref() == Some(journal) && expected.is_some() {
        return Ok(None);
    }
    let text = packed(journal).map_err(|error| error.to_string())?;
    mover.state().left_on_target = true;
    match place.write(&text, expected.as_deref()).await {
        Ok(version) => {
            let mut state = mover.state();
            state.on_target = Some(version);
            state.journal = Some(journal.clone());
            Ok(None)
        }
        Err(failure) => {
            // Who wrote it, or whether we did, is found out by reading.
            mover.state().journal = None;
            Err(format!("the journal cannot be stored on the target: {failure}"))
        }
    }
}

/// Takes the journal away from the target once the daemon's own record holds it.
pub(super) async fn tidy(mover: &Mover, target: Option<&Side<'_>>, journal: &Journal) -> Result<(), String> {
    if journal.is_on_target() || !mover.state().left_on_target {
        return Ok(());
    }
    let Some(place) = target.and_then(|side| Place::of(mover, side)) else { return Ok(()) };
    place.remove().await.map_err(|failure| failure.to_string())?;
    let mut state = mover.state();
    (state.on_target, state.left_on_target) = (None, false);
    Ok(())
}
