//! The hand-over of volumes, step by step.

use super::world::{KEY, Want, World, what};
use portolan::migrate::Level;
use portolan::migrate::volumes::{Towards, WayBack, assess, before_fence, first_write, watch, way_back};
use portolan::model::migration::{Effect, Gate, Side};
use serde_json::json;

fn keys(world: &World, towards: Towards) -> Vec<String> {
    world.look(towards).steps.into_iter().map(|step| step.key).collect()
}

fn gates(world: &World, towards: Towards) -> Vec<String> {
    world.look(towards).gates.iter().map(what).collect()
}

#[test]
fn every_step_waits_for_the_one_before() {
    let mut world = World::new(&[Want::new("db")]);
    assert_eq!(keys(&world, Towards::Target), ["retain/pv-db"]);
    assert_eq!(world.with(Towards::Target, before_fence).steps[0].key, "retain/pv-db");
    world.pass(Towards::Target, 1);
    assert_eq!(
        gates(&world, Towards::Target),
        ["waiting: 1 pods of the source hold shop/db, the first is db-0"]
    );
    world.source.retain(|object| object["kind"] != "Pod");
    assert_eq!(gates(&world, Towards::Target), ["waiting: the source has not detached pv-db from i-old"]);
    world.source.retain(|object| object["kind"] != "VolumeAttachment");
    assert_eq!(gates(&world, Towards::Target), ["waiting: vol-db is in-use (attached at i-old)"]);
    world.stop(Side::Source);
    assert_eq!(keys(&world, Towards::Target), ["snapshot/vol-db/1"]);
    let before = world.clone();
    world.pass(Towards::Target, 1);
    let mut pending = world.clone();
    pending.disks.snapshots[0].state = "pending".into();
    assert!(gates(&pending, Towards::Target)[0].starts_with("waiting: the snapshot snap-"));
    pending.disks.snapshots[0].state = "error".into();
    assert!(gates(&pending, Towards::Target)[0].starts_with("blocked: the snapshot"));
    assert_eq!(keys(&world, Towards::Target), ["tag/vol-db", "volume/pv-db", "claim/shop/db"]);
    let tags = &world.disks.volumes["vol-db"].tags;
    assert_eq!(tags[KEY], "owned");
    world.pass(Towards::Target, 3);
    let tags = &world.disks.volumes["vol-db"].tags;
    assert_eq!((tags[KEY].as_str(), tags["KubernetesCluster"].as_str()), ("shared", "old.example.com"));
    assert_eq!(
        (tags["ebs.csi.aws.com/cluster"].as_str(), tags["kubernetes.io/created-for/pvc/name"].as_str()),
        ("true", "db")
    );
    assert!(world.look(Towards::Target).is_done());
    // Another run takes another snapshot: the source has written between.
    let mut again = before;
    again.disks.snapshots = world.disks.snapshots.clone();
    again.setting.run = "2".into();
    assert_eq!(keys(&again, Towards::Target), ["snapshot/vol-db/2"]);
}

#[test]
fn the_target_gets_a_static_volume_of_the_driver() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.run(Towards::Target);
    let volume = world.target.iter().find(|object| object["kind"] == "PersistentVolume").unwrap();
    assert_eq!(
        volume["spec"]["csi"],
        json!({"driver": "ebs.csi.aws.com", "volumeHandle": "vol-db", "fsType": "ext4"})
    );
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(volume["spec"]["claimRef"]["uid"], json!(null));
    let affinity = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(affinity["values"], json!(["eu-west-1a"]));
}

#[test]
fn what_cannot_be_handed_over_is_said() {
    let base = || {
        let mut world = World::new(&[Want::new("db")]);
        world.stop(Side::Source);
        world.pass(Towards::Target, 1);
        world
    };
    let said = |change: fn(&mut World)| {
        let mut world = base();
        change(&mut world);
        let outcome = world.look(Towards::Target);
        assert!(outcome.steps.is_empty(), "{:?}", outcome.steps);
        what(&outcome.gates[0])
    };
    for (change, word) in [
        ((|world| world.disks.volumes.clear()) as fn(&mut World), "is not in EC2"),
        (
            |world| world.setting.target_zones = [String::from("eu-west-1b")].into(),
            "where the target has no nodes",
        ),
        (|world| world.disks.volumes.get_mut("vol-db").unwrap().state = "error".into(), "is `error` in EC2"),
        (
            |world| world.disks.volumes.get_mut("vol-db").unwrap().outpost = Some("arn".into()),
            "on the Outpost",
        ),
        (
            |world| {
                let claim =
                    world.source.iter_mut().find(|object| object["kind"] == "PersistentVolumeClaim").unwrap();
                claim["status"]["phase"] = "Lost".into();
            },
            "are not bound to each other",
        ),
    ] {
        let said = said(change);
        assert!(said.starts_with("blocked") && said.contains(word), "{said}");
    }
}

