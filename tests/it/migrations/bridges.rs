//! Calls that waves cut, led across by bridges: made, checked, kept and taken away with the waves.

use super::kills::survive;
use super::real::{api, until_settled};
use super::scene::{Scene, Two, controller, daemon, document, wanted};
use super::wire::TROUBLES;
use crate::support::control_plane::{kubectl_ok, kubectl_ok_with, options, places, start};
use crate::support::memory_store::MemoryStore;
use portolan::engine::migrations::PassEnd;
use portolan::engine::migrations::pass::pass;
use portolan::local::{ControlPlane, Options};
use portolan::model::ResourceId;
use portolan::model::migration::Stage;
use portolan::model::migration_document::{BridgeEnd, BridgeSpec, MigrationSpec, WaveSpec};
use serde_json::{Value, json};
use std::sync::Arc;

/// The shop and its cache on the source, and one node on each side.
fn scene(of: fn(Stage) -> MigrationSpec) -> Scene {
    let mut scene = Scene::new_of(Vec::new());
    scene.of = of;
    for (server, address) in [(&scene.source, "10.1.0.4"), (&scene.target, "10.2.0.4")] {
        server.seed(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("{}-node", server.side)},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "Hostname", "address": "node"}, {"type": "InternalIP", "address": address}]}}));
    }
    objects().into_iter().for_each(|object| scene.source.seed(object));
    scene
}

/// A shop that calls a cache in another namespace.
fn objects() -> Vec<Value> {
    let deployment = |namespace: &str, name: &str, env: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "registry.example.com/app:1", "env": env}]}}}})
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}),
        deployment("shop", "web", json!([{"name": "CACHE", "value": "redis://redis.data:6379"}])),
        deployment("data", "redis", json!([])),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis", "namespace": "data"}, "spec": {
            "type": "ClusterIP", "selector": {"app": "redis"},
            "ports": [{"name": "redis", "port": 6379, "protocol": "TCP", "targetPort": 6379}]}}),
    ]
}

fn waves(shop: Stage, data: Stage) -> MigrationSpec {
    let wave =
        |name: &str, stage| WaveSpec { name: name.into(), namespaces: vec![name.into()], stage: Some(stage) };
    let mut spec = document(shop.min(data));
    spec.waves = vec![wave("shop", shop), wave("data", data)];
    spec.bridges = vec![BridgeSpec { service: "data/redis".into(), ..BridgeSpec::default() }];
    spec
}

/// The shop goes to `Soak` first; what it calls follows at `Soak`.
fn caller_first(stage: Stage) -> MigrationSpec {
    match stage {
        Stage::HandOver => waves(Stage::Soak, Stage::Verify),
        other => waves(other, other),
    }
}

/// The cache goes first; who calls it follows at `Soak`.
fn callee_first(stage: Stage) -> MigrationSpec {
    match stage {
        Stage::HandOver => waves(Stage::Verify, Stage::Soak),
        other => waves(other, other),
    }
}

fn service(name: &str) -> ResourceId {
    ResourceId::new("", "Service", "data", name)
}

fn slice() -> ResourceId {
    ResourceId::new("discovery.k8s.io", "EndpointSlice", "data", "redis-bridge-ipv4")
}

/// Brings it to a stage at which waves stand apart: the move as a whole waits for one of them.
async fn part(scene: &Scene, stage: Stage) -> String {
    let mover = scene.start();
    mover.supersede(wanted((scene.of)(stage)));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked, "{:#?}", mover.record());
    let record = mover.record();
    for part in record.parts.iter().filter(|part| !part.name.is_empty()) {
        assert!(part.complete && part.stage == part.goal, "{record:#?}");
    }
    format!("{:?}", record.parts)
}

