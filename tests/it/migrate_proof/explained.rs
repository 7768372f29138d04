//! What servers do is explained by a line, with the value that they give and no other.

use super::{expected, explain};
use portolan::migrate::proof::{Explain, Key, Proof, endpoints, html, prove, prove_move, text, verdicts};
use portolan::transform::transform;
use serde_json::{Value, json};

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"selector": {}, "template": {"spec": spec}}})
}

fn unexplained(expected: &Value, actual: &Value) -> Vec<String> {
    let proof = prove(std::slice::from_ref(expected), std::slice::from_ref(actual), &explain());
    proof.failures().map(|difference| difference.pointer.clone()).collect()
}

#[test]
fn defaults_are_explained_with_their_value_only() {
    let plain = pod(json!({"containers": [{"name": "a", "image": "nginx:1"}]}));
    let mut held = plain.clone();
    held["metadata"]["uid"] = "01234567-89ab-cdef-0123-456789abcdef".into();
    held["metadata"]["resourceVersion"] = "77".into();
    held["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    held["status"] = json!({"replicas": 1});
    let spec = held.pointer_mut("/spec/template/spec").unwrap();
    spec["dnsPolicy"] = "ClusterFirst".into();
    spec["containers"][0]["imagePullPolicy"] = "IfNotPresent".into();
    spec["containers"][0]["resources"] = json!({});
    assert_eq!(unexplained(&plain, &held), Vec::<String>::new());
    let wrong = [
        ("/spec/template/spec/dnsPolicy", json!("Default")),
        ("/spec/template/spec/containers/0/imagePullPolicy", json!("Always")),
        ("/spec/template/spec/containers/0/resources", json!({"limits": {"cpu": "1"}})),
        ("/metadata/uid", json!("x")),
        ("/spec/template/spec/containers/0/image", json!("nginx:2")),
    ];
    for (pointer, value) in wrong {
        let mut other = held.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        let told = unexplained(&plain, &other);
        assert!(told.iter().any(|told| told.starts_with(pointer)), "{pointer}: {told:?}");
    }
}

#[test]
fn services_get_addresses_of_the_targets_range() {
    let plain = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"ports": [{"port": 80}]}});
    let held = |address: &str, port: Value| {
        let mut held = plain.clone();
        held["spec"]["clusterIP"] = address.into();
        held["spec"]["clusterIPs"] = json!([address]);
        held["spec"]["type"] = "NodePort".into();
        held["spec"]["ports"] = json!([{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": port}]);
        held
    };
    let mut node = plain.clone();
    node["spec"]["type"] = "NodePort".into();
    assert_eq!(unexplained(&node, &held("172.20.3.4", json!(30123))), Vec::<String>::new());
    assert_eq!(
        unexplained(&node, &held("100.64.3.4", json!(30123))),
        ["/spec/clusterIP", "/spec/clusterIPs/0"]
    );
    assert_eq!(unexplained(&node, &held("172.20.3.4", json!(80))), ["/spec/ports/0/nodePort"]);
    assert_eq!(unexplained(&node, &held("None", json!(30123))).len(), 2);
}

#[test]
fn quantities_are_compared_by_size_and_only_where_they_are_quantities() {
    let with = |cpu: Value, name: &str| {
        pod(json!({"containers": [{"name": "a", "image": "nginx:1", "resources": {"limits": {"cpu": cpu}},
            "env": [{"name": "SIZE", "value": name}]}]}))
    };
    assert_eq!(unexplained(&with(json!("1000m"), "1"), &with(json!("1"), "1")), Vec::<String>::new());
    assert_eq!(unexplained(&with(json!("1000m"), "1"), &with(json!("2"), "1")).len(), 1);
    assert_eq!(unexplained(&with(json!("1"), "1000m"), &with(json!("1"), "1")).len(), 1);
}

#[test]
fn an_autoscaler_decides_within_its_bounds() {
    let objects = expected();
    let scaled = |replicas: i64| {
        let mut actual = objects.clone();
        let web = actual.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
        web["spec"]["replicas"] = replicas.into();
        prove(&objects, &actual, &explain())
    };
    assert!(scaled(5).equal, "{}", text(&scaled(5)));
    assert!(!scaled(6).equal && !scaled(0).equal);
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let secret = |value: &str, kind: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "s", "namespace": "shop"},
            "data": {"password": value}})
    };
    let proof = |one: Value, other: Value| prove(&[one], &[other], &explain());
    let told = proof(secret("aHVudGVyMg==", "Opaque"), secret("aHVudGVyMw==", "Opaque"));
    assert!(!told.equal);
    let shown =
        format!("{told:?}{}{}{}", text(&told), html(&told, "t"), serde_json::to_string(&told).unwrap());
    assert!(!shown.contains("aHVudGVy") && shown.contains("hmac-sha256:"), "{shown}");
    assert!(proof(secret("aHVudGVyMg==", "Opaque"), secret("aHVudGVyMg==", "Opaque")).equal);
    assert!(!proof(secret("aHVudGVyMg==", "Opaque"), secret("aHVudGVyMg==", "x/y")).equal);
    // What a dump holds is a digest already.
    let key = Key::new([7; 32]);
    let dumped = portolan::migrate::proof::digested(&secret("aHVudGVyMg==", "Opaque"), &key);
    assert!(proof(dumped, secret("aHVudGVyMg==", "Opaque")).equal);
}

