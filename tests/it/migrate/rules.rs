//! Node groups and the rules on objects agree: what a pod selected in the old cluster it finds in the new one.

use super::account;
use super::assess::{case, facts};
use portolan::migrate::assess::{assess, rules_context};
use portolan::model::cluster_config::ClusterConfig;
use portolan::model::kops::KopsState;
use portolan::transform::{Context, Identity, Weight, transform};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn moved(name: &str) -> (KopsState, ClusterConfig, Context) {
    let state = case(name);
    let facts = facts(&state);
    let first = assess(&state, &facts, &BTreeMap::new());
    let mut choices = account::choices(&first.verdicts);
    choices.insert("kops.access.group".into(), "rename".into());
    let config = assess(&state, &facts, &choices).config.unwrap();
    let rules = rules_context(&state, &facts, &choices, Some(&config));
    assert!(rules.problems().is_empty(), "{:?}", rules.problems());
    (state, config, rules)
}

fn deployment(selector: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"selector": {}, "template": {"spec": {"nodeSelector": selector,
            "containers": [{"name": "a", "image": "a"}]}}}})
}

/// Node groups whose labels fulfil what a selector becomes.
fn reached(config: &ClusterConfig, rules: &Context, selector: &Value) -> Vec<String> {
    let done = transform(&deployment(selector), rules);
    assert!(done.remarks.iter().all(|remark| remark.weight != Weight::Blocker), "{:?}", done.remarks);
    let wanted = done.objects[0].pointer("/spec/template/spec/nodeSelector").cloned().unwrap_or(json!({}));
    let wanted = wanted.as_object().unwrap().clone();
    let groups = config.managed_node_groups.iter().map(|group| &group.base);
    let fits = groups.filter(|base| {
        wanted.iter().all(|(key, value)| base.labels.get(key).map(String::as_str) == value.as_str())
    });
    fits.map(|base| base.name.clone()).collect()
}

#[test]
fn selectors_of_groups_find_all_node_groups_that_the_group_became() {
    let (_, config, rules) = moved("calico-1.22-private");
    assert_eq!(
        reached(&config, &rules, &json!({"kops.k8s.io/instancegroup": "nodes-mixed"})),
        ["nodes-mixed-on-demand", "nodes-mixed-spot"]
    );
    let (_, config, rules) = moved("weave-1.12-legacy");
    // EKS takes no empty value: node group and selectors have another one, the same.
    for selector in [
        json!({"kops.k8s.io/instancegroup": "spot.workers"}),
        json!({"node-role.kubernetes.io/batch": ""}),
        json!({"example.org/pool": "batch", "kubernetes.io/role": "node"}),
    ] {
        assert_eq!(reached(&config, &rules, &selector), ["spot-workers"], "{selector}");
    }
}

#[test]
fn selectors_of_groups_without_a_node_group_are_blockers() {
    let (_, _, rules) = moved("calico-1.22-private");
    let done = transform(&deployment(&json!({"kops.k8s.io/instancegroup": "master-a"})), &rules);
    assert!(done.remarks.iter().any(|remark| remark.weight == Weight::Blocker), "{:?}", done.remarks);
}

#[test]
fn both_sides_are_told() {
    let (_, config, rules) = moved("calico-1.22-private");
    let (source, target) = (&rules.source, &rules.target);
    assert_eq!((source.name.as_str(), source.minor), ("live.example.com", 22));
    assert_eq!(source.service_range.as_deref(), Some("172.20.0.0/16"), "as the spec says");
    assert_eq!(source.dns_address.as_deref(), Some("172.20.0.10"));
    assert_eq!(source.pod_range.as_deref(), Some("100.96.0.0/11"), "as kops cuts it");
    assert_eq!((target.name.as_str(), target.region.as_str()), ("live-example-com", "eu-central-1"));
    assert_eq!(Some(format!("1.{}", target.minor)), config.metadata.version);
    assert!(rules.network_policies);
    let (_, _, legacy) = moved("weave-1.12-legacy");
    assert_eq!(legacy.source.service_range.as_deref(), Some("100.64.0.0/13"));
    let (_, _, inner) = moved("vpc-cni-1.28");
    assert_eq!((inner.source.service_range, inner.source.pod_range), (None, None), "pods are in the VPC");
    assert_eq!(inner.source.domain, "corp.internal");
}

#[test]
fn people_have_the_names_of_their_entries() {
    let (_, config, rules) = moved("calico-1.22-private");
    assert_eq!(
        rules.identities.get("Group system:aggregate-to-view"),
        Some(&Identity::Rename("migrated:aggregate-to-view".into()))
    );
    assert!(matches!(rules.identities.get("User system:auditor"), Some(Identity::Drop(_))));
    let entries = config.access_config.unwrap().access_entries;
    let groups: Vec<&String> = entries.iter().flat_map(|entry| &entry.kubernetes_groups).collect();
    assert!(groups.iter().any(|group| *group == "migrated:aggregate-to-view"), "{groups:?}");
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "a"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "Group", "name": "system:aggregate-to-view"}, {"kind": "Group", "name": "auditors"}]});
    let done = transform(&binding, &rules);
    assert_eq!(done.objects[0]["subjects"][0]["name"], "migrated:aggregate-to-view");
}
