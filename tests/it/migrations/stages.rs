//! The way there, stage by stage, and the way back from the middle.

use super::scene::{Scene, document, settle, wanted};
use portolan::engine::migrations::PassEnd;
use portolan::migrate::stages::port::MADE_BY;
use portolan::model::ResourceId;
use portolan::model::event::What;
use portolan::model::migration::Stage;
use serde_json::{Value, json};

fn id(group: &str, kind: &str, name: &str) -> ResourceId {
    ResourceId::new(group, kind, "shop", name)
}

#[tokio::test]
async fn a_stateless_wave_goes_from_inventory_to_soak() {
    let scene = Scene::new();
    let before = scene.source.snapshot();
    for stage in [Stage::Inventory, Stage::Preflight, Stage::Provision, Stage::Configure] {
        scene.go(stage).await;
        assert_eq!(scene.source.snapshot(), before, "{stage}: the source is only read");
    }
    assert!(scene.target.get(&id("", "ConfigMap", "settings")).is_some());
    assert!(scene.target.get(&id("apps", "Deployment", "web")).is_none(), "workloads come with Sync");
    scene.go(Stage::Sync).await;
    let web = scene.target.get(&id("apps", "Deployment", "web")).unwrap();
    assert_eq!(web["spec"]["replicas"], 0);
    let nightly = id("batch", "CronJob", "nightly");
    assert_eq!(scene.target.get(&nightly).unwrap()["spec"]["suspend"], json!(true));

    // The source's changes flow until the cut.
    scene.source.seed(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "2"}}));
    let record = scene.go(Stage::Verify).await;
    assert_eq!(scene.target.get(&id("", "ConfigMap", "settings")).unwrap()["data"]["a"], "2");
    let shop = record.parts.iter().find(|part| part.name == "shop").unwrap();
    assert!(shop.proof.contains(" of ") && shop.proof.ends_with("objects equal"), "{shop:?}");
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (6, 0));

    scene.go(Stage::HandOver).await;
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (0, 6));
    assert_eq!(scene.target.get(&id("apps", "Deployment", "web")).unwrap()["spec"]["replicas"], 3);
    assert_ne!(scene.target.get(&nightly).unwrap()["spec"]["suspend"], json!(true));
    assert_eq!(scene.source.get(&nightly).unwrap()["spec"]["suspend"], json!(true));
    let record = scene.go(Stage::Soak).await;
    assert!(
        record.parts.iter().all(|part| part.complete && part.stage == Stage::Soak),
        "{:#?}",
        record.parts
    );
    assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "one writer at any time");
    let stages = scene.told.0.lock().unwrap();
    assert!(stages.iter().any(|event| matches!(&event.what, What::StageReached { part, stage, state, .. }
        if part == "wave shop" && stage == "Soak" && state == "complete")));
    let secret = "aHVudGVyMg";
    assert!(stages.iter().all(|event| !format!("{event:?}").contains(secret)), "no secret value in an event");
    for (text, _) in scene.store.migrations.lock().unwrap().values() {
        assert!(!text.contains(secret), "no secret value in a record");
    }
}

#[tokio::test]
async fn a_revert_from_any_stage_restores_the_source_and_leaves_nothing() {
    for stage in [Stage::Configure, Stage::Sync, Stage::Verify, Stage::HandOver, Stage::Soak] {
        let scene = Scene::new();
        let (source, target) = (scene.source.snapshot(), scene.target.snapshot());
        scene.go(stage).await;
        assert_ne!(scene.target.snapshot(), target);
        scene.go(Stage::Inventory).await;
        assert_eq!(scene.source.snapshot(), source, "from {stage}");
        assert_eq!(scene.target.snapshot(), target, "from {stage}");
        assert_eq!(scene.source.pods("shop"), 6, "from {stage}");
        assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "from {stage}");
    }
}

