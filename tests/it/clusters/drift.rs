//! What leaves its declared value in AWS is found with its field, and mended or reported.

use super::fake_cloud::FakeCloud;
use super::fake_kinds::shop;
use super::scene::{Scene, settle};
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{Kept, PassEnd};
use portolan::model::SyncStatus;
use portolan::model::application::DriftPolicy;
use portolan::model::event::What;
use serde_json::json;
use std::sync::Arc;

async fn settled(policy: DriftPolicy) -> (Scene, Arc<Kept>) {
    let mut scene = Scene::slow();
    scene.policy.drift = policy;
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    (scene, kept)
}

fn size(cloud: &FakeCloud) -> serde_json::Value {
    cloud.state().things.iter().find(|t| t.name == "blue").unwrap().fields["size"].clone()
}

fn drifted(scene: &Scene) -> Vec<(String, String, bool)> {
    let events = scene.events();
    let found = events.iter().filter_map(|event| match event {
        What::ResourceDrifted { resource, fields, mending } => {
            let fields: Vec<String> =
                fields.iter().map(|f| format!("{}: {} -> {}", f.path, f.declared, f.live)).collect();
            Some((resource.clone(), fields.join("; "), *mending))
        }
        _ => None,
    });
    found.collect()
}

#[tokio::test]
async fn a_scaled_group_is_found_with_its_field_and_mended() {
    let (scene, kept) = settled(DriftPolicy::Correct).await;
    scene.cloud.edit("Nodegroup", |thing| thing.fields["size"] = json!(9));
    settle(&kept).await;
    assert_eq!(size(&scene.cloud), 2);
    assert_eq!(drifted(&scene)[0], ("Nodegroup/blue".into(), "/size: 2 -> 9".into(), true));
    assert_eq!(drifted(&scene).len(), 2);
    assert_eq!(kept.record().sync, SyncStatus::Synced);
}

#[tokio::test]
async fn a_deleted_resource_is_made_again() {
    let (scene, kept) = settled(DriftPolicy::Correct).await;
    scene.cloud.state().things.retain(|thing| thing.name != "blue");
    settle(&kept).await;
    assert_eq!(scene.cloud.things(), super::fake_kinds::SHOP);
    assert_eq!(drifted(&scene), [("Nodegroup/blue".into(), String::new(), true)]);
}

#[tokio::test]
async fn under_report_drift_is_told_once_and_left_until_a_person_asks() {
    let (scene, kept) = settled(DriftPolicy::Report).await;
    scene.cloud.edit("Nodegroup", |thing| thing.fields["size"] = json!(9));
    for _ in 0..3 {
        assert_eq!(settle(&kept).await, PassEnd::Done);
    }
    assert_eq!(size(&scene.cloud), 9);
    assert_eq!(drifted(&scene).len(), 2, "each once: {:?}", drifted(&scene));
    let record = kept.record();
    assert_eq!(record.sync, SyncStatus::OutOfSync);
    assert_eq!((record.drift[0].field.as_str(), record.drift[0].live.as_str()), ("/size", "9"));
    assert!(record.message.contains("drifted: /size is 9 instead of 2"), "{}", record.message);
    // A commit is carried out all the same.
    kept.supersede(scene.wanted(&shop("1.36", 2), "2"));
    settle(&kept).await;
    assert_eq!(
        scene.cloud.state().things.iter().find(|t| t.kind == "Cluster").unwrap().fields["version"],
        "1.36"
    );
    assert_eq!(size(&scene.cloud), 9);
    kept.ask();
    settle(&kept).await;
    assert_eq!(size(&scene.cloud), 2);
}

#[tokio::test]
async fn under_freeze_nothing_is_written() {
    let (scene, kept) = settled(DriftPolicy::Correct).await;
    let before = scene.cloud.writes();
    let mut frozen = scene.wanted(&shop("1.36", 2), "2");
    frozen.policy.drift = DriftPolicy::Freeze;
    kept.supersede(frozen);
    scene.cloud.edit("Nodegroup", |thing| thing.fields["size"] = json!(9));
    settle(&kept).await;
    assert_eq!(scene.cloud.writes(), before);
}

#[tokio::test]
async fn the_same_drift_is_mended_a_second_time_with_another_token() {
    let (scene, kept) = settled(DriftPolicy::Correct).await;
    for _ in 0..3 {
        scene.cloud.state().things.retain(|thing| thing.name != "blue");
        settle(&kept).await;
        assert_eq!(scene.cloud.things(), super::fake_kinds::SHOP);
    }
}

#[tokio::test]
async fn no_drift_is_found_on_an_untouched_cluster() {
    let (scene, kept) = settled(DriftPolicy::Correct).await;
    let before = scene.cloud.writes();
    for _ in 0..1000 {
        assert_eq!(pass(&kept).await, PassEnd::Done);
    }
    assert_eq!(scene.cloud.writes(), before);
    assert_eq!(drifted(&scene), []);
}
