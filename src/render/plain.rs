//! Plain YAML and JSON files, as `kubectl apply -R -f` reads them.

use super::objects;
use super::path::join;
use super::source::{Folder, failure};
use crate::model::yaml::Limits;
use crate::model::{SourceSpec, manifest};
use crate::ports::renderer::{RenderFailure, Rendered};
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// What kubectl takes from a folder.
pub(super) const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Which files of a folder are read.
pub(super) struct Selection {
    include: Option<GlobSet>,
    exclude: GlobSet,
    recurse: bool,
}

impl Selection {
    /// Compiles the globs of an application. A glob without `/` is for file names, at any depth; one with `/` for
    /// paths from the application's folder, where `*` stays within a folder and `**` does not.
    pub fn new(source: &SourceSpec) -> Result<Self, RenderFailure> {
        let set = |field: &str, patterns: &[String]| {
            let mut set = GlobSetBuilder::new();
            for pattern in patterns {
                set.add(glob(pattern).map_err(|error| RenderFailure {
                    origin: format!("spec.source.{field}"),
                    message: format!("`{pattern}` is no glob: {}", error.kind()),
                })?);
            }
            set.build().map_err(|error| RenderFailure {
                origin: format!("spec.source.{field}"),
                message: error.to_string(),
            })
        };
        let include = if source.include.is_empty() { None } else { Some(set("include", &source.include)?) };
        Ok(Self { include, exclude: set("exclude", &source.exclude)?, recurse: source.recurse })
    }

    /// Endings to ask the repository for; none means all files.
    pub fn endings(&self) -> &'static [&'static str] {
        if self.include.is_some() { &[] } else { &ENDINGS }
    }

    /// Whether a file, by its path from the folder, is read.
    pub fn takes(&self, path: &str) -> bool {
        let included = match &self.include {
            Some(include) => include.is_match(path),
            None => ENDINGS.iter().any(|ending| path.ends_with(ending)),
        };
        included && !self.leaves_out(path)
    }

    /// Whether the settings leave a path out whatever is there.
    fn leaves_out(&self, path: &str) -> bool {
        (!self.recurse && path.contains('/')) || self.exclude.is_match(path)
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let anywhere = if pattern.contains('/') { pattern.into() } else { format!("**/{pattern}") };
    GlobBuilder::new(&anywhere).literal_separator(true).build()
}

/// Makes objects of the files of a folder. One file that cannot be read does not hinder the others.
pub(super) fn render(folder: Folder, selection: &Selection) -> Rendered {
    let mut rendered = Rendered::default();
    let mut files = folder.files;
    files.retain(|file| selection.takes(&file.path));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if files.is_empty() {
        // As with a folder that is gone: whether all was meant to be deleted is not for a wrong path to say.
        let message = "no file here is a manifest that would be read; correct `spec.path`, `include` and `exclude`, or \
                       remove the Application document to delete what it declared";
        rendered.problems.push(failure(&folder.path, message));
    }
    let limits = Limits::default();
    for file in files {
        let path = join(&folder.path, &file.path);
        let taken =
            objects::take(&file.content, &limits, &|line| format!("{path}:{line}"), manifest::hint(&path));
        rendered.objects.extend(taken.objects);
        rendered.problems.extend(taken.problems);
        rendered.warnings.extend(taken.warnings);
    }
    // The repository refuses nothing that was not asked for, links, submodules and unsafe names excepted.
    let inside =
        |path: &str| path.strip_prefix(&folder.path).unwrap_or(path).trim_start_matches('/').to_owned();
    let refused = folder.refused.into_iter();
    rendered.problems.extend(refused.filter(|refused| !selection.leaves_out(&inside(&refused.origin))));
    rendered
}
