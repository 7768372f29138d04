//! A wave with volumes and a record: over, back, over again, and to the end.

use super::scene::{Scene, controller, stateful_document, wanted};
use portolan::engine::migrations::PassEnd;
use portolan::engine::migrations::pass::pass;
use portolan::model::ResourceId;
use portolan::model::cloud::{Call, Service};
use portolan::model::migration::Stage;
use portolan::ports::Cloud as _;
use serde_json::{Value, json};

const KEY: &str = "kubernetes.io/cluster/old.example.com";

fn weights(scene: &Scene) -> Vec<u64> {
    let state = scene.account.state();
    let mut weighted: Vec<_> = state
        .records
        .iter()
        .filter_map(|set| Some((set["SetIdentifier"].as_str()?, set["Weight"].as_u64()?)))
        .collect();
    weighted.sort_unstable();
    weighted.into_iter().map(|(_, weight)| weight).collect()
}

#[tokio::test]
async fn volumes_and_records_go_over_and_back_and_over_again() {
    let scene = Scene::stateful();
    let before = (scene.source.snapshot(), scene.target.snapshot(), scene.account.snapshot());
    scene.go(Stage::Verify).await;
    assert_eq!(scene.account.snapshot(), before.2, "nothing of the account is written before the hand-over");

    scene.go(Stage::HandOver).await;
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (0, 3));
    for (id, volume) in &scene.account.state().volumes {
        assert_eq!(volume.writers, ["source", "target"], "{id}");
        let tag = |key: &str| volume.tags.get(key).map(String::as_str);
        assert_eq!(tag(KEY), Some("shared"), "kops spares {id}");
        assert_eq!(tag("KubernetesCluster"), Some("old.example.com"), "the source may attach {id} again");
        assert_eq!(tag("ebs.csi.aws.com/cluster"), Some("true"));
    }
    assert_eq!(scene.account.state().snapshots.len(), 2);
    assert!(scene.account.state().snapshots.values().all(|(_, writers)| writers == &["source"]));
    let volume = ResourceId::new("", "PersistentVolume", "", "pv-0");
    let policy = |server: &super::fake_server::FakeServer| {
        server.get(&volume).unwrap()["spec"]["persistentVolumeReclaimPolicy"].clone()
    };
    assert_eq!((policy(&scene.source), policy(&scene.target)), (json!("Retain"), json!("Retain")));

    scene.go(Stage::Soak).await;
    assert_eq!(weights(&scene), [0, 100], "source and target");

    // Back, with what the target wrote: that is asked for before anything is stopped.
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::Inventory)));
    while pass(&mover).await != PassEnd::Blocked {}
    let waiting = mover.record().waiting.unwrap();
    assert!(waiting.objects[0].contains("have run on the target and may have written"), "{waiting:?}");
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (0, 3), "nothing is stopped");
    assert_eq!(weights(&scene), [0, 100], "and no traffic moved");
    scene.go(Stage::Inventory).await;
    assert_eq!((scene.source.snapshot(), scene.target.snapshot(), scene.account.snapshot()), before);
    assert_eq!(
        scene.account.state().snapshots.len(),
        0,
        "the source runs again: nothing is left of the move"
    );
    let writers = scene.account.state().volumes["vol-0"].writers.clone();
    assert_eq!(writers, ["source", "target", "source"], "the source has what the target wrote");

    // Another time needs another snapshot.
    scene.go(Stage::Soak).await;
    let writers = ["source", "target", "source"];
    assert_eq!(scene.account.state().snapshots.len(), 2);
    assert!(scene.account.state().snapshots.values().all(|(_, own)| *own == writers), "of the state of now");
    assert_eq!(scene.wire.state().doubles, Vec::<String>::new(), "one writer at any time");
}

#[tokio::test]
async fn an_external_dns_that_was_paused_runs_again_after_the_way_back() {
    let scene = Scene::stateful();
    let labels = json!({"k8s-addon": "external-dns.addons.k8s.io"});
    scene.source.seed(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-dns", "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example.com/external-dns:v0.13.5",
                "args": ["--txt-owner-id=old"]}]}}}}));
    let owner = "\"heritage=external-dns,external-dns/owner=old,external-dns/resource=service/shop/front\"";
    scene.account.state().records.push(json!({"Name": "cname-shop.example.com.", "Type": "TXT", "TTL": 300,
        "ResourceRecords": [{"Value": owner}]}));
    let before = (scene.source.snapshot(), scene.account.snapshot());
    scene.go(Stage::Soak).await;
    let controller = ResourceId::new("apps", "Deployment", "kube-system", "external-dns");
    assert_eq!(scene.source.get(&controller).unwrap()["spec"]["replicas"], 0);
    scene.go(Stage::Inventory).await;
    assert_eq!((scene.source.snapshot(), scene.account.snapshot()), before);
}

