//! What an API server serves, and in which version an object is best read from the old one.
//!
//! An API server converts on reading: asked for `networking.k8s.io/v1`, it gives an Ingress that somebody stored as
//! `extensions/v1beta1` in the form of v1, by the conversion that Kubernetes itself tests. A conversion of our own is
//! needed only where source and target have no version in common.

use super::tables::{VERSIONS, VersionRow};
use crate::model::{GroupKind, Gvk};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kinds with the versions that a server serves of them, the preferred one first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served(BTreeMap<String, Vec<String>>);

impl Served {
    /// Adds a version of a kind, after those that are there.
    pub fn add(&mut self, gvk: &Gvk) {
        let versions = self.0.entry(gvk.group_kind().to_string()).or_default();
        if !versions.contains(&gvk.version) {
            versions.push(gvk.version.clone());
        }
    }

    /// Whether a kind is served in a version.
    #[must_use]
    pub fn has(&self, gvk: &Gvk) -> bool {
        self.versions(&gvk.group_kind()).contains(&gvk.version)
    }

    /// The versions of a kind, the preferred one first.
    #[must_use]
    pub fn versions(&self, kind: &GroupKind) -> &[String] {
        self.0.get(&kind.to_string()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a Gvk> for Served {
    fn from_iter<I: IntoIterator<Item = &'a Gvk>>(kinds: I) -> Self {
        let mut served = Self::default();
        kinds.into_iter().for_each(|gvk| served.add(gvk));
        served
    }
}

/// In which version an object is read from the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionToRead {
    /// Both serve it: read it so, and nothing has to be converted.
    Shared(Gvk),
    /// None is served by both: read it so, and convert it to the other one here.
    Convert {
        /// How it is read.
        read: Gvk,
        /// What it becomes.
        into: Gvk,
    },
    /// The target does not serve the kind: its definition comes with the move, or it stays behind.
    NotServed(Gvk),
    /// The source does not serve the kind (any more).
    Unreadable,
}

/// Chooses the version in which a kind is read from the source: the one that the target likes best among those that
/// both serve, also across groups where the kind has moved (`extensions` to `networking.k8s.io`).
#[must_use]
pub fn version_to_read(source: &Served, target: &Served, gvk: &Gvk) -> VersionToRead {
    let homes = homes(&gvk.group_kind());
    let of = |served: &Served| -> Vec<Gvk> {
        let of_home = |home: &GroupKind| -> Vec<Gvk> {
            let versions = served.versions(home).iter();
            versions.map(|version| Gvk::new(&home.group, version, &home.kind)).collect()
        };
        homes.iter().flat_map(of_home).collect()
    };
    let (offered, wanted) = (of(source), of(target));
    if let Some(shared) = wanted.iter().find(|gvk| offered.contains(gvk)) {
        return VersionToRead::Shared(shared.clone());
    }
    let own = offered.iter().find(|offer| *offer == gvk).or_else(|| offered.first());
    match (own, wanted.first()) {
        (None, _) => VersionToRead::Unreadable,
        (Some(read), None) => VersionToRead::NotServed(read.clone()),
        // Of several old versions the newest is the nearest to the target's.
        (Some(_), Some(into)) => {
            let nearest = offered.iter().max_by_key(|offer| removal(offer)).cloned();
            VersionToRead::Convert { read: nearest.unwrap_or_else(|| gvk.clone()), into: into.clone() }
        }
    }
}

/// The row that tells about a version of a kind.
#[must_use]
pub fn row(gvk: &Gvk) -> Option<&'static VersionRow> {
    let version = gvk.api_version();
    VERSIONS.iter().find(|row| row.from == version && row.kinds.contains(&gvk.kind))
}

/// First minor that does not serve a version; a version that nobody removed has none.
fn removal(gvk: &Gvk) -> u32 {
    row(gvk).map_or(u32::MAX, |row| row.removed.unwrap_or_default())
}

