//! Drift against what a real API server wrote (v1.36.3): `tests/golden/drift/<object>/` holds what was declared, the
//! answer to its apply, and the live object after each change somebody made.

use portolan::drift::{
    Baseline, CLIENT_SIDE, Check, Finding, FindingKind, ForeignManager, Ignore, Literal, Operation, Path,
    Salt, adopt_client_side, changes, has_our_entry, hpa_targets, ignored_fieldset, literal, managers,
    owned_by_us, preserve, release_all, release_paths, remove_foreign, restore_entry, strip,
};
use portolan::model::{IgnoreRule, Object, ResourceId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
    findings
        .iter()
        .map(|finding| {
            Finding {
                time: None,
                ..finding.clone()
            }
            .to_string()
        })
        .collect()
}

fn ignore(paths: &[&str]) -> Ignore {
    let rule = json!({"kind": "*", "paths": paths});
    Ignore::new(
        &[serde_json::from_value::<IgnoreRule>(rule).unwrap()],
        BTreeSet::new(),
    )
    .unwrap()
}

/// Applies a JSON patch of ours as the server does; ours hold `add`, `replace` and `remove` of mapping entries only.
fn patched(object: &Object, patch: &Value) -> Object {
    let mut body = object.body().clone();
    for operation in patch.as_array().unwrap() {
        let (parent, key) = operation["path"].as_str().unwrap().rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match operation["op"].as_str().unwrap() {
            "add" => drop(parent.insert(key, operation["value"].clone())),
            "replace" => assert_eq!(
                parent.insert(key, operation["value"].clone()),
                Some(operation["value"].clone())
            ),
            "remove" => assert!(parent.remove(&key).is_some()),
            other => panic!("{other}"),
        }
    }
    Object::new(body).unwrap()
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
        (
            "deployment",
            "scaled-and-back",
            &["spec.replicas: 3, no longer owned by portolan (by kubectl)"],
        ),
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
        (
            "deployment",
            "managed-fields-wiped",
            &["metadata.managedFields: portolan's entry was removed"],
        ),
        (
            "deployment",
            "forced-by-another-applier",
            &["spec.replicas: 3 -> 7 (by other)"],
        ),
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
        (
            "secret",
            "data-changed",
            &["data.password: (sensitive, changed) (by kubectl-patch)"],
        ),
        (
            "secret",
            "data-removed",
            &["data.password: (sensitive, changed) -> (sensitive, removed)"],
        ),
        ("service", "status-only", &[]),
        (
            "service",
            "atomic-map-changed",
            &[r#"spec.selector: {"app":"web"} -> {"app":"other"} (by kubectl-patch)"#],
        ),
        (
            "service",
            "port-rekeyed",
            &["spec.ports[port=80,protocol=TCP]: (present) -> (absent)"],
        ),
        ("ingress", "status-only", &[]),
    ];
    for (object, case, expected) in table {
        let (baseline, live) = (baseline(object), golden(&format!("{object}/{case}")));
        let findings = baseline.findings(&live);
        assert_eq!(said(&findings), *expected, "{object}/{case}");
        assert_eq!(
            baseline.check(&live) == Check::Drifted,
            !expected.is_empty(),
            "{object}/{case}"
        );
        for finding in findings
            .iter()
            .filter(|finding| finding.operation == Some(Operation::Update))
        {
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
        let (desired, live) = (
            golden(&format!("{object}/desired")),
            golden(&format!("{object}/status-only")),
        );
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
        assert!(
            matches!(literal(desired.body(), &live), Literal::Differs(_)),
            "{case}"
        );
    }
    assert_eq!(
        literal(desired.body(), &golden("deployment/foreign-item-added")),
        Literal::Equal
    );
}

#[test]
fn what_git_changed_while_the_daemon_was_down_is_seen() {
    let live = golden("deployment/status-only");
    let edits: &[(&str, fn(&mut Value))] = &[
        ("spec", |d| {
            drop(d["spec"].as_object_mut().unwrap().remove("replicas"))
        }),
        ("spec.template.spec.containers", |d| {
            drop(
                d["spec"]["template"]["spec"]["containers"]
                    .as_array_mut()
                    .unwrap()
                    .pop(),
            )
        }),
        ("spec.template.spec.containers[name=web].ports", |d| {
            drop(
                d["spec"]["template"]["spec"]["containers"][0]["ports"]
                    .as_array_mut()
                    .unwrap()
                    .pop(),
            )
        }),
        // The port whose protocol was explicit now relies on the default: another port.
        ("spec.template.spec.containers[name=web].ports", |d| {
            let port = &mut d["spec"]["template"]["spec"]["containers"][0]["ports"][1];
            drop(port.as_object_mut().unwrap().remove("protocol"));
        }),
        ("spec.template.spec.containers[name=web].env[name=B]", |d| {
            d["spec"]["template"]["spec"]["containers"][0]["env"]
                .as_array_mut()
                .unwrap()
                .swap(0, 1);
        }),
        ("spec.template.spec.volumes[name=tmp].emptyDir", |d| {
            d["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]["medium"] = json!("Memory");
        }),
        ("spec.selector", |d| {
            d["spec"]["selector"]["matchLabels"]["tier"] = json!("x")
        }),
        ("spec.paused", |d| d["spec"]["paused"] = json!(true)),
        (
            "spec.template.spec.containers[name=web].resources.requests.cpu",
            |d| {
                d["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] =
                    json!("1001m");
            },
        ),
        ("apiVersion", |d| d["apiVersion"] = json!("apps/v1beta1")),
        ("spec", |d| drop(d.as_object_mut().unwrap().remove("spec"))),
        ("kind", |d| d["kind"] = json!("StatefulSet")),
    ];
    for (path, edit) in edits {
        let mut desired = golden("deployment/desired").into_body();
        edit(&mut desired);
        let Literal::Differs(paths) = literal(&desired, &live) else {
            panic!("{path} was not seen")
        };
        assert!(
            paths.iter().any(|found| found.starts_with(path)),
            "{path}: {paths:?}"
        );
    }
}

#[test]
fn an_object_read_in_another_version_is_not_compared_literally() {
    let mut live = golden("deployment/status-only");
    live.body_mut()["apiVersion"] = json!("apps/v1beta1");
    let desired = golden("deployment/desired");
    assert_eq!(
        literal(desired.body(), &live),
        Literal::Differs(vec!["apiVersion".into()])
    );
    let mut live = golden("deployment/status-only");
    live.body_mut()["metadata"]["managedFields"][0]["apiVersion"] = json!("apps/v1beta1");
    assert_eq!(
        literal(desired.body(), &live),
        Literal::Differs(vec!["apiVersion".into()])
    );
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
fn an_ignored_field_leaves_the_manifest_and_is_handed_over() {
    let live = golden("deployment/status-only");
    let ignore = ignore(&[
        "/spec/replicas",
        "/spec/template/spec/containers/name=web/image",
        "/metadata/labels/*",
    ]);
    let mut desired = golden("deployment/desired");
    let taken = strip(&mut desired, &ignore);
    assert_eq!(
        taken,
        [
            r#"metadata.labels["app.kubernetes.io/name"]"#,
            "spec.replicas",
            "spec.template.spec.containers[name=web].image",
        ],
        "our own labels stay whatever a rule says"
    );
    let paths = ignored_fieldset(&live, &ignore);
    assert_eq!(
        paths.paths().iter().map(ToString::to_string).collect::<Vec<_>>(),
        taken
    );

    let released = patched(&live, &release_paths(&live, &paths).unwrap());
    assert!(release_paths(&released, &paths).is_none());
    assert!(ignored_fieldset(&released, &ignore).is_empty());
    assert_eq!(
        owned_by_us(&released).unwrap().union(&paths),
        owned_by_us(&live).unwrap()
    );
    assert_eq!(literal(desired.body(), &released), Literal::Equal);
    let scaled = Baseline::of(&released, &salt()).unwrap();
    let mut live = released.clone();
    live.body_mut()["spec"]["replicas"] = json!(9);
    assert_eq!(scaled.check(&live), Check::Same);
}

#[test]
fn parents_are_emptied_only_by_the_rule_itself() {
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"x/y": "1"}},
                      "data": {"a": "1", "b": "2"}, "binaryData": {}});
    let mut object = Object::new(body).unwrap();
    let taken = strip(
        &mut object,
        &ignore(&[
            "/metadata/annotations/x~1y",
            "/data/a",
            "/binaryData/*",
            "/metadata/name",
        ]),
    );
    assert_eq!(taken, ["data.a", r#"metadata.annotations["x/y"]"#]);
    assert_eq!(
        object.body(),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "2"}, "binaryData": {}})
    );
    strip(&mut object, &ignore(&["/*", "/metadata", "/kind"]));
    assert_eq!(
        object.body(),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    );
}

