//! What the rules ask about the export as a whole, gathered once.

use super::names::{self, settled};
use super::references::References;
use super::table::TABLE;
use super::{Context, Index};
use crate::migrate::owner;
use crate::model::{Object, ResourceId};
use std::collections::BTreeSet;

/// Prefix of the annotations by which kops' channels tool notes on a namespace what it applied
/// (kops `channels/pkg/channels/channel_version.go`).
const APPLIED: &str = "addons.k8s.io/";

/// Kinds whose presence shows that an add-on is installed.
const WORKLOADS: [&str; 3] = ["DaemonSet", "Deployment", "StatefulSet"];

/// One object of the export.
pub(super) struct Fact<'a> {
    pub(super) object: &'a Object,
    /// Its identity as the export has it.
    pub(super) id: ResourceId,
    /// Its identity as it is compared.
    pub(super) key: ResourceId,
}

impl Fact<'_> {
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.key.group == group && self.key.kind == kind
    }

    pub(super) fn namespace(&self) -> &str {
        self.key.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        &self.key.name
    }
}

/// The export as a whole.
pub(super) struct Facts<'a> {
    pub(super) objects: Vec<Fact<'a>>,
    pub(super) index: &'a Index,
    /// The minor of kops 1.x that applied the cluster last.
    kops_minor: Option<u32>,
    pub(super) references: References<'a>,
    applied: BTreeSet<&'a str>,
    anchored: BTreeSet<&'static str>,
    runtime_classes: BTreeSet<&'a str>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(objects: &'a [Object], index: &'a Index, context: &Context) -> Self {
        let mut facts: Vec<Fact<'a>> = objects
            .iter()
            .map(|object| {
                let id = object.id();
                Fact { object, key: settled(&id), id }
            })
            .collect();
        // Where two objects claim one identity, the same one has to win whatever the order they came in.
        facts.sort_by(|a, b| {
            let place =
                |fact: &Fact<'a>| (fact.object.uid().unwrap_or_default(), fact.object.body().to_string());
            a.key.cmp(&b.key).then_with(|| a.id.cmp(&b.id)).then_with(|| place(a).cmp(&place(b)))
        });
        let references = References::among(facts.iter().map(|fact| fact.object));
        let mut applied = BTreeSet::new();
        let mut runtime_classes = Vec::new();
        for fact in &facts {
            let body = fact.object.body();
            if fact.is("", "Namespace") {
                let annotations = body.pointer("/metadata/annotations").and_then(|all| all.as_object());
                applied.extend(
                    annotations.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix(APPLIED)),
                );
            } else if let Some(spec) = body.get("spec") {
                names::values_under(spec, "runtimeClassName", &mut runtime_classes);
            }
        }
        let anchored = TABLE
            .addons
            .iter()
            .filter(|addon| {
                let mut workloads = addon
                    .objects()
                    .filter(|id| id.group == "apps" && WORKLOADS.contains(&id.kind.as_str()))
                    .peekable();
                workloads.peek().is_none()
                    || workloads.any(|id| {
                        references.find(&id).is_some_and(|at| owner::mark(facts[at].object).is_none())
                    })
            })
            .map(|addon| addon.name.as_str())
            .collect();
        Self {
            index,
            kops_minor: context.kops_version.as_deref().and_then(minor),
            references,
            applied,
            anchored,
            runtime_classes: runtime_classes.into_iter().filter_map(|name| name.as_str()).collect(),
            objects: facts,
        }
    }

    /// The place of an object, by its settled identity.
    pub(super) fn find(&self, id: &ResourceId) -> Option<usize> {
        self.references.find(id)
    }

    /// Whether kops is known to have installed an add-on: its channel has it, or its channels tool noted it.
    pub(super) fn is_confirmed(&self, addon: &str) -> bool {
        self.index.has_addon(addon) || self.applied.contains(addon)
    }

    /// Whether a workload of the add-on is there that nothing but kops claims. Add-ons without workloads count as there.
    pub(super) fn is_anchored(&self, addon: &str) -> bool {
        self.anchored.contains(addon)
    }

    /// Whether the kops that applied the cluster last is older than the add-on.
    pub(super) fn is_before(&self, minor: u32) -> bool {
        self.kops_minor.is_some_and(|applied| applied < minor)
    }

    /// Whether pods ask for a RuntimeClass.
    pub(super) fn is_runtime_used(&self, name: &str) -> bool {
        self.runtime_classes.contains(name)
    }
}

/// The minor of a release of kops 1.x: 28 of `1.28.5`, `v1.28.5`, `1.34.0-beta.1`.
fn minor(version: &str) -> Option<u32> {
    let mut parts = version.trim_start_matches('v').split('.');
    (parts.next()? == "1").then_some(())?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_kops_are_read_by_their_minor() {
        assert_eq!(minor("1.34.0-beta.1"), Some(34));
        assert_eq!(minor("v1.18.3"), Some(18));
        assert_eq!(minor("2.0.0"), None);
        assert_eq!(minor("main"), None);
    }
}
