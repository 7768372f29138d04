//! What a server serves: aggregated discovery (KEP-3352), per group on servers that do not know it.

use super::group_discovery;
use super::url::Query;
use super::wire::{Call, Wire};
use crate::model::Gvk;
use crate::ports::{ApiFailure, Discovery, ServedKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Both versions of the aggregated form (v2 since 1.30, v2beta1 since 1.26), else the plain one.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// One group as a server describes it, whichever way it was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) name: String,
    /// Kinds by version, the preferred version first.
    pub(super) versions: Vec<(String, Vec<ServedKind>)>,
    /// Whether every version answered.
    pub(super) complete: bool,
}

/// Asks servers, and remembers each group's last complete answer.
#[derive(Default)]
pub(super) struct Discoverer {
    complete: Mutex<BTreeMap<String, Group>>,
}

impl Discoverer {
    pub(super) async fn discover(&self, wire: &Wire) -> Result<Discovery, ApiFailure> {
        let version = version(wire).await?;
        let groups = ask(wire).await?;
        Ok(self.settle(version, groups))
    }

    /// Fills what is missing from the last complete answers.
    fn settle(&self, version: String, groups: Vec<Group>) -> Discovery {
        let mut discovery = Discovery { version, ..Discovery::default() };
        let mut remembered = self.complete.lock().unwrap_or_else(PoisonError::into_inner);
        for group in &groups {
            if group.complete {
                remembered.insert(group.name.clone(), group.clone());
                add(&mut discovery, group);
                continue;
            }
            discovery.unavailable.insert(group.name.clone());
            // What answered now is newer than what is remembered.
            add(&mut discovery, group);
            if let Some(last) = remembered.get(&group.name) {
                add(&mut discovery, last);
            }
        }
        let named: BTreeSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        remembered.retain(|name, _| named.contains(name.as_str()));
        discovery
    }
}

/// Adds what is not there yet: the first resource of a kind, and the first version, are the ones to use.
fn add(discovery: &mut Discovery, group: &Group) {
    for kind in group.versions.iter().flat_map(|(_, kinds)| kinds) {
        discovery.preferred.entry(kind.gvk.group_kind()).or_insert_with(|| kind.gvk.clone());
        discovery.kinds.entry(kind.gvk.clone()).or_insert_with(|| kind.clone());
    }
}

async fn version(wire: &Wire) -> Result<String, ApiFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }
    let answer = wire.exchange(Call::get("/version".into(), Query::default())).await?;
    Ok(answer.json::<Version>("/version")?.git_version)
}

async fn ask(wire: &Wire) -> Result<Vec<Group>, ApiFailure> {
    let (core, named) = futures::try_join!(ask_root(wire, "/api"), ask_root(wire, "/apis"))?;
    Ok(core.into_iter().chain(named).collect())
}

async fn ask_root(wire: &Wire, root: &str) -> Result<Vec<Group>, ApiFailure> {
    let call = Call { accept: ACCEPT, ..Call::get(root.into(), Query::default()) };
    let answer = wire.exchange(call).await?;
    match answer.json::<Root>(root)? {
        Root { kind, items, .. } if kind == "APIGroupDiscoveryList" => {
            Ok(items.into_iter().map(group).collect())
        }
        Root { groups, versions, .. } => group_discovery::ask(wire, groups, versions).await,
    }
}

/// The three documents that `/api` and `/apis` may answer with.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Root {
    kind: String,
    /// Of an `APIGroupDiscoveryList`.
    items: Vec<GroupDiscovery>,
    /// Of an `APIGroupList`.
    groups: Vec<group_discovery::GroupHead>,
    /// Of `APIVersions`: the core group.
    versions: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupDiscovery {
    metadata: Metadata,
    versions: Vec<VersionDiscovery>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VersionDiscovery {
    version: String,
    resources: Vec<ResourceDiscovery>,
    /// `Current`, or `Stale` when the aggregated server behind it did not answer.
    freshness: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceDiscovery {
    resource: String,
    /// Absent for a resource that has subresources only.
    response_kind: Option<ResponseKind>,
    scope: String,
    verbs: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseKind {
    group: String,
    version: String,
    kind: String,
}

fn group(discovered: GroupDiscovery) -> Group {
    let name = discovered.metadata.name;
    let complete = discovered.versions.iter().all(|version| version.freshness != "Stale");
    let versions = discovered.versions.into_iter().map(|version| {
        let kinds = version
            .resources
            .into_iter()
            .filter_map(|resource| served(&name, &version.version, resource))
            .collect();
        (version.version, kinds)
    });
    let versions = versions.collect();
    Group { name, versions, complete }
}

fn served(group: &str, version: &str, resource: ResourceDiscovery) -> Option<ServedKind> {
    // The kind's own group and version, for the rare resource that answers with a kind of another group, would not
    // lead to its URL: the URL is made of the group it was found in.
    let kind = resource.response_kind.filter(|kind| !kind.kind.is_empty())?;
    let foreign = !kind.version.is_empty() && (kind.group != group || kind.version != version);
    let usable = !resource.verbs.is_empty() && !foreign;
    usable.then(|| ServedKind {
        gvk: Gvk::new(group, version, &kind.kind),
        plural: resource.resource,
        namespaced: resource.scope == "Namespaced",
        verbs: resource.verbs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::kinds;
    use crate::model::GroupKind;

    fn group(name: &str, complete: bool, versions: &[(&str, &[&str])]) -> Group {
        let kinds = |version: &str, names: &[&str]| {
            names.iter().map(|kind| kinds::served(name, version, kind, &kind.to_lowercase(), true)).collect()
        };
        let versions = versions.iter().map(|(v, names)| ((*v).to_owned(), kinds(v, names))).collect();
        Group { name: name.into(), versions, complete }
    }

    #[test]
    fn the_first_version_that_has_the_kind_is_preferred() {
        let discovery = Discoverer::default()
            .settle("v1".into(), vec![group("x", true, &[("v2", &["New"]), ("v1", &["New", "Old"])])]);
        assert_eq!(discovery.preferred[&GroupKind::new("x", "New")].version, "v2");
        assert_eq!(discovery.preferred[&GroupKind::new("x", "Old")].version, "v1");
        assert_eq!(discovery.kinds.len(), 3);
        assert!(discovery.unavailable.is_empty());
    }

    #[test]
    fn a_group_that_is_down_is_named_and_remembered() {
        let discoverer = Discoverer::default();
        let up = group("metrics.k8s.io", true, &[("v1beta1", &["PodMetrics"])]);
        let down = group("metrics.k8s.io", false, &[("v1beta1", &[])]);
        let core = group("", true, &[("v1", &["Pod"])]);
        discoverer.settle(String::new(), vec![core.clone(), up]);
        for _ in 0..2 {
            let discovery = discoverer.settle(String::new(), vec![core.clone(), down.clone()]);
            assert_eq!(discovery.unavailable, BTreeSet::from(["metrics.k8s.io".to_owned()]));
            assert!(discovery.preferred(&GroupKind::new("metrics.k8s.io", "PodMetrics")).is_some());
        }
        // Gone altogether is not the same as down.
        let discovery = discoverer.settle(String::new(), vec![core]);
        assert!(discovery.unavailable.is_empty() && discovery.kinds.len() == 1);
    }
}
