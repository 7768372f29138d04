//! The task around the passes: waits, newer commits, the end.

use super::fake_kinds::shop;
use super::scene::Scene;
use portolan::engine::clusters::Kept;
use portolan::engine::clusters::keep::keep;
use portolan::model::SyncStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(super) async fn until(kept: &Arc<Kept>, what: &str, is: impl Fn(&Kept) -> bool) {
    let mut changes = kept.watch();
    let waiting = async {
        while !is(kept) {
            let _ = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(done.is_ok(), "no {what}: {:?}", kept.record());
}

#[tokio::test]
async fn a_cluster_is_kept_through_its_life() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(keep(kept.clone(), stopped));
    until(&kept, "cluster", |kept| kept.record().sync == SyncStatus::Synced).await;
    kept.supersede(scene.wanted(&shop("1.36", 2), "2"));
    until(&kept, "upgrade", |kept| kept.record().revision == "2" && kept.record().version == "1.36").await;
    kept.supersede(scene.removed(&shop("1.36", 2)));
    until(&kept, "plan that waits", |kept| kept.record().waiting.is_some()).await;
    scene.approve(&kept.record().waiting.unwrap().digest).await;
    kept.look_again();
    tokio::time::timeout(Duration::from_secs(20), task).await.expect("an end").unwrap();
    assert_eq!(scene.cloud.things(), Vec::<String>::new());
    assert_eq!(scene.record().await, None, "nothing is remembered of it");
    assert_eq!(scene.told.destinations.lock().unwrap().last().map(String::as_str), Some("gone shop"));
    drop(stop);
}

#[tokio::test]
async fn a_newer_commit_ends_a_wait() {
    let scene = Scene::new();
    // It takes for ever, and would be looked at for ever.
    scene.cloud.state().slowness.insert("Cluster".into(), u32::MAX);
    let kept = scene.start(&shop("1.35", 2)).await;
    let (_stop, stopped) = watch::channel(false);
    let task = tokio::spawn(keep(kept.clone(), stopped));
    until(&kept, "wait", |kept| kept.record().under_way.iter().any(|way| way.state == "CREATING")).await;
    let mut other = shop("1.35", 2);
    other.resources.retain(|resource| resource.key.name != "b" || resource.key.name == "shop");
    let vpc = other.resources.iter_mut().find(|resource| resource.key.name == "vpc").unwrap();
    vpc.desired["cidr"] = "10.9.0.0/16".into();
    kept.supersede(scene.wanted(&other, "2"));
    until(&kept, "newer commit", |_| {
        scene.cloud.state().things.iter().any(|t| t.kind == "Vpc" && t.fields["cidr"] == "10.9.0.0/16")
    })
    .await;
    task.abort();
}

#[tokio::test]
async fn what_is_on_its_way_is_looked_at_alone() {
    let scene = Scene::new();
    scene.cloud.state().slowness.insert("Cluster".into(), 12);
    let kept = scene.start(&shop("1.35", 2)).await;
    let (_stop, stopped) = watch::channel(false);
    let task = tokio::spawn(keep(kept.clone(), stopped));
    until(&kept, "cluster", |kept| kept.record().sync == SyncStatus::Synced).await;
    task.abort();
    let state = scene.cloud.state();
    let lists = |kind: &str| state.calls.iter().filter(|call| **call == format!("List{kind}")).count();
    assert!(
        lists("Cluster") > lists("Vpc") + 4,
        "{} of clusters, {} of VPCs",
        lists("Cluster"),
        lists("Vpc")
    );
}
