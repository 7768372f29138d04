//! What documents name in the working tree of their repository, as far as it can be judged without rendering.

use super::check::RenderCheck;
use crate::model::Object;
use crate::model::application::RendererKind;
use crate::model::document::{ApplicationDocument, Problem, nearest};
use crate::model::manifest::{Refusal, hint, objects_of};
use crate::model::yaml::{self, Limits, Mark};
use crate::plan::hooks::unnamed;
use globset::GlobBuilder;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Most files and folders that are looked at: a check of the wrong folder (`/`) should end.
const MOST: usize = 100_000;

/// Names of kustomization files, in the order in which kustomize looks for them.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// YAML and JSON files below a folder, sorted; links and hidden folders are left out. Problems are what could not be
/// listed.
pub fn files(folder: &Path) -> (Vec<PathBuf>, Vec<Problem>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut open = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(Problem::of_file(
                    &folder.display().to_string(),
                    format!("cannot be listed: {error}"),
                ));
                continue;
            }
        };
        for entry in entries.flatten() {
            seen += 1;
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden => open.push(path),
                Ok(kind) if kind.is_file() && is_manifest(&path) => found.push(path),
                _ => {}
            }
        }
        if seen > MOST {
            let message = format!("holds more than {MOST} files and folders: the rest was not looked at");
            problems.push(Problem::of_file(&folder.display().to_string(), message));
            break;
        }
    }
    found.sort();
    (found, problems)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
}

/// The root of the repository that a checked folder belongs to: the folder itself when the documents are inside it,
/// else the nearest one above that git knows, else the one above a folder called `portolan`.
pub fn root(checked: &Path, documents: &Path) -> Option<PathBuf> {
    if checked != documents {
        return Some(checked.to_owned());
    }
    let absolute = std::path::absolute(checked).ok()?;
    let by_git = absolute.ancestors().find(|folder| folder.join(".git").exists());
    let by_name = || {
        absolute
            .parent()
            .filter(|_| absolute.file_name().is_some_and(|name| name == super::DEFAULT_DOCUMENTS))
    };
    by_git.or_else(by_name).map(Path::to_owned)
}

/// The working tree of a repository. Each folder is judged once for each way of rendering, however many applications
/// read it.
pub struct Sources<'a> {
    root: &'a Path,
    judged: BTreeSet<(PathBuf, RendererKind)>,
    read: usize,
}

impl<'a> Sources<'a> {
    /// A working tree by its root.
    pub const fn new(root: &'a Path) -> Self {
        Self { root, judged: BTreeSet::new(), read: 0 }
    }

    /// Number of files that were read so far.
    pub const fn read(&self) -> usize {
        self.read
    }

    /// What is wrong with the folders of an application. Those of other repositories are not at hand.
    pub fn application(
        &mut self,
        application: &ApplicationDocument,
        render: Option<RenderCheck<'_>>,
    ) -> Vec<Problem> {
        if application.spec.repository.is_some() {
            return Vec::new();
        }
        let path = application.spec.path.trim_matches('/');
        let subject = Some(format!("Application {}", application.name));
        let folders = match self.folders(path) {
            Ok(folders) => folders,
            Err(reason) => {
                let message = format!("`{path}` is no pattern for folders: {reason}");
                return vec![application.origin.problem("/spec/path", message).about(subject)];
            }
        };
        if folders.is_empty() {
            let problem = application
                .origin
                .problem("/spec/path", format!("there is no folder `{path}` in the repository"));
            let problem = problem.about(subject);
            return vec![match self.near(path) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            }];
        }
        let mut problems = Vec::new();
        for folder in folders {
            for file in application.spec.source.helm.iter().flat_map(|helm| &helm.value_files) {
                if !folder.join(file).is_file() {
                    let message = format!(
                        "there is no value file `{file}` from `{}` on",
                        folder.strip_prefix(self.root).unwrap_or(&folder).display()
                    );
                    problems.push(application.origin.problem("/spec/source", message).about(subject.clone()));
                }
            }
            match render {
                Some(render) => problems.extend(render(application, &folder)),
                None => problems.extend(self.manifests(application, &folder)),
            }
        }
        problems
    }

    /// The folders that a path stands for: itself, or the matches of a glob as the daemon finds them. The error is what
    /// is wrong with the glob.
    fn folders(&self, path: &str) -> Result<Vec<PathBuf>, String> {
        let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        let is_glob = path.contains(['*', '?', '[']);
        let mut matching = vec![self.root.to_owned()];
        for part in parts {
            let next: Vec<PathBuf> = match part {
                "**" => matching.iter().flat_map(|folder| below(folder)).collect(),
                _ if is_glob && part.contains(['*', '?', '[', '{', '\\']) => {
                    let glob = GlobBuilder::new(part).literal_separator(true).build();
                    let glob = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
                    let matches = |name: &String| {
                        // As in a shell, a wildcard does not stand for the dot of a hidden folder.
                        (part.starts_with('.') || !name.starts_with('.')) && glob.is_match(name)
                    };
                    let inside = |folder: &PathBuf| {
                        let names = names(folder).into_iter().filter(matches);
                        names.map(|name| folder.join(name)).collect::<Vec<_>>()
                    };
                    matching.iter().flat_map(inside).collect()
                }
                _ => matching.iter().map(|folder| folder.join(part)).collect(),
            };
            matching = next.into_iter().filter(|folder| folder.is_dir()).collect();
            matching.sort();
            matching.dedup();
        }
        Ok(matching)
    }

    /// The existing folder that a wrong path most likely means: one part of it is slightly off.
    fn near(&self, path: &str) -> Option<String> {
        let mut at = self.root.to_owned();
        let mut parts: Vec<String> = Vec::new();
        for part in path.split('/') {
            let next = if at.join(part).is_dir() {
                part.to_owned()
            } else {
                nearest(part, shown(&at).iter().map(String::as_str))?.to_owned()
            };
            at.push(&next);
            parts.push(next);
        }
        at.is_dir().then(|| parts.join("/"))
    }

    /// What is wrong with the files of a folder, without rendering it.
    fn manifests(&mut self, application: &ApplicationDocument, folder: &Path) -> Vec<Problem> {
        let source = &application.spec.source;
        let kustomization = KUSTOMIZATIONS.iter().any(|name| folder.join(name).is_file());
        let kind = source.kind.unwrap_or(match () {
            () if folder.join("Chart.yaml").is_file() => RendererKind::Helm,
            () if kustomization => RendererKind::Kustomize,
            () => RendererKind::Plain,
        });
        let subject = Some(format!("Application {}", application.name));
        let missing = |what: &str| {
            let message =
                format!("`{}` has no {what}", folder.strip_prefix(self.root).unwrap_or(folder).display());
            vec![application.origin.problem("/spec/path", message).about(subject.clone())]
        };
        if !self.judged.insert((folder.to_owned(), kind)) {
            return Vec::new();
        }
        let (mut files, mut problems) = files(folder);
        match kind {
            RendererKind::Helm if !folder.join("Chart.yaml").is_file() => return missing("Chart.yaml"),
            RendererKind::Kustomize if !kustomization => return missing("kustomization.yaml"),
            // A chart's templates are no YAML before they are rendered.
            RendererKind::Helm => files.retain(|file| file.parent() == Some(folder)),
            RendererKind::Kustomize => {}
            RendererKind::Plain if files.is_empty() => {
                let nothing = missing("manifest (`*.yaml`, `*.yml`, `*.json`)");
                return nothing
                    .into_iter()
                    .map(|problem| problem.hint("an empty folder would prune everything").warning())
                    .collect();
            }
            // Which files count is for the renderer to say.
            RendererKind::Plain if !source.include.is_empty() || !source.exclude.is_empty() => files.clear(),
            RendererKind::Plain if !source.recurse => files.retain(|file| file.parent() == Some(folder)),
            RendererKind::Plain => {}
        }
        self.read += files.len();
        problems.extend(files.iter().flat_map(|file| manifest(file, kind == RendererKind::Plain)));
        problems
    }
}

