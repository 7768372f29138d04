//! The `eks` block of a Cluster document, beside the ClusterConfig that it points at.

use super::{parse, smallest};
use portolan::model::DriftPolicy;
use portolan::model::cluster::{DesiredSize, WarmPoolState};
use portolan::model::cluster_config::{ClusterConfig, disagreements};
use portolan::model::document::{Documents, read};
use serde_json::json;

fn document(spec: &str) -> Documents {
    let head = "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: harbour}\nspec:\n";
    let spec: String = spec.trim().lines().map(|line| format!("  {}\n", line.trim_end())).collect();
    read("infra", "clusters.yaml", format!("{head}{spec}").as_bytes())
}

fn problems(spec: &str) -> Vec<String> {
    document(spec).problems.iter().map(ToString::to_string).collect()
}

fn config() -> ClusterConfig {
    let mut config = smallest();
    config["managedNodeGroups"] = json!([{"name": "spot"}, {"name": "rocket", "amiFamily": "Bottlerocket"}]);
    config["nodeGroups"] = json!([{"name": "own"}]);
    parse(&config).expect("the config is right")
}

const WHOLE: &str = "\
clusterConfig: clusters/harbour.yaml
eks:
  name: a
  region: eu-central-1
  deletionProtection: true
  desiredSize: Declared
  drift: {policy: Report}
  nodeGroups:
    spot: {desiredSize: Keep, warmPool: {minSize: 1, maxGroupPreparedCapacity: 4, poolState: Running}}
";

#[test]
fn the_whole_block_is_read() {
    let documents = document(WHOLE);
    assert_eq!(documents.problems, []);
    let eks = documents.clusters[0].spec.eks.clone().unwrap();
    assert_eq!(eks.deletion_protection, Some(true));
    assert_eq!(eks.drift.policy, DriftPolicy::Report);
    assert_eq!(
        (eks.desired_size_of("spot"), eks.desired_size_of("other")),
        (DesiredSize::Keep, DesiredSize::Declared)
    );
    let pool = eks.node_groups["spot"].warm_pool.clone().unwrap();
    assert_eq!((pool.pool_state, pool.pool_state.api_name()), (WarmPoolState::Running, "RUNNING"));
    assert_eq!(disagreements(&eks, &config(), "c.yaml"), []);
}

#[test]
fn nothing_said_leaves_sizes_to_an_autoscaler_and_mends_drift() {
    let documents = document("clusterConfig: c.yaml\neks: {name: a, region: eu-central-1}");
    let eks = documents.clusters[0].spec.eks.clone().unwrap();
    assert_eq!(
        (eks.desired_size, eks.drift.policy, eks.deletion_protection),
        (DesiredSize::Keep, DriftPolicy::Correct, None)
    );
    let written = serde_json::to_value(&eks).unwrap();
    assert_eq!(written, json!({"name": "a", "region": "eu-central-1"}));
}

#[test]
fn a_described_cluster_needs_its_name_and_settings_need_the_file() {
    assert_eq!(
        problems("clusterConfig: c.yaml"),
        [
            "clusters.yaml:5:3: error: `spec.clusterConfig` needs `spec.eks`; write `eks` with the `name` and `region` \
             that the ClusterConfig has in its `metadata`"
        ]
    );
    let found = problems("clusterConfig: c.yaml\nkubeconfig: {}");
    assert!(found[0].contains("`spec.clusterConfig` needs `spec.eks`"), "{found:?}");
    let found = problems("eks:\n  name: a\n  region: b\n  deletionProtection: false\n  nodeGroups: {a: {}}");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("clusters.yaml:8:5: error: `spec.eks.deletionProtection` means nothing without")
    );
}

#[test]
fn the_document_and_the_file_are_about_one_cluster() {
    let spec = WHOLE.replace("name: a", "name: b").replace("spot:", "spto:");
    let documents = document(&spec);
    let cluster = &documents.clusters[0];
    let found = disagreements(cluster.spec.eks.as_ref().unwrap(), &config(), "clusters/harbour.yaml");
    let told: Vec<String> = found
        .into_iter()
        .map(|violation| {
            let problem = cluster.origin.problem(&violation.pointer, violation.message);
            problem.hint(violation.hint.unwrap()).to_string()
        })
        .collect();
    assert_eq!(
        told,
        [
            "clusters.yaml:7:5: error: `spec.eks.name` is `b`, and `metadata.name` of clusters/harbour.yaml is `a`; make \
             them the same: the document and the file are about one cluster",
            "clusters.yaml:12:5: error: there is no node group `spto` in clusters/harbour.yaml; did you mean `spot`?",
        ]
    );
    let mut eks = document(WHOLE).clusters[0].spec.eks.clone().unwrap();
    let pool = eks.node_groups.remove("spot").unwrap();
    eks.node_groups.insert("own".into(), pool.clone());
    eks.node_groups.insert("rocket".into(), pool);
    let rocket = eks.node_groups.get_mut("rocket").unwrap().warm_pool.as_mut().unwrap();
    (rocket.pool_state, rocket.min_size) = (WarmPoolState::Hibernated, Some(9));
    let found: Vec<_> =
        disagreements(&eks, &config(), "c.yaml").into_iter().map(|found| found.message).collect();
    assert_eq!(found.len(), 3, "{found:?}");
}
