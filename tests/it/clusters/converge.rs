//! From nothing to a cluster, from one declaration to the next, and to nothing again.

use super::fake_cloud::Trouble;
use super::fake_kinds::{FakeBlueprint, SHOP, shop};
use super::scene::{Scene, settle};
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::model::event::What;
use portolan::model::{Health, SyncStatus};
use portolan::ports::CloudFailureKind;
use portolan::provision::Problem;
use serde_json::json;

#[tokio::test]
async fn a_cluster_is_made_in_the_order_of_needs_and_a_second_pass_writes_nothing() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    assert_eq!(settle(&kept).await, PassEnd::Done);
    assert_eq!(scene.cloud.things(), SHOP);
    let record = kept.record();
    assert_eq!(
        (record.sync, record.health, record.message.as_str()),
        (SyncStatus::Synced, Health::Healthy, "")
    );
    assert_eq!((record.version.as_str(), record.revision.as_str()), ("1.35", "1"));
    assert_eq!(record.resources, 7);
    assert_eq!(scene.record().await.unwrap(), record, "what is shown is what is stored");
    let creates: Vec<String> =
        scene.cloud.state().calls.iter().filter(|call| call.starts_with("Create")).cloned().collect();
    let place = |name: &str| creates.iter().position(|call| call == name).unwrap();
    assert!(place("CreateVpc") < place("CreateSubnet") && place("CreateSubnet") < place("CreateCluster"));
    assert!(place("CreateCluster") < place("CreateNodegroup"));
    let before = scene.cloud.writes();
    assert_eq!(pass(&kept).await, PassEnd::Done);
    assert_eq!(scene.cloud.writes(), before);
    assert_eq!(scene.told.destinations.lock().unwrap().as_slice(), ["ready shop"]);
}

#[tokio::test]
async fn what_is_done_and_how_long_it_took_is_told_once_for_each_resource() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let events = scene.events();
    let begun = |resource: &str| {
        events
            .iter()
            .filter(|e| matches!(e, What::ResourceBegun { resource: r, .. } if r == resource))
            .count()
    };
    let done = |resource: &str| {
        events.iter().filter(|e| matches!(e, What::ResourceDone { resource: r, .. } if r == resource)).count()
    };
    for resource in SHOP {
        assert_eq!((begun(resource), done(resource)), (1, 1), "{resource}: {events:?}");
    }
    let synced: Vec<_> = events.iter().filter(|e| matches!(e, What::Synced { .. })).collect();
    assert!(matches!(synced.as_slice(), [What::Synced { written: 7, .. }]), "{synced:?}");
}

#[tokio::test]
async fn a_changed_field_is_updated_in_place_and_nothing_else_is_touched() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let before = scene.cloud.writes();
    assert!(kept.supersede(scene.wanted(&shop("1.35", 5), "2")));
    settle(&kept).await;
    assert_eq!(scene.cloud.writes() - before, 2, "one update for each node group");
    assert!(
        scene.cloud.state().things.iter().filter(|t| t.kind == "Nodegroup").all(|t| t.fields["size"] == 5)
    );
    assert_eq!(kept.record().revision, "2");
    assert!(
        !kept.supersede(scene.wanted(&shop("1.35", 5), "3")),
        "a commit that changed nothing here is none"
    );
}

#[tokio::test]
async fn what_is_slow_to_be_seen_is_not_made_twice() {
    let mut scene = Scene::slow();
    scene.settle = std::time::Duration::from_millis(400);
    scene.cloud.state().lag = 3;
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    assert_eq!(scene.cloud.things(), SHOP);
}

#[tokio::test]
async fn an_untokened_creation_without_an_answer_is_given_time_to_be_seen() {
    let mut scene = Scene::new();
    scene.settle = std::time::Duration::from_millis(400);
    scene.cloud.state().lag = 2;
    scene.cloud.state().of_call.insert("CreateVpc".into(), Trouble::Unanswered);
    let kept = scene.start(&shop("1.35", 2)).await;
    for _ in 0..2 {
        pass(&kept).await;
    }
    scene.cloud.state().of_call.clear();
    settle(&kept).await;
    assert_eq!(scene.cloud.things(), SHOP);
}

