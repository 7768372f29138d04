//! Which namespaces move together: a proposal that cuts no call.

use crate::migrate::calls::{Caller, Graph, cut, verdicts as cut_verdicts};
use crate::migrate::verdict::Verdict;
use crate::model::Object;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Namespaces that every cluster has of its own.
const OWN: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// Namespaces that move together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Its name: that of its first namespace.
    pub name: String,
    /// Its namespaces.
    pub namespaces: BTreeSet<String>,
}

/// One wave for each set of namespaces that call each other, the smallest first: what goes wrong is learnt where least is
/// at stake.
pub(super) fn proposed(graph: &Graph, moving: &[Object]) -> Vec<Wave> {
    let namespaces: BTreeSet<String> = moving
        .iter()
        .filter_map(Object::namespace)
        .filter(|namespace| !OWN.contains(namespace))
        .map(str::to_owned)
        .collect();
    let mut home: BTreeMap<String, String> =
        namespaces.iter().map(|namespace| (namespace.clone(), namespace.clone())).collect();
    for (from, to) in graph.namespaces() {
        let (Some(one), Some(other)) = (home.get(&from).cloned(), home.get(&to).cloned()) else { continue };
        let (kept, given_up) = if one < other { (one, other) } else { (other, one) };
        for joined in home.values_mut().filter(|joined| **joined == given_up) {
            joined.clone_from(&kept);
        }
    }
    let mut waves: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (namespace, first) in home {
        waves.entry(first).or_default().insert(namespace);
    }
    let mut waves: Vec<Wave> =
        waves.into_iter().map(|(name, namespaces)| Wave { name, namespaces }).collect();
    waves.sort_by(|one, other| (one.namespaces.len(), &one.name).cmp(&(other.namespaces.len(), &other.name)));
    waves
}

/// Calls that the proposal cuts all the same: to and from namespaces that no wave moves. The API server's calls are left
/// out: each side's webhooks go with their namespace.
pub(super) fn verdicts(graph: &Graph, waves: &[Wave]) -> Vec<Verdict> {
    let sets: Vec<BTreeSet<String>> = waves.iter().map(|wave| wave.namespaces.clone()).collect();
    let mut cut = cut(graph, &sets);
    cut.retain(|one| one.edge.from != Caller::ApiServer);
    cut.retain(|one| one.edge.from.namespace().is_none_or(|namespace| !OWN.contains(&namespace)));
    cut_verdicts(&cut, &BTreeSet::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::calls::Declared;
    use serde_json::json;

    #[test]
    fn namespaces_that_call_each_other_move_together() {
        let objects: Vec<Object> = ["shop", "data", "blog", "kube-system"]
            .iter()
            .map(|namespace| {
                let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}});
                Object::new(body).unwrap()
            })
            .collect();
        let calls = [
            Declared { from: "shop".into(), to: "data/db".into() },
            Declared { from: "blog".into(), to: "kube-system".into() },
        ];
        let graph = Graph::of(&objects, &calls);
        let waves = proposed(&graph, &objects);
        let told: Vec<String> =
            waves.iter().map(|wave| format!("{}: {:?}", wave.name, wave.namespaces)).collect();
        assert_eq!(told, ["blog: {\"blog\"}", "data: {\"data\", \"shop\"}"]);
        assert_eq!(verdicts(&graph, &waves), []);
    }
}
