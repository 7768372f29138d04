//! Who calls whom, so that namespaces that move apart are seen before they do.
//!
//! ```text
//! environment, arguments, ConfigMaps, Secrets ─┐
//! Ingresses, routes, webhooks, ExternalNames  ─┼─► Graph ─► cut(waves) ─► Blocker, or a bridge
//! NetworkPolicies, edges that people declared ─┘
//! ```

mod bridge;
mod cut;
mod gather;
mod mentions;
pub mod outside;
mod policies;
mod workloads;

pub use bridge::{BRIDGE, CannotBridge, KEEPER, MANAGED_BY, SERVICE_NAME, bridge};
pub use cut::{CutEdge, Side, cut, verdicts};

use crate::model::{Object, ResourceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Caller {
    /// A workload, or another object that makes its controller call.
    Object(ResourceId),
    /// Anything in a namespace.
    Namespace(String),
    /// The API server: webhooks and aggregated APIs.
    ApiServer,
}

impl Caller {
    /// The caller's namespace; the API server and cluster-wide objects have none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Object(id) => id.namespace.as_deref(),
            Self::Namespace(namespace) => Some(namespace),
            Self::ApiServer => None,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => write!(f, "{id}"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Self::ApiServer => f.write_str("the API server"),
        }
    }
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Callee {
    /// Namespace.
    pub namespace: String,
    /// Service; none where only the namespace is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{}/{service}", self.namespace),
            None => write!(f, "namespace {}", self.namespace),
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Who calls.
    pub from: Caller,
    /// Who is called.
    pub to: Callee,
}

/// What shows a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// A value of an environment variable.
    Environment,
    /// A command or an argument.
    Argument,
    /// A ConfigMap that the workload reads, or a field of a custom resource.
    Configuration,
    /// A Secret that the workload reads. Only its key is told.
    Secret,
    /// A backend or an annotation of an Ingress.
    Ingress,
    /// A backend of a route of the Gateway API.
    Route,
    /// A NetworkPolicy that lets the two talk.
    NetworkPolicy,
    /// A webhook, or an aggregated API.
    Webhook,
    /// A Service that is another name for one.
    ExternalName,
    /// A person said so.
    Declared,
}

/// Where a call was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What it is.
    pub how: How,
    /// The object it stands in; none where a person declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ResourceId>,
    /// The field, as a JSON pointer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
}

/// A call that a person knows of and no object shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Declared {
    /// Namespace of the caller.
    pub from: String,
    /// `namespace` or `namespace/service`.
    pub to: String,
}

/// Every call that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Calls with what shows them.
    pub edges: BTreeMap<Edge, BTreeSet<Evidence>>,
}

impl Graph {
    /// Gathers the calls that objects show, and those that people declared.
    #[must_use]
    pub fn of(objects: &[Object], declared: &[Declared]) -> Self {
        let mut graph = Self::default();
        gather::gather(objects, &mut graph);
        for edge in declared {
            let (namespace, service) = match edge.to.split_once('/') {
                Some((namespace, service)) => (namespace, Some(service.to_owned())),
                None => (edge.to.as_str(), None),
            };
            let to = Callee { namespace: namespace.into(), service };
            let evidence = Evidence { how: How::Declared, object: None, pointer: String::new() };
            graph.put(Caller::Namespace(edge.from.clone()), to, evidence);
        }
        graph
    }

    fn put(&mut self, from: Caller, to: Callee, evidence: Evidence) {
        self.edges.entry(Edge { from, to }).or_default().insert(evidence);
    }

    /// Calls between namespaces: which namespace calls which.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<(String, String)> {
        self.edges
            .keys()
            .filter_map(|edge| Some((edge.from.namespace()?.to_owned(), edge.to.namespace.clone())))
            .filter(|(from, to)| from != to)
            .collect()
    }
}
