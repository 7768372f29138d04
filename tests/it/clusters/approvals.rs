//! What is dangerous waits for an approval that is bound to its digest.

use super::fake_kinds::{SHOP, shop};
use super::scene::{Scene, settle};
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::model::SyncStatus;
use portolan::model::application::Adopt;
use portolan::model::event::What;
use portolan::ports::StateStore;

#[tokio::test]
async fn a_removed_document_takes_nothing_before_its_approval_and_everything_after() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    kept.supersede(scene.removed(&shop("1.35", 2)));
    assert_eq!(settle(&kept).await, PassEnd::Done);
    assert_eq!(scene.cloud.things(), SHOP, "nothing goes unasked");
    let waiting = kept.record().waiting.expect("a plan that waits");
    assert_eq!(waiting.objects.len(), 7, "{waiting:?}");
    assert!(kept.record().message.contains(&format!("portolan approve shop {}", waiting.digest)));
    let held = scene.events().iter().filter(|event| matches!(event, What::Held { .. })).count();
    assert_eq!(held, 1);

    scene.approve("another digest").await;
    assert_eq!(settle(&kept).await, PassEnd::Done);
    assert_eq!(scene.cloud.things(), SHOP, "another plan's approval is good for nothing");

    scene.approve(&waiting.digest).await;
    assert_eq!(settle(&kept).await, PassEnd::Finished);
    assert_eq!(scene.cloud.things(), Vec::<String>::new());
    assert!(scene.store.approvals().await.unwrap().iter().all(|approval| approval.digest != waiting.digest));
}

#[tokio::test]
async fn an_approval_outlives_the_daemon_and_the_document() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    kept.supersede(scene.removed(&shop("1.35", 2)));
    settle(&kept).await;
    scene.approve(&kept.record().waiting.unwrap().digest).await;
    portolan::engine::clusters::pass::pass(&kept).await;
    drop(kept);
    // What is declared is known from the memory only: the document is gone.
    let remembered = super::fake_kinds::FakeBlueprint { resources: Vec::new(), ..Default::default() };
    let kept = scene.start_without().await;
    kept.supersede(scene.removed(&remembered));
    assert_eq!(settle(&kept).await, PassEnd::Finished);
    assert_eq!(scene.cloud.things(), Vec::<String>::new());
}

#[tokio::test]
async fn a_resource_that_is_no_longer_declared_waits_alone() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let mut less = shop("1.35", 3);
    less.resources.retain(|resource| resource.key.name != "green");
    kept.supersede(scene.wanted(&less, "2"));
    settle(&kept).await;
    let waiting = kept.record().waiting.unwrap();
    assert_eq!(waiting.objects, ["delete Nodegroup/green"]);
    let blue = scene.cloud.state().things.iter().find(|t| t.name == "blue").unwrap().fields["size"].clone();
    assert_eq!(blue, 3, "the rest of the plan goes on");
    scene.approve(&waiting.digest).await;
    settle(&kept).await;
    assert!(!scene.cloud.things().contains(&"Nodegroup/green".into()));
    assert_eq!(kept.record().waiting, None);
}

#[tokio::test]
async fn what_is_not_ours_is_taken_over_only_when_that_is_approved() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    // Somebody took our marks off.
    scene.cloud.edit("Cluster", |thing| thing.tags.clear());
    settle(&kept).await;
    assert!(scene.cloud.state().things.iter().find(|t| t.kind == "Cluster").unwrap().tags.is_empty());
    let waiting = kept.record().waiting.unwrap();
    assert_eq!(waiting.objects, ["adopt Cluster/shop"]);
    scene.approve(&waiting.digest).await;
    settle(&kept).await;
    assert!(!scene.cloud.state().things.iter().find(|t| t.kind == "Cluster").unwrap().tags.is_empty());
}

#[tokio::test]
async fn adoption_is_refused_asked_for_or_done_at_once_by_the_documents_policy() {
    for (adopt, waits, taken) in
        [(Adopt::Never, false, false), (Adopt::IfUnowned, true, false), (Adopt::Always, false, true)]
    {
        let mut scene = Scene::slow();
        scene.policy.adopt = adopt;
        let kept = scene.start(&shop("1.35", 2)).await;
        settle(&kept).await;
        scene.cloud.edit("Cluster", |thing| thing.tags.clear());
        settle(&kept).await;
        let cluster = scene.cloud.state().things.iter().find(|t| t.kind == "Cluster").unwrap().tags.clone();
        assert_eq!((kept.record().waiting.is_some(), !cluster.is_empty()), (waits, taken), "{adopt:?}");
        if adopt == Adopt::Never {
            assert!(kept.record().message.contains("allow adoption"), "{}", kept.record().message);
        }
    }
}

#[tokio::test]
async fn a_suspended_cluster_is_looked_at_and_not_touched_and_its_removal_still_asks() {
    let mut scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    scene.policy.suspended = Some("its document says `suspend: true`".into());
    let suspended = scene.wanted(&shop("1.35", 5), "2");
    kept.supersede(Wanted { digest: "suspended".into(), ..suspended.clone() });
    let before = scene.cloud.writes();
    scene.cloud.edit("Nodegroup", |thing| thing.fields["size"] = 9.into());
    settle(&kept).await;
    assert_eq!(scene.cloud.writes(), before);
    let record = kept.record();
    assert!(record.message.contains("suspend"), "{}", record.message);
    assert_eq!(record.sync, SyncStatus::OutOfSync);
    // The document is gone: what it said against changes is gone with it, and an approval is asked for.
    kept.supersede(suspended.gone());
    settle(&kept).await;
    let waiting = kept.record().waiting.expect("an approval");
    assert_eq!(scene.cloud.writes(), before);
    scene.approve(&waiting.digest).await;
    assert_eq!(settle(&kept).await, PassEnd::Finished);
}
