//! Drift against what a real API server wrote (v1.36.3): `tests/golden/drift/<object>/` holds what was declared, the
//! answer to its apply, and the live object after each change somebody made.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its fixture has to stop")]

#[path = "drift/handover.rs"]
mod handover;
#[path = "drift/laws.rs"]
mod laws;

use portolan::drift::{Baseline, Check, Finding, Literal, Operation, Salt, changes, literal};
use portolan::model::Object;
use serde_json::{Value, json};

fn golden(name: &str) -> Object {
    let path = format!("{}/tests/golden/drift/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Object::new(serde_json::from_str(&text).unwrap()).unwrap()
}

fn salt() -> Salt {
    Salt::new([7; 32])
}

fn baseline(object: &str) -> Baseline {
    Baseline::of(&golden(&format!("{object}/applied")), &salt()).unwrap()
}

/// The findings without the times, which say when the fixtures were made.
fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| Finding { time: None, ..finding.clone() }.to_string()).collect()
}

#[test]
fn every_way_to_drift_is_found_and_attributed() {
    let table: &[(&str, &str, &[&str])] = &[
        ("deployment", "status-only", &[]),
        (
            "deployment",
            "map-entry-changed",
            &[r#"metadata.labels["app.kubernetes.io/name"]: web -> other (by kubectl-label)"#],
        ),
        (
            "deployment",
            "our-label-removed",
            &[r#"metadata.labels["portolan.dev/application"]: shop -> (absent)"#],
        ),
        ("deployment", "scaled", &["spec.replicas: 3 -> 5 (by kubectl)"]),
        ("deployment", "scaled-and-back", &["spec.replicas: 3, no longer owned by portolan (by kubectl)"]),
        (
            "deployment",
            "image-set",
            &["spec.template.spec.containers[name=web].image: nginx:1 -> nginx:2 (by kubectl-set)"],
        ),
        (
            "deployment",
            "keyed-item-removed",
            &["spec.template.spec.containers[name=side]: (present) -> (absent)"],
        ),
        (
            "deployment",
            "keyed-item-rekeyed",
            &[
                "spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP]: (present) -> (absent)",
            ],
        ),
        (
            "deployment",
            "keyed-order-changed",
            &["spec.template.spec.containers: order web, side -> order side, web"],
        ),
        (
            "deployment",
            "atomic-list-changed",
            &[r#"spec.template.spec.containers[name=web].args: ["-v","1"] -> ["-v","2"] (by kubectl-patch)"#],
        ),
        ("deployment", "foreign-item-added", &[]),
        ("deployment", "foreign-content-in-empty-map", &[]),
        ("deployment", "managed-fields-wiped", &["metadata.managedFields: portolan's entry was removed"]),
        ("deployment", "forced-by-another-applier", &["spec.replicas: 3 -> 7 (by other)"]),
        ("configmap", "status-only", &[]),
        (
            "configmap",
            "set-item-removed",
            &["metadata.finalizers[=portolan.dev/keep]: portolan.dev/keep -> (absent)"],
        ),
        (
            "configmap",
            "long-value-changed",
            &["data.long: line one… (360 bytes) -> short (by kubectl-patch)"],
        ),
        ("configmap", "foreign-key-added", &[]),
        ("secret", "status-only", &[]),
        ("secret", "data-changed", &["data.password: (sensitive, changed) (by kubectl-patch)"]),
        ("secret", "data-removed", &["data.password: (sensitive, present) -> (sensitive, removed)"]),
        ("service", "status-only", &[]),
        (
            "service",
            "atomic-map-changed",
            &[r#"spec.selector: {"app":"web"} -> {"app":"other"} (by kubectl-patch)"#],
        ),
        ("service", "port-rekeyed", &["spec.ports[port=80,protocol=TCP]: (present) -> (absent)"]),
        ("ingress", "status-only", &[]),
    ];
    for (object, case, expected) in table {
        let (baseline, live) = (baseline(object), golden(&format!("{object}/{case}")));
        let findings = baseline.findings(&live);
        assert_eq!(said(&findings), *expected, "{object}/{case}");
        assert_eq!(baseline.check(&live) == Check::Drifted, !expected.is_empty(), "{object}/{case}");
        for finding in findings.iter().filter(|finding| finding.operation == Some(Operation::Update)) {
            let by_scale = finding.manager.as_deref() == Some("kubectl");
            assert_eq!(
                finding.time.is_none(),
                by_scale,
                "the server gives `scale` no time, everything else one"
            );
        }
    }
    let findings = baseline("ingress").findings(&golden("ingress/atomic-list-changed"));
    assert_eq!((findings.len(), findings[0].path.as_str()), (1, "spec.rules"));
}

#[test]
fn what_was_applied_is_literally_equal_and_what_changed_is_not() {
    for object in ["deployment", "configmap", "secret", "service", "ingress"] {
        let (desired, live) =
            (golden(&format!("{object}/desired")), golden(&format!("{object}/status-only")));
        assert_eq!(literal(desired.body(), &live), Literal::Equal, "{object}");
        assert_eq!(
            literal(desired.body(), &desired),
            Literal::Differs(vec!["metadata.managedFields".into()])
        );
    }
    let desired = golden("deployment/desired");
    for case in [
        "map-entry-changed",
        "our-label-removed",
        "scaled",
        "scaled-and-back",
        "image-set",
        "keyed-item-removed",
        "keyed-item-rekeyed",
        "keyed-order-changed",
        "atomic-list-changed",
        "managed-fields-wiped",
        "forced-by-another-applier",
    ] {
        let live = golden(&format!("deployment/{case}"));
        assert!(matches!(literal(desired.body(), &live), Literal::Differs(_)), "{case}");
    }
    assert_eq!(literal(desired.body(), &golden("deployment/foreign-item-added")), Literal::Equal);
}

#[test]
fn what_git_changed_while_the_daemon_was_down_is_seen() {
    let live = golden("deployment/status-only");
    type Edit = (&'static str, fn(&mut Value));
    let edits: &[Edit] = &[
        ("spec", |d| drop(d["spec"].as_object_mut().unwrap().remove("replicas"))),
        ("spec.template.spec.containers", |d| {
            drop(d["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().pop())
        }),
        ("spec.template.spec.containers[name=web].ports", |d| {
            drop(d["spec"]["template"]["spec"]["containers"][0]["ports"].as_array_mut().unwrap().pop())
        }),
        // The port whose protocol was explicit now relies on the default: another port.
        ("spec.template.spec.containers[name=web].ports", |d| {
            let port = &mut d["spec"]["template"]["spec"]["containers"][0]["ports"][1];
            drop(port.as_object_mut().unwrap().remove("protocol"));
        }),
        ("spec.template.spec.containers[name=web].env[name=B]", |d| {
            d["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().swap(0, 1);
        }),
        ("spec.template.spec.volumes[name=tmp].emptyDir", |d| {
            d["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]["medium"] = json!("Memory");
        }),
        ("spec.selector", |d| d["spec"]["selector"]["matchLabels"]["tier"] = json!("x")),
        ("spec.paused", |d| d["spec"]["paused"] = json!(true)),
        ("spec.template.spec.containers[name=web].resources.requests.cpu", |d| {
            d["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("1001m");
        }),
        ("apiVersion", |d| d["apiVersion"] = json!("apps/v1beta1")),
        ("spec", |d| drop(d.as_object_mut().unwrap().remove("spec"))),
        ("kind", |d| d["kind"] = json!("StatefulSet")),
    ];
    for (path, edit) in edits {
        let mut desired = golden("deployment/desired").into_body();
        edit(&mut desired);
        let Literal::Differs(paths) = literal(&desired, &live) else { panic!("{path} was not seen") };
        assert!(paths.iter().any(|found| found.starts_with(path)), "{path}: {paths:?}");
    }
}

#[test]
fn an_object_read_in_another_version_is_not_compared_literally() {
    let mut live = golden("deployment/status-only");
    live.body_mut()["apiVersion"] = json!("apps/v1beta1");
    let desired = golden("deployment/desired");
    assert_eq!(literal(desired.body(), &live), Literal::Differs(vec!["apiVersion".into()]));
    let mut live = golden("deployment/status-only");
    live.body_mut()["metadata"]["managedFields"][0]["apiVersion"] = json!("apps/v1beta1");
    assert_eq!(literal(desired.body(), &live), Literal::Differs(vec!["apiVersion".into()]));
}

/// A ConfigMap of `annotations: {}`, which the server owns for us and does not keep.
fn with_empty_annotations(annotations: Option<Value>, foreign: Option<Value>) -> Object {
    let entry = |manager: &str, operation: &str, annotations: Value| {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
               "fieldsV1": {"f:metadata": {"f:annotations": annotations}}})
    };
    let mut entries = vec![entry("portolan", "Apply", json!({}))];
    entries.extend(foreign.map(|fields| entry("controller", "Update", fields)));
    let mut metadata = json!({"name": "one", "managedFields": entries});
    if let Some(annotations) = annotations {
        metadata["annotations"] = annotations;
    }
    Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})).unwrap()
}

#[test]
fn what_others_put_into_a_mapping_that_is_declared_empty_is_no_drift() {
    let baseline = Baseline::of(&with_empty_annotations(None, None), &salt()).unwrap();
    let theirs = json!({".": {}, "f:example.com/theirs": {}});
    let filled = with_empty_annotations(Some(json!({"example.com/theirs": "v"})), Some(theirs));
    assert_eq!(said(&baseline.findings(&filled)), Vec::<String>::new());
    assert!(baseline.check(&filled) == Check::Same);
    // A baseline that was taken later, with their content in it, holds none of it either.
    let later = Baseline::of(&filled, &salt()).unwrap();
    assert!(later.check(&with_empty_annotations(None, None)) == Check::Same);
}

#[test]
fn a_null_and_an_empty_list_declare_nothing() {
    let live = golden("deployment/status-only");
    let mut desired = golden("deployment/desired").into_body();
    desired["metadata"]["creationTimestamp"] = Value::Null;
    desired["status"] = json!({});
    desired["spec"]["template"]["spec"]["initContainers"] = json!([]);
    assert_eq!(literal(&desired, &live), Literal::Equal);
}

#[test]
fn a_secrets_value_stays_hidden_also_where_only_its_owner_changed() {
    let mut live = golden("secret/applied");
    live.body_mut()["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]
        .as_object_mut()
        .unwrap()
        .remove("f:password");
    let findings = said(&baseline("secret").findings(&live));
    assert_eq!(findings, ["data.password: (sensitive, unchanged), no longer owned by portolan"]);
}

#[test]
fn another_version_is_not_compared_field_by_field() {
    let mut live = golden("deployment/applied");
    live.body_mut()["apiVersion"] = json!("apps/v1beta1");
    assert_eq!(said(&baseline("deployment").findings(&live)), ["apiVersion: apps/v1 -> apps/v1beta1"]);
    assert!(Baseline::of(&live, &salt()).is_none());
}

#[test]
fn a_plan_shows_what_differs_by_name() {
    let (before, after) = (golden("deployment/status-only"), golden("deployment/keyed-item-rekeyed"));
    let shown: Vec<String> =
        changes(Some(before.body()), after.body(), false).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"~ metadata.annotations["deployment.kubernetes.io/revision"]: "1" -> "2""#,
            "- spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].containerPort: 80",
            "- spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].protocol: TCP",
            "+ spec.template.spec.containers[name=web].ports[containerPort=81,protocol=TCP].containerPort: 81",
            "+ spec.template.spec.containers[name=web].ports[containerPort=81,protocol=TCP].protocol: TCP",
        ]
    );
    let moved = golden("deployment/keyed-order-changed");
    let shown = changes(Some(golden("deployment/applied").body()), moved.body(), false);
    let order = shown.iter().find(|change| change.path.ends_with("containers")).unwrap();
    assert_eq!(order.to_string(), "~ spec.template.spec.containers: order web, side -> order side, web");
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"f": text}});
    let shown = changes(Some(&map("a\nb\nc\n")), &map("a\nB\nc\n"), false);
    assert_eq!(shown[0].text.as_deref(), Some("@@ -1,3 +1,3 @@\n a\n-b\n+B\n c"));
    assert!(changes(Some(&map("a\nb\n")), &map("a\nc\n"), true)[0].text.is_none());
}
