//! Where pods may run: node labels in selectors, affinities, spreading and volumes.

mod affinity;
mod fate;

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::templates::scheduling_places;
use super::super::work::Work;
use fate::{Fate, fate};
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "scheduling.node-selector",
        kinds: &[],
        reason: "nodes have other labels in EKS",
        source: "config/transforms/node-labels.yaml; eksctl#4007; containers-roadmap#2465",
        apply: node_selector,
    },
    Rule {
        id: "scheduling.node-affinity",
        kinds: &[],
        reason: "nodes have other labels in EKS",
        source: "config/transforms/node-labels.yaml; eksctl#4007; containers-roadmap#2465",
        apply: affinity::node_affinity,
    },
    Rule {
        id: "scheduling.topology-key",
        kinds: &[],
        reason: "nodes have other labels in EKS",
        source: "config/transforms/node-labels.yaml",
        apply: topology,
    },
    Rule {
        id: "scheduling.tolerations",
        kinds: &[],
        reason: "the alpha taint has had another name since 1.13",
        source: "kubernetes 1.13 changelog, TaintBasedEvictions",
        apply: tolerations,
    },
];

pub use affinity::terms;

/// Says what no edit settles about a label, at the place of its term.
fn tell(work: &mut Work<'_>, pointer: &str, key: &str, fate: &Fate) {
    match fate {
        Fate::Never(why) => work.offer(
            Weight::Blocker,
            pointer,
            format!("{key}: {why}"),
            &[
                ("forget", "the term is taken out: the pod may run on any node"),
                ("keep", "the pod stays pending"),
            ],
        ),
        Fate::Pinned(why) => work.offer(
            Weight::Blocker,
            pointer,
            format!("{key}: {why}"),
            &[
                ("forget", "the term is taken out"),
                ("group", "a node group with a label of its own stands for the node"),
            ],
        ),
        Fate::Custom(why) => work.offer(
            Weight::Blocker,
            pointer,
            format!("{key}: {why}"),
            &[("rename", "nodeLabels names a label of your own domain, which the node group gets")],
        ),
        Fate::NoNodeGroup(group) => work.remark(
            Weight::Blocker,
            pointer,
            format!("instance group {group} has no node group in the plan: nodeGroups has to name one"),
        ),
        Fate::Keep | Fate::Rename { .. } | Fate::Always(_) => {}
    }
}

/// A zone is the same place under the same name in one account only.
fn tell_zone(work: &mut Work<'_>, pointer: &str, key: &str) {
    let (old, new) = (&work.context.source.account, &work.context.target.account);
    if key.ends_with("/zone") && !old.is_empty() && !new.is_empty() && old != new {
        let says = "zones of two accounts have the same names and are other places: compare their ids";
        work.remark(Weight::Warning, pointer, says);
    }
}

fn node_selector(work: &mut Work<'_>) {
    for place in scheduling_places(&work.object) {
        let selector = at(&place, "nodeSelector");
        for key in work.keys(&selector) {
            let pointer = at(&selector, &key);
            let Some(value) = work.text(&pointer).map(String::from) else { continue };
            tell_zone(work, &pointer, &key);
            match fate(work.context, &key, Some(&value)) {
                Fate::Rename { key: new, value, why } => {
                    work.remove_for(&pointer, &why);
                    work.set_for(&at(&selector, new), value.unwrap_or_default(), &why);
                }
                Fate::Always(why) => drop(work.remove_for(&pointer, &why)),
                other => tell(work, &pointer, &key, &other),
            }
        }
        // A selector that is empty by our doing is as good as none.
        if work.keys(&selector).is_empty() && work.get(&selector).is_some() {
            work.remove(&selector);
        }
    }
}

fn topology(work: &mut Work<'_>) {
    for place in scheduling_places(&work.object) {
        let mut keys: Vec<String> = Vec::new();
        for constraint in work.items(&at(&place, "topologySpreadConstraints")) {
            keys.push(at(&constraint, "topologyKey"));
        }
        for kind in ["podAffinity", "podAntiAffinity"] {
            let affinity = format!("{place}/affinity/{kind}");
            for term in work.items(&at(&affinity, "requiredDuringSchedulingIgnoredDuringExecution")) {
                keys.push(at(&term, "topologyKey"));
            }
            for term in work.items(&at(&affinity, "preferredDuringSchedulingIgnoredDuringExecution")) {
                keys.push(format!("{term}/podAffinityTerm/topologyKey"));
            }
        }
        for pointer in keys {
            let Some(key) = work.text(&pointer).map(String::from) else { continue };
            match fate(work.context, &key, None) {
                Fate::Rename { key: new, why, .. } => work.set_for(&pointer, new, &why),
                other @ (Fate::Custom(_) | Fate::Never(_)) => tell(work, &pointer, &key, &other),
                // Spreading over nodes is what `kubernetes.io/hostname` is for.
                _ => {}
            }
        }
    }
}

fn tolerations(work: &mut Work<'_>) {
    for place in scheduling_places(&work.object) {
        for toleration in work.items(&at(&place, "tolerations")) {
            let pointer = at(&toleration, "key");
            let new = match work.text(&pointer) {
                Some("node.alpha.kubernetes.io/notReady") => "node.kubernetes.io/not-ready",
                Some("node.alpha.kubernetes.io/unreachable") => "node.kubernetes.io/unreachable",
                _ => continue,
            };
            work.set(&pointer, new);
        }
    }
}

/// Labels written as `key=value,key=value`, as annotations of load balancers have them.
pub fn rewritten_pairs(work: &mut Work<'_>, text: &str, pointer: &str) -> String {
    let mut new = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match fate(work.context, key, Some(value)) {
            Fate::Rename { key, value, .. } => new.push(format!("{key}={}", value.unwrap_or_default())),
            Fate::Always(_) => {}
            Fate::Keep => new.push(pair.to_owned()),
            other => {
                tell(work, pointer, key, &other);
                new.push(pair.to_owned());
            }
        }
    }
    new.join(",")
}

/// Values of a list of texts.
fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(String::from)).collect()
}
