//! A real API server takes every object that the rules make, and what it makes of them is explained to the last field.

use super::mutations::{changed, cut, leaves};
use super::{expected, explain};
use crate::support::control_plane::{control_plane, kubectl_ok, kubectl_ok_with};
use portolan::migrate::proof::{Explain, prove, text};
use portolan::transform::{apply_order, identity};
use serde_json::{Value, json};

/// The fixtures with the shared control plane's own names: cluster-scoped ones must not meet those of other tests.
fn fixtures(namespace: &str) -> Vec<Value> {
    let objects = expected().into_iter().filter(|object| object["kind"] != "Namespace");
    let text = serde_json::to_string(&objects.collect::<Vec<_>>()).unwrap();
    let text = text
        .replace("\"namespace\":\"shop\"", &format!("\"namespace\":\"{namespace}\""))
        .replace("shop.example.com", &format!("{namespace}.example.com"))
        .replace("\"shop-all\"", &format!("\"{namespace}-all\""))
        .replace("\"shop-high\"", &format!("\"{namespace}-high\""))
        .replace("\"name\":\"fast\"", &format!("\"name\":\"{namespace}-fast\""))
        .replace("\"pv-files\"", &format!("\"pv-{namespace}\""));
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn what_the_rules_make_is_accepted_and_proven_equal() {
    let control_plane = control_plane().await;
    let namespace = crate::support::control_plane::fresh_namespace().await;
    // A bare pod is refused before its namespace has an account.
    let wait = ["wait", "--for=create", "serviceaccount/default", "--timeout=60s", "-n", &namespace];
    kubectl_ok(&control_plane, &wait).await;
    let mut objects = fixtures(&namespace);
    for object in &mut objects {
        if object["kind"] == "IngressClass" || object["kind"] == "ValidatingWebhookConfiguration" {
            object["metadata"]["name"] = format!("{namespace}-shop").into();
        }
    }
    let ordered: Vec<Value> = apply_order(&objects).into_iter().map(|(_, object)| object.clone()).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": ordered}).to_string();
    let arguments = ["apply", "--server-side", "--dry-run=server", "-f", "-", "-o", "json"];
    let held = kubectl_ok_with(&control_plane, &arguments, &list).await;
    let held = serde_json::from_str::<Value>(&held).unwrap();
    let mut held = held["items"].as_array().unwrap().clone();
    // Without writing, the server allocates nothing: it counts up from 32768, beyond the range
    // (kubernetes pkg/registry/core/service/portallocator/operation.go). What is written gets a port of the range.
    for port in
        held.iter_mut().filter_map(|object| object.pointer_mut("/spec/ports")?.as_array_mut()).flatten()
    {
        if let Some(dummy) = port["nodePort"].as_u64().filter(|number| *number > 32_767) {
            port["nodePort"] = (dummy - 1_000).into();
        }
    }
    assert_eq!(held.len(), objects.len());
    // The shared control plane has a range of its own.
    let explain = Explain { service_range: None, ..explain() };
    let proof = prove(&objects, &held, &explain);
    assert!(proof.equal, "{}", text(&proof));
    every_change_of_what_is_held_is_found(&objects, &held, &explain);
    let kinds: std::collections::BTreeSet<_> =
        objects.iter().map(|object| object["kind"].to_string()).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    // Nothing was written.
    let left =
        kubectl_ok(&control_plane, &["get", "deployments,services", "-n", &namespace, "-o", "name"]).await;
    assert_eq!(left.trim(), "");
}

/// What a server gives by itself and what may be anything of its form: a change to another value of the form is none.
fn is_free(pointer: &str, how: &str) -> bool {
    let given =
        ["/metadata/uid", "/metadata/resourceVersion", "/metadata/generation", "/metadata/creationTimestamp"];
    let kept = ["/status", "/metadata/managedFields"];
    let addresses = ["/spec/clusterIP", "/spec/clusterIPs"];
    kept.iter().any(|place| pointer.starts_with(place))
        || (how == "removed"
            && (given.contains(&pointer) || addresses.iter().any(|a| pointer.starts_with(a))))
        || ["/metadata/resourceVersion", "/metadata/generation"].contains(&pointer)
}

/// What admission puts into a Pod: the token's volume, the priority of its class. The proof takes any of it.
fn is_admitted(pointer: &str) -> bool {
    let parts = ["/spec/volumes/", "/spec/containers/0/volumeMounts/", "/spec/priority"];
    parts.iter().any(|part| pointer.starts_with(part))
}

/// The target as a real server holds it, defaults and all: of every leaf another value, and where it was declared its
/// absence, is found.
fn every_change_of_what_is_held_is_found(expected: &[Value], held: &[Value], explain: &Explain) {
    let (mut count, mut missed) = (0, Vec::new());
    for held in held {
        let id = identity(held);
        let wanted = expected.iter().find(|object| identity(object) == id).unwrap();
        let mut places = Vec::new();
        leaves(held, "", &mut places);
        let free = |pointer: &String| {
            // Another port of the range is as good as this one, where nobody asked for one.
            is_free(pointer, "changed")
                || (pointer.ends_with("/nodePort") && wanted.pointer(pointer).is_none())
                || (held["kind"] == "Pod" && wanted.pointer(pointer).is_none() && is_admitted(pointer))
        };
        for pointer in places.into_iter().filter(|pointer| !free(pointer)) {
            let mut other = held.clone();
            let leaf = other.pointer_mut(&pointer).unwrap();
            *leaf = changed(leaf);
            let mut mutants = vec![("changed", other)];
            let mut less = held.clone();
            // What nobody declared the server gives again.
            let declared = wanted.pointer(&pointer).is_some_and(|value| !value.is_null());
            if declared && !is_free(&pointer, "removed") && cut(&mut less, &pointer) {
                mutants.push(("removed", less));
            }
            for (how, mutant) in mutants {
                count += 1;
                let proof = prove(std::slice::from_ref(wanted), &[mutant], explain);
                if proof.equal {
                    missed.push(format!("{} {pointer} {how}", held["kind"]));
                }
            }
        }
    }
    eprintln!("{count} mutations of what a real server holds");
    assert!(missed.is_empty(), "{} of {count} were missed:\n{}", missed.len(), missed.join("\n"));
    assert!(count > 600, "{count}");
}