#[test]
fn an_ignored_part_of_an_atomic_field_keeps_its_live_value() {
    let live = golden("ingress/atomic-list-changed");
    let answer = golden("ingress/applied");
    let ignore = ignore(&["/spec/rules/0/host"]);
    assert!(
        ignored_fieldset(&answer, &ignore).is_empty(),
        "the server knows one owner for the whole list"
    );
    let mut desired = golden("ingress/desired");
    strip(&mut desired, &ignore);
    assert_eq!(desired.body().pointer("/spec/rules/0/host"), None);
    // Ours again, with the value that somebody else gave it.
    let mut owned = answer.clone();
    owned.body_mut()["spec"]["rules"] = live.body()["spec"]["rules"].clone();
    preserve(&mut desired, &owned, &ignore);
    assert_eq!(desired.body()["spec"]["rules"], live.body()["spec"]["rules"]);
}

#[test]
fn replicas_of_an_autoscaled_object_are_left_to_the_autoscaler() {
    let autoscaler = |version: &str, kind: &str, target: Value| {
        let metadata = json!({"name": "a", "namespace": "shop"});
        let spec = json!({"scaleTargetRef": target});
        Object::new(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})).unwrap()
    };
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let objects = [
        autoscaler("autoscaling/v2", "HorizontalPodAutoscaler", target.clone()),
        autoscaler("keda.sh/v1alpha1", "ScaledObject", json!({"name": "worker"})),
        autoscaler("v1", "ConfigMap", target),
    ];
    let targets = hpa_targets(&objects);
    let deployment = |name| ResourceId::new("apps", "Deployment", "shop", name);
    assert_eq!(targets, BTreeSet::from([deployment("web"), deployment("worker")]));
    let ignore = Ignore::new(&[], targets).unwrap();
    let mut desired = golden("deployment/desired");
    assert!(!ignore.is_empty_for(&desired.id()) && ignore.is_empty_for(&deployment("other")));
    assert_eq!(strip(&mut desired, &ignore), ["spec.replicas"]);
    assert_eq!(
        ignored_fieldset(&golden("deployment/applied"), &ignore).leaf_count(),
        1
    );
}

