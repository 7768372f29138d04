//! ServiceAccounts in the cluster: those of `iam.serviceAccounts`, with the annotation by which their pods get a role
//! (IRSA), and those that pod identity associations ask for. Made by server-side apply at the cluster's API server.

use super::api::{has_cluster, pointer, text};
use crate::model::cloud::{Call, Service};
use crate::model::ownership::{APPLICATION, FIELD_MANAGER};
use crate::provision::owner::{is_ours, tags_of};
use crate::provision::resource::{
    CLUSTER_TAG, Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Annotation that names the role of a ServiceAccount's pods (EKS User Guide, "Assign IAM roles to Kubernetes service
/// accounts").
pub const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// The label that eksctl puts on what it makes, with our own name.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "portolan");

/// Fact of a snapshot: nobody remembers what was declared once, so that all of ours are looked for.
pub const SWEEP: &str = "ServiceAccounts: look for all of ours";
/// Fact of a snapshot: all of ours were looked for.
pub const SWEPT: &str = "ServiceAccounts: all of ours were looked for";

/// What is declared of an object's metadata.
const SECTIONS: [&str; 2] = ["labels", "annotations"];

/// [`Kind::ServiceAccount`]. Declared: `namespace`, `name`, `labels`, `annotations`. Our marks, which are tags elsewhere,
/// are annotations here, for a label could not hold them.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAccountDriver;

/// `ServiceAccount/NAMESPACE/NAME`.
#[must_use]
pub fn key(namespace: &str, name: &str) -> Key {
    Key::new(Kind::ServiceAccount, format!("{namespace}/{name}"))
}

fn call(operation: &str, input: Value) -> Call {
    Call::new(Service::Kubernetes, operation, input)
}

impl Driver for ServiceAccountDriver {
    fn kind(&self) -> Kind {
        Kind::ServiceAccount
    }

    /// Each by its name: nothing is asked of clusters that declare none, and never declared any. Once, where nobody
    /// remembers what was declared, all that carry our marks.
    fn reads(&self, _scope: &Scope, known: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let goes = known.live.values().any(|live| {
            live.key.kind == Kind::Cluster && matches!(live.state, State::Deleting | State::Failed(_))
        });
        if goes || !has_cluster(known) {
            return Vec::new();
        }
        let accounts = declared.iter().filter(|resource| resource.key.kind == Kind::ServiceAccount);
        let sweep = known.facts.contains_key(SWEEP).then(|| {
            let (label, value) = MANAGED_BY;
            call("ListServiceAccounts", json!({"labelSelector": format!("{label}={value}")}))
        });
        accounts
            .map(|account| {
                let (namespace, name) = (&account.desired["namespace"], &account.desired["name"]);
                call("GetServiceAccount", json!({"namespace": namespace, "name": name}))
            })
            .chain(sweep)
            .collect()
    }

    fn absorb(
        &self,
        scope: &Scope,
        _declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.operation == "ListServiceAccounts" {
            let all = answer["items"].as_array().into_iter().flatten();
            let ours =
                all.map(|item| found(scope, &item["metadata"])).filter(|live| live.owner == Owner::Ours);
            for live in ours {
                into.live.entry(live.key.clone()).or_insert(live);
            }
            into.facts.insert(SWEPT.to_owned(), Value::Bool(true));
            return Vec::new();
        }
        let live = found(scope, &answer["metadata"]);
        into.live.insert(live.key.clone(), live);
        Vec::new()
    }

    fn create(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _token: &str,
    ) -> Call {
        call("CreateServiceAccount", json!({"object": object(desired, tags)}))
    }

    fn differences(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let of_application = matches!(live.owner, Owner::Application(_));
        let mend = match &live.owner {
            Owner::Application(name) => Mend::Impossible(format!(
                "the application {name} declares this ServiceAccount: put labels and annotations there, and say \
                 `roleOnly: true` (or leave `createServiceAccount` out) here"
            )),
            _ => Mend::InPlace(call("ApplyServiceAccount", json!({"object": object(desired, tags)}))),
        };
        let mut found = Vec::new();
        for section in SECTIONS {
            let wanted = tags_of(&desired[section]);
            let actual = tags_of(&live.actual[section]);
            let missing = wanted.iter().filter(|(name, value)| actual.get(*name) != Some(value));
            // An application has its own word for who manages what it declares.
            let missing = missing.filter(|(name, _)| !(of_application && name.as_str() == MANAGED_BY.0));
            found.extend(missing.map(|(name, value)| Difference {
                field: format!("/{section}/{}", pointer(name)),
                declared: json!(value),
                actual: json!(actual.get(name)),
                mend: mend.clone(),
            }));
            // What we applied once and is no longer declared goes with the next apply.
            let owned = live.outputs.get(section).map(tags_of).unwrap_or_default();
            let extra = owned.iter().filter(|(name, _)| !wanted.contains_key(*name) && !is_ours(name));
            found.extend(extra.filter(|_| !of_application).map(|(name, value)| Difference {
                field: format!("/{section}/{}", pointer(name)),
                declared: Value::Null,
                actual: json!(value),
                mend: mend.clone(),
            }));
        }
        let marks = tags.iter().filter(|(name, value)| live.tags.get(*name) != Some(value));
        found.extend(marks.filter(|_| !of_application).map(|(name, value)| Difference {
            field: format!("/tags/{}", pointer(name)),
            declared: json!(value),
            actual: json!(live.tags.get(name)),
            mend: mend.clone(),
        }));
        found
    }

    fn delete(&self, _scope: &Scope, live: &Live) -> Vec<Call> {
        vec![call(
            "DeleteServiceAccount",
            json!({
                "namespace": live.actual["namespace"],
                "name": live.actual["name"],
                "uid": live.id,
                "resourceVersion": live.outputs.get("resourceVersion"),
            }),
        )]
    }
}

/// What is applied: all that is ours in one object, for an apply takes away what it no longer holds.
fn object(desired: &Value, marks: &BTreeMap<String, String>) -> Value {
    let mut annotations = tags_of(&desired["annotations"]);
    annotations.extend(marks.clone());
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "namespace": desired["namespace"],
            "name": desired["name"],
            "labels": desired["labels"],
            "annotations": annotations,
        },
    })
}

