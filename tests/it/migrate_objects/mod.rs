//! Whose objects are, who declares them, who calls whom, and what `kops delete` would take.

pub mod aws;
mod calls;
mod corpus;
mod decommission;
mod laws;
mod outside;
mod own;
mod owners;
mod resources;
mod spared;

use portolan::migrate::own::{Class, Classified, Context, Index, Whose, classify};
use portolan::model::Object;
use serde_json::{Value, json};

/// An object from JSON.
fn object(body: Value) -> Object {
    Object::new(body).unwrap()
}

/// An object with nothing but its identity.
fn plain(api_version: &str, kind: &str, namespace: &str, name: &str) -> Object {
    let mut metadata = json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    object(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}))
}

/// An object with labels.
fn labelled(mut object: Object, labels: &[(&str, &str)]) -> Object {
    for (key, value) in labels {
        object.set_label(key, value);
    }
    object
}

/// An object with annotations.
fn annotated(mut object: Object, annotations: &[(&str, &str)]) -> Object {
    for (key, value) in annotations {
        object.set_annotation(key, value);
    }
    object
}

/// An object that another one controls.
fn owned(mut object: Object, api_version: &str, kind: &str, name: &str) -> Object {
    object.metadata_mut().insert(
        "ownerReferences".into(),
        json!([{"apiVersion": api_version, "kind": kind, "name": name, "controller": true, "uid": format!("uid-{name}")}]),
    );
    object
}

/// A workload of one container.
fn workload(kind: &str, namespace: &str, name: &str, container: Value) -> Object {
    object(json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }))
}

/// The classes of objects, without a bootstrap channel.
fn classes(objects: &[Object]) -> Vec<Classified> {
    classify(objects, &Index::default(), &Context::default())
}

/// The class of the one object of a name and kind.
fn find<'a>(classified: &'a [Classified], kind: &str, name: &str) -> &'a Classified {
    let mut found = classified.iter().filter(|one| one.id.kind == kind && one.id.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "two {kind} {name}");
    first
}

fn is_kops(one: &Classified) -> bool {
    matches!(one.whose, Whose::Kops { .. })
}

fn replaced_by(one: &Classified) -> Option<&str> {
    match &one.class {
        Class::Replace { by } => Some(by),
        _ => None,
    }
}
