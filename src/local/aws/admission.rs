//! The service's admission webhook for Fargate: a new pod that a profile selects goes to its scheduler.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cluster::Running;
use super::fargate::{PROFILE_LABEL, Profile, SCHEDULER};
use super::kubernetes::{Force, Refusal, path_of};
use super::webhook::Webhooks;

/// Name of the configuration, as the service calls it.
const CONFIGURATION: &str = "0500-amazon-eks-fargate-mutation.amazonaws.com";
/// By this annotation a pod stays away from Fargate; coredns has it.
const COMPUTE_TYPE: &str = "eks.amazonaws.com/compute-type";

/// A JSON patch for a new pod.
pub(super) fn patch(profiles: &BTreeMap<String, Profile>, namespace: &str, pod: &Value) -> Option<Value> {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let of_daemon_set = owners.into_iter().any(|owner| owner["kind"] == "DaemonSet");
    let scheduler = pod["spec"]["schedulerName"].as_str().unwrap_or("default-scheduler");
    if of_daemon_set
        || scheduler != "default-scheduler"
        || !pod["spec"]["nodeName"].is_null()
        || metadata["annotations"][COMPUTE_TYPE] == "ec2"
    {
        return None;
    }
    // By name where several fit, as documented.
    let profile = profiles.values().find(|profile| profile.selects(namespace, &metadata["labels"]))?;
    let mut patch = vec![json!({"op": "add", "path": "/spec/schedulerName", "value": SCHEDULER})];
    if metadata["labels"].is_object() {
        let path = format!("/metadata/labels/{}", PROFILE_LABEL.replace('/', "~1"));
        patch.push(json!({"op": "add", "path": path, "value": profile.name}));
    } else {
        patch.push(json!({"op": "add", "path": "/metadata/labels", "value": {PROFILE_LABEL: profile.name}}));
    }
    Some(patch.into())
}

/// Puts the webhook into a cluster that has profiles, or takes it out.
pub(super) async fn configure(cluster: &Running, webhooks: &Webhooks, wanted: bool) -> Result<(), Refusal> {
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [{
            "name": CONFIGURATION,
            "clientConfig": webhooks.admission(&cluster.id),
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                "scope": "*",
            }],
            "admissionReviewVersions": ["v1"],
            "failurePolicy": "Ignore",
            "sideEffects": "None",
            "timeoutSeconds": 5,
        }],
    });
    if wanted {
        cluster.api.apply(&configuration, "eks", Force::Yes).await.map(|_| ())
    } else {
        cluster.api.delete(&path_of(&configuration)).await
    }
}
