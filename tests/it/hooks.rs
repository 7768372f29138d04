//! What annotations mean, how hooks are parted from the rest, and what is settled before a server is asked.

use portolan::model::{GroupKind, Gvk, Object, ResourceId};
use portolan::plan::annotations::{ApplyPolicy, Directives, Prune};
use portolan::plan::desired::{Declared, builtin_scope, duplicates, fill_namespaces, normalize};
use portolan::plan::hooks::{DeletePolicy, Phase, Split, split};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn object(kind: &str, name: &str, annotations: Value) -> Object {
    let api_version = match kind {
        "Job" => "batch/v1",
        "Deployment" => "apps/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        _ => "v1",
    };
    let metadata = json!({"name": name, "annotations": annotations});
    Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).unwrap()
}

fn directives(annotations: Value) -> Directives {
    Directives::of(&object("ConfigMap", "a", annotations))
}

fn declared(object: Object) -> Declared {
    let origin = format!("{}.yaml:1", object.name());
    Declared { object, origin, create_only: Vec::new() }
}

fn rank(kind: &GroupKind) -> u8 {
    u8::from(kind.kind == "Job")
}

/// Argo CD's `syncwaves` tests: its own annotation counts, Helm's weight where it has none or cannot be read.
#[test]
fn waves() {
    for (annotations, wave, problems) in [
        (json!({}), 0, 0),
        (json!({"argocd.argoproj.io/sync-wave": "1"}), 1, 0),
        (json!({"argocd.argoproj.io/sync-wave": "-3"}), -3, 0),
        (json!({"helm.sh/hook-weight": "2"}), 2, 0),
        (json!({"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "2"}), 1, 0),
        (json!({"argocd.argoproj.io/sync-wave": "one", "helm.sh/hook-weight": "2"}), 2, 1),
        (json!({"argocd.argoproj.io/sync-wave": "1.5"}), 0, 1),
    ] {
        let found = directives(annotations.clone());
        assert_eq!((found.wave, found.problems.len()), (wave, problems), "{annotations}");
    }
}

/// gitops-engine `pkg/sync/hook` and the table in Argo CD's docs "Helm".
#[test]
fn phases() {
    use Phase::{PostDelete, PostSync, PreDelete, PreSync, Sync, SyncFail};
    let cases: [(Value, Option<&[Phase]>); 17] = [
        (json!({}), None),
        (json!({"argocd.argoproj.io/hook": "PreSync"}), Some(&[PreSync])),
        (json!({"argocd.argoproj.io/hook": "Sync, SyncFail"}), Some(&[Sync, SyncFail])),
        (json!({"argocd.argoproj.io/hook": "PostSync,PostSync"}), Some(&[PostSync])),
        (json!({"argocd.argoproj.io/hook": "PreDelete"}), Some(&[PreDelete])),
        (json!({"argocd.argoproj.io/hook": "Skip,PreSync"}), Some(&[PreSync])),
        (json!({"argocd.argoproj.io/hook": "Skip"}), None),
        (json!({"argocd.argoproj.io/hook": "presync"}), Some(&[])),
        (json!({"helm.sh/hook": "pre-install"}), Some(&[PreSync])),
        (json!({"helm.sh/hook": "pre-install,pre-upgrade"}), Some(&[PreSync])),
        (json!({"helm.sh/hook": "post-install,post-delete"}), Some(&[PostSync, PostDelete])),
        (json!({"helm.sh/hook": "pre-delete"}), Some(&[PreDelete])),
        (json!({"helm.sh/hook": "test"}), Some(&[])),
        (json!({"helm.sh/hook": "pre-rollback"}), Some(&[])),
        (json!({"helm.sh/hook": "crd-install"}), None),
        (json!({"argocd.argoproj.io/hook": "PostSync", "helm.sh/hook": "pre-install"}), Some(&[PostSync])),
        (json!({"argocd.argoproj.io/hook": "Presync", "helm.sh/hook": "pre-install"}), Some(&[PreSync])),
    ];
    for (annotations, expected) in cases {
        let found =
            directives(annotations.clone()).hook.map(|hook| hook.phases.into_iter().collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{annotations}");
    }
    let skipped = directives(json!({"argocd.argoproj.io/hook": "Skip"}));
    assert!(matches!(skipped.apply, ApplyPolicy::Never(_)), "{skipped:?}");
}

#[test]
fn delete_policies_add_up_and_the_first_is_the_default() {
    use DeletePolicy::{BeforeHookCreation, HookFailed, HookSucceeded};
    let policies = |text: Value| directives(text).hook.unwrap().delete_policies;
    let hook = "argocd.argoproj.io/hook";
    assert_eq!(policies(json!({hook: "Sync"})), BTreeSet::from([BeforeHookCreation]));
    assert_eq!(
        policies(json!({hook: "Sync", "argocd.argoproj.io/hook-delete-policy": "HookSucceeded,HookFailed"})),
        BTreeSet::from([HookSucceeded, HookFailed])
    );
    assert_eq!(
        policies(json!({hook: "Sync", "argocd.argoproj.io/hook-delete-policy": "HookFailed",
            "helm.sh/hook-delete-policy": "before-hook-creation"})),
        BTreeSet::from([BeforeHookCreation, HookFailed])
    );
    let typo = directives(json!({hook: "Sync", "argocd.argoproj.io/hook-delete-policy": "hooksucceeded"}));
    assert_eq!(typo.hook.unwrap().delete_policies, BTreeSet::from([BeforeHookCreation]));
    assert_eq!(typo.problems.len(), 1);
}

/// What keeps an object, by each tool's word; the more careful one wins, and so does a typo.
#[test]
fn what_protects_an_object() {
    let options = "argocd.argoproj.io/sync-options";
    let kept = |text: &str| Prune::Kept(text.into());
    for (annotations, prune, delete) in [
        (json!({}), Prune::Allowed, Prune::Allowed),
        (
            json!({options: "Prune=false"}),
            kept("argocd.argoproj.io/sync-options: Prune=false"),
            Prune::Allowed,
        ),
        (json!({options: "Prune=confirm,Delete=confirm"}), Prune::Confirm, Prune::Confirm),
        (
            json!({options: "Delete=false"}),
            Prune::Allowed,
            kept("argocd.argoproj.io/sync-options: Delete=false"),
        ),
        (
            json!({options: "Prune=flase"}),
            kept("argocd.argoproj.io/sync-options: Prune=flase"),
            Prune::Allowed,
        ),
        (json!({options: "Prune=true"}), Prune::Allowed, Prune::Allowed),
        (
            json!({"helm.sh/resource-policy": "keep"}),
            kept("helm.sh/resource-policy: keep"),
            kept("helm.sh/resource-policy: keep"),
        ),
        (
            json!({"kustomize.toolkit.fluxcd.io/prune": "Disabled"}),
            kept("kustomize.toolkit.fluxcd.io/prune: Disabled"),
            kept("kustomize.toolkit.fluxcd.io/prune: Disabled"),
        ),
        (
            json!({"client.lifecycle.config.k8s.io/deletion": "detach", options: "Prune=confirm"}),
            kept("client.lifecycle.config.k8s.io/deletion: detach"),
            kept("client.lifecycle.config.k8s.io/deletion: detach"),
        ),
        (
            json!({"cli-utils.sigs.k8s.io/on-remove": "keep"}),
            kept("cli-utils.sigs.k8s.io/on-remove: keep"),
            kept("cli-utils.sigs.k8s.io/on-remove: keep"),
        ),
    ] {
        let found = directives(annotations.clone());
        assert_eq!((found.prune, found.delete), (prune, delete), "{annotations}");
    }
}

#[test]
fn the_other_options() {
    let options = |text: &str| directives(json!({"argocd.argoproj.io/sync-options": text}));
    assert!(options("Force=true,Replace=true").replace);
    assert!(!options("Replace=true").replace, "Argo CD's Replace alone updates in place");
    assert!(options("PruneLast=true").prune_last);
    assert!(options("SkipDryRunOnMissingResource=true").skip_dry_run_on_missing);
    assert!(options("Validate=false").skip_validation);
    assert_eq!(options("ServerSideApply=true, ApplyOutOfSyncOnly=true").problems, []);
    assert_eq!(options("ServerSideApply=false,CreateNamespace=true,Nonsense=1").problems.len(), 3);
    assert!(directives(json!({"argocd.argoproj.io/compare-options": "IgnoreExtraneous"})).ignore_extraneous);
    assert!(directives(json!({"argocd.argoproj.io/ignore-healthcheck": "true"})).ignore_health);

    let flux =
        |word: &str, value: &str| directives(json!({format!("kustomize.toolkit.fluxcd.io/{word}"): value}));
    assert!(flux("force", "Enabled").replace);
    assert!(flux("ssa", "merge").merge);
    assert!(matches!(flux("ssa", "IfNotPresent").apply, ApplyPolicy::IfNotPresent(_)));
    assert!(matches!(flux("ssa", "Ignore").apply, ApplyPolicy::Never(_)));
    let disabled = flux("reconcile", "disabled");
    assert!(matches!((disabled.apply, disabled.prune), (ApplyPolicy::Never(_), Prune::Kept(_))));
    assert_eq!(flux("ssa", "sometimes").problems.len(), 1);

    let mutation = directives(json!({"client.lifecycle.config.k8s.io/mutation": "ignore"}));
    assert!(matches!(mutation.apply, ApplyPolicy::IfNotPresent(_)));

    let mut labelled = object("ConfigMap", "a", json!({}));
    labelled.set_label("kustomize.toolkit.fluxcd.io/prune", "disabled");
    assert!(matches!(Directives::of(&labelled).prune, Prune::Kept(_)), "Flux reads labels, too");
}

#[test]
fn depends_on_is_read_as_cli_utils_writes_it() {
    let key = "config.kubernetes.io/depends-on";
    let found = directives(
        json!({key: "/namespaces/shop/Secret/db, apps/namespaces/shop/Deployment/db,rbac.authorization.k8s.io/ClusterRole/reader"}),
    );
    assert_eq!(
        found.depends_on,
        [
            ResourceId::new("", "Secret", "shop", "db"),
            ResourceId::new("apps", "Deployment", "shop", "db"),
            ResourceId::new("rbac.authorization.k8s.io", "ClusterRole", "", "reader"),
        ]
    );
    for wrong in ["Secret/db", "apps/shop/Deployment/db", "", "a/b/c/d/e", "//"] {
        let found = directives(json!({key: wrong}));
        assert!(found.problems.iter().any(|problem| problem.fatal), "{wrong}");
    }
}

#[test]
fn hooks_go_by_phase_wave_kind_and_name() {
    let hook = |kind: &str, name: &str, phase: &str, wave: &str| {
        let keys = json!({"argocd.argoproj.io/hook": phase, "argocd.argoproj.io/sync-wave": wave});
        declared(object(kind, name, keys))
    };
    let entries = vec![
        hook("Job", "smoke", "PostSync", "0"),
        hook("Job", "migrate", "PreSync", "1"),
        hook("Job", "both", "PreSync,SyncFail", "0"),
        declared(object("Deployment", "web", json!({}))),
        hook("ConfigMap", "z-settings", "PreSync", "0"),
        hook("Job", "a-first", "PreSync", "-1"),
        declared(object("Job", "suite", json!({"helm.sh/hook": "test"}))),
    ];
    let Split { resources, hooks, ignored, problems } = split(entries, "digest", &rank);
    let order: Vec<String> = hooks.iter().map(|run| run.key.clone()).collect();
    assert_eq!(
        order,
        [
            "PreSync Job.batch a-first",
            "PreSync ConfigMap z-settings",
            "PreSync Job.batch both",
            "PreSync Job.batch migrate",
            "PostSync Job.batch smoke",
            "SyncFail Job.batch both",
        ]
    );
    assert_eq!(resources.iter().map(|entry| entry.object.name()).collect::<Vec<_>>(), ["web"]);
    assert_eq!(ignored[0].0.object.name(), "suite");
    assert_eq!(problems, []);
}

#[test]
fn generated_names_are_the_same_for_the_same_rendering_only() {
    let job = |name: &str| {
        let metadata = json!({"generateName": "migrate-", "name": name, "annotations": {"argocd.argoproj.io/hook": "PreSync,PostSync"}});
        declared(Object::new(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})).unwrap())
    };
    let names = |digest: &str| -> Vec<String> {
        let split = split(vec![job("migrate-1111"), job("migrate-2222")], digest, &rank);
        split.hooks.iter().map(|run| run.object.name().to_owned()).collect()
    };
    let first = names("one");
    assert_eq!(first, names("one"));
    assert!(first.iter().all(|name| !names("two").contains(name)), "{first:?}");
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 4, "{first:?}");
    assert!(first[0].starts_with("migrate-") && first[0].ends_with("-presync"), "{first:?}");

    let mut long = job(&format!("{}x", "a".repeat(80)));
    long.object.metadata_mut().insert("generateName".into(), "a".repeat(80).into());
    let run = &split(vec![long], "one", &rank).hooks[0];
    assert_eq!(run.object.name().len(), 63);
    assert!(run.object.body()["metadata"].get("generateName").is_none());

    let mut no_hook = job("migrate-1111");
    no_hook.object.metadata_mut().remove("annotations");
    let split = split(vec![no_hook], "one", &rank);
    assert_eq!((split.resources.len(), split.hooks.len(), split.problems.len()), (0, 0, 1));
}

#[test]
fn string_data_becomes_data_and_wins() {
    let secret = |body: Value| {
        let mut whole = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let mut object = Object::new(whole).unwrap();
        normalize(&mut object).map(|()| object.into_body())
    };
    let body = secret(json!({"data": {"a": "eA==", "b": "bGlu\nZQ==\n"}, "stringData": {"a": "hunter2", "c": "ü", "d": null}})).unwrap();
    assert_eq!(body["data"], json!({"a": "aHVudGVyMg==", "b": "bGluZQ==", "c": "w7w=", "d": ""}));
    assert!(body.get("stringData").is_none());
    assert_eq!(secret(json!({"type": "Opaque"})).unwrap().get("data"), None);
    let error = secret(json!({"stringData": {"port": 5432}})).unwrap_err().to_string();
    assert!(error.contains("stringData.port") && !error.contains("5432"), "{error}");

    let mut other = Object::new(json!({"apiVersion": "x.dev/v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"a": "b"}})).unwrap();
    normalize(&mut other).unwrap();
    assert!(other.body().get("data").is_none(), "only the core Secret has stringData");
}

#[test]
fn what_only_the_server_sets_goes() {
    let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": {"replicas": 1}, "metadata": {
        "name": "a", "uid": "u", "resourceVersion": "1", "creationTimestamp": null, "generation": 2,
        "managedFields": [], "labels": {"a": "b"}}});
    let mut object = Object::new(body).unwrap();
    normalize(&mut object).unwrap();
    assert_eq!(
        object.body(),
        &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"a": "b"}}})
    );

    let custom =
        json!({"apiVersion": "x.dev/v1", "kind": "Thing", "metadata": {"name": "a"}, "status": {"x": 1}});
    let mut object = Object::new(custom.clone()).unwrap();
    normalize(&mut object).unwrap();
    assert_eq!(object.body(), &custom, "a custom resource without the subresource may declare its status");
}

