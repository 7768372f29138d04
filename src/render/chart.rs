//! What a Helm chart needs beside its own folder, and whether all of it is in the repository.

use super::path;
use super::select::CHART_FILE;
use super::source::{Folder, failure, tree_id};
use crate::model::yaml::{Limits, read_stream};
use crate::model::{HelmSpec, SourceFile};
use crate::ports::renderer::{RenderFailure, RenderRequest};
use serde_json::Value;
use std::sync::Arc;

/// Where charts of API version 1 name their dependencies.
const REQUIREMENTS_FILE: &str = "requirements.yaml";
/// What `helm dependency` pins versions in.
const LOCK_FILES: [&str; 2] = ["Chart.lock", "requirements.lock"];
/// Charts in charts in charts.
const DEEPEST: usize = 16;
/// Copies of charts of the repository in one chart: two that each name the next two make thousands of them, a dozen deep.
const MOST_COPIES: usize = 500;

/// All that a chart's rendering reads from the repository.
#[derive(Debug)]
pub(super) struct ChartInputs {
    /// The chart's folder.
    pub folder: String,
    /// Its tree id.
    pub tree: String,
    /// Value files in the order of their strength, weakest first.
    pub values: Vec<ValueFile>,
    /// Dependencies that are folders of the repository (`repository: file://../common`).
    pub local: Vec<LocalDependency>,
}

/// A value file.
#[derive(Debug)]
pub(super) struct ValueFile {
    /// The path in the repository.
    pub path: String,
    /// Its content.
    pub content: Arc<[u8]>,
}

/// A dependency that is copied into `charts/` before rendering, as `helm dependency build` does.
#[derive(Debug)]
pub(super) struct LocalDependency {
    /// Where it goes, as a path from the chart: `charts/common`.
    pub below: String,
    /// Where it is.
    pub folder: String,
    /// Its tree id.
    pub tree: String,
}

/// An entry of `dependencies`.
#[derive(Clone, Debug, Default)]
struct Dependency {
    name: String,
    repository: String,
}

/// Gathers what is needed to know the rendering's key, which is little: no template is read.
pub(super) async fn inputs(
    request: &RenderRequest,
    folder: &str,
    tree: String,
    settings: &HelmSpec,
) -> Result<ChartInputs, RenderFailure> {
    let mut inputs = ChartInputs { folder: folder.into(), tree, values: Vec::new(), local: Vec::new() };
    for written in &settings.value_files {
        inputs.values.push(value_file(request, folder, written).await?);
    }
    // Chart folder, where it goes below the application's chart, and how deep that is.
    let mut open = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((source, below, depth)) = open.pop() {
        let files = Folder::read(request, &source, &[CHART_FILE, REQUIREMENTS_FILE]).await?.files;
        let origin = path::join(&source, CHART_FILE);
        for Dependency { name, repository } in dependencies(&files, &source)? {
            let Some(reference) = repository.strip_prefix("file://") else {
                continue;
            };
            if is_vendored(&files, &name) {
                continue;
            }
            let lost = || {
                failure(&origin, format!("dependency {name}: `{repository}` is no folder of the repository"))
            };
            let folder = path::resolve(&source, reference).ok_or_else(lost)?;
            let tree = tree_id(request, &folder, &origin).await?.ok_or_else(lost)?;
            if depth >= DEEPEST {
                return Err(failure(
                    &origin,
                    format!("dependency {name}: charts depend on one another in a circle"),
                ));
            }
            if inputs.local.len() >= MOST_COPIES {
                let message = format!(
                    "with the charts that its dependencies depend on it takes more than {MOST_COPIES} copies of charts: \
                     name those that several need in one place"
                );
                return Err(failure(&path::join(&inputs.folder, CHART_FILE), message));
            }
            let below = path::join(&below, &format!("charts/{name}"));
            open.push((folder.clone(), below.clone(), depth + 1));
            inputs.local.push(LocalDependency { below, folder, tree });
        }
    }
    Ok(inputs)
}

/// A value file by its path from the chart; a leading `/` means the repository's root, as in Argo CD.
async fn value_file(
    request: &RenderRequest,
    folder: &str,
    written: &str,
) -> Result<ValueFile, RenderFailure> {
    let failure = |message: String| failure("spec.source.helm.valueFiles", message);
    if written.contains("://") {
        return Err(failure(format!("`{written}` is on another server; copy it into the repository")));
    }
    let found = match written.strip_prefix('/') {
        Some(from_root) => path::resolve("", from_root),
        None => path::resolve(folder, written),
    };
    let Some(path) = found.filter(|path| !path.is_empty()) else {
        return Err(failure(format!("`{written}` leads out of the repository")));
    };
    // Only this one: beside a file at the root lies the whole repository.
    let read = request.repository.file(&request.commit, &path).await;
    let read = read.map_err(|error| failure(error.to_string()))?;
    if let Some(file) = read.files.into_iter().next() {
        return Ok(ValueFile { path, content: file.content });
    }
    Err(failure(match read.refused.into_iter().next() {
        Some(refused) => format!("`{written}`: {}", refused.reason),
        None => format!("`{written}` does not exist: there is no {path} in the repository"),
    }))
}

