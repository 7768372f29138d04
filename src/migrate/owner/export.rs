//! What exists in the cluster only, as files for a repository.
//!
//! ```text
//! <root>/applications/shop.yaml          one Application for each namespace, and one for what has none
//! <root>/namespaces/shop/deployment-web.yaml
//! <root>/namespaces/shop/SECRETS.md      which Secrets have to be there, with their keys and never a value
//! <root>/cluster/clusterrole-reader.yaml
//! ```

use crate::model::application::API_VERSION;
use crate::model::{Object, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Fields of `metadata` that the server sets.
const SET_BY_SERVER: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The Application of what has no namespace.
const CLUSTER: &str = "cluster";

/// Where the files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Folder in the repository, without a slash at its end.
    pub root: String,
    /// Name of the Cluster document of the new cluster.
    pub cluster: String,
    /// Names of Applications that there are already.
    pub taken: BTreeSet<String>,
}

/// A Secret that an Application needs, without its values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// The Secret.
    pub id: ResourceId,
    /// Its type, such as `kubernetes.io/tls`.
    pub of_type: String,
    /// Its keys.
    pub keys: BTreeSet<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FilePlan {
    /// A YAML file with these documents.
    Documents(Vec<Value>),
    /// A file for people.
    Text(String),
}

/// Files of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportPlan {
    /// Files by path.
    pub files: BTreeMap<String, FilePlan>,
    /// Which Application an object belongs to.
    pub applications: BTreeMap<String, BTreeSet<ResourceId>>,
    /// Secrets that somebody has to bring.
    pub secrets: Vec<SecretReference>,
}

/// Plans the export of objects that nothing declares, as they are to be on the new cluster: after the transforms.
#[must_use]
pub fn export_plan(objects: &[Object], layout: &Layout) -> ExportPlan {
    let mut plan = ExportPlan::default();
    let mut members: BTreeMap<Option<String>, BTreeSet<ResourceId>> = BTreeMap::new();
    for object in super::in_order(objects) {
        let home = home(object);
        let folder = folder(layout, home.as_deref());
        members.entry(home).or_default().insert(object.id());
        if object.is_secret() {
            plan.secrets.push(reference(object));
            continue;
        }
        let path = free_path(&plan.files, &folder, &object.id());
        plan.files.insert(path, FilePlan::Documents(vec![declared(object)]));
    }
    plan.secrets.dedup();
    let has_cluster = members.contains_key(&None);
    for (home, ids) in members {
        let name = application_name(layout, home.as_deref());
        let folder = folder(layout, home.as_deref());
        let listed: Vec<&SecretReference> =
            plan.secrets.iter().filter(|secret| ids.contains(&secret.id)).collect();
        if !listed.is_empty() {
            plan.files.insert(format!("{folder}/SECRETS.md"), FilePlan::Text(secrets_page(&listed)));
        }
        let after = (has_cluster && home.is_some()).then(|| application_name(layout, None));
        let document = application(layout, &name, &folder, home.as_deref(), after);
        plan.files
            .insert(format!("{}/applications/{name}.yaml", layout.root), FilePlan::Documents(vec![document]));
        plan.applications.insert(name, ids.into_iter().filter(|id| !is_secret(id)).collect());
    }
    plan
}

fn is_secret(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Secret"
}

/// The namespace whose Application an object belongs to: a Namespace goes with what is in it.
fn home(object: &Object) -> Option<String> {
    let is_namespace = object.gvk().group.is_empty() && object.kind() == "Namespace";
    if is_namespace { Some(object.name().into()) } else { object.namespace().map(str::to_owned) }
}

fn folder(layout: &Layout, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{}/namespaces/{namespace}", layout.root),
        None => format!("{}/cluster", layout.root),
    }
}

/// A namespace may be called `cluster`, and an Application of its name may be there already.
fn application_name(layout: &Layout, namespace: Option<&str>) -> String {
    let mut name = match namespace {
        Some(CLUSTER) => "cluster-namespace".to_owned(),
        Some(namespace) => namespace.to_owned(),
        None => CLUSTER.to_owned(),
    };
    while layout.taken.contains(&name) {
        name.push_str("-exported");
    }
    name
}

/// A path that no other object has: `deployment-web.yaml`, with the group where two kinds share a name.
fn free_path(files: &BTreeMap<String, FilePlan>, folder: &str, id: &ResourceId) -> String {
    let kind = id.kind.to_ascii_lowercase();
    // Names of RBAC objects may have colons, which not every file system takes.
    let name: String =
        id.name
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_') { letter } else { '_' }
            })
            .collect();
    let mut path = format!("{folder}/{kind}-{name}.yaml");
    if files.contains_key(&path) && !id.group.is_empty() {
        path = format!("{folder}/{kind}.{}-{name}.yaml", id.group);
    }
    let stem = path.trim_end_matches(".yaml").to_owned();
    let mut number = 2;
    while files.contains_key(&path) {
        path = format!("{stem}-{number}.yaml");
        number += 1;
    }
    path
}

/// An object as a repository declares it.
fn declared(object: &Object) -> Value {
    let mut body = object.body().clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SET_BY_SERVER {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(super::claims::LAST_APPLIED);
        }
        let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
        if metadata.get("annotations").is_some_and(is_empty) {
            metadata.remove("annotations");
        }
    }
    body
}

/// A Secret by its keys.
fn reference(secret: &Object) -> SecretReference {
    let body = secret.body();
    let keys = ["data", "stringData"]
        .into_iter()
        .filter_map(|section| body.get(section)?.as_object())
        .flat_map(|entries| entries.keys().cloned())
        .collect();
    let of_type = body.get("type").and_then(Value::as_str).unwrap_or("Opaque").to_owned();
    SecretReference { id: secret.id(), of_type, keys }
}

fn secrets_page(secrets: &[&SecretReference]) -> String {
    let mut page = String::from(
        "# Secrets\n\nThe migration carries these Secrets over. A repository is no place for their values: declare them with the\n\
         secret store that you use, then they are yours to change here.\n\n| Secret | type | keys |\n|---|---|---|\n",
    );
    for secret in secrets {
        let keys = secret.keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {} | {keys} |", secret.id.name, secret.of_type);
    }
    page
}

fn application(
    layout: &Layout,
    name: &str,
    folder: &str,
    namespace: Option<&str>,
    after: Option<String>,
) -> Value {
    let mut spec = json!({
        "path": folder,
        "destination": {"cluster": layout.cluster},
        // The objects are there when it comes: it takes them over as they are, and deletes nothing it does not know.
        "sync": {"adopt": "IfUnowned", "prune": false},
    });
    if let Some(namespace) = namespace {
        spec["namespace"] = json!(namespace);
    }
    if let Some(after) = after {
        spec["dependsOn"] = json!([after]);
    }
    json!({"apiVersion": API_VERSION, "kind": "Application", "metadata": {"name": name}, "spec": spec})
}