#[test]
fn rules_match_by_kind_group_and_glob() {
    let rule = |rule: Value| Ignore::new(&[serde_json::from_value(rule).unwrap()], BTreeSet::new()).unwrap();
    let web = ResourceId::new("apps", "Deployment", "shop-eu", "web-1");
    for (hit, selector) in [
        (true, json!({"kind": "Deployment", "paths": ["/a"]})),
        (
            true,
            json!({"kind": "*", "group": "apps", "name": "web-*", "namespace": "*-eu", "paths": ["/a"]}),
        ),
        (true, json!({"kind": "*", "name": "*", "paths": ["/a"]})),
        (true, json!({"kind": "*", "name": "w*-*1", "paths": ["/a"]})),
        (false, json!({"kind": "*", "name": "web", "paths": ["/a"]})),
        (false, json!({"kind": "*", "group": "", "paths": ["/a"]})),
        (false, json!({"kind": "*", "namespace": "eu", "paths": ["/a"]})),
        (false, json!({"kind": "*", "name": "web-1*1", "paths": ["/a"]})),
    ] {
        assert_eq!(!rule(selector.clone()).is_empty_for(&web), hit, "{selector}");
    }
    assert!(
        Ignore::new(
            &[serde_json::from_value(json!({"kind": "*", "paths": ["a"]})).unwrap()],
            BTreeSet::new()
        )
        .is_err()
    );
}

