//! Records of migrations, as files. Their version is the digest of the file.

use super::files::{self, Folder};
use crate::model::plan::hex;
use crate::ports::{MigrationRecord, StateFailure, Stored};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub(super) const MIGRATIONS: &str = "migrations";

pub(super) fn load(folder: &Folder) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
    let mut records = BTreeMap::new();
    for file in folder.names(MIGRATIONS)? {
        let (Some(name), Some(text)) = (file.strip_suffix(".json"), folder.read(MIGRATIONS, &file)?) else {
            continue;
        };
        // Without it nothing could be taken back: it is not left out.
        let value = serde_json::from_slice(&text).map_err(|error| files::broken(&file, &error))?;
        records.insert(name.to_owned(), Stored { value, version: version(&text) });
    }
    Ok(records)
}

/// The caller sees to it that one process writes at a time.
pub(super) fn save(
    folder: &Folder,
    name: &str,
    record: Option<&MigrationRecord>,
    expected: Option<&str>,
) -> Result<String, StateFailure> {
    let file = format!("{name}.json");
    let found = folder.read(MIGRATIONS, &file)?.map(|text| version(&text));
    if found.as_deref() != expected {
        let message =
            format!("the record of migration {name} was changed by somebody else: it is read again");
        return Err(StateFailure { message, transient: true });
    }
    let Some(record) = record else {
        folder.remove(MIGRATIONS, &file)?;
        return Ok(String::new());
    };
    let text = serde_json::to_vec(record).map_err(|error| files::broken(&file, &error))?;
    folder.write(MIGRATIONS, &file, &text)?;
    Ok(version(&text))
}

fn version(text: &[u8]) -> String {
    hex(&Sha256::digest(text)[..16])
}
