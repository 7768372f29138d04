//! Who declares an object, what is retargeted, and the export of what nobody declares.

use super::{annotated, labelled, object, owned, plain};
use portolan::migrate::owner::{
    Declaration, FilePlan, Layout, OwnerClass, Place, Sources, Tool, export_plan, mark, owners,
};
use portolan::model::Object;
use serde_json::json;
use std::collections::BTreeSet;

fn sources() -> Sources {
    Sources { target: "new".into(), ..Sources::default() }
}

fn declared(objects: &[Object], name: &str) -> Option<Declaration> {
    let all = owners(objects, &sources());
    let one = all.into_iter().find(|one| one.id.name == name).unwrap();
    match one.class {
        OwnerClass::Declared(declaration) => Some(*declaration),
        OwnerClass::LiveOnly { .. } => None,
    }
}

fn web() -> Object {
    plain("apps/v1", "Deployment", "shop", "web")
}

fn argo_application() -> Object {
    object(
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"source": {"repoURL": "https://bot:hunter2@git.example.com/shop.git", "path": "deploy", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}}}),
    )
}

#[test]
fn argo_cd_tracks_by_annotation_label_or_instance() {
    let tracked = annotated(web(), &[("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web")]);
    let found = declared(&[tracked, argo_application()], "web").unwrap();
    assert_eq!((found.by, found.part_of.as_str()), (Tool::ArgoCd, "shop"));
    let place = found.place.unwrap();
    assert_eq!(
        (place.repository.as_str(), place.path.as_str()),
        ("https://git.example.com/shop.git", "deploy")
    );
    assert_eq!(found.retarget.pointer, "/spec/destination/server");
    assert_eq!(found.retarget.old.as_deref(), Some("https://kubernetes.default.svc"));
    assert_eq!(found.declared_by.unwrap().name, "shop");
    // An operator copied the annotation onto what it made.
    let copied = annotated(
        plain("v1", "ConfigMap", "shop", "made"),
        &[("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web")],
    );
    assert_eq!(declared(&[copied], "made"), None);
    // Charts set the instance label as well: it counts where there is an Application of its name.
    let instance = labelled(web(), &[("app.kubernetes.io/instance", "shop")]);
    assert_eq!(declared(std::slice::from_ref(&instance), "web"), None);
    assert_eq!(declared(&[instance, argo_application()], "web").unwrap().by, Tool::ArgoCd);
}

#[test]
fn an_application_of_a_set_is_retargeted_through_it() {
    let mut application = argo_application();
    application.metadata_mut().insert(
        "ownerReferences".into(),
        json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "all", "controller": true}]),
    );
    let tracked = labelled(web(), &[("argocd.argoproj.io/instance", "shop")]);
    let found = declared(&[tracked, application], "web").unwrap();
    assert_eq!(found.retarget.object.unwrap().kind, "ApplicationSet");
    assert_eq!(found.retarget.pointer, "/spec/generators");
}

#[test]
fn flux_names_its_kustomization_and_its_release() {
    let labels = [
        ("kustomize.toolkit.fluxcd.io/name", "apps"),
        ("kustomize.toolkit.fluxcd.io/namespace", "flux-system"),
    ];
    let kustomization =
        object(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "fleet"}}}));
    let repository = object(json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "flux-system"}, "spec": {"url": "ssh://git@git.example.com/fleet", "ref": {"branch": "main"}}}));
    let found = declared(&[labelled(web(), &labels), kustomization, repository], "web").unwrap();
    let place = Place {
        repository: "ssh://git@git.example.com/fleet".into(),
        path: "./apps".into(),
        revision: Some("main".into()),
    };
    assert_eq!((found.by, found.place), (Tool::FluxKustomize, Some(place)));
    let by_release = annotated(
        labelled(
            web(),
            &[("helm.toolkit.fluxcd.io/name", "web"), ("helm.toolkit.fluxcd.io/namespace", "shop")],
        ),
        &[("meta.helm.sh/release-name", "web"), ("meta.helm.sh/release-namespace", "shop")],
    );
    let found = declared(&[by_release], "web").unwrap();
    assert_eq!((found.by, found.also), (Tool::FluxHelm, BTreeSet::new()));
}

