//! A dump's files from an inventory, and an inventory from a dump's files.

use super::format::{
    API, AWS, FILES, FORMAT, FileEntry, Head, MANIFEST, Manifest, OBJECTS, Origin, SECRET_CALLS, STORE,
};
use super::inventory::Inventory;
use super::kops_files::KopsFiles;
use crate::migrate::decommission::Read;
use crate::model::Object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Files by their path in the dump's folder.
pub type Content = BTreeMap<String, Vec<u8>>;

/// What stands for the values of Secrets, as the manifest says it.
const SECRETS: &str = "values of Secrets and private keys are keyed digests (HMAC-SHA256); the key was the run's and is kept nowhere. \
                       ConfigMaps, environment variables and specs are as they were";

/// Why a dump cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is no manifest.
    #[error("there is no {MANIFEST}: this is no dump of `portolan migrate dump`, or it is not whole")]
    NoManifest,
    /// It was written in another form.
    #[error(
        "the dump has the form `{found}` (written by {tool}), and this program reads `{FORMAT}`: read it with the program that wrote it, \
         or dump again with this one"
    )]
    Format {
        /// The form.
        found: String,
        /// Who wrote it.
        tool: String,
    },
    /// A file does not say what its place asks for.
    #[error("{path}{}: {why}; dump again", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    File {
        /// The file.
        path: String,
        /// Its line, where one is wrong.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// A file that the manifest names is missing.
    #[error("{0} is missing, which the manifest names: the dump is not whole")]
    Missing(String),
    /// A file has other content than when it was written.
    #[error("{0} was changed after the dump was written: its digest is another one than the manifest has")]
    Changed(String),
}

/// The files of a dump. `tool` is the program with its version, `read_at` when the inventory was read, as RFC 3339.
#[must_use]
pub fn write(inventory: &Inventory, tool: &str, read_at: &str) -> Content {
    let mut content = Content::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    let mut manifest = Manifest {
        format: FORMAT.into(),
        tool: tool.into(),
        read_at: read_at.into(),
        cluster: inventory.kops().ok().map(|kops| kops.cluster.name),
        api_server: inventory.api.as_ref().map(|api| api.version.clone()),
        region: inventory.region.clone(),
        secrets: SECRETS.into(),
        unread: inventory.unread.clone(),
        ..Manifest::default()
    };
    let mut kops = |files: &KopsFiles, folder: &str| {
        for (key, text) in &files.texts {
            content.insert(format!("{folder}{}", encoded(key)), text.clone().into_bytes());
        }
        Origin { place: files.place.clone(), asked_for: files.cluster.clone(), seen: files.seen.clone() }
    };
    manifest.store = inventory.store.as_ref().map(|store| kops(store, STORE));
    manifest.files_of_specs = inventory.files.as_ref().map(|files| kops(files, FILES));
    if let Some(api) = &inventory.api {
        content.insert(API.into(), pretty(api));
    }
    let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut add = |path: String, row: &Value| {
        let file = lines.entry(path.clone()).or_default();
        file.extend(row.to_string().into_bytes());
        file.push(b'\n');
        *rows.entry(path).or_default() += 1;
    };
    for object in &inventory.objects {
        add(format!("{OBJECTS}{}.jsonl", encoded(&object.gvk().group_kind().to_string())), object.body());
    }
    for call in &inventory.secret_calls {
        add(SECRET_CALLS.into(), &value(call));
    }
    for read in &inventory.aws.reads {
        add(format!("{AWS}{}.jsonl", encoded(&read.service)), &value(read));
    }
    content.extend(lines);
    manifest.files = content
        .iter()
        .map(|(path, bytes)| {
            (path.clone(), FileEntry { sha256: digest(bytes), rows: rows.get(path).copied() })
        })
        .collect();
    content.insert(MANIFEST.into(), pretty(&manifest));
    content
}

