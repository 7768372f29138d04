//! What was carried over and is gone from the source since: the source's deletions flow until the cut, like its changes.
//!
//! Only what the migration itself made goes, and never what holds data: that is named, and left to a person. What could
//! not be read is not gone, and neither is what comes later or was decided to be left.

use super::bridges::is_bridge;
use super::desired::Desired;
use super::fence::FENCE;
use super::look::Known;
use super::owned::entry;
use super::port::Port;
use super::sight::{Sight, is, is_in, name};
use crate::model::migration::{Gate, Outcome};
use crate::model::{GroupKind, ResourceId};
use crate::transform::{identity, phase};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Takes away what the source has no longer, in the reverse order of writing. `namespaces` are those of a wave; none: what
/// lives in no namespace.
pub(super) fn surplus(
    known: &Known<'_>,
    port: &Port<'_>,
    desired: &Desired,
    namespaces: Option<&BTreeSet<String>>,
) -> Outcome {
    let source = known.look.source;
    let mut outcome = Outcome::default();
    if let Some(gate) = namespaces.and_then(|namespaces| emptied(source, namespaces)) {
        outcome.gates.push(gate);
        return outcome;
    }
    let wanted: BTreeSet<ResourceId> = desired
        .objects
        .iter()
        .filter_map(|(_, object)| identity(object))
        .chain(desired.held.keys().cloned())
        .collect();
    let mut gone: Vec<(Reverse<crate::transform::Phase>, ResourceId, &Value)> = port
        .target
        .objects
        .iter()
        .filter(|object| match namespaces {
            Some(namespaces) => is_in(object, namespaces),
            None => super::sight::namespace(object).is_none() && !is(object, "", "Namespace"),
        })
        .filter(|object| entry(object).is_some() && !is_bridge(object) && name(object) != FENCE)
        .filter(|object| object.pointer("/metadata/deletionTimestamp").is_none())
        .filter_map(|object| {
            let id = identity(object)?;
            let kind = id.group_kind();
            (!wanted.contains(&id) && !is_unread(source, &kind)).then(|| (Reverse(phase(&kind)), id, object))
        })
        .collect();
    gone.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    for (_, id, object) in gone {
        match holds_data(&id) {
            // Volumes are the waves' and not the whole move's; their own planner knows them.
            true if namespaces.is_none() && id.kind == "PersistentVolume" => {}
            true => outcome.gates.push(Gate::Blocked {
                what: format!("{id} is gone from the source, and holds data on the target"),
                way_out: "delete it there by hand if its data is not needed".into(),
            }),
            false => outcome.steps.push(port.gone(object, &id)),
        }
    }
    outcome
}

/// A namespace that the source has no longer: everything in it would go, which nobody asked for.
fn emptied(source: &Sight, namespaces: &BTreeSet<String>) -> Option<Gate> {
    let there: BTreeSet<&str> =
        source.objects.iter().filter(|object| is(object, "", "Namespace")).map(name).collect();
    let absent = namespaces.iter().find(|namespace| !there.contains(namespace.as_str()))?;
    Some(Gate::Blocked {
        what: format!("namespace {absent} is gone from the source"),
        way_out: "take it out of its wave to leave it on the target, or set the wave's stage to Provision to take it away"
            .into(),
    })
}

/// Whether objects of a kind may be on the source without being seen: it could not be read, or a group of APIs was down.
fn is_unread(source: &Sight, kind: &GroupKind) -> bool {
    let named = kind.to_string();
    source.unread.keys().any(|unread| {
        *unread == named || (!kind.group.is_empty() && unread.split('/').next() == Some(kind.group.as_str()))
    })
}

/// Whether data goes with an object; with a definition goes everything that it defines.
fn holds_data(id: &ResourceId) -> bool {
    matches!(
        (id.group.as_str(), id.kind.as_str()),
        ("", "PersistentVolume" | "PersistentVolumeClaim")
            | ("snapshot.storage.k8s.io", _)
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        let mut source = Sight::default();
        source.unread.insert("Certificate.cert-manager.io".into(), "no answer".into());
        source.unread.insert("metrics.example.com/v1beta1".into(), "down".into());
        assert!(is_unread(&source, &GroupKind::new("cert-manager.io", "Certificate")));
        assert!(!is_unread(&source, &GroupKind::new("cert-manager.io", "Issuer")));
        assert!(is_unread(&source, &GroupKind::new("metrics.example.com", "Anything")));
        assert!(!is_unread(&source, &GroupKind::new("", "ConfigMap")));
    }

    #[test]
    fn a_namespace_that_is_gone_takes_nothing_with_it() {
        let mut source = Sight::default();
        source.objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
        assert!(emptied(&source, &["shop".to_owned()].into()).is_none());
        assert!(emptied(&source, &["shop".to_owned(), "blog".to_owned()].into()).is_some());
        assert!(holds_data(&ResourceId::new("", "PersistentVolumeClaim", "shop", "data")));
        assert!(!holds_data(&ResourceId::new("", "ConfigMap", "shop", "data")));
    }
}
