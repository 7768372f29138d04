//! What both API servers hold: every kind that can be listed, in the version that both serve where there is one.

use crate::migrate::stages::Sight;
use crate::model::{GroupKind, Gvk};
use crate::ports::{ApiFailure, Cluster, Discovery, ServedKind};
use crate::transform::{Served, VersionToRead, version_to_read};
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that tell nothing of what belongs to a cluster and are written all the time.
const NOISE: [(&str, &str); 4] =
    [("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease"), ("", "ComponentStatus")];

/// An API server and what it serves.
pub(super) struct Side<'a> {
    pub cluster: &'a dyn Cluster,
    pub discovery: Discovery,
}

impl<'a> Side<'a> {
    /// Asks it what it serves.
    pub async fn open(cluster: &'a dyn Cluster) -> Result<Side<'a>, ApiFailure> {
        Ok(Self { cluster, discovery: cluster.discover().await? })
    }

    /// The kind that an effect is about.
    pub fn kind(&self, gvk: &Gvk) -> Option<&ServedKind> {
        self.discovery.kind(gvk)
    }

    fn served(&self) -> Served {
        let mut served = Served::default();
        // The preferred version first: it is the one that counts where several would do.
        self.discovery.preferred.values().for_each(|gvk| served.add(gvk));
        self.discovery.kinds.keys().for_each(|gvk| served.add(gvk));
        served
    }

    /// Reads everything. `other` is what the other side serves: kinds are read in its versions where it has them.
    ///
    /// # Errors
    /// A built-in kind that cannot be read: without it nothing could be concluded. Others are named in the sight.
    pub async fn look(&self, other: Option<&Self>, at_once: usize) -> Result<Sight, ApiFailure> {
        let served = self.served();
        let there = other.map(Self::served).unwrap_or_default();
        let mut kinds: BTreeSet<Gvk> = BTreeSet::new();
        for gvk in self.discovery.preferred.values() {
            let noise =
                NOISE.contains(&(gvk.group.as_str(), gvk.kind.as_str())) || gvk.group == "metrics.k8s.io";
            if noise || gvk.group == "authorization.k8s.io" || gvk.group == "authentication.k8s.io" {
                continue;
            }
            kinds.insert(match version_to_read(&served, &there, gvk) {
                VersionToRead::Shared(gvk) | VersionToRead::NotServed(gvk) => gvk,
                VersionToRead::Convert { read, .. } => read,
                VersionToRead::Unreadable => continue,
            });
        }
        let kinds: Vec<&ServedKind> = kinds
            .iter()
            .filter_map(|gvk| self.discovery.kind(gvk))
            .filter(|kind| kind.verbs.contains("list") && !kind.plural.contains('/'))
            .collect();
        let mut lists = Vec::new();
        for round in rounds(kinds) {
            let asked =
                round.into_iter().map(|kind| async move { (kind, self.cluster.list(kind, None, "").await) });
            let asked: Vec<_> = asked.collect();
            lists.extend(futures::stream::iter(asked).buffered(at_once.max(1)).collect::<Vec<_>>().await);
        }
        lists.sort_by(|(one, _), (other, _)| one.gvk.cmp(&other.gvk));
        let mut sight = Sight {
            version: self.discovery.version.clone(),
            served,
            namespaced: self
                .discovery
                .kinds
                .values()
                .map(|kind| (kind.gvk.group_kind().to_string(), kind.namespaced))
                .collect(),
            ..Sight::default()
        };
        for group in &self.discovery.unavailable {
            sight.unread.insert(group.clone(), "the API does not answer at the moment".into());
        }
        for (kind, list) in lists {
            match list {
                Ok(objects) => sight.objects.extend(objects.into_iter().map(crate::model::Object::into_body)),
                Err(failure) if is_built_in(&kind.gvk.group_kind()) => return Err(failure),
                Err(failure) => {
                    sight.unread.insert(kind.gvk.group_kind().to_string(), failure.to_string());
                }
            }
        }
        Ok(sight)
    }
}

/// Kinds in the order in which they are read: the fence before what it keeps out. Were pods listed first, one that starts
/// between the two lists would be in neither, and the quota that came into force after it would be taken for a fence around
/// nothing.
fn rounds(kinds: Vec<&ServedKind>) -> [Vec<&ServedKind>; 2] {
    let is_fence = |kind: &&ServedKind| kind.gvk.group.is_empty() && kind.gvk.kind == "ResourceQuota";
    let (fences, others) = kinds.into_iter().partition(is_fence);
    [fences, others]
}

fn is_built_in(kind: &GroupKind) -> bool {
    !kind.group.contains('.') || kind.group.ends_with(".k8s.io")
}

/// Kinds by what they are, for whoever writes.
pub(super) fn served_kind<'s>(
    side: &'s Side<'_>,
    group: &str,
    version: &str,
    kind: &str,
) -> Option<&'s ServedKind> {
    side.kind(&Gvk::new(group, version, kind))
}

/// Nothing was read yet.
pub(super) type Reads = BTreeMap<String, serde_json::Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fences_is_read_before_what_it_keeps_out() {
        let kind = |group: &str, kind: &str| ServedKind {
            gvk: Gvk::new(group, "v1", kind),
            plural: kind.to_lowercase(),
            namespaced: true,
            verbs: BTreeSet::new(),
        };
        let all = [
            kind("", "Pod"),
            kind("", "ResourceQuota"),
            kind("storage.k8s.io", "VolumeAttachment"),
            kind("a.io", "ResourceQuota"),
        ];
        let [first, then] = rounds(all.iter().collect());
        assert_eq!(first.iter().map(|kind| kind.plural.as_str()).collect::<Vec<_>>(), ["resourcequota"]);
        assert_eq!(then.len(), 3);
    }
}