/// Reads a dump. Files that the manifest does not name are none of it.
///
/// # Errors
/// [`Malformed`]: another form, a file that is missing, changed, or says something else than its place asks for.
pub fn read(content: &Content) -> Result<(Manifest, Inventory), Malformed> {
    let text = content.get(MANIFEST).ok_or(Malformed::NoManifest)?;
    let head: Head = json(MANIFEST, None, text)?;
    if head.format != FORMAT {
        let tool = if head.tool.is_empty() { "another program".into() } else { head.tool };
        return Err(Malformed::Format { found: head.format, tool });
    }
    let manifest: Manifest = json(MANIFEST, None, text)?;
    let mut inventory = Inventory {
        region: manifest.region.clone(),
        unread: manifest.unread.clone(),
        ..Inventory::default()
    };
    inventory.store = manifest.store.as_ref().map(|origin| kops_files(origin, true));
    inventory.files = manifest.files_of_specs.as_ref().map(|origin| kops_files(origin, false));
    for (path, entry) in &manifest.files {
        let bytes = content.get(path).ok_or_else(|| Malformed::Missing(path.clone()))?;
        if digest(bytes) != entry.sha256 {
            return Err(Malformed::Changed(path.clone()));
        }
        take(&mut inventory, path, bytes)?;
    }
    inventory.settle();
    Ok((manifest, inventory))
}

fn kops_files(origin: &Origin, is_store: bool) -> KopsFiles {
    let Origin { place, asked_for, seen } = origin.clone();
    KopsFiles { place, is_store, cluster: asked_for, texts: BTreeMap::new(), seen }
}

fn take(inventory: &mut Inventory, path: &str, bytes: &[u8]) -> Result<(), Malformed> {
    let wrong = |line, why: String| Malformed::File { path: path.to_owned(), line, why };
    let kops = [(STORE, &mut inventory.store), (FILES, &mut inventory.files)];
    for (folder, files) in kops {
        if let (Some(key), Some(files)) = (path.strip_prefix(folder), files) {
            let text = std::str::from_utf8(bytes).map_err(|error| wrong(None, error.to_string()))?;
            files
                .texts
                .insert(decoded(key).ok_or_else(|| wrong(None, "no such key".into()))?, text.to_owned());
            return Ok(());
        }
    }
    if path == API {
        inventory.api = Some(json(path, None, bytes)?);
    } else if path.starts_with(OBJECTS) {
        for (line, row) in rows(bytes) {
            let body: Value = json(path, Some(line), row)?;
            let object = Object::new(body).map_err(|error| wrong(Some(line), error.to_string()))?;
            inventory.objects.push(object);
        }
    } else if path == SECRET_CALLS {
        for (line, row) in rows(bytes) {
            inventory.secret_calls.insert(json(path, Some(line), row)?);
        }
    } else if path.starts_with(AWS) {
        for (line, row) in rows(bytes) {
            inventory.aws.reads.push(json::<Read>(path, Some(line), row)?);
        }
    } else {
        return Err(wrong(None, "a dump of this form has no such file".into()));
    }
    Ok(())
}

/// Lines with their numbers, from 1.
fn rows(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(|(at, line)| (at + 1, line))
}

fn json<T: DeserializeOwned>(path: &str, line: Option<usize>, bytes: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Places within a line that is one of many say nothing; the words name fields and never values.
        Malformed::File {
            path: path.to_owned(),
            line,
            why: format!("it is no valid JSON of this form: {error}"),
        }
    })
}

fn value<T: Serialize>(of: &T) -> Value {
    serde_json::to_value(of).expect("data of plain structures is always JSON")
}

fn pretty<T: Serialize>(of: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(of).expect("data of plain structures is always JSON");
    text.push(b'\n');
    text
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key as a path that stays in its folder on every system: what is not plain is written as `%XX`.
fn encoded(key: &str) -> String {
    let parts = key.split('/').map(|part| {
        if matches!(part, "" | "." | "..") {
            return part.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>() + "%";
        }
        let plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '+' | '@' | ',');
        let mut text = String::new();
        for c in part.chars() {
            if plain(c) {
                text.push(c);
            } else {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    text.push_str(&format!("%{byte:02X}"));
                }
            }
        }
        text
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The key of a path; `None` where no key is written so.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        // A lone sign ends a part that would lead out of its folder.
        if matches!(rest.peek(), None | Some(b'/')) {
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    let key = String::from_utf8(bytes).ok()?;
    (encoded(&key) == path).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_folder_and_come_back() {
        for (key, path) in [
            ("a.example.com/config", "a.example.com/config"),
            ("a/addons/x y:z.yaml", "a/addons/x%20y%3Az.yaml"),
            ("../../etc/passwd", "%2E%2E%/%2E%2E%/etc/passwd"),
            ("/a//ü%", "%/a/%/%C3%BC%25"),
            ("a\\b", "a%5Cb"),
        ] {
            assert_eq!(encoded(key), path);
            assert_eq!(decoded(path).as_deref(), Some(key));
        }
        assert_eq!(decoded("a/../b"), None);
        assert_eq!(decoded("a/%zz"), None);
    }
}
