//! One file of a repository's documents folder: text in, documents and problems out.

use super::place::Placed;
use super::validate::Violation;
use super::{
    ApplicationDocument, ClusterDocument, DocumentKind, Documents, MigrationDocument, Origin, Problem,
    Refusal, migrations, nearest, rules, schema,
};
use crate::model::application::API_VERSION;
use crate::model::yaml::{self, Limits};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Groups of cluster descriptions that people keep beside our documents: not ours, and no mistake.
const COMPANIONS: [&str; 2] = ["eksctl.io", "kops.k8s.io"];

/// Kinds of our group that are certainly no document of a repository, so that nothing can hide behind them.
const FOREIGN_KINDS: [&str; 1] = ["Config"];

/// Fields whose places are kept, because only a later step can tell whether they are right.
const LATER: [&str; 27] = [
    "/metadata/name",
    "/spec/repository",
    "/spec/revision",
    "/spec/path",
    "/spec/source",
    "/spec/destination",
    "/spec/destination/cluster",
    "/spec/destination/selector",
    "/spec/serviceAccount",
    "/spec/namespace",
    "/spec/dependsOn",
    "/spec/reconcile/every",
    "/spec/reconcile/cron",
    "/spec/reconcile/timeZone",
    "/spec/kubeconfig",
    "/spec/eks/name",
    "/spec/eks/region",
    "/spec/eks/nodeGroups",
    "/spec/eks/reconcile/every",
    "/spec/eks/reconcile/cron",
    "/spec/eks/reconcile/timeZone",
    "/spec/clusterConfig",
    "/spec/source/cluster",
    "/spec/source/kubeconfig",
    "/spec/target/cluster",
    "/spec/stage",
    "/spec/waves",
];

/// Reads a file, which may hold several documents, with every problem of each. What is wrong in one document hides
/// nothing of the others.
///
/// `repository` is the name in the daemon's file, `file` the path in the repository.
#[must_use]
pub fn read(repository: &str, file: &str, text: &[u8]) -> Documents {
    let mut documents = Documents::default();
    for document in yaml::read_stream(text, &Limits::default()) {
        let mut reader = Reader { repository, file, documents: &mut documents };
        match document {
            Ok(document) => reader.document(&document, &Placed::new(file, &document)),
            Err(error) => {
                let problem = Problem::of_file(file, error.message).at(error.line, error.column);
                reader.refuse(vec![problem], None, None);
            }
        }
    }
    documents.problems.sort();
    documents
}

struct Reader<'a> {
    repository: &'a str,
    file: &'a str,
    documents: &'a mut Documents,
}

