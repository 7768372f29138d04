//! Objects that others own: who makes them again in the target, and who has to be carried over all the same.
//!
//! Dropping everything that has an owner loses ConfigMaps and Secrets that an operator will not make again; keeping it
//! makes two of what a controller makes by itself. So it depends on the owner.

use super::survey::{Survey, identity};
use crate::model::{Gvk, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An owner to link to again: the reference needs the uid that the owner gets in the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relink {
    /// The owner's `apiVersion`.
    pub api_version: String,
    /// The owner.
    pub owner: ResourceId,
    /// Whether it is the controller.
    pub controller: bool,
    /// Whether its deletion waits for this object.
    pub block_owner_deletion: bool,
}

/// What becomes of an object because of its owners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerClass {
    /// Nobody owns it.
    Unowned,
    /// The owner makes it again: it stays behind.
    Recreated {
        /// The owner.
        by: String,
    },
    /// It is carried over, and linked again to owners that are carried over as well.
    Relinked {
        /// Why it is not left to its owner.
        reason: String,
        /// Whom to link to.
        to: Vec<Relink>,
    },
    /// It is carried over without an owner: the owner is not among the objects.
    Orphaned {
        /// The owners.
        of: Vec<String>,
    },
}

/// Controllers of Kubernetes and what each of them makes (the controllers' own sources, `pkg/controller`).
const BUILT_IN: [(&str, &[&str]); 10] = [
    ("Deployment.apps", &["ReplicaSet.apps"]),
    ("Deployment.extensions", &["ReplicaSet.apps", "ReplicaSet.extensions"]),
    ("ReplicaSet.apps", &["Pod"]),
    ("ReplicaSet.extensions", &["Pod"]),
    ("ReplicationController", &["Pod"]),
    ("StatefulSet.apps", &["Pod", "ControllerRevision.apps"]),
    ("DaemonSet.apps", &["Pod", "ControllerRevision.apps"]),
    ("Job.batch", &["Pod"]),
    ("CronJob.batch", &["Job.batch"]),
    ("Service", &["EndpointSlice.discovery.k8s.io", "Endpoints"]),
];

/// What holds data that an operator reads and does not make again when it finds it.
const STATEFUL: [&str; 3] = ["PersistentVolumeClaim", "PersistentVolume", "Secret"];

/// What becomes of an object because of its owners.
#[must_use]
pub fn owner_class(object: &Value, survey: &Survey) -> OwnerClass {
    let references: Vec<&Value> =
        object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten().collect();
    if references.is_empty() {
        return OwnerClass::Unowned;
    }
    let Some(id) = identity(object) else { return OwnerClass::Unowned };
    let kind = id.group_kind().to_string();
    let stateful = STATEFUL.contains(&kind.as_str());
    let mut links = Vec::new();
    let mut absent = Vec::new();
    for reference in references {
        let mut link = relink(reference, &id);
        let by_uid = reference.get("uid").and_then(Value::as_str).and_then(|uid| survey.by_uid(uid));
        if let Some(owner) = by_uid {
            link.owner = owner.clone();
        }
        let owner = link.owner.group_kind().to_string();
        if kind == "Pod" && owner == "Node" {
            return OwnerClass::Recreated { by: link.owner.to_string() };
        }
        let makes = BUILT_IN.iter().any(|(by, what)| *by == owner && what.contains(&kind.as_str()));
        let built_in = BUILT_IN.iter().any(|(by, _)| *by == owner);
        let here = by_uid.is_some() || survey.has(&link.owner);
        if makes && (link.controller || owner == "Service") {
            return OwnerClass::Recreated { by: link.owner.to_string() };
        }
        if link.controller && here && !built_in && !stateful {
            return OwnerClass::Recreated { by: link.owner.to_string() };
        }
        if here { links.push(link) } else { absent.push(link.owner.to_string()) }
    }
    links.sort();
    absent.sort();
    if links.is_empty() {
        return OwnerClass::Orphaned { of: absent };
    }
    let reason = if stateful {
        "it holds data that its owner does not make again".to_owned()
    } else {
        "its owner refers to it and does not make it".to_owned()
    };
    OwnerClass::Relinked { reason, to: links }
}

/// The classes of a whole set, by identity.
#[must_use]
pub fn owner_classes(objects: &[Value]) -> BTreeMap<ResourceId, OwnerClass> {
    let survey = Survey::of(objects);
    objects.iter().filter_map(|object| Some((identity(object)?, owner_class(object, &survey)))).collect()
}

fn relink(reference: &Value, dependent: &ResourceId) -> Relink {
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let yes = |key: &str| reference.get(key) == Some(&Value::Bool(true));
    let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
    // An owner is in the same namespace or in none; kinds of Kubernetes that own across are cluster-scoped ones.
    let cluster =
        matches!(gvk.kind.as_str(), "Node" | "Namespace" | "CustomResourceDefinition" | "ClusterRole")
            || gvk.kind.starts_with("Cluster");
    let namespace = if cluster { "" } else { dependent.namespace.as_deref().unwrap_or_default() };
    Relink {
        api_version: text("apiVersion").into(),
        owner: ResourceId::new(&gvk.group, &gvk.kind, namespace, text("name")),
        controller: yes("controller"),
        block_owner_deletion: yes("blockOwnerDeletion"),
    }
}