fn release(version: &str) -> Object {
    labelled(
        object(json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": format!("sh.helm.release.v1.web.v{version}"), "namespace": "shop"}, "data": {"release": "aHVudGVyMg=="}})),
        &[("owner", "helm"), ("name", "web"), ("status", "deployed"), ("version", version)],
    )
}

#[test]
fn helm_needs_its_annotations_and_names_its_newest_secret() {
    let marks = [("meta.helm.sh/release-name", "web"), ("meta.helm.sh/release-namespace", "shop")];
    let found = declared(&[annotated(web(), &marks), release("9"), release("10")], "web").unwrap();
    assert_eq!(found.by, Tool::Helm);
    assert_eq!(found.declared_by.unwrap().name, "sh.helm.release.v1.web.v10");
    assert!(!found.retarget.says.contains("hunter2"));
    let gone = declared(&[annotated(web(), &marks)], "web").unwrap();
    assert!(gone.retarget.says.contains("no Secret left"));
    // Rendered by `helm template` and applied by somebody else.
    assert_eq!(declared(&[labelled(web(), &[("app.kubernetes.io/managed-by", "Helm")])], "web"), None);
    assert_eq!(declared(&[release("1")], "sh.helm.release.v1.web.v1").unwrap().by, Tool::Helm);
}

#[test]
fn kubectl_counts_where_the_file_is_known() {
    let applied = annotated(web(), &[("kubectl.kubernetes.io/last-applied-configuration", "{}")]);
    assert_eq!(declared(std::slice::from_ref(&applied), "web"), None);
    assert_eq!(mark(&applied), None);
    let place = Place { repository: "shop".into(), path: "deploy/web.yaml".into(), revision: None };
    let known = Sources { files: [(applied.id(), place.clone())].into(), ..sources() };
    for object in [applied, web()] {
        let OwnerClass::Declared(found) = owners(&[object], &known).remove(0).class else {
            panic!("live only")
        };
        assert_eq!((found.by, found.place), (Tool::Kubectl, Some(place.clone())));
    }
}

#[test]
fn portolan_knows_its_own_and_everybody_elses() {
    let ours = labelled(
        web(),
        &[
            ("portolan.dev/application", "shop"),
            ("applyset.kubernetes.io/part-of", "applyset-x-v1"),
            ("argocd.argoproj.io/instance", "shop"),
        ],
    );
    let found = declared(&[ours], "web").unwrap();
    assert_eq!((found.by, found.also), (Tool::Portolan, [Tool::ArgoCd].into()));
    assert_eq!(found.retarget.new.as_deref(), Some("new"));
}

#[test]
fn what_is_made_has_its_makers_owner() {
    let tracked = labelled(web(), &[("argocd.argoproj.io/instance", "shop")]);
    let set = owned(plain("apps/v1", "ReplicaSet", "shop", "web-1"), "apps/v1", "Deployment", "web");
    let pod = owned(plain("v1", "Pod", "shop", "web-1-a"), "apps/v1", "ReplicaSet", "web-1");
    let all = owners(&[pod, set, tracked], &sources());
    for one in &all {
        assert!(matches!(&one.class, OwnerClass::Declared(found) if found.by == Tool::ArgoCd), "{one:?}");
    }
    let pod = all.iter().find(|one| one.id.kind == "Pod").unwrap();
    assert_eq!(pod.through.as_ref().unwrap().name, "web");
}

fn layout() -> Layout {
    Layout { root: "exported".into(), cluster: "new".into(), taken: ["shop".to_owned()].into() }
}

#[test]
fn the_export_is_one_application_for_each_namespace() {
    let role = plain("rbac.authorization.k8s.io/v1", "ClusterRole", "", "team:reader");
    let mut live = web();
    live.metadata_mut().insert("resourceVersion".into(), json!("7"));
    live.body_mut()["status"] = json!({"replicas": 1});
    let plan = export_plan(
        &[role, live, plain("v1", "Namespace", "", "shop"), plain("v1", "ConfigMap", "cluster", "a")],
        &layout(),
    );
    let paths: Vec<&str> = plan.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "exported/applications/cluster-namespace.yaml",
            "exported/applications/cluster.yaml",
            "exported/applications/shop-exported.yaml",
            "exported/cluster/clusterrole-team_reader.yaml",
            "exported/namespaces/cluster/configmap-a.yaml",
            "exported/namespaces/shop/deployment-web.yaml",
            "exported/namespaces/shop/namespace-shop.yaml",
        ]
    );
    let FilePlan::Documents(documents) = &plan.files["exported/namespaces/shop/deployment-web.yaml"] else {
        panic!()
    };
    assert_eq!(
        documents[0],
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}})
    );
    let FilePlan::Documents(documents) = &plan.files["exported/applications/shop-exported.yaml"] else {
        panic!()
    };
    assert_eq!(documents[0]["spec"]["dependsOn"], json!(["cluster"]));
}

#[test]
fn applications_of_the_export_are_valid_documents() {
    let plan = export_plan(&[web(), plain("v1", "Namespace", "", "shop")], &layout());
    let FilePlan::Documents(documents) = &plan.files["exported/applications/shop-exported.yaml"] else {
        panic!()
    };
    let spec: portolan::model::ApplicationSpec =
        serde_json::from_value(documents[0]["spec"].clone()).unwrap();
    assert_eq!(spec.path, "exported/namespaces/shop");
    assert!(!spec.sync.prune);
}

#[test]
fn secrets_are_told_by_their_keys() {
    let secret = object(
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "smtp", "namespace": "shop"},
        "data": {"password": "aHVudGVyMg=="}, "stringData": {"user": "hunter2"}}),
    );
    let plan = export_plan(&[secret], &layout());
    assert_eq!(plan.secrets[0].keys, ["password".to_owned(), "user".to_owned()].into());
    let shown = format!("{plan:?} {}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    assert!(
        matches!(&plan.files["exported/namespaces/shop/SECRETS.md"], FilePlan::Text(page) if page.contains("| smtp | Opaque | password, user |"))
    );
    assert!(plan.applications["shop-exported"].is_empty());
}

#[test]
fn two_kinds_of_one_name_get_two_files() {
    let plan = export_plan(
        &[
            plain("a.example.com/v1", "Gateway", "shop", "web"),
            plain("b.example.com/v1", "Gateway", "shop", "web"),
        ],
        &layout(),
    );
    assert!(
        plan.files.contains_key("exported/namespaces/shop/gateway.b.example.com-web.yaml"),
        "{:?}",
        plan.files.keys()
    );
}