/// Looks whether all dependencies of a chart are in `charts/`, the way `helm template` will.
///
/// Returns what a person should know although it renders.
pub(super) fn check_dependencies(
    files: &[SourceFile],
    folder: &str,
) -> Result<Vec<RenderFailure>, RenderFailure> {
    let declared = dependencies(files, folder)?;
    let missing = declared.iter().filter(|dependency| !is_vendored(files, &dependency.name));
    let missing: Vec<String> = missing
        .map(|Dependency { name, repository }| match repository.as_str() {
            "" => name.clone(),
            repository => format!("{name} (from {repository})"),
        })
        .collect();
    if missing.is_empty() {
        return Ok(lock_warnings(files, folder, &declared));
    }
    let message = format!(
        "it depends on charts that are not in its folder: {}. Charts are not fetched: run `helm dependency build` \
         and commit `charts/` (`git add --force`, where a `.gitignore` leaves it out)",
        missing.join(", ")
    );
    Err(failure(&path::join(folder, CHART_FILE), message))
}

/// Says where `Chart.lock` and the vendored charts disagree: Helm takes what is in `charts/` without a word.
fn lock_warnings(files: &[SourceFile], folder: &str, declared: &[Dependency]) -> Vec<RenderFailure> {
    let Some(lock) = files.iter().find(|file| LOCK_FILES.contains(&file.path.as_str())) else {
        return Vec::new();
    };
    let origin = path::join(folder, &lock.path);
    let Ok(content) = document(&lock.content, &origin) else {
        return vec![failure(&origin, "it cannot be read; run `helm dependency update`")];
    };
    let locked = |name: &str| entries(&content).find(|entry| text(entry, "name") == name);
    let warning = |Dependency { name, repository }: &Dependency| {
        let Some(entry) = locked(name) else {
            return Some(format!("it does not name {name}; run `helm dependency update`"));
        };
        let version = text(entry, "version");
        let agrees = repository.starts_with("file://") || vendored_versions(files, name).contains(&version);
        (!agrees).then(|| {
            format!("it names {name} {version}, `charts/` holds another version; run `helm dependency build`")
        })
    };
    declared.iter().filter_map(warning).map(|message| failure(&origin, message)).collect()
}

/// Whether `charts/` holds a chart of this name, as a folder or an archive.
fn is_vendored(files: &[SourceFile], name: &str) -> bool {
    !vendored_versions(files, name).is_empty()
}

/// The versions of a chart in `charts/`. Those of archives are read off their names, as Helm writes them.
fn vendored_versions(files: &[SourceFile], name: &str) -> Vec<String> {
    let version = |file: &SourceFile| {
        let below = file.path.strip_prefix("charts/")?;
        if let Some(archive) = below.strip_suffix(".tgz") {
            let version = archive.strip_prefix(name)?.strip_prefix('-')?;
            // Another chart's name may begin like this one's: `redis` and `redis-cluster`.
            let is_version = version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
            return is_version.then(|| version.to_owned());
        }
        let folder = below.strip_suffix(CHART_FILE)?.strip_suffix('/')?;
        let chart = document(&file.content, &file.path).ok().filter(|_| !folder.contains('/'))?;
        (text(&chart, "name") == name).then(|| text(&chart, "version"))
    };
    files.iter().filter_map(version).collect()
}

/// The dependencies that a chart declares, in `Chart.yaml` or in the older `requirements.yaml`.
fn dependencies(files: &[SourceFile], folder: &str) -> Result<Vec<Dependency>, RenderFailure> {
    let mut declared = Vec::new();
    for name in [CHART_FILE, REQUIREMENTS_FILE] {
        let Some(file) = files.iter().find(|file| file.path == name) else {
            continue;
        };
        let content = document(&file.content, &path::join(folder, name))?;
        declared.extend(
            entries(&content)
                .map(|entry| Dependency { name: text(entry, "name"), repository: text(entry, "repository") }),
        );
    }
    declared.retain(|dependency: &Dependency| !dependency.name.is_empty());
    Ok(declared)
}

fn entries(content: &Value) -> impl Iterator<Item = &Value> {
    content.get("dependencies").and_then(Value::as_array).into_iter().flatten()
}

fn text(entry: &Value, key: &str) -> String {
    entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The first document of a chart's own file.
fn document(content: &[u8], origin: &str) -> Result<Value, RenderFailure> {
    match read_stream(content, &Limits::default()).into_iter().next() {
        None => Ok(Value::Null),
        Some(Ok(document)) => Ok(document.into_value()),
        Some(Err(error)) => Err(failure(&format!("{origin}:{}:{}", error.line, error.column), error.message)),
    }
}