/// The groups in which a kind has lived, the newest first.
fn homes(kind: &GroupKind) -> Vec<GroupKind> {
    let mut homes = vec![kind.clone()];
    let group = |version: &str| Gvk::from_api_version(version, &kind.kind).group;
    for row in VERSIONS.iter().filter(|row| row.kinds.contains(&kind.kind)) {
        let Some(to) = &row.to else { continue };
        let pair = [group(to), group(&row.from)].map(|group| GroupKind::new(&group, &kind.kind));
        // Somebody else's kind of the same name is not the same kind.
        if !pair.contains(kind) && !pair.iter().any(|home| homes.contains(home)) {
            continue;
        }
        let [new, old] = pair;
        if !homes.contains(&new) {
            homes.insert(0, new);
        }
        if !homes.contains(&old) {
            homes.push(old);
        }
    }
    homes
}

/// Whether a server of a minor serves a version, as far as the table tells. `None`: it does not tell.
#[must_use]
pub fn served_by_minor(gvk: &Gvk, minor: u32) -> Option<bool> {
    if let Some(row) = row(gvk) {
        return Some(row.removed.is_some_and(|removed| minor < removed));
    }
    let version = gvk.api_version();
    let successor = |row: &&VersionRow| row.to.as_ref() == Some(&version) && row.kinds.contains(&gvk.kind);
    VERSIONS.iter().find(successor).map(|row| minor >= row.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(kinds: &[(&str, &str)]) -> Served {
        let kinds: Vec<Gvk> = kinds.iter().map(|(v, k)| Gvk::from_api_version(v, k)).collect();
        kinds.iter().collect()
    }

    #[test]
    fn the_table_tells_which_minors_serve_a_version() {
        let served =
            |version: &str, minor: u32| served_by_minor(&Gvk::from_api_version(version, "Ingress"), minor);
        assert_eq!(served("extensions/v1beta1", 21), Some(true));
        assert_eq!(served("extensions/v1beta1", 22), Some(false));
        assert_eq!(served("networking.k8s.io/v1", 18), Some(false));
        assert_eq!(served("networking.k8s.io/v1", 36), Some(true));
        assert_eq!(served("example.com/v1", 36), None);
    }

    #[test]
    fn the_version_is_chosen_that_both_serve() {
        let old = served(&[
            ("extensions/v1beta1", "Ingress"),
            ("networking.k8s.io/v1beta1", "Ingress"),
            ("networking.k8s.io/v1", "Ingress"),
            ("policy/v1beta1", "PodDisruptionBudget"),
            ("policy/v1beta1", "PodSecurityPolicy"),
            ("serving.example/v1", "Ingress"),
        ]);
        let new = served(&[
            ("networking.k8s.io/v1", "Ingress"),
            ("policy/v1", "PodDisruptionBudget"),
            ("serving.example/v1", "Ingress"),
        ]);
        let read =
            |version: &str, kind: &str| version_to_read(&old, &new, &Gvk::from_api_version(version, kind));
        let gvk = Gvk::from_api_version;
        assert_eq!(
            read("extensions/v1beta1", "Ingress"),
            VersionToRead::Shared(gvk("networking.k8s.io/v1", "Ingress"))
        );
        assert_eq!(
            read("serving.example/v1", "Ingress"),
            VersionToRead::Shared(gvk("serving.example/v1", "Ingress"))
        );
        assert_eq!(
            read("policy/v1beta1", "PodDisruptionBudget"),
            VersionToRead::Convert {
                read: gvk("policy/v1beta1", "PodDisruptionBudget"),
                into: gvk("policy/v1", "PodDisruptionBudget"),
            }
        );
        assert_eq!(
            read("policy/v1beta1", "PodSecurityPolicy"),
            VersionToRead::NotServed(gvk("policy/v1beta1", "PodSecurityPolicy"))
        );
        assert_eq!(read("v1", "Gone"), VersionToRead::Unreadable);
        let older = served(&[("extensions/v1beta1", "Ingress"), ("networking.k8s.io/v1beta1", "Ingress")]);
        let VersionToRead::Convert { into, .. } =
            version_to_read(&older, &new, &gvk("extensions/v1beta1", "Ingress"))
        else {
            panic!("nothing is shared")
        };
        assert_eq!(into, gvk("networking.k8s.io/v1", "Ingress"));
    }
}
