//! The fence, against controllers that do not give up.

use super::scene::{Scene, document, settle, wanted};
use portolan::engine::migrations::PassEnd;
use portolan::model::ResourceId;
use portolan::model::migration::Stage;
use serde_json::json;

#[tokio::test]
async fn it_holds_against_a_controller_that_scales_up_all_the_time() {
    let scene = Scene::new();
    let web = ResourceId::new("apps", "Deployment", "shop", "web");
    scene.go(Stage::Verify).await;
    let before = scene.source.snapshot();
    scene.source.state().scaled_up.insert(web.clone());
    scene.go(Stage::HandOver).await;
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop") > 0), (0, true));
    assert_eq!(scene.wire.state().doubles, Vec::<String>::new());
    // No fight: once the fence stands, it is left to the quota.
    let writes = scene.wire.state().writes.len();
    scene.go(Stage::HandOver).await;
    let again: Vec<String> = scene.wire.state().writes[writes..].to_vec();
    assert!(again.iter().all(|write| write.starts_with("store ")), "{again:?}");
    // It goes back to what was found first, not to what the controller made of it.
    scene.source.state().scaled_up.clear();
    scene.go(Stage::Verify).await;
    assert_eq!(scene.source.snapshot(), before);
}

#[tokio::test]
async fn its_owners_are_paused_and_resumed() {
    let scene = Scene::new();
    let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"destination": {"namespace": "shop"}, "syncPolicy": {"automated": {"prune": true}}}});
    scene.source.seed(application);
    let before = scene.source.snapshot();
    let id = ResourceId::new("argoproj.io", "Application", "default", "shop");
    scene.go(Stage::HandOver).await;
    assert_eq!(scene.source.get(&id).unwrap()["spec"]["syncPolicy"], json!({}));
    scene.go(Stage::Sync).await;
    assert_eq!(scene.source.snapshot(), before);
}

#[tokio::test]
async fn a_pod_of_no_workload_is_left_to_a_person() {
    let scene = Scene::new();
    scene.source.seed(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "debug", "namespace": "shop"},
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/debug:1"}]}, "status": {"phase": "Running"}}));
    let mover = scene.start();
    mover.supersede(wanted(document(Stage::HandOver)));
    assert_eq!(settle(&mover).await, PassEnd::Blocked);
    assert!(mover.record().message.contains("shop/debug"), "{}", mover.record().message);
    assert_eq!(scene.target.pods("shop"), 0);
    let pod = ResourceId::new("", "Pod", "shop", "debug");
    scene.source.state().objects.remove(&pod);
    mover.look_again();
    assert_eq!(settle(&mover).await, PassEnd::Done);
}

#[tokio::test]
async fn an_autoscaler_decides_on_either_side_and_nobody_writes_against_it() {
    let scene = Scene::new();
    let web = ResourceId::new("apps", "Deployment", "shop", "web");
    scene.source.seed(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"minReplicas": 1, "maxReplicas": 6,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}));
    let replicas =
        |server: &super::fake_server::FakeServer| server.get(&web).unwrap()["spec"]["replicas"].clone();
    assert_eq!(replicas(&scene.source), 6);
    scene.go(Stage::HandOver).await;
    assert_eq!((replicas(&scene.source), replicas(&scene.target)), (json!(0), json!(6)));
    // Less load: what it decides stays as it is.
    let scaler = ResourceId::new("autoscaling", "HorizontalPodAutoscaler", "shop", "web");
    let calm = |server: &super::fake_server::FakeServer| {
        let mut state = server.state();
        let mut object = state.objects[&web].clone();
        object["spec"]["replicas"] = 3.into();
        state.objects.insert(web.clone(), object);
        state.objects.get_mut(&scaler).unwrap()["spec"]["maxReplicas"] = 3.into();
    };
    calm(&scene.target);
    calm(&scene.source);
    let writes = scene.wire.state().writes.len();
    scene.go(Stage::HandOver).await;
    let again: Vec<String> = scene.wire.state().writes[writes..].to_vec();
    assert!(!again.iter().any(|write| write.contains("Deployment")), "{again:?}");
    // Back: the source begins with what was found first, and its autoscaler goes on from there.
    scene.go(Stage::Verify).await;
    assert_eq!((replicas(&scene.source), replicas(&scene.target)), (json!(3), json!(0)));
}

#[tokio::test]
async fn a_controller_that_scales_up_all_the_time_does_not_keep_the_target_from_stopping() {
    let scene = Scene::new();
    let before = scene.source.snapshot();
    let web = ResourceId::new("apps", "Deployment", "shop", "web");
    scene.go(Stage::HandOver).await;
    scene.target.state().scaled_up.insert(web.clone());
    scene.go(Stage::Sync).await;
    assert_eq!((scene.source.snapshot(), scene.target.pods("shop")), (before, 0));
    assert_eq!(scene.wire.state().doubles, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_refused_behind_it_starts_at_once_when_it_is_lowered() {
    let scene = Scene::new();
    let web = ResourceId::new("apps", "Deployment", "shop", "web");
    let (before, running) = (scene.source.snapshot(), scene.source.pods("shop"));
    scene.go(Stage::HandOver).await;
    // Somebody scales up on the source, to what it was before: its controller is refused, and waits longer each time.
    let mut object = scene.source.get(&web).unwrap();
    object["spec"]["replicas"] = 6.into();
    scene.source.seed(object);
    assert_eq!((scene.source.pods("shop"), scene.source.state().refused.len()), (0, 1));
    scene.go(Stage::Verify).await;
    assert_eq!((scene.source.snapshot(), scene.source.pods("shop")), (before, running));
}
