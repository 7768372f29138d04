//! What a kustomization refers to: which folders of the repository a build reads, and that it reads nothing else.
//!
//! kustomize fetches whatever looks like an address, so every reference is looked up in the repository first and a
//! build with one that is not there is refused before it starts. Fields as in `sigs.k8s.io/kustomize/api/types`.

use super::path;
use super::select::KUSTOMIZATION_FILES;
use super::source::{Folder, tree_id};
use crate::model::yaml::{Limits, read_stream};
use crate::ports::renderer::{RenderFailure, RenderRequest};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Folders deep: kustomize itself only stops at cycles.
const MOST_FOLDERS: usize = 500;

/// The folders of a build.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// Folders with their tree ids, none inside another.
    pub trees: Vec<(String, String)>,
    /// References that are no folder, and so have to be files: where they stand, as written, and the path meant.
    pub files: Vec<Reference>,
}

/// A reference to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The kustomization file.
    pub origin: String,
    /// As written.
    pub written: String,
    /// The path in the repository.
    pub target: String,
}

impl Reference {
    /// Says that the file is not there.
    pub fn missing(&self) -> RenderFailure {
        let message =
            format!("`{}` is neither a file nor a folder of the repository; {}", self.written, NOT_FETCHED);
        RenderFailure { origin: self.origin.clone(), message }
    }
}

const NOT_FETCHED: &str = "remote resources are not fetched: copy them into the repository";

/// Follows all references from the kustomization in a folder.
pub(super) async fn closure(request: &RenderRequest, root: &str) -> Result<Closure, RenderFailure> {
    let mut reader = Reader { request, texts: BTreeMap::new(), read: BTreeSet::new() };
    let mut found = Closure::default();
    let mut trees = BTreeMap::new();
    let mut open = vec![(root.to_owned(), root.to_owned())];
    while let Some((folder, origin)) = open.pop() {
        if trees.contains_key(&folder) {
            continue;
        }
        if trees.len() >= MOST_FOLDERS {
            let message = format!("it leads to more than {MOST_FOLDERS} folders; split the application");
            return Err(RenderFailure { origin: root.into(), message });
        }
        let Some(tree) = tree_id(request, &folder, &origin).await? else {
            return Err(RenderFailure {
                origin,
                message: format!("the folder `{folder}` does not exist at this commit"),
            });
        };
        trees.insert(folder.clone(), tree);
        let Some((file, text)) = reader.kustomization(&folder).await? else {
            continue;
        };
        let references = references(&file, &text)?;
        for reference in references {
            let Some(target) = path::resolve(&folder, &reference) else {
                let message = format!("`{reference}` leads out of the repository; {NOT_FETCHED}");
                return Err(RenderFailure { origin: file, message });
            };
            let exists = tree_id(request, &target, &file).await?.is_some();
            if exists {
                open.push((target, file.clone()));
            } else {
                found.files.push(Reference { origin: file.clone(), written: reference, target });
            }
        }
    }
    for folder in path::outermost(trees.keys().cloned()) {
        if let Some(tree) = trees.remove(&folder) {
            found.trees.push((folder, tree));
        }
    }
    Ok(found)
}

/// Reads kustomization files, each folder of the repository once.
struct Reader<'a> {
    request: &'a RenderRequest,
    texts: BTreeMap<String, Arc<[u8]>>,
    read: BTreeSet<String>,
}

impl Reader<'_> {
    /// The kustomization file of a folder; `None` where there is none, which kustomize will say better than we could.
    async fn kustomization(&mut self, folder: &str) -> Result<Option<(String, Arc<[u8]>)>, RenderFailure> {
        // Reading a folder gives the kustomizations below it as well: an overlay inside its base costs nothing more.
        if !self.read.iter().any(|known| path::is_within(folder, known)) {
            let found = Folder::read(self.request, folder, &KUSTOMIZATION_FILES).await?;
            let files = found.files.into_iter();
            self.texts.extend(files.map(|file| (path::join(folder, &file.path), file.content)));
            self.read.insert(folder.to_owned());
        }
        let files = KUSTOMIZATION_FILES.iter().map(|name| path::join(folder, name));
        Ok(files
            .into_iter()
            .find_map(|file| self.texts.get(&file).map(|text| (file.clone(), Arc::clone(text)))))
    }
}

/// The references of one kustomization file that can be folders or addresses. Everything that kustomize would fetch
/// or start is refused here.
fn references(file: &str, text: &[u8]) -> Result<Vec<String>, RenderFailure> {
    let failure = |message: String| RenderFailure { origin: file.into(), message };
    let mut kustomization = Value::Null;
    for document in read_stream(text, &Limits::default()) {
        match document {
            Ok(document) if kustomization.is_null() => kustomization = document.into_value(),
            Ok(document) => {
                return Err(failure(format!(
                    "line {}: a kustomization is a single document",
                    document.line()
                )));
            }
            Err(error) => {
                return Err(RenderFailure {
                    origin: format!("{file}:{}:{}", error.line, error.column),
                    message: error.message,
                });
            }
        }
    }
    for field in ["helmCharts", "helmChartInflationGenerator"] {
        if kustomization.get(field).is_some_and(|value| !value.is_null()) {
            return Err(failure(format!("`{field}` is not run; make the chart an application of its own")));
        }
    }
    for text in files_read(&kustomization) {
        if text.contains("://") {
            return Err(failure(format!("`{text}` is on another server; {NOT_FETCHED}")));
        }
    }
    let mut found = Vec::new();
    for field in [
        "resources",
        "bases",
        "components",
        "crds",
        "configurations",
        "generators",
        "transformers",
        "validators",
    ] {
        for entry in strings(kustomization.get(field)) {
            // Generators, transformers and validators may stand in the file itself.
            if entry.contains('\n') {
                continue;
            }
            if is_address(entry) {
                return Err(failure(format!("`{entry}` is on another server; {NOT_FETCHED}")));
            }
            found.push(entry.to_owned());
        }
    }
    Ok(found)
}

/// Whether a reference can only be an address (kustomize's `api/internal/git`, `RepoSpec`). Shorter forms, such as
/// `github.com/…`, may be folders as well; where they are none, they are missing.
fn is_address(reference: &str) -> bool {
    let host = reference.split('/').next().unwrap_or_default();
    reference.contains("://")
        || reference.contains("?ref=")
        || reference.starts_with("git::")
        || host.contains('@')
}

/// References that are files only; kustomize loads addresses through these, too.
fn files_read(kustomization: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    found
        .extend(kustomization.get("openapi").and_then(|openapi| openapi.get("path")).and_then(Value::as_str));
    found.extend(strings(kustomization.get("patchesStrategicMerge")).filter(|entry| !entry.contains('\n')));
    for field in ["patches", "patchesJson6902", "replacements"] {
        found.extend(items(kustomization.get(field)).filter_map(|entry| entry.get("path")?.as_str()));
    }
    for field in ["configMapGenerator", "secretGenerator"] {
        for entry in items(kustomization.get(field)) {
            found.extend(
                strings(entry.get("files")).map(|file| file.split_once('=').map_or(file, |(_, path)| path)),
            );
            found.extend(strings(entry.get("envs")));
            found.extend(entry.get("env").and_then(Value::as_str));
        }
    }
    found
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    items(list).filter_map(Value::as_str)
}
