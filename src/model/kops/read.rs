//! Documents of kops from text: files in git, entries of the state store, what `kops get -o yaml` or `-o json` prints.

use super::error::Problem;
use super::normal::normalise;
use super::spec::{Kind, Other, Spec, Spelling};
use crate::model::yaml::{self, Limits};
use serde_json::Value;

/// The label by which an InstanceGroup says whose it is.
const CLUSTER_LABEL: &str = "kops.k8s.io/cluster";
/// How many lists may stand within lists.
const NESTED_LISTS: usize = 3;

/// A file by its name, or an entry of the state store by its key.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The name or key.
    pub origin: &'a str,
    /// The text.
    pub bytes: &'a [u8],
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// Clusters, in the order of reading.
    pub clusters: Vec<Spec>,
    /// InstanceGroups, in the order of reading.
    pub groups: Vec<Spec>,
    /// Documents of other kinds.
    pub others: Vec<Other>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Documents {
    /// Adds what another text holds.
    pub fn merge(&mut self, other: Self) {
        let Self { clusters, groups, others, problems } = other;
        self.clusters.extend(clusters);
        self.groups.extend(groups);
        self.others.extend(others);
        self.problems.extend(problems);
    }
}

/// Reads every document of a text: YAML with any number of documents, JSON, lists and `kind: List`.
#[must_use]
pub fn read_documents(source: Source<'_>) -> Documents {
    let mut documents = Documents::default();
    for document in yaml::read_stream(source.bytes, &Limits::default()) {
        match document {
            Ok(document) => {
                let line = document.line();
                take(source.origin, line, document.into_value(), NESTED_LISTS, &mut documents);
            }
            Err(error) => documents.problems.push(Problem {
                origin: source.origin.to_owned(),
                line: error.line,
                message: error.message,
            }),
        }
    }
    documents
}

fn take(origin: &str, line: u32, value: Value, depth: usize, documents: &mut Documents) {
    let mut refuse = |message: String| {
        documents.problems.push(Problem { origin: origin.to_owned(), line, message });
    };
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut fields)
            if fields.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
                && fields.get("items").is_some_and(Value::is_array) =>
        {
            match fields.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        Value::Object(_) => return one(origin, line, value, documents),
        _ => return refuse("the document is no object: it needs `apiVersion` and `kind`".into()),
    };
    if depth == 0 {
        return refuse("lists stand within lists too deep; write the documents one after the other".into());
    }
    for item in items {
        take(origin, line, item, depth - 1, documents);
    }
}

fn one(origin: &str, line: u32, value: Value, documents: &mut Documents) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&value["apiVersion"]), text(&value["kind"]));
    let name = text(&value["metadata"]["name"]);
    let mut refuse = |message: String| {
        documents.problems.push(Problem { origin: origin.to_owned(), line, message });
    };
    if kind.is_empty() {
        return refuse("the document has no `kind`".into());
    }
    let of_kops = ["kops.k8s.io/", "kops/"].iter().any(|group| api_version.starts_with(group));
    let spec_kind = match kind.as_str() {
        "Cluster" if of_kops => Kind::Cluster,
        "InstanceGroup" if of_kops => Kind::InstanceGroup,
        _ => {
            documents.others.push(Other { api_version, kind, name, origin: origin.to_owned(), line, value });
            return;
        }
    };
    let Some(spelling) = Spelling::of(&api_version) else {
        return refuse(format!(
            "the {kind} is of apiVersion `{api_version}`, and v1alpha2 and v1alpha3 of kops.k8s.io are read; let kops \
             convert it with `kops get -o yaml`"
        ));
    };
    if name.is_empty() {
        return refuse(format!("the {kind} has no `metadata.name`"));
    }
    let cluster = value["metadata"]["labels"][CLUSTER_LABEL].as_str().map(str::to_owned);
    let (tree, fields) = normalise(spec_kind, &value);
    let spec =
        Spec { kind: spec_kind, name, cluster, spelling, origin: origin.to_owned(), line, tree, fields };
    match spec_kind {
        Kind::Cluster => documents.clusters.push(spec),
        Kind::InstanceGroup => documents.groups.push(spec),
    }
}