#[tokio::test]
async fn a_turn_in_the_middle_of_a_hand_over_takes_another_snapshot() {
    let scene = Scene::stateful();
    let before = (scene.source.snapshot(), scene.account.snapshot());
    scene.go(Stage::Verify).await;
    // Until the snapshots are taken, and no further.
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::HandOver)));
    while scene.account.state().snapshots.len() < 2 {
        pass(&mover).await;
    }
    scene.go(Stage::Verify).await;
    assert_eq!((scene.source.snapshot(), scene.account.snapshot()), before);
    let first: Vec<String> = scene.account.state().snapshots.keys().cloned().collect();
    assert_eq!(first, Vec::<String>::new(), "taken back, and the source runs again");
    scene.go(Stage::HandOver).await;
    assert_eq!(scene.account.state().snapshots.len(), 2, "the source has written between");
}

#[tokio::test]
async fn the_end_settles_records_and_lets_kops_delete_nothing_of_the_target() {
    let scene = Scene::stateful();
    scene.go(Stage::Soak).await;
    // `kops update cluster` puts its own tag back: mended while both sides are watched.
    scene.account.state().volumes.get_mut("vol-0").unwrap().tags.insert(KEY.into(), "owned".into());
    scene.go(Stage::Soak).await;
    assert_eq!(scene.account.state().volumes["vol-0"].tags[KEY], "shared");

    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::Decommission)));
    while pass(&mover).await != PassEnd::Blocked {}
    assert!(mover.record().waiting.is_some(), "{}", mover.record().message);
    assert_eq!(weights(&scene), [0, 100], "nothing is final before it is approved");
    assert!(
        scene.account.state().volumes.values().all(|volume| volume.tags.contains_key("KubernetesCluster"))
    );
    scene.go(Stage::Decommission).await;
    {
        let state = scene.account.state();
        let record = json!({"Name": "shop.example.com.", "Type": "CNAME", "TTL": 300,
            "ResourceRecords": [{"Value": "target-front.elb.example.net"}]});
        assert_eq!(state.records, [record]);
        for (id, volume) in &state.volumes {
            assert!(!volume.tags.contains_key("KubernetesCluster"), "{id}");
            assert_eq!(volume.tags[KEY], "shared", "{id}");
        }
    }
    // And from there nothing goes back.
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::Verify)));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (0, 3));
}

#[tokio::test]
async fn what_the_guard_finds_is_spared_and_given_back_on_the_way_back() {
    let scene = Scene::stateful();
    scene.go(Stage::Soak).await;
    // The watch does not see this one: the move is at its last stage when somebody changes it.
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::Decommission)));
    while pass(&mover).await != PassEnd::Blocked {}
    scene.account.state().volumes.get_mut("vol-1").unwrap().tags.insert(KEY.into(), "owned".into());
    while scene.account.state().volumes["vol-1"].tags[KEY] != "shared" {
        pass(&mover).await;
    }
    scene.go(Stage::Soak).await;
    let answer = scene.account.call(&Call::new(Service::Ec2, "DescribeVolumes", json!({}))).await.unwrap();
    assert_eq!(answer["volumeSet"].as_array().map(Vec::len), Some(2), "nothing was deleted");
}

