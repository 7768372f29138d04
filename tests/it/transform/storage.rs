//! Volumes, claims, classes.

use super::{context, dropped_by, one, told};
use portolan::transform::{Context, Volumes, Weight, transform};
use serde_json::{Value, json};

fn volume(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv", "uid": "u",
        "labels": {"failure-domain.beta.kubernetes.io/zone": "eu-west-1a"}}, "spec": spec})
}

#[test]
fn a_volume_is_handed_over_with_its_bare_id() {
    for id in ["aws://eu-west-1a/vol-0abc", "aws:///vol-0abc", "vol-0abc"] {
        let new = one(
            &volume(
                json!({"awsElasticBlockStore": {"volumeID": id, "partition": 1}, "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"namespace": "shop", "name": "data", "uid": "x", "resourceVersion": "1"}}),
            ),
            &context(),
        );
        let spec = &new["spec"];
        assert_eq!(
            spec["csi"],
            json!({"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0abc", "fsType": "ext4",
            "volumeAttributes": {"partition": "1"}})
        );
        assert_eq!(spec["claimRef"], json!({"namespace": "shop", "name": "data"}));
        assert_eq!(spec["persistentVolumeReclaimPolicy"], "Retain");
        let term = &spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
        assert_eq!(
            term,
            &json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-1a"]})
        );
        assert_eq!(new["metadata"]["labels"], json!({"topology.kubernetes.io/zone": "eu-west-1a"}));
    }
}

#[test]
fn what_cannot_be_handed_over_is_told() {
    let blockers = |spec: Value, context: &Context| {
        told(&transform(&volume(spec), context), Weight::Blocker)
            .into_iter()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(blockers(json!({"hostPath": {"path": "/data"}}), &context()), ["volume.kind"]);
    let mut elsewhere = context();
    elsewhere.target.account = "444455556666".into();
    assert_eq!(blockers(json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}), &elsewhere), ["volume.ebs"]);
    let fresh = Context { volumes: Volumes::Provision, ..context() };
    assert_eq!(
        dropped_by(&volume(json!({"awsElasticBlockStore": {"volumeID": "vol-1"}})), &fresh),
        "volume.left"
    );
}

#[test]
fn claims_keep_their_class_and_volume() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "shop",
        "annotations": {"volume.beta.kubernetes.io/storage-class": "fast", "pv.kubernetes.io/bind-completed": "yes",
            "volume.kubernetes.io/selected-node": "n"}, "finalizers": ["kubernetes.io/pvc-protection"]},
        "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}});
    let new = one(&claim, &context());
    assert_eq!(new["spec"], json!({"volumeName": "pv", "storageClassName": "fast"}));
    assert_eq!(new["metadata"], json!({"name": "c", "namespace": "shop"}));
    let fresh = Context { volumes: Volumes::Provision, ..context() };
    assert_eq!(one(&claim, &fresh)["spec"], json!({"storageClassName": "fast"}));
}

#[test]
fn classes_of_the_in_tree_plugin_are_the_drivers() {
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast",
        "annotations": {"storageclass.beta.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/aws-ebs", "parameters": {"type": "gp2", "fsType": "xfs", "zones": "a, b"}});
    let new = one(&class, &context());
    assert_eq!(new["provisioner"], "ebs.csi.aws.com");
    assert_eq!(new["parameters"], json!({"type": "gp2", "csi.storage.k8s.io/fstype": "xfs"}));
    assert_eq!(new["volumeBindingMode"], "WaitForFirstConsumer");
    assert_eq!(new["allowedTopologies"][0]["matchLabelExpressions"][0]["values"], json!(["a", "b"]));
    assert_eq!(
        new["metadata"]["annotations"],
        json!({"storageclass.kubernetes.io/is-default-class": "true"})
    );
    let efs = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "efs"},
        "provisioner": "efs.csi.aws.com"});
    assert_eq!(one(&efs, &context()), efs);
}
