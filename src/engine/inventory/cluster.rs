//! The source's API server: what it serves, and every object of every kind.

use super::{Progress, Reading};
use crate::migrate::dump::{Api, ApiKind, Target, Unread, hidden_objects, versions_to_read};
use crate::model::Object;
use crate::ports::{ApiFailure, ApiFailureKind, Cluster, Discovery, ServedKind};
use futures::stream::{self, StreamExt as _};
use std::collections::BTreeMap;

/// Lists under way at once: the source has other things to do.
const AT_ONCE: usize = 4;

/// Reads an API server into the inventory. A kind that cannot be listed is named, as is an aggregated API that is down.
///
/// # Errors
/// The server cannot be reached, or does not say what it serves.
pub async fn read_cluster(
    cluster: &dyn Cluster,
    target: &Target,
    into: &mut Reading,
    progress: Progress<'_>,
) -> Result<(), ApiFailure> {
    progress("asking the API server what it serves");
    let discovery = cluster.discover().await?;
    let api = api(&discovery);
    for group in &api.unavailable {
        let why =
            "its API server does not answer (an APIService whose backend is down): its objects are not read";
        into.inventory.unread.insert(Unread::new(format!("group {group}"), why));
    }
    let kinds: Vec<ServedKind> = versions_to_read(&api, target)
        .into_iter()
        .filter_map(|kind| discovery.kind(&kind.gvk()).cloned())
        .collect();
    let mut objects: Vec<Object> = Vec::new();
    let mut done = 0;
    let mut lists = stream::iter(&kinds)
        .map(|kind| async move { (kind, cluster.list(kind, None, "").await) })
        .buffered(AT_ONCE);
    while let Some((kind, listed)) = lists.next().await {
        done += 1;
        match listed {
            Ok(found) => objects.extend(found),
            // Without a connection every other kind would fail as well, after as long a wait.
            Err(failure) if failure.kind == ApiFailureKind::Unreachable && objects.is_empty() => {
                return Err(failure);
            }
            Err(failure) => {
                let what = kind.gvk.group_kind().to_string();
                into.inventory.unread.insert(Unread::new(what, failure.message));
            }
        }
        progress(&format!("read {} objects, {done} of {} kinds", objects.len(), kinds.len()));
    }
    let (objects, calls) = hidden_objects(objects, &into.key);
    into.inventory.api = Some(api);
    into.inventory.objects = objects;
    into.inventory.secret_calls = calls;
    Ok(())
}

fn api(discovery: &Discovery) -> Api {
    let preferred: BTreeMap<_, _> = discovery.preferred.iter().collect();
    let kinds = discovery.kinds.values().map(|kind| ApiKind {
        group: kind.gvk.group.clone(),
        version: kind.gvk.version.clone(),
        kind: kind.gvk.kind.clone(),
        plural: kind.plural.clone(),
        namespaced: kind.namespaced,
        preferred: preferred.get(&kind.gvk.group_kind()).is_some_and(|gvk| **gvk == kind.gvk),
        verbs: kind.verbs.clone(),
    });
    Api {
        version: discovery.version.clone(),
        kinds: kinds.collect(),
        unavailable: discovery.unavailable.clone(),
    }
}