fn found(scope: &Scope, metadata: &Value) -> Live {
    let (namespace, name) = (text(metadata, "namespace"), text(metadata, "name"));
    let labels = tags_of(&metadata["labels"]);
    let (tags, annotations): (BTreeMap<String, String>, BTreeMap<String, String>) =
        tags_of(&metadata["annotations"]).into_iter().partition(|(name, _)| is_ours(name));
    let applied = applied(metadata);
    let owner = match labels.get(APPLICATION) {
        Some(application) => Owner::Application(application.clone()),
        None if tags.get(CLUSTER_TAG) == Some(&scope.cluster) && applied.is_some() => Owner::Ours,
        None => Owner::Other,
    };
    let mut outputs = BTreeMap::from([
        ("id".to_owned(), metadata["uid"].clone()),
        ("createdAt".to_owned(), metadata["creationTimestamp"].clone()),
        ("resourceVersion".to_owned(), metadata["resourceVersion"].clone()),
    ]);
    for section in SECTIONS {
        let names = applied.map(|entry| owned(entry, section)).unwrap_or_default();
        let all = tags_of(&metadata[section]);
        let ours: Map<String, Value> = all
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, value)| (name, json!(value)))
            .collect();
        outputs.insert(section.to_owned(), Value::Object(ours));
    }
    let state = if metadata["deletionTimestamp"].is_string() { State::Deleting } else { State::Ready };
    Live {
        key: key(namespace, name),
        id: text(metadata, "uid").to_owned(),
        actual: json!({"namespace": namespace, "name": name, "labels": labels, "annotations": annotations}),
        outputs,
        tags,
        owner,
        state,
    }
}

/// Our entry among the managers of fields (KEP-555): without it the marks are a copy of somebody's.
fn applied(metadata: &Value) -> Option<&Value> {
    let entries = metadata["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().find(|entry| {
        text(entry, "manager") == FIELD_MANAGER
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
    })
}

/// Names in a part of the metadata that an entry owns.
fn owned(entry: &Value, section: &str) -> BTreeSet<String> {
    let fields = entry["fieldsV1"]["f:metadata"][format!("f:{section}")].as_object();
    let names = fields.into_iter().flatten().filter_map(|(name, _)| name.strip_prefix("f:"));
    names.map(str::to_owned).collect()
}