#[tokio::test]
async fn a_refusal_is_told_with_the_way_out_and_hinders_nothing_else() {
    let scene = Scene::slow();
    scene.cloud.state().of_call.insert("CreateRole".into(), Trouble::Fails(CloudFailureKind::Denied));
    let kept = scene.start(&shop("1.35", 2)).await;
    let mut ends = Vec::new();
    for _ in 0..20 {
        ends.push(pass(&kept).await);
    }
    assert_eq!(ends.last(), Some(&PassEnd::Retry));
    let things = scene.cloud.things();
    assert!(
        things.contains(&"Cluster/shop".into()) && !things.contains(&"Nodegroup/blue".into()),
        "{things:?}"
    );
    let record = kept.record();
    assert!(record.message.contains("Role/node") && record.message.contains("IAM"), "{}", record.message);
    let told = scene.events().iter().filter(|e| matches!(e, What::ResourceFailed { .. })).count();
    assert_eq!(told, 1, "told once, tried again quietly");
    scene.cloud.state().of_call.clear();
    settle(&kept).await;
    assert_eq!(scene.cloud.things(), SHOP);
    assert_eq!(kept.record().message, "");
}

#[tokio::test]
async fn a_kind_that_cannot_be_read_is_neither_made_nor_deleted_nor_taken_as_gone() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let before = scene.cloud.writes();
    scene.cloud.state().of_call.insert("ListSubnet".into(), Trouble::Fails(CloudFailureKind::Unavailable));
    for _ in 0..5 {
        assert_eq!(pass(&kept).await, PassEnd::Retry);
    }
    assert_eq!(scene.cloud.writes(), before);
    assert!(kept.record().message.contains("cannot be read"), "{}", kept.record().message);
    scene.cloud.state().of_call.clear();
    settle(&kept).await;
    assert_eq!(scene.cloud.writes(), before);
    assert_eq!(kept.record().sync, SyncStatus::Synced);
}

#[tokio::test]
async fn a_file_that_cannot_be_carried_out_changes_nothing() {
    let scene = Scene::new();
    let mut blueprint = shop("1.35", 2);
    blueprint.problems.push(Problem::refused("/vpc/nat", "no such gateway"));
    let kept = scene.start(&blueprint).await;
    pass(&kept).await;
    assert_eq!(scene.cloud.writes(), 0);
    assert!(kept.record().message.contains("/vpc/nat: no such gateway"), "{}", kept.record().message);
}

#[tokio::test]
async fn a_field_that_cannot_be_changed_is_blocked_with_the_way_out() {
    let scene = Scene::slow();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let before = scene.cloud.writes();
    let mut other = shop("1.35", 2);
    let cluster = other.resources.iter_mut().find(|r| r.key.name == "shop").unwrap();
    cluster.desired["fixed"] = json!(2);
    kept.supersede(scene.wanted(&other, "2"));
    settle(&kept).await;
    assert_eq!(scene.cloud.writes(), before);
    let record = kept.record();
    assert!(record.message.contains("make another one"), "{}", record.message);
    assert_eq!((record.sync, record.revision.as_str()), (SyncStatus::OutOfSync, "1"));
}

#[tokio::test]
async fn another_account_is_not_taken_for_the_one_that_was_kept() {
    let scene = Scene::new();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let before = scene.cloud.writes();
    let mut elsewhere = scene.wanted(&shop("1.35", 2), "2");
    elsewhere.cluster = "other".into();
    elsewhere.digest = "other".into();
    kept.supersede(elsewhere);
    assert_eq!(pass(&kept).await, PassEnd::Retry);
    assert_eq!(scene.cloud.writes(), before);
    assert!(kept.record().message.contains("would be left behind"), "{}", kept.record().message);
}

#[tokio::test]
async fn a_minor_counts_as_reached_when_pods_of_fargate_run_on_it() {
    let scene = Scene::new();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    // The control plane and the nodes have moved, a pod of Fargate has not.
    let moved = FakeBlueprint { restart: vec!["fargate-1".into()], ..shop("1.36", 2) };
    kept.supersede(Wanted { digest: "1.36".into(), ..scene.wanted(&moved, "2") });
    for _ in 0..20 {
        assert_ne!(pass(&kept).await, PassEnd::Done);
    }
    let record = kept.record();
    assert_eq!((record.version.as_str(), record.revision.as_str()), ("1.36", "1"));
    assert_eq!((record.sync, record.health), (SyncStatus::OutOfSync, Health::Progressing));
    kept.supersede(Wanted { digest: "and pods".into(), ..scene.wanted(&shop("1.36", 2), "3") });
    assert_eq!(settle(&kept).await, PassEnd::Done);
    let record = kept.record();
    assert_eq!((record.sync, record.health), (SyncStatus::Synced, Health::Healthy));
    assert_eq!(record.revision, "3");
}
