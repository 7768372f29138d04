//! Namespaces that NetworkPolicies let talk to each other.

use super::{Callee, Caller, Evidence, Graph, How};
use crate::model::Object;
use serde_json::Value;
use std::collections::BTreeMap;

/// Labels of every namespace, with the one that Kubernetes gives each (its name, since 1.21).
pub(super) struct Namespaces<'a> {
    labels: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
}

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

impl<'a> Namespaces<'a> {
    pub(super) fn among(objects: &'a [Object]) -> Self {
        let mut labels: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for object in objects {
            if object.gvk().group.is_empty() && object.kind() == "Namespace" {
                let own = object.body().pointer("/metadata/labels").and_then(Value::as_object);
                let own = own
                    .into_iter()
                    .flatten()
                    .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
                let all = labels.entry(object.name()).or_default();
                all.extend(own);
                all.insert(NAME_LABEL, object.name());
            } else if let Some(namespace) = object.namespace() {
                labels.entry(namespace).or_default().insert(NAME_LABEL, namespace);
            }
        }
        Self { labels }
    }

    /// Namespaces that a selector names. One that asks for nothing that a namespace has to have names all of them,
    /// which says nothing about calls.
    fn selected(&self, selector: &Value) -> Vec<&'a str> {
        let expressions = selector["matchExpressions"].as_array();
        let asks = selector["matchLabels"].as_object().is_some_and(|labels| !labels.is_empty())
            || expressions
                .into_iter()
                .flatten()
                .any(|one| matches!(one["operator"].as_str(), Some("In" | "Exists")));
        if !asks {
            return Vec::new();
        }
        self.labels.iter().filter(|(_, labels)| matches(selector, labels)).map(|(name, _)| *name).collect()
    }
}

/// Whether labels match a selector (Kubernetes `LabelSelector`).
fn matches(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let equal =
        wanted.into_iter().flatten().all(|(key, value)| labels.get(key.as_str()).copied() == value.as_str());
    let expressions = selector["matchExpressions"].as_array();
    equal
        && expressions.into_iter().flatten().all(|one| {
            let has = one["key"].as_str().and_then(|key| labels.get(key).copied());
            let listed = one["values"]
                .as_array()
                .is_some_and(|values| has.is_some_and(|has| values.iter().any(|value| value == has)));
            match one["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => has.is_some(),
                Some("DoesNotExist") => has.is_none(),
                _ => false,
            }
        })
}

/// Calls that a policy allows by naming namespaces.
pub(super) fn allowed(policy: &Object, namespaces: &Namespaces<'_>, graph: &mut Graph) {
    let Some(own) = policy.namespace() else { return };
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = policy.body().pointer(&format!("/spec/{direction}")).and_then(Value::as_array);
        for (at, rule) in rules.into_iter().flatten().enumerate() {
            for (place, peer) in rule[peers].as_array().into_iter().flatten().enumerate() {
                for other in namespaces.selected(&peer["namespaceSelector"]) {
                    let (from, to) = if direction == "ingress" { (other, own) } else { (own, other) };
                    // Every pod asks the cluster's DNS, which each cluster has.
                    if from == to || to == "kube-system" {
                        continue;
                    }
                    let evidence = Evidence {
                        how: How::NetworkPolicy,
                        object: Some(policy.id()),
                        pointer: format!("/spec/{direction}/{at}/{peers}/{place}/namespaceSelector"),
                    };
                    let to = Callee { namespace: to.into(), service: None };
                    graph.put(Caller::Namespace(from.into()), to, evidence);
                }
            }
        }
    }
}
