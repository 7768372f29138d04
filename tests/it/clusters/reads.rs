//! What a pass over an untouched cluster reads is what the published table says.

use super::aws::SHOP;
use super::aws_scene::AwsScene;
use super::scene::settle;
use async_trait::async_trait;
use portolan::engine::clusters::PassEnd;
use portolan::engine::clusters::pass::pass;
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Call;
use portolan::ports::CallObserver;
use portolan::provision::reads::{READS, Row};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Writes down what goes over the wire.
#[derive(Default)]
struct Wire(Mutex<BTreeMap<String, usize>>);

#[async_trait]
impl CallObserver for Wire {
    async fn before(&self, call: &Call) -> Option<portolan::ports::CloudFailure> {
        *self.0.lock().unwrap().entry(call.to_string()).or_default() += 1;
        None
    }
}

/// The calls of one pass over an untouched cluster, held against the table.
async fn calls_of_a_pass(text: &str) -> BTreeMap<String, usize> {
    let mut scene = AwsScene::start(Delays::default()).await;
    let wire = Arc::new(Wire::default());
    scene.observer = Some(wire.clone());
    *scene.api.observer.lock().unwrap() = Some(wire.clone());
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(text, json!({"name": "shop", "region": "eu-central-1"})));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    wire.0.lock().unwrap().clear();
    assert_eq!(pass(&kept).await, PassEnd::Done);
    let made = wire.0.lock().unwrap().clone();
    let snapshot = kept.snapshot().unwrap();
    let rows = |kind: &str, call: &str| -> Option<&'static Row> {
        READS.iter().find(|row| format!("{:?}", row.kind) == kind && row.call == call)
    };
    let asked = kept.calls();
    for (kind, calls) in &asked {
        for (call, count) in calls {
            let kind = format!("{kind:?}");
            let row =
                rows(&kind, call).unwrap_or_else(|| panic!("{kind} is read by {call}, which no row has"));
            let most = (row.most)(&snapshot);
            assert!(*count <= most, "{kind} {call}: {count} calls, {most} at most");
        }
    }
    for row in READS.iter().filter(|row| row.exact) {
        let most = (row.most)(&snapshot);
        let count = asked.get(&row.kind).and_then(|calls| calls.get(row.call)).copied().unwrap_or_default();
        assert_eq!(count, most, "{:?} {}: {}", row.kind, row.call, row.often);
    }
    // Nothing else goes over the wire, and catalogues were asked for before.
    for (call, count) in &made {
        let allowed: usize = asked.values().filter_map(|calls| calls.get(call)).sum();
        assert!(*count <= allowed, "{call}: {count} calls on the wire, {allowed} read");
        assert!(!call.contains("DescribeAddonVersions"), "{made:?}");
    }
    scene.check();
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_over_an_untouched_cluster_makes_the_calls_of_the_table() {
    let made = calls_of_a_pass(SHOP).await;
    println!("{} calls: {made:#?}", made.values().sum::<usize>());
    assert!(
        made.keys().all(|call| ["Describe", "List", "Get"].iter().any(|read| call.contains(read))),
        "{made:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_node_groups_cost_as_many_calls_of_ec2_as_two() {
    let of_ec2 = |made: BTreeMap<String, usize>| -> BTreeMap<String, usize> {
        made.into_iter()
            .filter(|(call, _)| call.starts_with("ec2:") || call.starts_with("autoscaling:"))
            .collect()
    };
    let (few, many) = (groups(2), groups(20));
    let (few, many) = tokio::join!(calls_of_a_pass(&few), calls_of_a_pass(&many));
    assert_eq!(many["eks:DescribeNodegroup"], 20);
    assert_eq!(of_ec2(few), of_ec2(many));
}

fn groups(count: usize) -> String {
    let groups: String = (0..count)
        .map(|nth| {
            format!(
                "  - {{name: ng-{nth}, instanceType: t3.medium, desiredCapacity: 1, volumeSize: {}}}\n",
                80 + nth
            )
        })
        .collect();
    format!(
        r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: shop, region: eu-central-1, version: "1.35"}}
availabilityZones: [eu-central-1a, eu-central-1b]
managedNodeGroups:
{groups}"#
    )
}
