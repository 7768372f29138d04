//! Real API servers on both sides: the old one converts what it still serves, and the new one takes every object that the
//! rules make, or a Blocker says why not.

use super::api::Api;
use super::{context, everything, old};
use crate::support::control_plane::{options, places, runs, start};
use crate::support::corpus::{corpus, objects};
use portolan::local::Options;
use portolan::model::Gvk;
use portolan::transform::{
    Context, Transformed, VersionToRead, Weight, apply_order, identity, transform_all, version_to_read,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a set of objects at the target.
#[derive(Debug, Default)]
struct Taken {
    accepted: usize,
    blocked: Vec<String>,
    dropped: usize,
    /// Refused by the server, and nothing had said so.
    wrong: Vec<String>,
}

/// Writes the definitions and namespaces of a set, as the stages do, and tries all else without writing it.
async fn tried(target: &mut Api, transformed: &[Transformed]) -> Taken {
    let mut taken = Taken::default();
    let all: Vec<Value> = transformed.iter().flat_map(|done| done.objects.clone()).collect();
    let foundation =
        |object: &&Value| matches!(object["kind"].as_str(), Some("CustomResourceDefinition" | "Namespace"));
    let mut written = Vec::new();
    for (_, object) in apply_order(&all).into_iter().filter(|(_, object)| foundation(object)) {
        match target.write(object).await {
            Ok(held) => written.push(held),
            Err(error) => taken.wrong.push(format!("{}: {error}", identity(object).unwrap())),
        }
    }
    target.established(&written).await;
    target.discover().await;
    for done in transformed {
        if done.dropped.is_some() {
            taken.dropped += 1;
            continue;
        }
        let blocker = done.remarks.iter().find(|remark| remark.weight == Weight::Blocker);
        // What has no name is no object of anybody's.
        for object in done.objects.iter().filter(|object| identity(object).is_some()) {
            let id = identity(object).map_or_else(|| object.to_string(), |id| id.to_string());
            match (target.dry_run(object).await, blocker) {
                (Ok(_), _) => taken.accepted += 1,
                (Err(_), Some(blocker)) => taken.blocked.push(format!("{id}: {}", blocker.says)),
                (Err(error), None) => taken.wrong.push(format!("{id}: {error}")),
            }
        }
    }
    taken
}

async fn target() -> (tempfile::TempDir, portolan::local::ControlPlane) {
    let folder = tempfile::tempdir().unwrap();
    let control_plane = start(&places(&folder), Options { nodes: 0, ..options() }).await;
    (folder, control_plane)
}

/// Everything that is tried on a target of its own, since definitions and namespaces are written there.
#[tokio::test]
async fn the_target_takes_what_the_rules_make_or_a_blocker_says_why() {
    let (_folder, control_plane) = target().await;
    let mut api = Api::of(&control_plane).await;
    let mut context = Context { quiesce: Default::default(), ..context() };
    context.target.served = api.served.clone();

    let mut sets = vec![("fixtures", everything()), ("older fixtures", old::objects())];
    for folder in ["workloads/online-boutique", "workloads/kube-prometheus", "deprecated"] {
        if let Some(path) = corpus(folder) {
            sets.push((folder, objects(&path).into_iter().map(|(_, object)| object).collect()));
        }
    }
    for (name, objects) in sets {
        let namespaces: BTreeSet<&str> =
            objects.iter().filter_map(|object| object.pointer("/metadata/namespace")?.as_str()).collect();
        for namespace in namespaces {
            api.namespace(namespace).await;
        }
        let taken = tried(&mut api, &transform_all(&objects, &context)).await;
        eprintln!(
            "{name}: {} objects, {} accepted, {} blocked, {} stay behind",
            objects.len(),
            taken.accepted,
            taken.blocked.len(),
            taken.dropped
        );
        assert!(taken.wrong.is_empty(), "{name}: {:#?}\nblocked: {:#?}", taken.wrong, taken.blocked);
        assert!(taken.accepted * 2 > objects.len(), "{name}: {taken:#?}");
    }
    control_plane.stop().await.unwrap();
}

/// The name of an object in a version that it is not written in.
fn place(object: &Value) -> (Gvk, String, String) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let gvk = Gvk::from_api_version(text("/apiVersion"), text("/kind"));
    (gvk, text("/metadata/namespace").to_owned(), text("/metadata/name").to_owned())
}