#[tokio::test]
async fn who_moves_first_calls_back_until_the_called_follows() {
    let scene = scene(caller_first);
    let (source, target) = (scene.source.snapshot(), scene.target.snapshot());
    let told = part(&scene, Stage::HandOver).await;
    assert!(told.contains("data/redis is called from the target across a bridge"), "{told}");
    let near = scene.target.get(&service("redis")).unwrap();
    assert!(near["spec"].get("selector").is_none(), "{near}");
    let across = scene.target.get(&slice()).unwrap();
    assert_eq!(across["endpoints"][0]["addresses"], json!(["10.1.0.4"]));
    let opened = scene.source.get(&service("portolan-bridge-redis")).unwrap();
    assert_eq!(across["ports"][0]["port"], opened["spec"]["ports"][0]["nodePort"]);
    assert_eq!(scene.source.get(&service("redis")).unwrap()["spec"]["selector"], json!({"app": "redis"}));
    assert_eq!((scene.source.pods("data"), scene.target.pods("shop")), (2, 2));

    // Another node: the bridge follows.
    scene.source.seed(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "another"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.1.0.5"}]}}));
    part(&scene, Stage::HandOver).await;
    assert_eq!(scene.target.get(&slice()).unwrap()["endpoints"].as_array().unwrap().len(), 2);
    scene.source.state().objects.remove(&ResourceId::new("", "Node", "", "another"));

    scene.go(Stage::Soak).await;
    let real = scene.target.get(&service("redis")).unwrap();
    assert_eq!(real["metadata"]["uid"], near["metadata"]["uid"], "its address stays");
    assert_eq!(real["spec"]["selector"], json!({"app": "redis"}));
    assert!(
        real.pointer("/metadata/labels").and_then(|labels| labels.get("portolan.dev/bridge")).is_none(),
        "{real}"
    );
    assert!(scene.target.get(&slice()).is_none());
    assert!(scene.source.get(&service("portolan-bridge-redis")).is_none());
    scene.go(Stage::Inventory).await;
    assert_eq!((scene.source.snapshot(), scene.target.snapshot()), (source, target));
}

#[tokio::test]
async fn who_stays_behind_calls_ahead_until_it_follows() {
    let scene = scene(callee_first);
    let (source, target) = (scene.source.snapshot(), scene.target.snapshot());
    part(&scene, Stage::HandOver).await;
    let near = scene.source.get(&service("redis")).unwrap();
    assert!(near["spec"].get("selector").is_none(), "{near}");
    let across = scene.source.get(&slice()).unwrap();
    assert_eq!(across["endpoints"][0]["addresses"], json!(["10.2.0.4"]));
    assert!(scene.target.get(&service("portolan-bridge-redis")).is_some());
    assert_eq!((scene.source.pods("shop"), scene.target.pods("data")), (2, 2));

    scene.go(Stage::Soak).await;
    assert_eq!(scene.source.get(&service("redis")).unwrap()["spec"]["selector"], json!({"app": "redis"}));
    assert!(scene.source.get(&slice()).is_none());
    assert!(scene.target.get(&service("portolan-bridge-redis")).is_none());
    scene.go(Stage::Inventory).await;
    assert_eq!((scene.source.snapshot(), scene.target.snapshot()), (source, target));
}

#[tokio::test]
async fn a_bridge_goes_with_the_wave_that_goes_back() {
    for of in [caller_first as fn(Stage) -> MigrationSpec, callee_first] {
        let scene = scene(of);
        let (source, target) = (scene.source.snapshot(), scene.target.snapshot());
        part(&scene, Stage::HandOver).await;
        scene.go(Stage::Inventory).await;
        assert_eq!((scene.source.snapshot(), scene.target.snapshot()), (source, target));
        for server in [&scene.source, &scene.target] {
            assert!(server.get(&slice()).is_none(), "{}", server.side);
        }
        assert_eq!((scene.source.pods("shop"), scene.source.pods("data")), (2, 2));
        assert_eq!(scene.wire.state().doubles, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_cut_call_without_a_bridge_and_a_bridge_of_no_use_are_blockers() {
    let scene = scene(caller_first);
    let mover = scene.start();
    let told = async |spec: MigrationSpec| {
        mover.supersede(wanted(spec));
        // The waves wait for the move as a whole, which is blocked: so there is no end to wait for.
        for _ in 0..30 {
            portolan::engine::migrations::pass::pass(&mover).await;
        }
        mover.record().problems.into_values().collect::<Vec<_>>().join("\n")
    };
    let mut spec = caller_first(Stage::HandOver);
    spec.bridges.clear();
    let words = told(spec.clone()).await;
    assert!(words.contains("from data/redis") && words.contains("`spec.bridges`"), "{words}");
    spec.bridges = ["data/redis", "data/mail", "shop/web"]
        .map(|service| BridgeSpec { service: service.into(), ..BridgeSpec::default() })
        .to_vec();
    scene.source.seed(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    let words = told(spec).await;
    assert!(words.contains("bridge to data/mail: there is no such Service"), "{words}");
    assert!(words.contains("bridge to shop/web: nothing is known to call it"), "{words}");
    assert!(words.contains("bridge to shop/web: it is headless"), "{words}");
    assert!(!words.contains("data/redis"), "{words}");
}

#[tokio::test]
async fn nothing_is_fenced_before_something_answers_across_the_bridge() {
    let scene = scene(caller_first);
    scene.go(Stage::Verify).await;
    let mut redis = scene.source.get(&ResourceId::new("apps", "Deployment", "data", "redis")).unwrap();
    redis["spec"]["replicas"] = 0.into();
    scene.source.seed(redis);
    let mover = scene.start();
    mover.supersede(wanted(caller_first(Stage::HandOver)));
    for _ in 0..30 {
        portolan::engine::migrations::pass::pass(&mover).await;
    }
    let record = mover.record();
    let mut gates = record.parts.iter().flat_map(|part| &part.gates);
    assert!(gates.any(|gate| gate.contains("it has no ready endpoint on the source")), "{record:#?}");
    assert_eq!(scene.source.pods("shop"), 2);
}

#[tokio::test]
async fn given_addresses_are_used_as_they_are_and_follow_the_document() {
    let scene = scene(caller_first);
    let mut spec = caller_first(Stage::HandOver);
    let given = BridgeEnd { addresses: vec!["10.9.9.9".into()], ports: [("redis".to_owned(), 16379)].into() };
    spec.bridges[0].on_source = Some(given);
    let mover = scene.start();
    mover.supersede(wanted(spec.clone()));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    let across = scene.target.get(&slice()).unwrap();
    assert_eq!(
        (&across["endpoints"][0]["addresses"], &across["ports"][0]["port"]),
        (&json!(["10.9.9.9"]), &json!(16379))
    );
    assert!(scene.source.get(&service("portolan-bridge-redis")).is_none(), "no second Service is made");
    // Taken out of the document, it goes, and the Service is what its wave makes of it.
    spec.bridges.clear();
    spec.choices.insert("calls.cut".into(), "accept".into());
    mover.supersede(wanted(spec));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert!(scene.target.get(&slice()).is_none());
    assert_eq!(scene.target.get(&service("redis")).unwrap()["spec"]["selector"], json!({"app": "redis"}));
}

/// Addresses of the bridge on a server.
fn leads_to(scene: &Scene) -> Vec<String> {
    let slice = scene.target.get(&slice()).unwrap();
    let endpoints = slice["endpoints"].as_array().unwrap().iter();
    endpoints.map(|one| one["addresses"][0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn names_are_looked_up_again_and_again_and_the_bridge_follows() {
    let scene = scene(caller_first);
    let mut spec = caller_first(Stage::HandOver);
    let name = "internal-redis.elb.example.com";
    spec.bridges[0].on_source = Some(BridgeEnd { addresses: vec![name.into()], ..BridgeEnd::default() });
    let mover = scene.start();
    mover.supersede(wanted(spec));
    // Nobody knows the name yet: nothing is fenced.
    for _ in 0..30 {
        pass(&mover).await;
    }
    let gates: Vec<String> = mover.record().parts.into_iter().flat_map(|part| part.gates).collect();
    assert!(gates.iter().any(|gate| gate.contains(&format!("{name} is not found"))), "{gates:?}");
    assert_eq!((scene.source.pods("shop"), scene.target.get(&slice())), (2, None));

    let leads = |addresses: Vec<&'static str>| scene.names.0.lock().unwrap().insert(name.into(), addresses);
    leads(vec!["10.3.0.4", "fd00::4"]);
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert_eq!(leads_to(&scene), ["10.3.0.4"]);
    assert_eq!(scene.target.get(&slice()).unwrap()["ports"][0]["port"], 6379);
    let other = ResourceId { name: "redis-bridge-ipv6".into(), ..slice() };
    assert_eq!(scene.target.get(&other).unwrap()["endpoints"][0]["addresses"], json!(["fd00::4"]));
    // It scales, and one of its families goes.
    leads(vec!["10.3.0.4", "10.3.0.9"]);
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert_eq!(leads_to(&scene), ["10.3.0.4", "10.3.0.9"]);
    assert_eq!(scene.target.get(&other), None);
    // The name servers are away for a while: what stands is not torn down.
    scene.names.0.lock().unwrap().clear();
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert_eq!(leads_to(&scene), ["10.3.0.4", "10.3.0.9"]);
    let told = format!("{:?}", mover.record().parts);
    assert!(told.contains("it leads where it led before") && told.contains(name), "{told}");
    leads(vec!["10.3.0.7"]);
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert_eq!(leads_to(&scene), ["10.3.0.7"]);
    assert!(scene.source.get(&service("portolan-bridge-redis")).is_none(), "no second Service is made");
}

#[tokio::test]
async fn an_internal_load_balancer_is_used_where_its_name_is_known_and_node_ports_else() {
    let scene = scene(caller_first);
    let mut redis = scene.source.get(&service("redis")).unwrap();
    redis["spec"]["type"] = "LoadBalancer".into();
    redis["metadata"]["annotations"]["service.beta.kubernetes.io/aws-load-balancer-internal"] = "true".into();
    redis["spec"]["ports"][0]["nodePort"] = 30999.into();
    scene.source.seed(redis);
    scene.target.seed(controller());
    part(&scene, Stage::HandOver).await;
    assert_eq!(leads_to(&scene), ["10.1.0.4"], "a node: nobody knows the name");
    assert_eq!(scene.target.get(&slice()).unwrap()["ports"][0]["port"], 30999);
    scene.names.0.lock().unwrap().insert("source-redis.elb.example.net".into(), vec!["10.3.0.4"]);
    part(&scene, Stage::HandOver).await;
    assert_eq!(leads_to(&scene), ["10.3.0.4"]);
    assert_eq!(scene.target.get(&slice()).unwrap()["ports"][0]["port"], 6379);
    scene.names.0.lock().unwrap().clear();
    part(&scene, Stage::HandOver).await;
    assert_eq!(leads_to(&scene), ["10.3.0.4"], "it stays");
    scene.go(Stage::Inventory).await;
    assert!(scene.target.get(&slice()).is_none());
}

#[tokio::test]
async fn what_the_target_calls_on_the_source_for_good_keeps_the_old_cluster() {
    fn of(stage: Stage) -> MigrationSpec {
        let mut spec = waves(stage, stage);
        spec.waves.pop();
        spec.waves[0].stage = None;
        spec.stage = stage;
        spec
    }
    let scene = scene(of);
    let target = scene.target.snapshot();
    scene.go(Stage::Soak).await;
    assert!(scene.target.get(&slice()).is_some(), "its namespace is made for it");
    let mover = scene.start();
    mover.supersede(wanted(of(Stage::Decommission)));
    assert_eq!(scene.settle(&mover).await, PassEnd::Blocked);
    assert!(
        mover.record().message.contains("data/redis is called on the source"),
        "{}",
        mover.record().message
    );
    scene.go(Stage::Inventory).await;
    assert_eq!(scene.target.snapshot(), target);
}

#[tokio::test]
async fn a_kill_or_a_fault_at_any_write_of_a_bridge_ends_in_the_same_place() {
    for of in [caller_first as fn(Stage) -> MigrationSpec, callee_first] {
        let here = scene(of);
        let (source, target) = (here.source.snapshot(), here.target.snapshot());
        here.go(Stage::Verify).await;
        let whole = here.fork();
        part(&whole, Stage::HandOver).await;
        whole.go(Stage::Soak).await;
        let writes = whole.wire.state().writes.clone();
        let sites = writes.iter().enumerate().filter(|(_, write)| {
            ["bridge", "Service data/", "EndpointSlice"].iter().any(|part| write.contains(part))
        });
        let sites: Vec<usize> = sites.map(|(site, _)| site).collect();
        assert!(sites.len() > 5, "{writes:#?}");
        for (turn, site) in sites.into_iter().enumerate() {
            let scene = here.fork();
            scene.wire.state().troubles.insert(site, TROUBLES[turn % TROUBLES.len()]);
            survive(&scene, Stage::HandOver).await;
            let at = format!("{:?} at {}", TROUBLES[turn % TROUBLES.len()], writes[site]);
            assert_eq!(survive(&scene, Stage::Soak).await, PassEnd::Done, "{at}");
            assert_eq!(scene.source.snapshot(), whole.source.snapshot(), "{at}");
            assert_eq!(survive(&scene, Stage::Inventory).await, PassEnd::Done, "{at}");
            assert_eq!(
                (scene.source.snapshot(), scene.target.snapshot()),
                (source.clone(), target.clone()),
                "{at}"
            );
        }
    }
}

/// The parts of bridges on a server, and the selector of the Service.
async fn parts(control_plane: &ControlPlane) -> (Vec<String>, String) {
    let kinds = "services,endpointslices,namespaces";
    let label = "--selector=portolan.dev/bridge";
    let text = kubectl_ok(control_plane, &["get", kinds, "-A", label, "-o", "name"]).await;
    let mut names: Vec<String> =
        text.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect();
    // What controllers make of the second Service goes with it, in its own time.
    names.retain(|name| !name.starts_with("portolan-bridge-redis-"));
    names.sort();
    let of =
        ["get", "service", "redis", "-n", "data", "--ignore-not-found", "-o", "jsonpath={.spec.selector}"];
    (names, kubectl_ok(control_plane, &of).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bridges_stand_and_go_between_two_real_servers() {
    if std::env::var_os("PORTOLAN_TEST_BRIDGES").is_none() {
        println!("PORTOLAN_TEST_BRIDGES=1 runs this: a minute or two");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let old = start(&places, Options { version: "1.24".into(), nodes: 1, ..options() }).await;
    let new = start(&places, Options { nodes: 1, ..options() }).await;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects()}).to_string();
    kubectl_ok_with(&old, &["apply", "-f", "-"], &list).await;
    let (selects, none) = (r#"{"app":"redis"}"#, String::new());
    for (of, near, far) in
        [(caller_first as fn(Stage) -> MigrationSpec, &new, &old), (callee_first, &old, &new)]
    {
        let sides = Two { source: api(&old).await, target: api(&new).await, account: None };
        let mover = daemon(Arc::new(MemoryStore::default()), sides, Arc::default());
        mover.supersede(wanted(of(Stage::HandOver)));
        assert_eq!(until_settled(&mover).await, PassEnd::Blocked, "{:#?}", mover.record());
        let there = parts(near).await;
        assert!(there.0.contains(&"redis-bridge-ipv4".to_owned()) && there.1 == none, "{there:?}");
        assert_eq!(parts(far).await, (vec!["portolan-bridge-redis".to_owned()], selects.to_owned()));
        mover.supersede(wanted(of(Stage::Soak)));
        assert_eq!(until_settled(&mover).await, PassEnd::Done, "{:#?}", mover.record());
        for server in [&old, &new] {
            assert_eq!(parts(server).await, (Vec::new(), selects.to_owned()));
        }
        mover.supersede(wanted(of(Stage::Inventory)));
        assert_eq!(until_settled(&mover).await, PassEnd::Done, "{:#?}", mover.record());
        assert_eq!(parts(&old).await, (Vec::new(), selects.to_owned()));
        assert_eq!(parts(&new).await.0, Vec::<String>::new());
    }
    old.stop().await.unwrap();
    new.stop().await.unwrap();
}