#[test]
fn objects_of_controllers_are_known_and_no_others() {
    let objects = expected();
    let with = |more: Value| -> Proof {
        let mut actual = objects.clone();
        actual.push(more);
        prove(&objects, &actual, &explain())
    };
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
    assert!(with(map("kube-root-ca.crt")).equal);
    assert!(!with(map("surprise")).equal);
    let pod = |uid: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": uid, "controller": true}]}})
    };
    assert!(!with(pod("nobody")).equal, "its owner is not in the target");
}

#[test]
fn the_move_as_a_whole_is_reported_with_its_rules() {
    let source = crate::transform::everything();
    let proof = prove_move(&source, &crate::transform::context(), &expected(), &explain());
    assert!(proof.equal, "{}", text(&proof));
    assert!(proof.counts.explained.contains_key("service.cluster-ip"), "{:?}", proof.counts.explained);
    let words = text(&proof);
    let all = proof.counts.expected;
    assert!(words.starts_with(&format!("{all} of {all} objects equal")), "{words}");
    let page = html(&proof, "Move of <prod>");
    assert!(page.contains("Move of &lt;prod&gt;"), "a title is text");
    // Ports are called `http` and texts name addresses: what counts is what a browser would load.
    for loads in ["src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(loads), "it needs nothing from elsewhere: {loads}");
    }
    let json = serde_json::to_value(&proof).unwrap();
    assert_eq!(serde_json::from_value::<Proof>(json).unwrap(), proof);
    let short = Explain { keep_explained: false, ..explain() };
    assert!(prove_move(&source, &crate::transform::context(), &expected(), &short).differences.is_empty());
}

#[test]
fn endpoints_are_counted_where_something_runs() {
    let slice = |ready: bool| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "web-x", "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}, {"addresses": ["10.0.0.2"]}]})
    };
    let counted = endpoints(&[slice(true)]);
    assert_eq!(counted["shop/web"], 2);
    let explain = Explain { endpoints: Some(counted), ..explain() };
    assert!(prove(&[], &[slice(true)], &explain).equal);
    assert!(!prove(&[], &[slice(false)], &explain).equal);
}

#[test]
fn remarks_are_verdicts() {
    let service =
        crate::transform::everything().into_iter().find(|object| object["kind"] == "Service").unwrap();
    let found = verdicts("Service shop/web", &transform(&service, &crate::transform::context()));
    assert!(found.iter().any(|verdict| verdict.rule == "balancer.type"), "{found:?}");
}