#[test]
fn foreign_objects_on_the_target_are_never_taken_over() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.pass(Towards::Target, 1);
    world.pass(Towards::Target, 1);
    let claim = |volume: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"volumeName": volume}})
    };
    for (object, word) in [
        (claim(""), "would be provisioned anew, empty"),
        (claim("pv-other"), "with pv-other for its volume"),
        (
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv-db"},
                "spec": {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-other"}}}),
            "of something else",
        ),
        (
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv-db"},
                "spec": {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-db"}, "claimRef": {"name": "x", "namespace": "shop"}}}),
            "reserved for another claim",
        ),
    ] {
        let mut world = world.clone();
        world.target.push(object);
        let outcome = world.look(Towards::Target);
        assert!(outcome.gates.iter().any(|gate| what(gate).contains(word)), "{word}: {:?}", outcome.gates);
        assert!(!outcome.steps.iter().any(|step| matches!(step.effect, Effect::Apply { .. })));
    }
}

#[test]
fn a_wrong_preparation_is_refused() {
    let base = World::new(&[Want::new("db")]);
    let changes: [(&str, &str, serde_json::Value, &str); 5] = [
        (
            "PersistentVolume",
            "/spec/persistentVolumeReclaimPolicy",
            json!("Delete"),
            "not the reclaim policy Retain",
        ),
        ("PersistentVolume", "/spec/csi/volumeHandle", json!("vol-other"), "of something else"),
        ("PersistentVolume", "/spec/claimRef/name", json!("x"), "not reserved for"),
        ("PersistentVolumeClaim", "/spec/storageClassName", json!("other"), "they never bind"),
        ("PersistentVolumeClaim", "/spec/volumeName", json!("x"), "does not name"),
    ];
    for (kind, path, value, word) in changes {
        let mut world = base.clone();
        world.stop(Side::Source);
        world.prepared = world
            .prepared
            .iter()
            .map(|object| {
                let mut body = object.body().clone();
                if body["kind"] == kind {
                    *body.pointer_mut(path).unwrap() = value.clone();
                }
                portolan::model::Object::new(body).unwrap()
            })
            .collect();
        world.pass(Towards::Target, 1);
        world.pass(Towards::Target, 1);
        let outcome = world.look(Towards::Target);
        assert!(outcome.gates.iter().any(|gate| what(gate).contains(word)), "{word}: {:?}", outcome.gates);
    }
}

#[test]
fn a_stateful_set_that_deletes_its_claims_is_told_to_keep_them_first() {
    let mut world = World::new(&[Want { policy: "Retain", ..Want::new("data-db-0") }]);
    world.source.push(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "uid": "u"},
        "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Delete"}},
    }));
    let before = world.picture();
    assert_eq!(keys(&world, Towards::Target), ["keep-claims/shop/db"]);
    world.pass(Towards::Target, 1);
    let set = world.source.last().unwrap();
    assert_eq!(set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain");
    world.stop(Side::Source);
    world.run(Towards::Target);
    world.run(Towards::Source);
    assert_eq!(world.picture(), before_without_attachment(before));
}

fn before_without_attachment(
    mut picture: (
        Vec<serde_json::Value>,
        std::collections::BTreeMap<String, portolan::migrate::volumes::Disk>,
    ),
) -> (Vec<serde_json::Value>, std::collections::BTreeMap<String, portolan::migrate::volumes::Disk>) {
    for disk in picture.1.values_mut() {
        disk.attachments.clear();
        disk.state = "available".into();
    }
    picture
}

