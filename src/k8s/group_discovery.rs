//! Discovery group by group, for servers before 1.26.

use super::discovery::Group;
use super::url::Query;
use super::wire::{Call, Wire};
use crate::model::Gvk;
use crate::ports::{ApiFailure, ApiFailureKind, ServedKind};
use futures::stream::{self, StreamExt as _};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Requests at the same time.
const AT_ONCE: usize = 8;

/// An entry of the `APIGroupList`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GroupHead {
    name: String,
    versions: Vec<GroupVersion>,
    preferred_version: GroupVersion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupVersion {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourceList {
    resources: Vec<Resource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: BTreeSet<String>,
}

/// Asks for every version of every group. A version that does not answer makes its group incomplete; when the
/// server itself cannot be reached there is no answer at all.
pub(super) async fn ask(
    wire: &Wire,
    mut groups: Vec<GroupHead>,
    core_versions: Vec<String>,
) -> Result<Vec<Group>, ApiFailure> {
    if !core_versions.is_empty() {
        let versions = core_versions.into_iter().map(|version| GroupVersion { version }).collect();
        groups.push(GroupHead { name: String::new(), versions, ..GroupHead::default() });
    }
    let wanted: Vec<(usize, String)> = groups
        .iter()
        .enumerate()
        .flat_map(|(at, group)| in_order(group).into_iter().map(move |version| (at, version)))
        .collect();
    let mut found: Vec<Group> = groups
        .into_iter()
        .map(|head| Group { name: head.name, versions: Vec::new(), complete: true })
        .collect();
    let names: Vec<String> = found.iter().map(|group| group.name.clone()).collect();
    let mut answers = stream::iter(wanted)
        .map(|(at, version)| {
            let name = &names[at];
            async move {
                let kinds = ask_version(wire, name, &version).await;
                (at, version, kinds)
            }
        })
        .buffered(AT_ONCE);
    while let Some((at, version, kinds)) = answers.next().await {
        match kinds {
            Ok(kinds) => found[at].versions.push((version, kinds)),
            Err(failure) if is_of_the_group(&failure) => found[at].complete = false,
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Whether only this group is down: the API server answered in place of the one behind it.
fn is_of_the_group(failure: &ApiFailure) -> bool {
    failure.status.is_some() && !matches!(failure.kind, ApiFailureKind::Forbidden | ApiFailureKind::Throttled)
}

fn in_order(group: &GroupHead) -> Vec<String> {
    let preferred = &group.preferred_version.version;
    let mut versions: Vec<String> = group.versions.iter().map(|v| v.version.clone()).collect();
    versions.sort_by_key(|version| version != preferred);
    versions
}

async fn ask_version(wire: &Wire, group: &str, version: &str) -> Result<Vec<ServedKind>, ApiFailure> {
    let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let answer = wire.exchange(Call::get(path.clone(), Query::default())).await?;
    let list: ResourceList = answer.json(&path)?;
    let usable = list.resources.into_iter().filter(|r| !r.name.contains('/') && !r.kind.is_empty());
    Ok(usable
        .map(|r| ServedKind {
            gvk: Gvk::new(group, version, &r.kind),
            plural: r.name,
            namespaced: r.namespaced,
            verbs: r.verbs,
        })
        .collect())
}
