//! Node labels.

use super::fixtures::map;
use super::{context, told};
use portolan::transform::{Context, Transformed, Weight, transform};
use serde_json::{Value, json};

fn run(spec: Value, context: &Context) -> (Value, Transformed) {
    let mut all = json!({"containers": [{"name": "a", "image": "quay.io/a:1"}]});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"template": {"spec": all}}});
    let done = transform(&object, context);
    let mut spec = done.objects[0]["spec"]["template"]["spec"].clone();
    spec.as_object_mut().unwrap().remove("containers");
    (spec, done)
}

fn required(expressions: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}})
}

#[test]
fn selectors_are_told_in_eks_labels() {
    let selector = |labels: Value| run(json!({"nodeSelector": labels}), &context());
    let cases = [
        (
            json!({"kops.k8s.io/instancegroup": "nodes"}),
            json!({"nodeSelector": {"eks.amazonaws.com/nodegroup": "workers"}}),
        ),
        (json!({"node-role.kubernetes.io/node": ""}), json!({})),
        (json!({"kubernetes.io/role": "node", "a": "b"}), json!({"nodeSelector": {"a": "b"}})),
        (
            json!({"beta.kubernetes.io/arch": "arm64"}),
            json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
        ),
        (
            json!({"node-role.kubernetes.io/ingress": ""}),
            json!({"nodeSelector": {"example.com/tier": "ingress"}}),
        ),
        (
            json!({"node.kubernetes.io/spot": "true"}),
            json!({"nodeSelector": {"eks.amazonaws.com/capacityType": "SPOT"}}),
        ),
        (json!({"example.com/mine": "1"}), json!({"nodeSelector": {"example.com/mine": "1"}})),
    ];
    for (old, new) in cases {
        let (spec, done) = selector(old.clone());
        assert_eq!(spec, new, "{old}");
        assert!(told(&done, Weight::Blocker).is_empty(), "{old}");
    }
    for blocked in [
        json!({"kops.k8s.io/instancegroup": "unplanned"}),
        json!({"node-role.kubernetes.io/master": ""}),
        json!({"node-role.kubernetes.io/special": ""}),
        json!({"kubernetes.io/hostname": "ip-10-0-0-1"}),
    ] {
        let (spec, done) = selector(blocked.clone());
        assert_eq!(spec, json!({"nodeSelector": blocked}), "nothing is edited without consent");
        assert_eq!(told(&done, Weight::Blocker), ["scheduling.node-selector"], "{blocked}");
    }
    let consent = Context { forget_control_plane: true, ..context() };
    assert_eq!(run(json!({"nodeSelector": {"node-role.kubernetes.io/master": ""}}), &consent).0, json!({}));
}

#[test]
fn a_requirement_that_every_node_meets_is_taken_out_whole() {
    let any = |key: &str, operator: &str| json!([{"key": key, "operator": operator}]);
    // An empty term would select nothing.
    assert_eq!(run(required(any("node-role.kubernetes.io/node", "Exists")), &context()).0, json!({}));
    let both = json!([{"key": "node-role.kubernetes.io/node", "operator": "Exists"},
        {"key": "kops.k8s.io/instancegroup", "operator": "In", "values": ["nodes", "gpu-nodes"]}]);
    assert_eq!(
        run(required(both), &context()).0,
        required(
            json!([{"key": "eks.amazonaws.com/nodegroup", "operator": "In", "values": ["workers", "gpu"]}])
        )
    );
    let not = any("node-role.kubernetes.io/master", "DoesNotExist");
    assert_eq!(
        run(required(not.clone()), &context()).0,
        required(not),
        "no node has it, as before on workers"
    );
    let (_, done) = run(required(any("node-role.kubernetes.io/node", "DoesNotExist")), &context());
    assert_eq!(told(&done, Weight::Blocker), ["scheduling.node-affinity"]);
}

#[test]
fn custom_objects_that_embed_pods_are_treated_alike() {
    let custom = json!({"apiVersion": "monitoring.example.com/v1", "kind": "Watcher", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"},
            "topologySpreadConstraints": [{"topologyKey": "failure-domain.beta.kubernetes.io/zone"}]}});
    let done = transform(&custom, &context());
    assert_eq!(done.objects[0]["spec"]["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(
        done.objects[0]["spec"]["topologySpreadConstraints"][0]["topologyKey"],
        "topology.kubernetes.io/zone"
    );
}

#[test]
fn the_choice_of_a_person_comes_first() {
    let context =
        Context { node_labels: map(&[("kubernetes.io/hostname", ""), ("a=1", "b=2")]), ..context() };
    assert_eq!(
        run(json!({"nodeSelector": {"kubernetes.io/hostname": "x", "a": "1"}}), &context).0,
        json!({"nodeSelector": {"b": "2"}})
    );
    assert_eq!(run(json!({"nodeSelector": {"a": "3"}}), &context).0, json!({"nodeSelector": {"a": "3"}}));
}