#[test]
fn namespaces_are_filled_by_scope() {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.x.dev"},
        "spec": {"group": "x.dev", "names": {"kind": "Thing"}, "scope": "Namespaced"}});
    let named = |api_version: &str, kind: &str, namespace: Option<&str>| {
        let mut metadata = json!({"name": "a"});
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        declared(Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).unwrap())
    };
    let mut entries = vec![
        named("v1", "ConfigMap", None),
        named("v1", "ConfigMap", Some("other")),
        named("v1", "ConfigMap", Some("")),
        named("rbac.authorization.k8s.io/v1", "ClusterRole", Some("shop")),
        named("x.dev/v1", "Thing", None),
        named("y.dev/v1", "Other", None),
        declared(Object::new(crd).unwrap()),
    ];
    let unknown = fill_namespaces(&mut entries, "shop", &builtin_scope);
    let namespaces: Vec<Option<&str>> = entries.iter().map(|entry| entry.object.namespace()).collect();
    assert_eq!(namespaces, [Some("shop"), Some("other"), Some("shop"), None, Some("shop"), None, None]);
    assert_eq!(unknown, BTreeSet::from([GroupKind::new("y.dev", "Other")]));

    // What the destination serves counts more than a CRD that would have to replace the one there.
    let served = |gvk: &Gvk| (gvk.group == "x.dev").then_some(false);
    fill_namespaces(&mut entries, "shop", &served);
    assert_eq!(entries[4].object.namespace(), None);
}

#[test]
fn two_documents_for_one_object_are_named_both() {
    let mut first = declared(object("ConfigMap", "a", json!({})));
    let mut second = first.clone();
    first.origin = "one.yaml:1".into();
    second.origin = "two.yaml:7".into();
    second.object.set_namespace("shop");
    let mut entries = vec![first, second, declared(object("Secret", "a", json!({})))];
    assert_eq!(duplicates(&entries), [], "as long as the namespace is open they may be two");
    fill_namespaces(&mut entries, "shop", &builtin_scope);
    let found = duplicates(&entries);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "ConfigMap shop/a is declared twice: one.yaml:1 and two.yaml:7; keep it in one place"
    );
}
