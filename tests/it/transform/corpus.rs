//! Input that others wrote, where it is there.

use super::context;
use crate::support::corpus::{corpus, objects};
use portolan::transform::{Context, transform_all};
use serde_json::Value;

#[test]
fn objects_of_removed_versions_are_served_by_the_target_or_stay_behind() {
    let Some(folder) = corpus("deprecated") else { return };
    let found = objects(&folder);
    assert!(found.len() > 20, "{}", found.len());
    let values: Vec<Value> = found.iter().map(|(_, value)| value.clone()).collect();
    for (done, (name, _)) in transform_all(&values, &context()).iter().zip(&found) {
        for object in &done.objects {
            // A question without a name is no object.
            if object["metadata"].is_null() {
                continue;
            }
            let Some(version) = object["apiVersion"].as_str() else { continue };
            let gvk =
                portolan::model::Gvk::from_api_version(version, object["kind"].as_str().unwrap_or_default());
            assert_ne!(portolan::transform::served_by_minor(&gvk, 36), Some(false), "{name}: {gvk}");
        }
    }
}

/// Manifests that were written for any cluster: only what the rules have to say of load balancers, and nothing else.
#[test]
fn portable_manifests_are_left_as_they_are() {
    let Some(folder) = corpus("workloads") else { return };
    let found = objects(&folder);
    assert!(found.len() > 80, "{}", found.len());
    let plain = Context { images: Default::default(), quiesce: Default::default(), ..context() };
    let values: Vec<Value> = found.iter().map(|(_, value)| value.clone()).collect();
    for (done, (name, value)) in transform_all(&values, &plain).iter().zip(&found) {
        let loads = value.pointer("/spec/type") == Some(&Value::from("LoadBalancer"));
        let allowed = |rule: &str| match rule {
            "balancer.scheme" | "balancer.type" => loads,
            // `creationTimestamp: null` and an empty status, as generators print them.
            "strip.null-timestamps" | "strip.server-metadata" | "strip.status" => true,
            // Adds the group that a resource has moved to beside the old one.
            "role.moved-groups" => value["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")),
            "image.registry" => value.to_string().contains("k8s.gcr.io"),
            _ => false,
        };
        for edit in &done.edits {
            assert!(allowed(&edit.rule), "{name}: {edit:?}");
        }
        assert!(done.dropped.is_none(), "{name}: {:?}", done.dropped);
    }
}