#[tokio::test]
async fn what_was_on_the_target_before_stays() {
    let scene = Scene::new();
    scene.target.seed(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"owner": "x"}}}));
    scene.target.seed(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other", "namespace": "shop"}}),
    );
    let before = scene.target.snapshot();
    scene.go(Stage::Sync).await;
    scene.go(Stage::Inventory).await;
    assert_eq!(scene.target.snapshot(), before);
}

#[tokio::test]
async fn another_object_of_the_name_holds_the_stage_back() {
    let scene = Scene::new();
    scene.target.seed(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    scene.target.seed(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "other"}}));
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Sync)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    assert!(mover.record().message.contains("is on the target already"), "{}", mover.record().message);
    let there = scene.target.get(&id("", "ConfigMap", "settings")).unwrap();
    assert_eq!(there["data"]["a"], "other");
}

#[tokio::test]
async fn a_difference_on_the_target_is_told_by_the_proof() {
    let scene = Scene::new();
    scene.go(Stage::Sync).await;
    scene.target.seed(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "smuggled", "namespace": "shop"}, "data": {"a": "1"}}));
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::HandOver)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    let record = mover.record();
    assert!(record.message.contains("smuggled"), "{}", record.message);
    assert_eq!(scene.source.pods("shop"), 6, "nothing was handed over");
}

#[tokio::test]
async fn what_the_source_loses_goes_from_the_target_until_the_cut() {
    let scene = Scene::new();
    scene.go(Stage::Sync).await;
    let (web, api) = (id("apps", "Deployment", "web"), id("apps", "Deployment", "api"));
    let settings = id("", "ConfigMap", "settings");
    let cluster_wide = ResourceId::new("rbac.authorization.k8s.io", "ClusterRole", "", "shop-nodes");
    // Somebody's own on the target, which no deletion of the source is about.
    scene.target.seed(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": "shop"}}),
    );
    for gone in [&api, &settings, &cluster_wide] {
        scene.source.state().objects.remove(gone);
    }
    scene.go(Stage::Sync).await;
    for gone in [&api, &settings, &cluster_wide] {
        assert!(scene.target.get(gone).is_none(), "{gone}");
    }
    assert!(scene.target.get(&web).is_some() && scene.target.get(&id("", "Secret", "theirs")).is_some());
    scene.target.state().objects.remove(&id("", "Secret", "theirs"));
    scene.go(Stage::Verify).await;

    // A namespace that is gone is no reason to take everything away.
    let namespace = ResourceId::new("", "Namespace", "", "shop");
    let was = scene.source.state().objects.clone();
    scene.source.state().objects.retain(|id, _| *id != namespace && id.namespace.as_deref() != Some("shop"));
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Verify)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    assert!(
        mover.record().message.contains("namespace shop is gone from the source"),
        "{}",
        mover.record().message
    );
    assert!(scene.target.get(&web).is_some());
    scene.source.state().objects = was;

    // Handed over, the target is its own.
    scene.go(Stage::Soak).await;
    scene.source.state().objects.remove(&web);
    scene.go(Stage::Soak).await;
    assert!(scene.target.get(&web).is_some());
}

#[tokio::test]
async fn a_claim_that_the_source_loses_is_named_and_stays() {
    let scene = Scene::new();
    scene.go(Stage::Sync).await;
    let claim = id("", "PersistentVolumeClaim", "data");
    let mut object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}});
    let mark = json!([{"manager": "portolan-migration", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]);
    object["metadata"]["managedFields"] = mark;
    scene.target.seed(object);
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Sync)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    let message = mover.record().message;
    assert!(
        message.contains("PersistentVolumeClaim shop/data is gone") && message.contains("holds data"),
        "{message}"
    );
    assert!(scene.target.get(&claim).is_some());
}

