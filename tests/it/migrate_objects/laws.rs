//! What holds for every export: one class and one owner for each object, whatever the order, no panic, no secret value.

use super::{annotated, labelled, owned};
use portolan::migrate::calls::Graph;
use portolan::migrate::own::{Class, Context, Index, classify};
use portolan::migrate::owner::{Layout, Sources, export_plan, owners};
use portolan::model::Object;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A value that no output may hold, as text and as a Secret holds it.
const SECRET: &str = "hunter2-correct-horse";
const ENCODED: &str = "aHVudGVyMi1jb3JyZWN0LWhvcnNl";

const KINDS: [(&str, &str); 18] = [
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "Endpoints"),
    ("v1", "Pod"),
    ("v1", "Namespace"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("extensions/v1beta1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("policy/v1beta1", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("crd.projectcalico.org/v1", "IPPool"),
    ("db.example.com/v1", "Database"),
    ("argoproj.io/v1alpha1", "Application"),
];

const NAMES: [&str; 8] = [
    "web",
    "default",
    "coredns",
    "kubernetes",
    "cluster-autoscaler",
    "limits",
    "system:coredns",
    "etcd-manager-main-a",
];

/// Odd values for whole sections: what a server would not hold, and a dump may.
fn oddity() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!("text")),
        Just(json!(7)),
        Just(json!([])),
        Just(json!([{"name": 1}, null, "x"])),
        Just(
            json!({"selector": "x", "ports": 1, "containers": [null], "template": {"spec": {"containers": [{"env": {}}]}}})
        ),
        Just(
            json!({"template": {"spec": {"containers": [{"image": "x/kiam:1", "env": [{"value": "http://web.shop.svc"}],
            "envFrom": [{"secretRef": {"name": "web"}}]}]}}})
        ),
        Just(json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": 1}}}]}]})),
    ]
}

fn one_object() -> impl Strategy<Value = Object> {
    let place = (
        0..KINDS.len(),
        0..NAMES.len(),
        prop_oneof![Just(""), Just("shop"), Just("kube-system"), Just("default")],
    );
    (place, oddity(), oddity(), any::<[bool; 6]>(), 0..KINDS.len(), 0..NAMES.len()).prop_map(
        |((kind, name, namespace), spec, status, marks, owner_kind, owner_name)| {
            let (api_version, kind) = KINDS[kind];
            let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": NAMES[name]}, "spec": spec, "status": status});
            if !namespace.is_empty() {
                body["metadata"]["namespace"] = json!(namespace);
            }
            if kind == "Secret" {
                body["type"] = json!(if marks[0] { "kubernetes.io/service-account-token" } else { "Opaque" });
                body["data"] = json!({"password": ENCODED});
                body["stringData"] = json!({"other": SECRET});
            }
            let mut object = Object::new(body).unwrap();
            if marks[1] {
                object = labelled(object, &[("k8s-addon", "coredns.addons.k8s.io"), ("app.kubernetes.io/instance", "web")]);
            }
            if marks[2] {
                object = annotated(object, &[("meta.helm.sh/release-name", "web"), ("argocd.argoproj.io/tracking-id", "web:::/")]);
            }
            if marks[3] {
                let (api_version, kind) = KINDS[owner_kind];
                object = owned(object, api_version, kind, NAMES[owner_name]);
            }
            if marks[4] {
                object.metadata_mut().insert("uid".into(), json!(format!("uid-{}", NAMES[name])));
            }
            if marks[5] {
                let applied = json!({"data": {"password": ENCODED}}).to_string();
                object = annotated(object, &[("kubectl.kubernetes.io/last-applied-configuration", applied.as_str())]);
            }
            object
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_object_has_one_class_whatever_the_order(objects in prop::collection::vec(one_object(), 0..24), turn in 0_usize..24) {
        let mut index = Index::default();
        index.add("coredns.addons.k8s.io", objects.first().cloned());
        let context = Context { kops_version: Some("1.28.5".into()), ..Context::default() };
        let mut other = objects.clone();
        if !other.is_empty() {
            let turn = turn % other.len();
            other.rotate_left(turn);
            other.reverse();
        }
        let classified = classify(&objects, &index, &context);
        prop_assert_eq!(&classified, &classify(&other, &index, &context));
        let mut ids: Vec<_> = objects.iter().map(Object::id).collect();
        ids.sort();
        prop_assert_eq!(classified.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), ids.clone());
        for one in &classified {
            prop_assert!(!one.rule.is_empty() && !one.source.is_empty(), "{:?}", one);
            if let Class::Drop { why } | Class::Ask { why } = &one.class {
                prop_assert!(!why.is_empty(), "{:?}", one);
            }
            prop_assert_eq!(&one.verdict().rule, &one.rule);
        }
        let owned = owners(&objects, &Sources::default());
        prop_assert_eq!(&owned, &owners(&other, &Sources::default()));
        prop_assert_eq!(owned.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), ids);
        let (graph, again) = (Graph::of(&objects, &[]), Graph::of(&other, &[]));
        prop_assert!(graph.edges.keys().eq(again.edges.keys()));
    }

    #[test]
    fn no_secret_value_leaves(objects in prop::collection::vec(one_object(), 0..24)) {
        let layout = Layout { root: "x".into(), cluster: "new".into(), taken: Default::default() };
        let classified = classify(&objects, &Index::default(), &Context::default());
        let verdicts: Vec<_> = classified.iter().map(|one| one.verdict()).collect();
        let owned = owners(&objects, &Sources::default());
        let plan = export_plan(&objects, &layout);
        let graph = Graph::of(&objects, &[]);
        let shown = format!("{classified:?} {verdicts:?} {owned:?} {plan:?} {graph:?} {}", serde_json::to_string(&plan).unwrap());
        prop_assert!(!shown.contains(SECRET) && !shown.contains(ENCODED), "{}", shown);
    }
}
