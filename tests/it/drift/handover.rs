//! Fields given up, taken over and taken back, on what a real API server wrote.

use super::{baseline, golden, salt};
use portolan::drift::{
    Baseline, CLIENT_SIDE, Check, FindingKind, ForeignManager, Ignore, Literal, Path, adopt_client_side,
    changes, has_our_entry, hpa_targets, ignored_fieldset, literal, managers, owned_by_us, preserve,
    release_all, release_paths, remove_foreign, restore_entry, rivals, strip,
};
use portolan::model::{IgnoreRule, Object, ResourceId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ignore(paths: &[&str]) -> Ignore {
    let rule = json!({"kind": "*", "paths": paths});
    Ignore::new(&[serde_json::from_value::<IgnoreRule>(rule).unwrap()], BTreeSet::new()).unwrap()
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
            "replace" => {
                assert_eq!(parent.insert(key, operation["value"].clone()), Some(operation["value"].clone()))
            }
            "remove" => assert!(parent.remove(&key).is_some()),
            other => panic!("{other}"),
        }
    }
    Object::new(body).unwrap()
}

#[test]
fn an_ignored_field_leaves_the_manifest_and_is_handed_over() {
    let live = golden("deployment/status-only");
    let ignore =
        ignore(&["/spec/replicas", "/spec/template/spec/containers/name=web/image", "/metadata/labels/*"]);
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
    assert_eq!(paths.paths().iter().map(ToString::to_string).collect::<Vec<_>>(), taken);

    let released = patched(&live, &release_paths(&live, &paths).unwrap());
    assert!(release_paths(&released, &paths).is_none());
    assert!(ignored_fieldset(&released, &ignore).is_empty());
    assert_eq!(owned_by_us(&released).unwrap().union(&paths), owned_by_us(&live).unwrap());
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
        &ignore(&["/metadata/annotations/x~1y", "/data/a", "/binaryData/*", "/metadata/name"]),
    );
    assert_eq!(taken, ["data.a", r#"metadata.annotations["x/y"]"#]);
    assert_eq!(
        object.body(),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "2"}, "binaryData": {}})
    );
    strip(&mut object, &ignore(&["/*", "/metadata", "/kind"]));
    assert_eq!(object.body(), &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}));
}

#[test]
fn an_ignored_part_of_an_atomic_field_keeps_its_live_value() {
    let live = golden("ingress/atomic-list-changed");
    let answer = golden("ingress/applied");
    let ignore = ignore(&["/spec/rules/0/host"]);
    assert!(ignored_fieldset(&answer, &ignore).is_empty(), "the server knows one owner for the whole list");
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
    assert_eq!(ignored_fieldset(&golden("deployment/applied"), &ignore).leaf_count(), 1);
}

#[test]
fn rules_match_by_kind_group_and_glob() {
    let rule = |rule: Value| Ignore::new(&[serde_json::from_value(rule).unwrap()], BTreeSet::new()).unwrap();
    let web = ResourceId::new("apps", "Deployment", "shop-eu", "web-1");
    for (hit, selector) in [
        (true, json!({"kind": "Deployment", "paths": ["/a"]})),
        (true, json!({"kind": "*", "group": "apps", "name": "web-*", "namespace": "*-eu", "paths": ["/a"]})),
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
    let changed: Vec<String> =
        changes(Some(live.body()), orphan.body(), false).into_iter().map(|change| change.path).collect();
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
    assert_eq!(adopted.annotation("kubectl.kubernetes.io/last-applied-configuration"), None);
    assert_eq!(adopted.annotation("left"), Some("git"));
    assert!(adopt_client_side(&adopted, &CLIENT_SIDE).is_none());
    assert!(!managers(&adopted).iter().any(|owner| owner.manager.starts_with("kubectl")));
    let owned = owned_by_us(&adopted).unwrap();
    let wanted = owned_by_us(&golden("deployment/applied")).unwrap();
    let missing: Vec<String> = wanted.difference(&owned).paths().iter().map(ToString::to_string).collect();
    // Declared `false`, which the server stores as nothing, so that an update does not own it.
    assert_eq!(missing, ["spec.template.spec.containers[name=web].volumeMounts[mountPath=/tmp].readOnly"]);
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
    assert_eq!(baseline.findings(&patched(&extra, &restore_entry(&extra, &baseline).unwrap())), []);
}

#[test]
fn who_put_an_item_beside_ours_is_known() {
    let names = |object: &str, case: &str, at_baseline: bool| -> Vec<String> {
        let baseline = at_baseline.then(|| baseline(object));
        let found = rivals(&golden(&format!("{object}/{case}")), baseline.as_ref());
        found.into_iter().map(|owner| owner.manager).collect()
    };
    for at_baseline in [true, false] {
        assert_eq!(names("service", "port-rekeyed", at_baseline), ["kubectl-patch"]);
        assert_eq!(names("deployment", "keyed-item-rekeyed", at_baseline), ["kubectl-patch"]);
        assert_eq!(names("deployment", "foreign-item-added", at_baseline), ["kubectl-set"]);
        for case in ["image-set", "scaled", "map-entry-changed", "forced-by-another-applier", "status-only"] {
            assert!(names("deployment", case, at_baseline).is_empty(), "{case}");
        }
    }
    // Made ours, the clashing item goes with the next apply.
    let live = golden("service/port-rekeyed");
    let adopted =
        patched(&live, &adopt_client_side(&live, &[ForeignManager::update("kubectl-patch")]).unwrap());
    assert!(format!("{:?}", owned_by_us(&adopted).unwrap()).contains("spec.ports[port=8080,protocol=TCP]"));
    assert!(rivals(&adopted, None).is_empty());
}

#[test]
fn the_rules_of_an_aggregated_role_are_left_to_the_control_plane() {
    let role = |aggregation: Value| {
        Object::new(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"},
                           "aggregationRule": aggregation, "rules": [{"verbs": ["get"]}]}))
        .unwrap()
    };
    let none = Ignore::default();
    let mut aggregated = role(json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}));
    assert!(!none.is_empty_for(&aggregated.id()));
    assert_eq!(strip(&mut aggregated, &none), ["rules"]);
    assert!(strip(&mut role(Value::Null), &none).is_empty());
}
