//! What people know beside what is read: repositories that declare objects, calls that no object shows.

use crate::failure::{Failure, FailureKind};
use crate::migrate::calls::Declared;
use crate::migrate::owner::{Place, Sources};
use crate::model::Object;
use crate::model::yaml::{Document, Limits, read_stream};
use std::path::{Path, PathBuf};

/// See the module.
#[derive(clap::Args)]
pub struct Beside {
    /// Folder with manifests that `kubectl apply` or a pipeline applies, such as a clone of their repository: what stands in
    /// it is declared, and not exported. May be given again.
    #[arg(long, value_name = "PATH")]
    declared: Vec<PathBuf>,
    /// A call that no object shows, as NAMESPACE=NAMESPACE or NAMESPACE=NAMESPACE/SERVICE. May be given again.
    #[arg(long = "call", value_name = "FROM=TO")]
    calls: Vec<String>,
}

impl Beside {
    /// The objects of the folders, by where they stand.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn sources(&self) -> Result<Sources, Failure> {
        let mut sources = Sources::default();
        for root in &self.declared {
            walk(root, root, &mut sources)?;
        }
        Ok(sources)
    }

    /// The calls.
    ///
    /// # Errors
    /// One is not written so.
    pub fn calls(&self) -> Result<Vec<Declared>, Failure> {
        let calls = self.calls.iter().map(|text| {
            let (from, to) = text
                .split_once('=')
                .filter(|(from, to)| !from.is_empty() && !to.is_empty())
                .ok_or_else(|| {
                    Failure::new(
                        FailureKind::User,
                        format!("`{text}` is no call; one is written FROM=TO, such as shop=data/db"),
                    )
                })?;
            Ok(Declared { from: from.to_owned(), to: to.to_owned() })
        });
        calls.collect()
    }
}

fn walk(root: &Path, at: &Path, sources: &mut Sources) -> Result<(), Failure> {
    let wrong = |path: &Path, error: std::io::Error| {
        Failure::new(FailureKind::User, format!("{}: {error}", path.display()))
            .hint("--declared takes a folder of manifests, or one file")
    };
    if at.is_dir() {
        for entry in std::fs::read_dir(at).map_err(|error| wrong(at, error))? {
            let entry = entry.map_err(|error| wrong(at, error))?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link may lead round in a ring.
            let is_link = entry.file_type().map_err(|error| wrong(at, error))?.is_symlink();
            if !is_hidden && !is_link {
                walk(root, &entry.path(), sources)?;
            }
        }
        return Ok(());
    }
    let is_manifest = at.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    if !is_manifest && at != root {
        return Ok(());
    }
    let bytes = std::fs::read(at).map_err(|error| wrong(at, error))?;
    let place = Place {
        repository: root.display().to_string(),
        path: at.strip_prefix(root).unwrap_or(at).display().to_string(),
        revision: None,
    };
    // What is no manifest, such as a template of a chart, declares nothing by itself.
    let documents =
        read_stream(&bytes, &Limits::default()).into_iter().filter_map(Result::ok).map(Document::into_value);
    for document in documents {
        let items = match document["items"].as_array() {
            Some(items) if document["kind"] == "List" => items.clone(),
            _ => vec![document],
        };
        for object in items.into_iter().filter_map(|item| Object::new(item).ok()) {
            let mut id = object.id();
            sources.files.insert(id.clone(), place.clone());
            // kubectl puts what names no namespace into `default`; what has none is not found there.
            if id.namespace.is_none() {
                id.namespace = Some("default".to_owned());
                sources.files.entry(id).or_insert_with(|| place.clone());
            }
        }
    }
    Ok(())
}
