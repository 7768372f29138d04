//! What an assessment amounts to, as documents that one commits.

use super::{Given, Overview, Wave};
use crate::migrate::dump::Inventory;
use crate::model::application::API_VERSION;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How things are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Context of the kubeconfig that leads to the source, where one is known.
    pub source_context: Option<String>,
}

/// Documents by the path of their file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// One document for each file.
    pub files: BTreeMap<String, Value>,
}

/// The ClusterConfig, the Cluster document that keeps it, and the skeleton of the Migration. Without a ClusterConfig
/// there is nothing to commit: Blockers have to go first.
#[must_use]
pub fn documents(overview: &Overview, inventory: &Inventory, names: &Names, given: &Given) -> Documents {
    let Some(config) = &overview.assessment.config else { return Documents::default() };
    let name = &config.metadata.name;
    let label = dns_label(name);
    let path = format!("clusters/{label}.yaml");
    let region = config.metadata.region.clone();
    let cluster = json!({
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": label},
        "spec": {"eks": {"name": name, "region": region}, "clusterConfig": path},
    });
    let migration = migration(overview, inventory, names, given, &label, &region);
    let config = serde_json::to_value(config).expect("a ClusterConfig is plain data");
    Documents {
        files: BTreeMap::from([
            (path, config),
            (format!("portolan/cluster-{label}.yaml"), cluster),
            (format!("portolan/migration-{label}.yaml"), migration),
        ]),
    }
}

/// The Migration document, at its first stage: nothing is written anywhere before somebody merges another one.
fn migration(
    overview: &Overview,
    inventory: &Inventory,
    names: &Names,
    given: &Given,
    target: &str,
    region: &str,
) -> Value {
    let context = names.source_context.clone().unwrap_or_else(|| overview.assessment.cluster.clone());
    let mut source = json!({"kubeconfig": {"context": context}});
    if let Some(store) = &inventory.store {
        source["kops"] = json!({
            "stateStore": store.place, "clusterName": overview.assessment.cluster, "region": region,
        });
    }
    let calls: Vec<Value> =
        given.calls.iter().map(|call| json!({"from": call.from, "to": call.to})).collect();
    let mapping = serde_json::to_value(super::mapping::mapping(&overview.rules)).expect("a mapping is texts");
    let wave = |wave: &Wave| json!({"name": wave.name, "namespaces": wave.namespaces});
    json!({
        "apiVersion": API_VERSION,
        "kind": "Migration",
        "metadata": {"name": target},
        "spec": {
            "source": source,
            "target": {"cluster": target},
            "stage": "Inventory",
            "waves": overview.waves.iter().map(wave).collect::<Vec<_>>(),
            "mapping": mapping,
            "edges": calls,
            "choices": given.choices,
        },
    })
}

/// A name of EKS as documents take it: lower case, digits and hyphens, 63 characters at most (RFC 1123).
#[must_use]
pub fn dns_label(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let plain: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    plain.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::dns_label;

    #[test]
    fn names_are_labels() {
        assert_eq!(dns_label("Live_1-example"), "live-1-example");
        assert_eq!(dns_label(&"a".repeat(99)).len(), 63);
    }
}
