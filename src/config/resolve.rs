//! From the text of the daemon's file to [`Config`], with every mistake told at once.

use super::file::{AwsEntry, ConfigFile, KubeconfigEntry, StateEntry};
use super::place;
use super::{AwsEndpoints, Config, Kubeconfig, Repository, Role, StatePlace, Tools, digest, schema};
use crate::model::cloud::Service;
use crate::model::document::{Placed, Problem};
use crate::model::yaml::{self, Limits};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Checks the text of a daemon's file and makes its paths absolute.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn resolve(file: &Path, text: &[u8]) -> Result<Config, Vec<Problem>> {
    let shown = file.display().to_string();
    let document = only_document(&shown, text)?;
    let placed = Placed::new(&shown, &document);
    let (value, mut problems) = placed.check(schema::validator());
    if !problems.is_empty() {
        return Err(problems);
    }
    // The schema and the types come from the same source; should they ever part, the file is refused.
    let written = ConfigFile::deserialize(&value)
        .map_err(|error| vec![placed.problem("", format!("cannot be read: {error}"))])?;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    problems.extend(placed.ignored());
    let mut resolver = Resolver { placed: &placed, folder: &folder, problems };
    let config = resolver.config(absolute.clone(), digest(text), written);
    let mut problems = resolver.problems;
    problems.sort();
    match config {
        Some(config) if !problems.iter().any(Problem::is_error) => {
            Ok(Config { warnings: problems, ..config })
        }
        _ => Err(problems),
    }
}

