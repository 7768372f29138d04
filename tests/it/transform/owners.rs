//! Owner classes and the order of writing.

use super::{context, everything};
use portolan::model::ResourceId;
use portolan::transform::{OwnerClass, Phase, apply_order, owner_classes, transform_all};
use serde_json::{Value, json};

fn object(version: &str, kind: &str, name: &str, owner: Option<(&str, &str, &str, bool)>) -> Value {
    let mut object = json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "uid": format!("{kind}-{name}")}});
    if let Some((version, kind, name, controller)) = owner {
        object["metadata"]["ownerReferences"] = json!([{"apiVersion": version, "kind": kind, "name": name,
            "uid": format!("{kind}-{name}"), "controller": controller}]);
    }
    object
}

#[test]
fn the_owner_decides_what_is_carried_over() {
    let farm = ("shop.example.com/v1", "Farm", "f");
    let owned = |controller| Some((farm.0, farm.1, farm.2, controller));
    let set = [
        object(farm.0, farm.1, farm.2, None),
        object("apps/v1", "ReplicaSet", "rs", Some(("apps/v1", "Deployment", "gone", true))),
        object("v1", "ConfigMap", "made", owned(true)),
        object("v1", "ConfigMap", "referred", owned(false)),
        object("v1", "Secret", "key", owned(true)),
        object("v1", "ConfigMap", "orphan", Some(("shop.example.com/v1", "Farm", "other", true))),
        object("v1", "PersistentVolumeClaim", "data", Some(("apps/v1", "StatefulSet", "db", false))),
    ];
    let classes = owner_classes(&set);
    let class = |group: &str, kind: &str, name: &str| &classes[&ResourceId::new(group, kind, "shop", name)];
    assert_eq!(class("shop.example.com", "Farm", "f"), &OwnerClass::Unowned);
    assert!(matches!(class("apps", "ReplicaSet", "rs"), OwnerClass::Recreated { .. }));
    assert!(matches!(class("", "ConfigMap", "made"), OwnerClass::Recreated { .. }));
    assert!(matches!(class("", "ConfigMap", "referred"), OwnerClass::Relinked { .. }));
    assert!(
        matches!(class("", "Secret", "key"), OwnerClass::Relinked { .. }),
        "an operator's key is not made twice"
    );
    assert!(matches!(class("", "ConfigMap", "orphan"), OwnerClass::Orphaned { .. }));
    assert!(matches!(class("", "PersistentVolumeClaim", "data"), OwnerClass::Orphaned { .. }));
    let done = transform_all(&set, &context());
    assert_eq!(done[2].dropped.as_ref().unwrap().rule, "owned.references");
    assert_eq!(done[4].relinks[0].owner.to_string(), "Farm.shop.example.com shop/f");
    assert!(done.iter().flat_map(|one| &one.objects).all(|o| o["metadata"].get("ownerReferences").is_none()));
}

#[test]
fn objects_are_written_before_what_needs_them() {
    let objects = everything();
    let order = apply_order(&objects);
    assert_eq!(order.len(), objects.len());
    let place = |kind: &str| order.iter().position(|(_, object)| object["kind"] == kind).unwrap();
    for (before, after) in [
        ("CustomResourceDefinition", "Namespace"),
        ("Namespace", "ServiceAccount"),
        ("PersistentVolume", "PersistentVolumeClaim"),
        ("LimitRange", "Pod"),
        ("Secret", "Deployment"),
        ("Service", "StatefulSet"),
        ("Deployment", "HorizontalPodAutoscaler"),
        ("Pod", "ResourceQuota"),
        ("Ingress", "ValidatingWebhookConfiguration"),
    ] {
        assert!(place(before) < place(after), "{before} comes before {after}");
    }
    assert_eq!(order.last().unwrap().0, Phase::Admission);
    let mut reversed = objects.clone();
    reversed.reverse();
    let names = |objects: &[Value]| -> Vec<Value> {
        apply_order(objects).into_iter().map(|(_, o)| o.clone()).collect()
    };
    assert_eq!(names(&objects), names(&reversed));
}
