//! What a part of a ClusterConfig becomes: resources, and what stands in the way.

use crate::provision::resource::{Key, Kind, Resource, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Weight {
    /// It will work, and probably not as meant.
    Warning,
    /// Something has to be read first. The resources that depend on it are left out until then: nothing of these kinds
    /// may be deleted for being undeclared.
    Waiting,
    /// It cannot be done as declared.
    Refused,
}

/// Something that stands in the way, in a person's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Where in the file, as a JSON pointer.
    pub at: String,
    /// How much it weighs.
    pub weight: Weight,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem that refuses what is declared.
    #[must_use]
    pub fn refused(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), weight: Weight::Refused, message: message.into() }
    }

    /// Something to be read first.
    #[must_use]
    pub fn waiting(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), weight: Weight::Waiting, message: message.into() }
    }

    /// Something that will probably not work as meant.
    #[must_use]
    pub fn warning(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), weight: Weight::Warning, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Resources and problems of a part of a ClusterConfig.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// What shall be.
    pub resources: Vec<Resource>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
}

impl Declared {
    /// Adds another part.
    pub fn extend(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.problems.extend(other.problems);
    }
}

/// A resource to be made. What it needs is what its declaration refers to.
#[must_use]
pub fn resource(key: Key, desired: Value, tags: BTreeMap<String, String>, at: impl Into<String>) -> Resource {
    let mut needs = BTreeSet::new();
    references(&desired, &mut needs);
    Resource { key, desired, tags, needs, declared_at: at.into(), existing: false }
}

/// A resource of somebody else's: `desired` says how it is found, by its id or by `Filters`.
#[must_use]
pub fn existing(key: Key, desired: Value, at: impl Into<String>) -> Resource {
    Resource { existing: true, ..resource(key, desired, BTreeMap::new(), at) }
}

/// The resources whose outputs a value refers to.
fn references(value: &Value, into: &mut BTreeSet<Key>) {
    match value {
        Value::Object(members) => match members.get("$output") {
            Some(output) => {
                if let Ok(key) = serde_json::from_value(serde_json::json!({
                    "kind": output["kind"], "name": output["name"],
                })) {
                    into.insert(key);
                }
            }
            None => members.values().for_each(|value| references(value, into)),
        },
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

/// The cluster itself.
#[must_use]
pub fn cluster(scope: &Scope) -> Key {
    Key::new(Kind::Cluster, scope.cluster.as_str())
}

/// Output of the cluster: the id of the security group that EKS makes for control plane and nodes.
pub const CLUSTER_SECURITY_GROUP: &str = "securityGroupId";
/// Output of the cluster: URL of its OIDC issuer.
pub const ISSUER: &str = "issuer";
/// Output of the cluster: URL of its API server.
pub const ENDPOINT: &str = "endpoint";
/// Output of the cluster: its certificate authority, PEM in base64.
pub const CERTIFICATE_AUTHORITY: &str = "certificateAuthority";
/// Output of the cluster: addresses of its Services.
pub const SERVICE_CIDR: &str = "serviceCidr";

/// Tags of a resource: those of all resources of the cluster, a `Name` that people recognise in the console, and its
/// own, which win.
#[must_use]
pub fn tags<'a>(
    of_all: &BTreeMap<String, String>,
    name: String,
    own: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, String> {
    let mut tags = of_all.clone();
    tags.insert("Name".to_owned(), name);
    tags.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    tags
}
