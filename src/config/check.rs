//! `portolan check PATH`: everything that can be told about files without a cluster, a server or a daemon.

use super::cluster_configs::ClusterConfigs;
use super::sources::{self, Sources};
use super::{Config, DEFAULT_DOCUMENTS, load};
use crate::model::application::{API_VERSION, ReconcileSpec};
use crate::model::document::{
    ApplicationDocument, ClusterDocument, Documents, Known, Problem, Severity, read,
};
use crate::model::yaml::{self, Limits};
use crate::schedule::{Schedule, ScheduleError};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// Checks what an application's folder renders to; given the document and the folder.
pub type RenderCheck<'a> = &'a dyn Fn(&ApplicationDocument, &Path) -> Vec<Problem>;

/// How to check.
#[derive(Clone, Copy, Default)]
pub struct CheckOptions<'a> {
    /// Folder of the documents in the repository. Default: `portolan` where there is one, else the folder itself.
    pub documents: Option<&'a str>,
    /// Renders each application's folder and tells what is wrong. Without it plain YAML is read, and of charts and
    /// kustomizations only whether the files are YAML.
    pub render: Option<RenderCheck<'a>>,
}

/// What a path turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// A daemon's file.
    Config,
    /// A file of documents.
    File,
    /// A repository, or the folder of its documents.
    Repository,
}

/// What was checked and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// What the path is.
    pub subject: Subject,
    /// Number of files that were read.
    pub files: usize,
    /// Number of Application documents that can be taken.
    pub applications: usize,
    /// Number of Cluster documents that can be taken.
    pub clusters: usize,
    /// Number of ClusterConfigs that can be taken.
    pub cluster_configs: usize,
    /// Number of Migration documents that can be taken.
    pub migrations: usize,
    /// Number of repositories in the daemon's file.
    pub repositories: usize,
    /// Everything that is wrong, by file and place.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    fn new(subject: Subject) -> Self {
        Self {
            subject,
            files: 0,
            applications: 0,
            clusters: 0,
            cluster_configs: 0,
            migrations: 0,
            repositories: 0,
            problems: Vec::new(),
        }
    }

    /// Number of problems of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
}

/// Checks a daemon's file, a file of documents, a repository, or a folder of documents.
#[must_use]
pub fn check(path: &Path, options: CheckOptions<'_>) -> CheckReport {
    let mut report = if path.is_dir() {
        folder(path, options)
    } else if is_config(path) {
        config(path)
    } else {
        file(path)
    };
    report.problems.sort();
    report.problems.dedup();
    report
}

fn is_config(path: &Path) -> bool {
    let documents =
        std::fs::read(path).map(|text| yaml::read_stream(&text, &Limits::default())).unwrap_or_default();
    documents.into_iter().flatten().any(|document| {
        let text = |field: &str| document.value().get(field).and_then(Value::as_str);
        let ours = text("apiVersion").is_none_or(|version| version == API_VERSION);
        text("kind") == Some("Config") && ours || document.value().get("repositories").is_some()
    })
}

fn config(path: &Path) -> CheckReport {
    let mut report = CheckReport { files: 1, ..CheckReport::new(Subject::Config) };
    match load(path) {
        Ok(config) => {
            report.repositories = config.repositories.len();
            report.problems = missing_files(&config);
            report.problems.extend(config.warnings);
        }
        Err(problems) => report.problems = problems,
    }
    report
}

/// Files that the daemon's file names and that are not there. Only warnings: the daemon may run on another machine.
fn missing_files(config: &Config) -> Vec<Problem> {
    let kubeconfigs = config
        .kubeconfigs
        .iter()
        .map(|kubeconfig| (format!("kubeconfig `{}`", kubeconfig.name), kubeconfig.file.clone()));
    let secrets = config.repositories.iter().flat_map(|repository| {
        let credentials = repository.credentials.iter().flat_map(super::Credentials::files);
        let files = credentials.chain(repository.ca_file.clone());
        files.map(|file| (format!("repository `{}`", repository.name), file))
    });
    let missing = kubeconfigs.chain(secrets).filter(|(_, file)| !file.exists());
    let file = config.file.display().to_string();
    missing
        .map(|(what, path)| {
            Problem::of_file(&file, format!("the file {} of {what} is not on this machine", path.display()))
                .warning()
        })
        .collect()
}