#[test]
fn an_orphan_keeps_everything_but_our_marks() {
    let live = golden("deployment/status-only");
    let patch = release_all(&live).unwrap();
    assert_eq!(patch[0]["path"], "/metadata/uid");
    assert_eq!(patch[1]["value"], live.body()["metadata"]["resourceVersion"]);
    let orphan = patched(&live, &patch);
    assert!(!has_our_entry(&orphan) && release_all(&orphan).is_none());
    let changed: Vec<String> = changes(Some(live.body()), orphan.body(), false)
        .into_iter()
        .map(|change| change.path)
        .collect();
    assert_eq!(
        changed,
        [
            r#"metadata.labels["applyset.kubernetes.io/part-of"]"#,
            r#"metadata.labels["portolan.dev/application"]"#
        ]
    );
    // An object whose only entry is ours: the server takes `[{}]` for none, and nothing else.
    let sole = golden("secret/applied");
    let patch = release_all(&sole).unwrap();
    assert_eq!(patch.as_array().unwrap().last().unwrap()["value"], json!([{}]));
}

#[test]
fn client_side_apply_becomes_our_apply() {
    let live = golden("adopt/client-side-applied");
    let adopted = patched(&live, &adopt_client_side(&live, &CLIENT_SIDE).unwrap());
    assert_eq!(
        adopted.annotation("kubectl.kubernetes.io/last-applied-configuration"),
        None
    );
    assert_eq!(adopted.annotation("left"), Some("git"));
    assert!(adopt_client_side(&adopted, &CLIENT_SIDE).is_none());
    assert!(
        !managers(&adopted)
            .iter()
            .any(|owner| owner.manager.starts_with("kubectl"))
    );
    let owned = owned_by_us(&adopted).unwrap();
    let wanted = owned_by_us(&golden("deployment/applied")).unwrap();
    let missing: Vec<String> = wanted
        .difference(&owned)
        .paths()
        .iter()
        .map(ToString::to_string)
        .collect();
    // Declared `false`, which the server stores as nothing, so that an update does not own it.
    assert_eq!(
        missing,
        ["spec.template.spec.containers[name=web].volumeMounts[mountPath=/tmp].readOnly"]
    );
    let left = owned.contains(&Path::fields(&["metadata", "annotations", "left"]));
    assert!(left, "so that the apply that follows removes what git lacks");
}

