//! Real input that nobody here wrote, where it lies beside the project. Tests never depend on it: without it they say so
//! and try the fixtures alone.

use portolan::model::yaml::{Document, Limits, read_stream};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder of the corpus; none where it is not there. `PORTOLAN_CORPUS` names another place for all of it.
pub fn corpus(folder: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let path = std::env::var_os("PORTOLAN_CORPUS").map_or_else(beside, PathBuf::from).join(folder);
    if !path.is_dir() {
        eprintln!("skipped: the corpus `{folder}` is not beside the project");
        return None;
    }
    Some(path)
}

/// Files and folders of a folder, sorted.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every file below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The documents of a file that can be read, lists taken apart.
pub fn documents(path: &Path) -> Vec<Value> {
    let documents = read_stream(&std::fs::read(path).unwrap(), &Limits::default());
    let mut found = Vec::new();
    for document in documents.into_iter().filter_map(Result::ok).map(Document::into_value) {
        match document.get("items").and_then(Value::as_array) {
            Some(items) => found.extend(items.iter().cloned()),
            None => found.push(document),
        }
    }
    found
}

/// Every object of the manifests below a folder, with the file that has it.
pub fn objects(folder: &Path) -> Vec<(String, Value)> {
    let is_manifest = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
    };
    let mut found = Vec::new();
    for path in files(folder).into_iter().filter(is_manifest) {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let objects = documents(&path).into_iter().filter(|object| object["kind"].is_string());
        found.extend(objects.map(|object| (name.clone(), object)));
    }
    found
}