impl Reader<'_> {
    fn document(&mut self, document: &yaml::Document, placed: &Placed) {
        let value = document.value();
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let known = DocumentKind::ALL.into_iter().find(|known| known.as_str() == kind);
        let group = api_version.split('/').next().unwrap_or_default();
        let ours_by_mistake = group.starts_with("portolan")
            || nearest(api_version, [API_VERSION]).is_some()
            || (known.is_some() && api_version.is_empty());
        let problem = match (api_version == API_VERSION, known) {
            (true, Some(kind)) => return self.typed(kind, placed),
            (true, None) => unknown_kind(placed, kind),
            (false, _) if ours_by_mistake => match api_version {
                "" => placed.problem("", "`apiVersion` is missing"),
                other => placed
                    .problem("/apiVersion", format!("`apiVersion` is `{other}`, which is not known here")),
            }
            .hint(format!("write `apiVersion: {API_VERSION}`")),
            (false, _) if COMPANIONS.contains(&group) => return,
            (false, _) => {
                let what = if kind.is_empty() { "this document" } else { kind };
                let message =
                    format!("only {API_VERSION} documents count in this folder: {what} is not read");
                let problem = placed
                    .problem("", message)
                    .hint("move it to a folder that an Application's `path` names");
                self.documents.problems.push(problem.warning());
                return;
            }
        };
        if api_version == API_VERSION && FOREIGN_KINDS.contains(&kind) {
            self.documents.problems.push(problem);
            return;
        }
        self.refuse(vec![problem], known, value.pointer("/metadata/name").and_then(Value::as_str));
    }

    fn typed(&mut self, kind: DocumentKind, placed: &Placed) {
        self.documents.problems.extend(placed.ignored());
        let (value, mut problems) = placed.check(schema::validator(kind));
        let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let subject = (!name.is_empty()).then(|| format!("{kind} {name}"));
        if problems.is_empty() {
            let taken = match kind {
                DocumentKind::Application => self.take(
                    placed,
                    &value,
                    &name,
                    rules::application,
                    |documents, name, labels, spec, origin| {
                        documents.applications.push(ApplicationDocument { name, labels, spec, origin });
                    },
                ),
                DocumentKind::Cluster => self.take(
                    placed,
                    &value,
                    &name,
                    rules::cluster,
                    |documents, name, labels, spec, origin| {
                        documents.clusters.push(ClusterDocument { name, labels, spec, origin });
                    },
                ),
                DocumentKind::Migration => self.take(
                    placed,
                    &value,
                    &name,
                    migrations::rules,
                    |documents, name, labels, spec, origin| {
                        documents.migrations.push(MigrationDocument { name, labels, spec, origin });
                    },
                ),
            };
            match taken {
                Ok(()) => return,
                Err(found) => problems = found,
            }
        }
        let problems = problems.into_iter().map(|problem| problem.about(subject.clone())).collect();
        self.refuse(problems, Some(kind), (!name.is_empty()).then_some(&name));
    }

    /// From a value without violations to a document, if the rules of its kind hold.
    fn take<S: DeserializeOwned>(
        &mut self,
        placed: &Placed,
        value: &Value,
        name: &str,
        rules: impl Fn(&str, &S, &Value) -> Vec<Violation>,
        keep: impl FnOnce(&mut Documents, String, BTreeMap<String, String>, S, Origin),
    ) -> Result<(), Vec<Problem>> {
        // The schema and the types come from the same source; should they ever part, the document is refused.
        let spec: S =
            serde::Deserialize::deserialize(&value["spec"]).map_err(|error: serde_json::Error| {
                vec![placed.problem("/spec", format!("`spec` cannot be read: {error}"))]
            })?;
        let violations = rules(name, &spec, value);
        if !violations.is_empty() {
            return Err(violations.into_iter().map(|violation| placed.violation(violation)).collect());
        }
        let labels = value.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels =
            labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        let places = LATER
            .into_iter()
            .filter_map(|pointer| placed.find(pointer).map(|place| (pointer, place)))
            .collect();
        let origin = Origin {
            repository: self.repository.into(),
            file: self.file.into(),
            line: placed.nearest("").0,
            places,
        };
        keep(self.documents, name.into(), labels, spec, origin);
        Ok(())
    }

    fn refuse(&mut self, problems: Vec<Problem>, kind: Option<DocumentKind>, name: Option<&str>) {
        self.documents.problems.extend(problems);
        let name = name.map(String::from);
        self.documents.refused.push(Refusal {
            repository: self.repository.into(),
            file: self.file.into(),
            kind,
            name,
        });
    }
}

fn unknown_kind(placed: &Placed, kind: &str) -> Problem {
    let problem = |message: String| placed.problem("/kind", message);
    match kind {
        "" => placed.problem("", "`kind` is missing").hint("it is Application, Cluster or Migration"),
        "Config" => problem("a Config is the daemon's own file and does not count in a repository".into())
            .hint("give it to the daemon with `--config`"),
        other => {
            let names = DocumentKind::ALL.map(DocumentKind::as_str);
            let hint = match nearest(other, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", names.join(", ")),
            };
            problem(format!("unknown kind `{other}`")).hint(hint)
        }
    }
}