#[tokio::test]
async fn a_share_is_held_for_its_time_and_as_far_as_it_may() {
    let scene = Scene::stateful();
    scene.go(Stage::HandOver).await;
    let up_to = |share: Option<u32>| {
        let mut spec = stateful_document(Stage::Soak);
        spec.traffic.records[0].up_to = share;
        wanted(spec)
    };
    let mover = scene.start();
    mover.supersede(up_to(Some(10)));
    let mut seen: Vec<Vec<u64>> = Vec::new();
    for _ in 0..60 {
        if pass(&mover).await == PassEnd::Waits {
            scene.tick.wait(30);
        }
        let now = weights(&scene);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    assert_eq!(seen, [vec![], vec![100, 0], vec![90, 10]]);
    let part = |name: &str| mover.record().parts.into_iter().find(|part| part.name == name).unwrap();
    assert_eq!((part("shop").stage, part("shop").complete), (Stage::Shift, false), "{:?}", part("shop"));
    // A target that answers no more gets no further share.
    let front = ResourceId::new("apps", "Deployment", "shop", "front");
    let mut object: Value = scene.target.get(&front).unwrap();
    object["spec"]["replicas"] = 0.into();
    scene.target.state().put(front, object);
    scene.target.state().settle();
    mover.supersede(up_to(None));
    for _ in 0..20 {
        pass(&mover).await;
        scene.tick.wait(60);
    }
    assert_eq!(weights(&scene), [90, 10]);
    assert!(mover.record().message.contains("no ready endpoint"), "{}", mover.record().message);
}

#[tokio::test]
async fn a_name_that_the_dns_controller_of_kops_keeps_has_one_writer() {
    let scene = Scene::stateful();
    scene.go(Stage::HandOver).await;
    let controller = |replicas: u32| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "dns-controller", "namespace": "kube-system"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "dns"}}, "template": {
                "metadata": {"labels": {"app": "dns"}}, "spec": {"containers": [
                    {"name": "dns-controller", "image": "registry.example.com/kops/dns-controller:1.28.5"}]}}}})
    };
    scene.source.seed(controller(1));
    let front = ResourceId::new("", "Service", "shop", "front");
    let mut object = scene.source.get(&front).unwrap();
    object["metadata"]["annotations"]["dns.alpha.kubernetes.io/external"] = "shop.example.com".into();
    scene.source.seed(object);
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::Soak)));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    let message = mover.record().message;
    assert!(
        message.contains("kept by kops' dns-controller") && message.contains("Service shop/front"),
        "{message}"
    );
    assert_eq!(weights(&scene), Vec::<u64>::new(), "nothing is shifted while another writes the record");
    scene.source.seed(controller(0));
    scene.go(Stage::Soak).await;
    assert_eq!(weights(&scene), [0, 100]);
}

/// The same scene, where nobody on the target makes load balancers.
fn without_controller() -> Scene {
    let scene = Scene::stateful();
    let id = ResourceId::new("apps", "Deployment", "kube-system", "aws-load-balancer-controller");
    scene.target.state().objects.remove(&id);
    scene.target.state().settle();
    scene
}

#[tokio::test]
async fn nothing_is_fenced_before_load_balancers_have_a_maker_on_the_target() {
    let scene = without_controller();
    scene.go(Stage::Verify).await;
    let mover = scene.start();
    mover.supersede(wanted(stateful_document(Stage::HandOver)));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    let message = mover.record().message;
    assert!(
        message.contains("Service shop/front")
            && message.contains("the AWS Load Balancer Controller is not there"),
        "{message}"
    );
    assert_eq!((scene.source.pods("shop"), scene.target.pods("shop")), (3, 0), "its clients still find it");
    scene.target.seed(controller());
    scene.go(Stage::Soak).await;
    assert_eq!(weights(&scene), [0, 100]);
}

#[tokio::test]
async fn a_record_whose_load_balancer_nobody_makes_is_told_and_not_waited_for() {
    let scene = without_controller();
    let accepted = |stage: Stage| {
        let mut spec = stateful_document(stage);
        spec.choices.insert("balancers.no-controller".into(), "accept".into());
        wanted(spec)
    };
    let mover = scene.start();
    mover.supersede(accepted(Stage::HandOver));
    assert_eq!(scene.settle(&mover).await, PassEnd::Done, "a person says that another makes them");
    mover.supersede(accepted(Stage::Soak));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked, "{:#?}", mover.record());
    let message = mover.record().message;
    assert!(
        message.contains("Service shop/front of the target has no load balancer yet, and nothing makes it"),
        "{message}"
    );
    assert_eq!(weights(&scene), Vec::<u64>::new());
    scene.target.seed(controller());
    assert_eq!(scene.settle(&mover).await, PassEnd::Done, "{:#?}", mover.record());
    assert_eq!(weights(&scene), [0, 100]);
}
