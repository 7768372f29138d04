//! The wider run: manifests that kops itself rendered, and software of others. Nothing is tried where they are not there.

use super::is_kops;
use crate::support::corpus::{corpus, documents, files};
use portolan::migrate::own::{Class, Context, Index, Whose, classify};
use portolan::model::Object;
use std::collections::BTreeMap;
use std::path::Path;

/// Objects of a file.
fn objects(path: &Path) -> Vec<Object> {
    documents(path).into_iter().filter_map(|body| Object::new(body).ok()).collect()
}

/// The add-ons of one rendered state store, by name.
fn addons(state: &Path) -> BTreeMap<String, Vec<Object>> {
    if !state.is_dir() {
        return BTreeMap::new();
    }
    let bootstrap =
        files(state).into_iter().find(|path| path.to_str().unwrap().ends_with("-addons-bootstrap"));
    let Some(bootstrap) = bootstrap else { return BTreeMap::new() };
    let prefix =
        bootstrap.file_name().unwrap().to_str().unwrap().strip_suffix("bootstrap").unwrap().to_owned();
    let channel = &documents(&bootstrap)[0];
    let mut addons = BTreeMap::new();
    for addon in channel["spec"]["addons"].as_array().unwrap() {
        let name = addon["name"].as_str().unwrap();
        let file = match addon["id"].as_str() {
            Some(id) => format!("{prefix}{name}-{id}"),
            None => format!("{prefix}{name}"),
        };
        let found = objects(&state.join(&file));
        assert!(!found.is_empty(), "{file} has no objects");
        addons.insert(name.to_owned(), found);
    }
    addons
}

fn states() -> Vec<(String, BTreeMap<String, Vec<Object>>)> {
    let Some(corpus) = corpus("") else { return Vec::new() };
    let mut states = Vec::new();
    for generation in std::fs::read_dir(corpus)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("kops"))
    {
        for case in std::fs::read_dir(generation.path()).unwrap().flatten() {
            let found = addons(&case.path().join("state"));
            if !found.is_empty() {
                states.push((case.path().display().to_string(), found));
            }
        }
    }
    states
}

/// kops makes no `kube-system`, though an add-on of its first releases declares it.
fn is_own(one: &portolan::migrate::own::Classified) -> bool {
    is_kops(one) || (one.id.kind == "Namespace" && one.id.name == "kube-system")
}

#[test]
fn rendered_addons_are_kops_own_by_the_channel() {
    let states = states();
    for (case, addons) in &states {
        let mut index = Index::default();
        for (name, objects) in addons {
            index.add(name, objects.iter().cloned());
        }
        let all: Vec<Object> = addons.values().flatten().cloned().collect();
        let classified = classify(&all, &index, &Context::default());
        assert_eq!(classified.len(), all.len(), "{case}");
        for one in &classified {
            assert!(is_own(one), "{case}: {one:?}");
            assert!(!matches!(one.class, Class::Ask { .. }), "{case}: {one:?}");
        }
    }
    assert!(corpus("").is_none() || states.len() >= 7, "only {} states", states.len());
}

#[test]
fn rendered_addons_are_kops_own_by_labels() {
    for (case, addons) in states() {
        let all: Vec<Object> = addons.values().flatten().cloned().collect();
        for one in classify(&all, &Index::default(), &Context::default()) {
            assert!(is_own(&one), "{case}: {one:?}");
        }
    }
}

#[test]
fn rendered_addons_are_kops_own_by_name() {
    for (case, addons) in states() {
        let mut all: Vec<Object> = addons.values().flatten().cloned().collect();
        for object in &mut all {
            object.metadata_mut().remove("labels");
        }
        for one in classify(&all, &Index::default(), &Context::default()) {
            assert!(is_own(&one), "{case}: {one:?}");
        }
    }
}

/// The list of objects of all releases: names of add-ons, and below each of them kinds with names.
#[test]
fn objects_of_all_releases_are_kops_own_by_name() {
    let Some(corpus) = corpus("") else { return };
    let list = std::fs::read_to_string(corpus.join("kops/addon-objects.txt")).unwrap();
    let mut by_addon: BTreeMap<&str, Vec<Object>> = BTreeMap::new();
    let mut addon = "";
    for line in list.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            addon = title.split(' ').next().unwrap();
            continue;
        }
        let Some((kind, names)) = line.trim().split_once(' ') else { continue };
        let Some(group) = group_of(kind) else { continue };
        if names.contains("{{") || names.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        for name in names.split(", ") {
            let (namespace, name) = name.split_once('/').unwrap_or(("kube-system", name));
            by_addon.entry(addon).or_default().push(super::plain(group, kind, namespace, name));
        }
    }
    assert!(by_addon.len() > 35, "{}", by_addon.len());
    for (addon, objects) in by_addon {
        for one in classify(&objects, &Index::default(), &Context::default()) {
            assert!(is_own(&one), "{addon}: {one:?}");
        }
    }
}

fn group_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
        "DaemonSet" | "Deployment" => "apps/v1",
        "ConfigMap" | "LimitRange" | "Namespace" | "Secret" | "Service" | "ServiceAccount" => "v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "PodDisruptionBudget" | "PodSecurityPolicy" => "policy/v1beta1",
        "StorageClass" | "CSIDriver" => "storage.k8s.io/v1",
        "RuntimeClass" => "node.k8s.io/v1",
        "APIService" => "apiregistration.k8s.io/v1",
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            "admissionregistration.k8s.io/v1"
        }
        _ => return None,
    })
}

#[test]
fn software_of_others_is_never_kops_own() {
    let Some(corpus) = corpus("") else { return };
    // The worst case: a cluster whose kops has every add-on that there is.
    let mut index = Index::default();
    let mut system = Vec::new();
    for (_, addons) in states() {
        for (name, objects) in addons {
            index.add(&name, objects.iter().cloned());
            system.extend(objects);
        }
    }
    let mut count = 0;
    for folder in ["workloads/kube-prometheus", "workloads/online-boutique", "deprecated"] {
        let theirs: Vec<Object> = files(&corpus.join(folder)).iter().flat_map(|path| objects(path)).collect();
        count += theirs.len();
        for index in [&Index::default(), &index] {
            for one in classify(&theirs, index, &Context::default()) {
                assert!(!is_kops(&one), "{folder}: {one:?}");
                let reported = one.whose != Whose::User || !one.rule.is_empty();
                assert!(reported, "{one:?}");
            }
        }
        // With the add-ons beside them, and without a channel: names have their anchors then.
        let ids: std::collections::BTreeSet<_> = theirs.iter().map(Object::id).collect();
        let mut both: Vec<Object> =
            system.iter().filter(|object| !ids.contains(&object.id())).cloned().collect();
        both.extend(theirs.iter().cloned());
        for one in classify(&both, &Index::default(), &Context::default()) {
            assert!(!ids.contains(&one.id) || !is_kops(&one), "{folder}: {one:?}");
        }
    }
    assert!(count > 150, "only {count} objects");
}
