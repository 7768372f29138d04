//! A real API server takes every object that the rules make, and what it makes of them is explained to the last field.

use super::{expected, explain};
use crate::support::control_plane::{control_plane, kubectl_ok, kubectl_ok_with};
use portolan::migrate::proof::{Explain, prove, text};
use portolan::transform::apply_order;
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
    let held = held["items"].as_array().unwrap().clone();
    assert_eq!(held.len(), objects.len());
    // The shared control plane has a range of its own.
    let explain = Explain { service_range: None, ..explain() };
    let proof = prove(&objects, &held, &explain);
    assert!(proof.equal, "{}", text(&proof));
    let kinds: std::collections::BTreeSet<_> =
        objects.iter().map(|object| object["kind"].to_string()).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    // Nothing was written.
    let left =
        kubectl_ok(&control_plane, &["get", "deployments,services", "-n", &namespace, "-o", "name"]).await;
    assert_eq!(left.trim(), "");
}