fn only_document(file: &str, text: &[u8]) -> Result<yaml::Document, Vec<Problem>> {
    let mut found = None;
    let mut problems = Vec::new();
    for document in yaml::read_stream(text, &Limits::default()) {
        match document {
            Err(error) => problems.push(Problem::of_file(file, error.message).at(error.line, error.column)),
            Ok(document) if found.is_none() => found = Some(document),
            Ok(more) => problems.push(
                Problem::of_file(file, "the daemon's file holds one document, and here begins another")
                    .at(more.line(), 1)
                    .hint("documents such as Application and Cluster belong in a repository"),
            ),
        }
    }
    let kind = |document: &yaml::Document| {
        document.value().get("kind").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    match found {
        Some(document) if matches!(kind(&document).as_str(), "Application" | "Cluster" | "Migration") => {
            let message = format!("this is a document of kind {}, not the daemon's file", kind(&document));
            let problem = Placed::new(file, &document).problem("/kind", message);
            problems.push(problem.hint("it belongs in a repository that the daemon's file names"));
        }
        Some(document) if problems.is_empty() => return Ok(document),
        None if problems.is_empty() => {
            problems.push(Problem::of_file(file, "is empty").hint("config/portolan.yaml shows every setting"))
        }
        _ => {}
    }
    Err(problems)
}

/// Collects what is wrong while the entries become settings.
pub(super) struct Resolver<'a> {
    placed: &'a Placed<'a>,
    /// The folder that the file is in.
    pub(super) folder: &'a Path,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    /// Tells that a field is wrong: `` `field` said``, and what to do.
    pub(super) fn wrong(&mut self, at: &str, said: &str, hint: &str) {
        let problem = self.placed.problem(at, format!("`{}` {said}", dotted(at)));
        self.problems.push(problem.hint(hint));
    }

    /// The same as a warning.
    pub(super) fn doubtful(&mut self, at: &str, said: &str, hint: &str) {
        let problem = self.placed.problem(at, format!("`{}` {said}", dotted(at)));
        self.problems.push(problem.hint(hint).warning());
    }

    /// A path as it is written, made absolute.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        place::path(self.folder, written)
    }

    fn config(&mut self, file: PathBuf, digest: String, written: ConfigFile) -> Option<Config> {
        let ConfigFile {
            api_version: _,
            kind: _,
            repositories,
            kubeconfigs,
            instance,
            read_only,
            listen,
            data_dir,
            state,
            aws,
            tools,
            limits,
            log,
            events,
        } = written;
        self.unique("/repositories", repositories.iter().map(|entry| entry.name.as_str()));
        self.unique("/kubeconfigs", kubeconfigs.iter().map(|entry| entry.name.as_str()));
        if repositories.iter().all(|entry| entry.role == Role::Source) {
            let said = "all have `role: Source`, so that there are no documents and nothing is delivered";
            self.wrong("/repositories", said, "take `role` out where the documents are");
        }
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&log.filter) {
            let hint = "write it as `info` or `info,portolan::git=debug`";
            self.wrong("/log/filter", &format!("cannot be used: {error}"), hint);
        }
        let numbered = repositories.into_iter().enumerate();
        let repositories: Vec<Option<Repository>> = numbered
            .map(|(index, entry)| self.repository(&format!("/repositories/{index}"), entry))
            .collect();
        let state = self.state(state);
        let aws = self.aws(aws);
        // Everything has been looked at; the first that is wrong ends it.
        Some(Config {
            file,
            digest,
            repositories: repositories.into_iter().collect::<Option<_>>()?,
            kubeconfigs: kubeconfigs.into_iter().map(|entry| self.kubeconfig(entry)).collect(),
            instance,
            read_only,
            state: state?,
            // The schema's format has checked it.
            listen: listen.parse().ok()?,
            data_dir: self.path(&data_dir),
            aws: aws?,
            tools: Tools {
                helm: place::program(self.folder, &tools.helm),
                kustomize: place::program(self.folder, &tools.kustomize),
            },
            limits,
            log,
            events,
            warnings: Vec::new(),
        })
    }

    /// The addresses of AWS's services; `None` where one is wrong.
    fn aws(&mut self, entry: AwsEntry) -> Option<AwsEndpoints> {
        let AwsEntry { endpoint, endpoints } = entry;
        let is_address = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        let mut holds = true;
        let mut wrong = |resolve: &mut Self, at: &str, said: &str, hint: &str| {
            resolve.wrong(at, said, hint);
            holds = false;
        };
        let hint = "write it as `https://HOST` or `http://HOST:PORT`";
        if endpoint.as_deref().is_some_and(|url| !is_address(url)) {
            wrong(self, "/aws/endpoint", "is no address", hint);
        }
        let mut of_service = BTreeMap::new();
        for (name, url) in endpoints {
            let at = format!("/aws/endpoints/{name}");
            match Service::named(&name) {
                None => {
                    let known = Service::ALL.map(Service::name).join(", ");
                    wrong(self, &at, "is no service that Portolan calls", &format!("there are {known}"));
                }
                Some(_) if !is_address(&url) => wrong(self, &at, "is no address", hint),
                Some(service) => {
                    of_service.insert(service, url);
                }
            }
        }
        holds.then_some(AwsEndpoints { every: endpoint, of_service })
    }

    fn unique<'n>(&mut self, list: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !seen.insert(name) {
                let said = format!("is `{name}`, which another one has already");
                self.wrong(&format!("{list}/{index}/name"), &said, "rename one");
            }
        }
    }

    fn kubeconfig(&self, entry: KubeconfigEntry) -> Kubeconfig {
        let KubeconfigEntry { name, file, context } = entry;
        Kubeconfig { name, file: self.path(&file), context }
    }

    fn state(&mut self, entry: StateEntry) -> Option<StatePlace> {
        match (entry.folder, entry.namespace) {
            (None, None) => Some(StatePlace::Default),
            (Some(folder), None) => Some(StatePlace::Folder(self.path(&folder))),
            (None, Some(namespace)) => Some(StatePlace::Namespace(namespace)),
            (Some(_), Some(_)) => {
                self.wrong("/state", "has both `folder` and `namespace`", "keep one of them");
                None
            }
        }
    }
}

/// A pointer of ours, made of names and numbers, as people write it: `/repositories/0/url` is `repositories[0].url`.
fn dotted(pointer: &str) -> String {
    let mut shown = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => shown.push_str(&format!("[{index}]")),
            Err(_) if shown.is_empty() => shown.push_str(part),
            Err(_) => shown.push_str(&format!(".{part}")),
        }
    }
    shown
}
