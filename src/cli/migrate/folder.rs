//! Files of a dump, or of an assessment, on disk.

use crate::failure::{Failure, FailureKind};
use crate::migrate::dump::{Content, MANIFEST};
use std::path::Path;

/// Reads every file of a dump's folder.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read(folder: &Path) -> Result<Content, Failure> {
    if !folder.is_dir() {
        let words = format!("{} is no folder", folder.display());
        return Err(Failure::new(FailureKind::User, words)
            .hint("a dump is the folder that `portolan migrate dump` wrote"));
    }
    let mut content = Content::new();
    walk(folder, "", &mut content)?;
    Ok(content)
}

fn walk(folder: &Path, prefix: &str, content: &mut Content) -> Result<(), Failure> {
    let wrong = |path: &Path, error: std::io::Error| {
        Failure::new(FailureKind::Environment, format!("{}: {error}", path.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(folder, error))? {
        let entry = entry.map_err(|error| wrong(folder, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, key) = (entry.path(), format!("{prefix}{name}"));
        if entry.file_type().map_err(|error| wrong(&path, error))?.is_dir() {
            walk(&path, &format!("{key}/"), content)?;
        } else {
            content.insert(key, std::fs::read(&path).map_err(|error| wrong(&path, error))?);
        }
    }
    Ok(())
}

/// Writes files into a folder, which is made. A folder that has something else in it is refused: two dumps in one would
/// be none.
///
/// # Errors
/// The folder is taken, or cannot be written.
pub fn write_new(folder: &Path, content: &Content) -> Result<(), Failure> {
    let is_taken = folder.exists() && std::fs::read_dir(folder)?.next().is_some();
    if is_taken {
        let what = if folder.join(MANIFEST).is_file() { "has a dump in it" } else { "is not empty" };
        let words = format!("{} {what}", folder.display());
        return Err(Failure::new(FailureKind::User, words).hint("name another folder, or remove this one"));
    }
    // The manifest comes last: a folder without one is no dump, however the writing ended.
    let (manifest, others): (Vec<_>, Vec<_>) = content.iter().partition(|(path, _)| *path == MANIFEST);
    for (path, bytes) in others.into_iter().chain(manifest) {
        write(folder, path, bytes)?;
    }
    Ok(())
}

/// Writes one file below a folder, making the folders between.
///
/// # Errors
/// It cannot be written.
pub fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = folder.join(path);
    let wrong = |error: std::io::Error| {
        Failure::new(FailureKind::Environment, format!("{}: {error}", path.display()))
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(wrong)?;
    }
    std::fs::write(&path, bytes).map_err(wrong)
}

/// A document as people write it: what it is first, then the rest.
///
/// # Errors
/// Never for the values of this program; the type asks for it.
pub fn manifest(document: &serde_json::Value) -> Result<String, Failure> {
    const FIRST: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
    let Some(map) = document.as_object() else { return yaml(document) };
    let first = FIRST.iter().filter_map(|key| map.get_key_value(*key));
    let rest = map.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
    first.chain(rest).map(|(key, value)| yaml(&serde_json::json!({ key.as_str(): value }))).collect()
}

fn yaml(value: &serde_json::Value) -> Result<String, Failure> {
    crate::model::yaml::to_text(value)
        .map_err(|error| Failure::new(FailureKind::Environment, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::manifest;
    use serde_json::json;

    #[test]
    fn what_it_is_comes_first() {
        let text = manifest(
            &json!({"data": {"a": "1"}, "kind": "K", "apiVersion": "v1", "metadata": {"name": "one"}}),
        );
        assert_eq!(text.unwrap(), "apiVersion: v1\nkind: K\nmetadata:\n  name: one\ndata:\n  a: '1'\n");
    }
}