#[test]
fn after_the_first_write_a_person_decides_about_the_way_back() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.run(Towards::Target);
    assert_eq!(world.with(Towards::Source, way_back), WayBack::AsItWas);
    assert!(world.with(Towards::Target, first_write).unwrap().contains("vol-db"));
    world.start(Side::Target, "db");
    assert!(world.look(Towards::Target).is_done(), "what is in use is not planned again");
    assert!(world.with(Towards::Target, first_write).is_none());
    assert!(gates(&world, Towards::Source)[0].contains("pods of the target hold"));
    world.stop(Side::Target);
    let WayBack::KeepsWrites { digest, says } = world.with(Towards::Source, way_back) else { panic!() };
    assert!(says.contains("snap-") && says.contains("vol-db"), "{says}");
    let outcome = world.look(Towards::Source);
    assert!(outcome.steps.is_empty());
    assert_eq!(outcome.gates, [Gate::Approval { digest: digest.clone() }]);
    world.approved.insert(digest);
    world.run(Towards::Source);
    assert!(world.target.is_empty() && world.lost.is_empty());
}

#[test]
fn a_claim_of_the_target_goes_only_with_retain() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.run(Towards::Target);
    let volume = world.target.iter_mut().find(|object| object["kind"] == "PersistentVolume").unwrap();
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete".into();
    assert_eq!(keys(&world, Towards::Source), ["back/keep/pv-db"]);
    world.run(Towards::Source);
    assert!(world.lost.is_empty(), "{:?}", world.lost);
}

#[test]
fn the_old_policy_does_not_come_back_to_a_volume_without_its_claim() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.run(Towards::Target);
    let volume = world.source.iter_mut().find(|object| object["kind"] == "PersistentVolume").unwrap();
    volume["status"]["phase"] = "Released".into();
    for _ in 0..5 {
        world.pass(Towards::Source, 10);
    }
    assert!(gates(&world, Towards::Source)[0].contains("it keeps Retain"));
    let volume = world.source.iter().find(|object| object["kind"] == "PersistentVolume").unwrap();
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
}

#[test]
fn tags_are_watched() {
    let mut world = World::new(&[Want::new("db")]);
    world.stop(Side::Source);
    world.run(Towards::Target);
    let (findings, outcome) = world.with(Towards::Target, watch);
    assert!(findings.is_empty() && outcome.is_done());
    let tags = &mut world.disks.volumes.get_mut("vol-db").unwrap().tags;
    tags.insert(KEY.into(), "owned".into());
    tags.remove("KubernetesCluster");
    let (findings, outcome) = world.with(Towards::Target, watch);
    let found: Vec<(&str, Option<&str>)> =
        findings.iter().map(|finding| (finding.tag.as_str(), finding.found.as_deref())).collect();
    assert_eq!(found, [(KEY, Some("owned")), ("KubernetesCluster", None)]);
    assert_eq!(outcome.steps.len(), 1);
    // The inverse stays the first one: it knows what was there before the hand-over.
    assert_eq!(outcome.steps[0].undo, world.journal["tag/vol-db"]);
    world.pass(Towards::Target, 1);
    assert_eq!(world.disks.volumes["vol-db"].tags[KEY], "shared");
}

#[test]
fn every_volume_has_a_verdict() {
    let mut world = World::new(&[Want::new("db"), Want { shared: true, ..Want::new("files") }]);
    world.setting.target_zones.clear();
    let disk = world.disks.volumes.get_mut("vol-db").unwrap();
    (disk.multi_attach, disk.key) = (true, Some("arn:key".into()));
    let volumes = json!([
        {"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/x"}},
        {"name": "c", "awsElasticBlockStore": {"volumeID": "vol-9"}}, {"name": "d", "configMap": {"name": "x"}},
    ]);
    world
        .source
        .push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "shop"},
        "spec": {"volumes": volumes}}));
    world.source.push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "lost", "namespace": "shop"}, "spec": {"volumeName": "gone"}}));
    world.source.push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "new", "namespace": "shop"}, "spec": {}}));
    let verdicts = world.with(Towards::Target, assess);
    let of = |rule: &str| {
        let found: Vec<Level> = verdicts.iter().filter(|one| one.rule == rule).map(|one| one.level).collect();
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        found[0]
    };
    assert_eq!(of("volumes.ebs.zone"), Level::Blocker);
    assert_eq!(of("volumes.ebs.multi-attach"), Level::Warning);
    assert_eq!(of("volumes.ebs.key"), Level::Warning);
    assert_eq!(of("volumes.ebs"), Level::Mapped);
    assert_eq!(of("volumes.shared"), Level::Warning);
    assert_eq!(of("volumes.of-pod"), Level::Irrelevant);
    assert_eq!(of("volumes.host-path"), Level::Warning);
    assert_eq!(of("volumes.inline-ebs"), Level::Blocker);
    assert_eq!(of("volumes.lost"), Level::Blocker);
    assert_eq!(of("volumes.unbound"), Level::Mapped);
}