#[tokio::test]
async fn an_api_server_that_answers_is_not_a_cluster_yet() {
    let scene = Scene::new();
    *scene.unmade.lock().unwrap() = Some("cluster new: Nodegroup/workers are on their way".into());
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Sync)));
    for _ in 0..20 {
        portolan::engine::migrations::pass::pass(&mover).await;
    }
    let record = mover.record();
    assert!(record.message.contains("Nodegroup/workers are on their way"), "{record:#?}");
    assert_eq!((record.parts[0].stage, record.parts[0].complete), (Stage::Provision, false));
    assert!(
        scene.target.get(&id("", "ConfigMap", "settings")).is_none(),
        "nothing is written before it is there"
    );
    *scene.unmade.lock().unwrap() = None;
    scene.go(Stage::Sync).await;
    // Once it was whole, what drifts of it holds nothing up.
    *scene.unmade.lock().unwrap() = Some("cluster new: a tag drifted".into());
    scene.go(Stage::Verify).await;
}

#[tokio::test]
async fn waves_move_separately() {
    let scene = Scene::new();
    scene.source.seed(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blog"}}));
    scene.source.seed(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "blog", "namespace": "blog"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "blog"}}, "template": {"metadata": {"labels": {"app": "blog"}},
            "spec": {"containers": [{"name": "main", "image": "registry.example.com/blog:1"}]}}}}));
    let mut spec = document(Stage::Sync);
    let mut blog = spec.waves[0].clone();
    (blog.name, blog.namespaces, blog.stage) = ("blog".into(), vec!["blog".into()], Some(Stage::Soak));
    spec.waves.push(blog);
    let mover = scene.start();
    mover.supersede(wanted(spec));
    settle_waits(&mover).await;
    assert_eq!((scene.source.pods("blog"), scene.target.pods("blog")), (0, 1));
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (6, 0));
}

/// The move as a whole waits for the wave behind: passes until nothing is written any more.
async fn settle_waits(mover: &std::sync::Arc<portolan::engine::migrations::Mover>) {
    let mut quiet = 0;
    while quiet < 3 {
        match portolan::engine::migrations::pass::pass(mover).await {
            PassEnd::Acted | PassEnd::Retry | PassEnd::Superseded => quiet = 0,
            _ => quiet += 1,
        }
    }
}

#[tokio::test]
async fn nothing_is_written_while_it_is_suspended() {
    let scene = Scene::new();
    let mover = scene.start();
    let mut spec = document(Stage::Soak);
    spec.suspend = true;
    mover.supersede(wanted(spec));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    let writes = scene.wire.state().writes.clone();
    assert!(writes.iter().all(|write| write.starts_with("store ")), "{writes:?}");
}

#[tokio::test]
async fn the_last_stage_gives_objects_away_after_an_approval_of_exactly_them() {
    let scene = Scene::new();
    scene.go(Stage::Soak).await;
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::Decommission)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    let waiting = mover.record().waiting.unwrap();
    let approve = |digest: &str| {
        scene.store.approvals.lock().unwrap().push(portolan::ports::Approval {
            application: String::new(),
            destination: "move".into(),
            digest: digest.into(),
            by: "test".into(),
        });
    };
    approve("0000");
    assert_eq!(settle(&mover).await, PassEnd::Blocked, "another digest approves nothing");
    let before = scene.target.snapshot();
    approve(&waiting.digest);
    assert_eq!(settle(&mover).await, PassEnd::Done);
    let web = scene.target.get(&id("apps", "Deployment", "web")).unwrap();
    assert_eq!(web["metadata"]["managedFields"][0]["manager"], "portolan");
    let mut after = scene.target.snapshot();
    // The migration's marks, on namespaces and on what says nothing else, are all that went.
    for (name, object) in &mut after {
        let mark = |object: &Value| object.pointer("/metadata/annotations")?.get(MADE_BY).cloned();
        let Some(was) = mark(&before[name]) else { continue };
        // The journal stays where it is, and is no Application's.
        assert!(mark(&*object).is_none() || name == "Namespace portolan", "{name} is still marked");
        object["metadata"]["annotations"][MADE_BY] = was;
    }
    let journal = |name: &&String| !name.starts_with("Secret portolan/");
    for name in before.keys().filter(journal) {
        assert_eq!(after[name], before[name], "{name}");
    }
    // What is given away is not taken back.
    mover.supersede(wanted(document(Stage::Soak)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
}