/// Objects are written to the old server in the versions of their time, and read in the version that both serve. Where
/// the old server has both, our own conversion has to come to the same as its.
#[tokio::test]
async fn what_the_old_server_converts_is_taken_and_our_conversion_agrees_with_its() {
    if !runs("1.24") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let old_options = Options { version: "1.24".to_owned(), nodes: 0, ..options() };
    let (source_plane, target_plane) =
        tokio::join!(start(&places, old_options), start(&places, Options { nodes: 0, ..options() }));
    let (source, mut target) = tokio::join!(Api::of(&source_plane), Api::of(&target_plane));
    source.namespace("shop").await;
    target.namespace("shop").await;

    let declared: Vec<Value> = everything().into_iter().chain(old::objects()).collect();
    let (mut live, mut converted_by_us) = (Vec::new(), BTreeMap::new());
    let mut refused = Vec::new();
    for object in &declared {
        let (gvk, namespace, name) = place(object);
        if !source.served.has(&gvk) {
            // Older than the old server: what it would have been read as is what was declared.
            live.push(object.clone());
            continue;
        }
        if let Err(error) = source.write(&as_written(object)).await {
            refused.push(format!("{gvk} {name}: {error}"));
            continue;
        }
        let read = match version_to_read(&source.served, &target.served, &gvk) {
            VersionToRead::Shared(shared) => shared,
            VersionToRead::Convert { read, .. } | VersionToRead::NotServed(read) => read,
            VersionToRead::Unreadable => panic!("{gvk} was just written"),
        };
        live.push(source.read(&read, &namespace, &name).await.unwrap());
        if read != gvk {
            let unread = source.read(&gvk, &namespace, &name).await.unwrap();
            converted_by_us.insert(identity(live.last().unwrap()).unwrap(), unread);
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(converted_by_us.len() >= 5, "{:?}", converted_by_us.keys());

    let mut context = Context { quiesce: Default::default(), ..context() };
    (context.source.served, context.target.served) = (source.served.clone(), target.served.clone());
    let transformed = transform_all(&live, &context);
    let taken = tried(&mut target, &transformed).await;
    eprintln!("{} of {} accepted, {} stay behind", taken.accepted, live.len(), taken.dropped);
    assert!(taken.wrong.is_empty(), "{:#?}", taken.wrong);

    for (id, unread) in converted_by_us {
        let position = live.iter().position(|object| identity(object).as_ref() == Some(&id)).unwrap();
        let theirs = &transformed[position].objects;
        let ours = transform_all(&[unread], &context).remove(0).objects;
        let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) else {
            assert_eq!(theirs.len(), ours.len(), "{id}");
            continue;
        };
        // The target's own defaults fill what the one says and the other leaves open.
        let (theirs, ours) = (target.dry_run(theirs).await, target.dry_run(ours).await);
        let (theirs, ours) =
            (bare(theirs.unwrap()), bare(ours.unwrap_or_else(|error| panic!("{id}: {error}"))));
        assert_eq!(theirs, ours, "{id}: the server converts it in another way");
    }
    source_plane.stop().await.unwrap();
    target_plane.stop().await.unwrap();
}

/// An object as its author wrote it: without what the server of its time added.
fn as_written(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        metadata.remove(key);
    }
    let top = object.as_object_mut().unwrap();
    top.remove("status");
    if top["kind"] == "Service" {
        let spec = top["spec"].as_object_mut().unwrap();
        if spec["clusterIP"] != "None" {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
    }
    if top["kind"] == "Job" {
        top["spec"].as_object_mut().unwrap().remove("selector");
        top["spec"]["template"]["metadata"] = json!({});
    }
    if top["kind"] == "Pod" {
        // A volume of a token that is not there, and what admission gives.
        let spec = top["spec"].as_object_mut().unwrap();
        for key in ["volumes", "nodeName", "priority", "serviceAccount", "tolerations", "serviceAccountName"]
        {
            spec.remove(key);
        }
        spec["containers"][0].as_object_mut().unwrap().remove("volumeMounts");
    }
    if let Some(metrics) = top.get_mut("spec").and_then(|spec| spec.get_mut("metrics")?.as_array_mut()) {
        // Behind a gate in servers of that time.
        metrics.retain(|metric| metric["type"] != "ContainerResource");
    }
    if top["kind"] == "PersistentVolume" {
        top["spec"]["claimRef"].as_object_mut().unwrap().remove("resourceVersion");
    }
    object
}

/// What a dry run gives, without what is new in every run.
fn bare(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "creationTimestamp", "managedFields", "generation"] {
        metadata.remove(key);
    }
    object.as_object_mut().unwrap().remove("status");
    object
}
