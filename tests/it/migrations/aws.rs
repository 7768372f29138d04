//! A wave with volumes and records over two real API servers and moto, whose account both clusters share: there and
//! back, and with `PORTOLAN_TEST_WHOLE=1` there again to the end.

use super::ground::Ground;
use super::outside::Side;
use super::real::api;
use super::scene::{Tick, Two, approve, daemon_at, wanted};
use crate::support::aws::needs_aws;
use crate::support::control_plane::{kubectl_ok, runs};
use crate::support::memory_store::MemoryStore;
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Mover, PassEnd};
use portolan::model::migration::Stage;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn weights(records: &[Value], name: &str) -> Vec<(String, String)> {
    let own = records.iter().filter(|set| set["Name"] == name && set["SetIdentifier"].is_string());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    own.map(|set| (text(&set["SetIdentifier"]), text(&set["Weight"]))).collect()
}

/// Passes until nothing is left to do. Real servers need their time; what Route 53's clients need goes by faster.
async fn settled(mover: &Arc<Mover>, store: &MemoryStore, tick: &Tick) -> PassEnd {
    let begun = Instant::now();
    loop {
        match pass(mover).await {
            PassEnd::Blocked if approve(store, mover) => {}
            end @ (PassEnd::Done | PassEnd::Blocked) => return end,
            PassEnd::Acted => {}
            _ => {
                tick.wait(60);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let record = mover.record();
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{}\n{:#?}\n{:#?}",
            record.message,
            record.parts,
            record.problems
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_and_records_move_between_two_real_clusters_and_back_and_to_the_end() {
    needs_aws!();
    if !runs("1.24") {
        return;
    }
    let ground = Ground::begin(Vec::new()).await;
    let (store, tick): (Arc<MemoryStore>, Tick) = Default::default();
    // Each leg by another daemon, which knows only what is stored.
    let go = async |stage: Stage| {
        let begun = Instant::now();
        let account = Some(ground.lab.cloud.clone());
        let sides = Two { source: api(&ground.old).await, target: api(&ground.new).await, account };
        let mover = daemon_at(Arc::new(tick.clone()), store.clone(), sides, Arc::default());
        mover.supersede(wanted(ground.document(stage)));
        let end = settled(&mover, &store, &tick).await;
        let record = mover.record();
        assert_eq!(
            end,
            PassEnd::Done,
            "{stage}: {}\n{:#?}\n{:#?}",
            record.message,
            record.problems,
            record.parts
        );
        println!("at {stage} after {:.1?}", begun.elapsed());
        record
    };
    let whole = std::env::var_os("PORTOLAN_TEST_WHOLE").is_some();
    let legs = ["there and back", "to the end"];
    for leg in &legs[..if whole { 2 } else { 1 }] {
        let record = go(Stage::Verify).await;
        let proof = record.parts.iter().find(|part| part.name == "shop").unwrap().proof.clone();
        assert!(proof.ends_with("objects equal"), "{proof}");
        assert_eq!(ground.account().await, ground.before.1, "the account is read only until the hand-over");
        go(Stage::HandOver).await;
        ground.outside.until_attached(&ground.volume, Some(Side::Target)).await;
        go(Stage::Soak).await;
        let now = ground.records().await;
        for name in ["shop.example.com.", "www.example.com."] {
            let [source, target] = ["source", "target"].map(|side| format!("portolan/move/{side}"));
            assert_eq!(
                weights(&now, name),
                [(source, "0".into()), (target, "100".into())],
                "{leg}: {now:#?}"
            );
        }
        if *leg == legs[0] {
            go(Stage::Inventory).await;
            ground.outside.until_attached(&ground.volume, Some(Side::Source)).await;
            assert_eq!(ground.seen().await, ground.before);
            assert_eq!(ground.snapshots().await, 0, "nothing is left in AWS");
            let left = kubectl_ok(&ground.new, &["get", "pv", "-o", "name"]).await;
            assert_eq!(left, "", "the volume's object is gone, the volume is not");
        }
    }
    if whole {
        go(Stage::Decommission).await;
        let now = ground.account().await;
        assert_eq!(now["records"].as_array().map(Vec::len), Some(2), "{now:#}");
        let target = ground.outside.balancer(Side::Target, "front").await.name;
        assert!(
            now["records"].as_array().unwrap().iter().all(|set| set.to_string().contains(&target)),
            "{now:#}"
        );
        assert!(!now["tags"].to_string().contains("KubernetesCluster"), "kops would not find it: {now:#}");
        assert_eq!(ground.snapshots().await, 1, "what the source left");
    }
    ground.end().await;
}
