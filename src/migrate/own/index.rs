//! The objects that kops itself applied, by the manifests of its bootstrap channel.

use super::names;
use crate::model::kops::Channel;
use crate::model::{Object, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// The add-on under which kops applies what its users gave to `kops create -f`: theirs, not its own
/// (kops `bootstrapchannelbuilder.go`).
pub(super) const USERS_ADDON: &str = "cluster-addons.kops.k8s.io";

/// Labels that say what an object is a part of.
const IDENTITY_LABELS: [&str; 6] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
    "k8s-addon",
    "k8s-app",
];

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) addon: String,
    labels: BTreeMap<&'static str, String>,
}

impl Entry {
    /// Whether a live object carries another identity than the manifest gave it: somebody put his own in its place.
    pub(super) fn is_taken_over(&self, live: &Object) -> bool {
        let own = |key: &str| self.labels.get(key).map(String::as_str);
        IDENTITY_LABELS.iter().any(|key| match (own(key), live.label(key)) {
            (Some(manifest), Some(live)) => manifest != live,
            // kops adds no such label to what its manifests hold.
            (None, Some(_)) => *key == "app.kubernetes.io/part-of",
            _ => false,
        })
    }
}

/// What the bootstrap channel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    objects: BTreeMap<ResourceId, Entry>,
    addons: BTreeSet<String>,
}

impl Index {
    /// The index of a state store's bootstrap channel.
    #[must_use]
    pub fn of(channel: &Channel) -> Self {
        let mut index = Self::default();
        for addon in &channel.addons {
            index.add(
                &addon.name,
                addon.objects.iter().flatten().filter_map(|body| Object::new(body.clone()).ok()),
            );
        }
        index
    }

    /// Adds an add-on with the objects of its manifest.
    pub fn add(&mut self, addon: &str, objects: impl IntoIterator<Item = Object>) {
        self.addons.insert(addon.into());
        for object in objects {
            let labels = IDENTITY_LABELS
                .into_iter()
                .filter_map(|key| Some((key, object.label(key)?.to_owned())))
                .collect();
            self.objects.insert(names::applied(&object.id()), Entry { addon: addon.into(), labels });
        }
    }

    /// Whether nothing is known: the state store was not read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addons.is_empty()
    }

    /// How many objects it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether the channel has an add-on.
    #[must_use]
    pub fn has_addon(&self, name: &str) -> bool {
        self.addons.contains(name)
    }

    /// The manifest's entry for an object, by its settled identity.
    pub(super) fn entry(&self, id: &ResourceId) -> Option<&Entry> {
        // A custom resource without a namespace in its manifest may be of a cluster-scoped kind that nobody lists.
        self.objects.get(id).or_else(|| {
            let mut placed = id.clone();
            placed.namespace.is_none().then(|| placed.namespace = Some("default".into()))?;
            self.objects.get(&placed)
        })
    }
}