fn file(path: &Path) -> CheckReport {
    let mut report = CheckReport { files: 1, ..CheckReport::new(Subject::File) };
    let shown = path.display().to_string();
    match std::fs::read(path) {
        Ok(text) => {
            let mut documents = read("", &shown, &text);
            let mut configs = ClusterConfigs::default();
            documents.problems.extend(configs.companion(path, &text));
            report.cluster_configs = configs.count();
            if documents.applications.is_empty()
                && documents.clusters.is_empty()
                && documents.migrations.is_empty()
                && documents.problems.is_empty()
                && report.cluster_configs == 0
            {
                let problem = Problem::of_file(&shown, "holds no document of Portolan");
                documents.problems.push(
                    problem.hint(format!("a document begins with `apiVersion: {API_VERSION}`")).warning(),
                );
            }
            // Other files may hold what these documents name.
            finish(&mut report, documents, Known::default());
        }
        Err(error) => report.problems.push(Problem::of_file(&shown, format!("cannot be read: {error}"))),
    }
    report
}

fn folder(path: &Path, options: CheckOptions<'_>) -> CheckReport {
    let mut report = CheckReport::new(Subject::Repository);
    let folder = options.documents.map_or_else(
        || {
            Some(path.join(DEFAULT_DOCUMENTS))
                .filter(|folder| folder.is_dir())
                .unwrap_or_else(|| path.to_owned())
        },
        |documents| path.join(documents),
    );
    if !folder.is_dir() {
        report.problems.push(Problem::of_file(&folder.display().to_string(), "there is no such folder"));
        return report;
    }
    let mut documents = Documents::default();
    let mut configs = ClusterConfigs::default();
    let (files, refused) = sources::files(&folder);
    report.problems.extend(refused);
    for file in files {
        let shown = file.display().to_string();
        match std::fs::read(&file) {
            Ok(text) => {
                documents.merge(read("", &shown, &text));
                report.problems.extend(configs.companion(&file, &text));
            }
            Err(error) => {
                documents.problems.push(Problem::of_file(&shown, format!("cannot be read: {error}")))
            }
        }
        report.files += 1;
    }
    let nothing =
        documents.applications.is_empty() && documents.clusters.is_empty() && documents.migrations.is_empty();
    if nothing && !documents.has_errors() {
        let problem = Problem::of_file(
            &folder.display().to_string(),
            "there is no document of Portolan in this folder",
        );
        documents
            .problems
            .push(problem.hint("name the folder of the documents with `--documents`").warning());
    }
    if let Some(root) = sources::root(path, &folder) {
        let mut sources = Sources::new(&root);
        for application in &documents.applications {
            report.problems.extend(sources.application(application, options.render));
        }
        for cluster in &documents.clusters {
            report.problems.extend(configs.cluster(&root, cluster));
        }
        report.files += sources.read();
    }
    report.cluster_configs = configs.count();
    finish(&mut report, documents, Known { all_documents: true, ..Known::default() });
    report
}

/// Checks the documents against each other, last: a document that cannot stand is still checked by itself.
fn finish(report: &mut CheckReport, mut documents: Documents, known: Known<'_>) {
    report.problems.extend(documents.applications.iter().filter_map(schedule_of_application));
    report.problems.extend(documents.clusters.iter().filter_map(schedule_of_cluster));
    documents.settle(known);
    report.applications = documents.applications.len();
    report.clusters = documents.clusters.len();
    report.migrations = documents.migrations.len();
    report.problems.extend(documents.problems);
}

/// What the schedule says against an application's `spec.reconcile`.
fn schedule_of_application(application: &ApplicationDocument) -> Option<Problem> {
    let (pointer, error) = schedule_error("/spec/reconcile", &application.spec.reconcile)?;
    let problem = application.origin.problem(&pointer, format!("`spec.reconcile` cannot be used: {error}"));
    Some(problem.about(Some(format!("Application {}", application.name))))
}

/// What the schedule says against a cluster's `spec.eks.reconcile`.
fn schedule_of_cluster(cluster: &ClusterDocument) -> Option<Problem> {
    let reconcile = cluster.spec.eks.as_ref()?.reconcile.as_ref()?;
    let (pointer, error) = schedule_error("/spec/eks/reconcile", reconcile)?;
    let problem = cluster.origin.problem(&pointer, format!("`spec.eks.reconcile` cannot be used: {error}"));
    Some(problem.about(Some(format!("Cluster {}", cluster.name))))
}

/// What is wrong with a schedule, and with which of its fields.
fn schedule_error(at: &str, reconcile: &ReconcileSpec) -> Option<(String, ScheduleError)> {
    let error = Schedule::of(reconcile).err()?;
    let field = match (&error, &reconcile.cron) {
        (ScheduleError::UnknownZone { .. }, _) => "timeZone",
        (_, Some(_)) => "cron",
        (_, None) => "every",
    };
    Some((format!("{at}/{field}"), error))
}