/// Names of all that is directly in a folder, sorted; git's own folder is none of them.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.eq_ignore_ascii_case(".git"))
        .collect();
    names.sort();
    names
}

/// The names that are not hidden.
fn shown(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| !name.starts_with('.'));
    names
}

/// A folder and all below it that are not hidden: what `**` stands for. Links are not followed.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() && found.len() < MOST {
        let at = found[next].clone();
        let inside = shown(&at).into_iter().map(|name| at.join(name));
        found.extend(inside.filter(|path| path.symlink_metadata().is_ok_and(|kind| kind.is_dir())));
        next += 1;
    }
    found
}

/// What is wrong with a file as YAML and, when asked, as Kubernetes objects.
fn manifest(file: &Path, objects: bool) -> Vec<Problem> {
    let shown = file.display().to_string();
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) => return vec![Problem::of_file(&shown, format!("cannot be read: {error}"))],
    };
    let mut problems = Vec::new();
    for (position, document) in yaml::read_stream(&text, &Limits::default()).into_iter().enumerate() {
        match document {
            Err(error) => {
                problems.push(Problem::of_file(&shown, error.message).at(error.line, error.column));
            }
            Ok(document) => {
                let line = document.line();
                if let Some(mark) = document.ignored() {
                    let words = "kubectl drops the text from here to the next `---` without a word";
                    let problem = Problem::of_file(&shown, words).at(mark.line, mark.column);
                    problems.push(problem.hint("put `---` before it, or mend its indentation").warning());
                }
                let refused =
                    if objects { refusals(document.into_value(), hint(&shown)) } else { Vec::new() };
                if refused.is_empty() {
                    continue;
                }
                // The places are known to a document that still has its value: it is read once more.
                let again = yaml::read_stream(&text, &Limits::default()).into_iter().nth(position);
                let again = again.and_then(Result::ok);
                let marks = again.as_ref().and_then(|document| document.marks());
                for (field, message) in refused {
                    let Mark { line, column } =
                        marks.as_ref().map_or(Mark { line, column: 1 }, |marks| marks.nearest(&field));
                    problems.push(Problem::of_file(&shown, message).at(line, column));
                }
            }
        }
    }
    problems
}

/// Why a document, or items of it, would not be taken as objects, each with the JSON pointer of the place.
fn refusals(document: serde_json::Value, hint: &str) -> Vec<(String, String)> {
    let refusal = |(pointer, object): (String, Result<Object, Refusal>)| match object {
        Ok(object) => unnamed(&object).map(|words| (format!("{pointer}/metadata"), words.to_owned())),
        Err(refusal) => Some((format!("{pointer}{}", refusal.pointer()), refusal.message(hint))),
    };
    objects_of(document).into_iter().filter_map(refusal).collect()
}