#[test]
fn adoption_leaves_status_finalizers_and_owner_references_to_others() {
    let entry = |manager: &str, version: &str, fields: Value| json!({"manager": manager, "operation": "Update", "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields});
    let live = Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": [
            entry("helm", "apps/v1", json!({"f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}, "f:labels": {"f:x": {}}}, "f:status": {"f:n": {}}})),
            entry("kubectl", "extensions/v1beta1", json!({"f:spec": {"f:replicas": {}, "f:rollbackTo": {}}})),
            entry("kubectl-edit", "apps/v1", json!({"f:spec": {"f:paused": {}}})),
        ]}, "spec": {"replicas": 1, "paused": true}}))
    .unwrap();
    let adopted = patched(&live, &adopt_client_side(&live, &CLIENT_SIDE).unwrap());
    let owned = owned_by_us(&adopted).unwrap();
    assert_eq!(format!("{owned:?}"), r#"{"metadata.labels.x", "spec.replicas"}"#);
    assert_eq!(managers(&adopted).len(), 1, "kubectl-edit was not asked for");
    let edit = ForeignManager::update("kubectl-edit");
    let without = patched(&live, &remove_foreign(&live, &edit).unwrap());
    assert!(remove_foreign(&without, &edit).is_none());
    assert_eq!(managers(&without).len(), 2);
}

#[test]
fn a_wiped_entry_is_written_again() {
    let (baseline, live) = (baseline("deployment"), golden("deployment/managed-fields-wiped"));
    let restored = patched(&live, &restore_entry(&live, &baseline).unwrap());
    assert_eq!(baseline.findings(&restored), []);
    assert!(restore_entry(&restored, &baseline).is_none());
    // Fields that somebody applied in our name are not ours either.
    let mut extra = golden("deployment/applied");
    let entry = &mut extra.body_mut()["metadata"]["managedFields"][0]["fieldsV1"];
    entry["f:spec"]["f:paused"] = json!({});
    let findings = baseline.findings(&extra);
    assert_eq!(
        (findings.len(), findings[0].kind, findings[0].path.as_str()),
        (1, FindingKind::Extra, "spec.paused")
    );
    assert_eq!(
        baseline.findings(&patched(&extra, &restore_entry(&extra, &baseline).unwrap())),
        []
    );
}

#[test]
fn a_secrets_value_stays_hidden_also_where_only_its_owner_changed() {
    let mut live = golden("secret/applied");
    live.body_mut()["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]
        .as_object_mut()
        .unwrap()
        .remove("f:password");
    let findings = said(&baseline("secret").findings(&live));
    assert_eq!(
        findings,
        ["data.password: (sensitive, unchanged), no longer owned by portolan"]
    );
}

#[test]
fn another_version_is_not_compared_field_by_field() {
    let mut live = golden("deployment/applied");
    live.body_mut()["apiVersion"] = json!("apps/v1beta1");
    assert_eq!(
        said(&baseline("deployment").findings(&live)),
        ["apiVersion: apps/v1 -> apps/v1beta1"]
    );
    assert!(Baseline::of(&live, &salt()).is_none());
}

#[test]
fn a_plan_shows_what_differs_by_name() {
    let (before, after) = (
        golden("deployment/status-only"),
        golden("deployment/keyed-item-rekeyed"),
    );
    let shown: Vec<String> = changes(Some(before.body()), after.body(), false)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            r#"~ metadata.annotations["deployment.kubernetes.io/revision"]: 1 -> 2"#,
            "- spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].containerPort: 80",
            "- spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].protocol: TCP",
            "+ spec.template.spec.containers[name=web].ports[containerPort=81,protocol=TCP].containerPort: 81",
            "+ spec.template.spec.containers[name=web].ports[containerPort=81,protocol=TCP].protocol: TCP",
        ]
    );
    let moved = golden("deployment/keyed-order-changed");
    let shown = changes(Some(golden("deployment/applied").body()), moved.body(), false);
    let order = shown
        .iter()
        .find(|change| change.path.ends_with("containers"))
        .unwrap();
    assert_eq!(
        order.to_string(),
        "~ spec.template.spec.containers: order web, side -> order side, web"
    );
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"f": text}});
    let shown = changes(Some(&map("a\nb\nc\n")), &map("a\nB\nc\n"), false);
    assert_eq!(shown[0].text.as_deref(), Some("@@ -1,3 +1,3 @@\n a\n-b\n+B\n c"));
    assert!(
        changes(Some(&map("a\nb\n")), &map("a\nc\n"), true)[0]
            .text
            .is_none()
    );
}
