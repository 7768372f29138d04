//! The closed list of what the migration may write on the source. Everything is held against it right before it is
//! made, in one place; what is not on it is refused, whoever planned it.
//!
//! | what | how |
//! |---|---|
//! | the fence | apply or delete the ResourceQuota `portolan-fence`; a node selector of ours on DaemonSets |
//! | replicas | patch `/spec/replicas` |
//! | suspend | patch `/spec/suspend` of CronJobs, Jobs and Flux objects; `/spec/syncPolicy/automated` of Argo CD |
//! | reclaim policy | patch `/spec/persistentVolumeReclaimPolicy` of PersistentVolumes |
//! | annotations | patch those of `portolan.dev/` |
//! | AWS | tags, snapshots, records, targets and listeners of load balancers; never a delete of anything but tags |

use super::fence::{AT_REST, FENCE};
use crate::model::ResourceId;
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Side};
use serde_json::Value;

/// A write that is not on the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} is not among the writes that a migration may make on the source; this is a defect of Portolan: report it"
)]
pub struct NotPermitted {
    /// What was planned.
    pub what: String,
}

/// Calls of AWS that a migration makes. Nothing in it deletes more than a tag or a rule of its own.
const CALLS: &[(Service, &str)] = &[
    (Service::Ec2, "CreateTags"),
    (Service::Ec2, "DeleteTags"),
    (Service::Ec2, "CreateSnapshot"),
    (Service::ElbV2, "RegisterTargets"),
    (Service::ElbV2, "DeregisterTargets"),
    (Service::ElbV2, "ModifyListener"),
    (Service::ElbV2, "ModifyRule"),
    (Service::ElbV2, "AddTags"),
    (Service::ElbV2, "RemoveTags"),
    (Service::Elb, "AddTags"),
    (Service::Elb, "RemoveTags"),
    (Service::Iam, "TagRole"),
    (Service::Iam, "UntagRole"),
];

/// Holds an effect against the list.
///
/// # Errors
/// Where it is not on it. Writes on the target are not asked about here.
pub fn permitted(effect: &Effect) -> Result<(), NotPermitted> {
    let holds = match effect {
        Effect::Apply { side: Side::Target, .. }
        | Effect::Patch { side: Side::Target, .. }
        | Effect::Delete { side: Side::Target, .. } => true,
        Effect::Apply { side: Side::Source, object } => {
            is_fence(object["kind"].as_str(), object.pointer("/metadata/name").and_then(Value::as_str))
        }
        Effect::Delete { side: Side::Source, id, .. } => is_fence(Some(&id.kind), Some(&id.name)),
        Effect::Patch { side: Side::Source, id, operations, .. } => {
            operations.iter().all(|operation| is_allowed(id, operation))
        }
        Effect::Call { call, .. } => is_listed(call),
    };
    if holds { Ok(()) } else { Err(NotPermitted { what: shown(effect) }) }
}

/// An effect in words, without values.
#[must_use]
pub fn shown(effect: &Effect) -> String {
    let side = |side: &Side| match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    match effect {
        Effect::Apply { side: on, object } => {
            let id = crate::transform::identity(object).map(|id| id.to_string()).unwrap_or_default();
            format!("apply {id} on the {}", side(on))
        }
        Effect::Patch { side: on, id, operations, .. } => {
            let paths: Vec<&str> = operations
                .iter()
                .filter(|operation| operation["op"] != "test")
                .filter_map(|operation| operation["path"].as_str())
                .collect();
            format!("patch {} of {id} on the {}", paths.join(", "), side(on))
        }
        Effect::Delete { side: on, id, .. } => format!("delete {id} on the {}", side(on)),
        Effect::Call { call, .. } => format!("call {call}"),
    }
}

fn is_fence(kind: Option<&str>, name: Option<&str>) -> bool {
    kind == Some("ResourceQuota") && name == Some(FENCE)
}

fn is_allowed(id: &ResourceId, operation: &Value) -> bool {
    let path = operation["path"].as_str().unwrap_or_default();
    if operation["op"] == "test" {
        return true;
    }
    if path.starts_with("/metadata/annotations/portolan.dev~1") {
        return true;
    }
    let selector = "/spec/template/spec/nodeSelector";
    match (id.group.as_str(), id.kind.as_str(), path) {
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet", "/spec/replicas")
        | ("", "ReplicationController", "/spec/replicas")
        | ("batch", "CronJob" | "Job", "/spec/suspend")
        | ("argoproj.io", "Application", "/spec/syncPolicy/automated")
        | ("", "PersistentVolume", "/spec/persistentVolumeReclaimPolicy") => true,
        ("apps", "DaemonSet", path) if path == selector => match operation.get("value") {
            // The whole map is written only where there was none.
            Some(Value::Object(map)) => map.keys().all(|key| key == AT_REST),
            _ => operation["op"] == "remove",
        },
        ("apps", "DaemonSet", path) => path == crate::transform::pointer_at(selector, AT_REST),
        (group, "Kustomization" | "HelmRelease", "/spec/suspend") => group.ends_with(".toolkit.fluxcd.io"),
        _ => false,
    }
}

fn is_listed(call: &Call) -> bool {
    // Route 53 is told by its name: the service joined the list of services later than this one.
    call.to_string() == "route53:ChangeResourceRecordSets"
        || CALLS.iter().any(|(service, operation)| *service == call.service && *operation == call.operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patch(group: &str, kind: &str, path: &str, value: Value) -> Effect {
        Effect::Patch {
            side: Side::Source,
            id: ResourceId::new(group, kind, "shop", "a"),
            version: "v1".into(),
            operations: vec![
                json!({"op": "test", "path": "/metadata/uid", "value": "1"}),
                json!({"op": "replace", "path": path, "value": value}),
            ],
        }
    }

    #[test]
    fn the_source_is_written_in_the_listed_ways_only() {
        let allowed = [
            patch("apps", "Deployment", "/spec/replicas", json!(0)),
            patch("batch", "CronJob", "/spec/suspend", json!(true)),
            patch("apps", "DaemonSet", "/spec/template/spec/nodeSelector", json!({AT_REST: "true"})),
            patch(
                "apps",
                "DaemonSet",
                "/spec/template/spec/nodeSelector/portolan.dev~1at-rest",
                json!("true"),
            ),
            patch("", "PersistentVolume", "/spec/persistentVolumeReclaimPolicy", json!("Retain")),
            patch("kustomize.toolkit.fluxcd.io", "Kustomization", "/spec/suspend", json!(true)),
            patch("", "ConfigMap", "/metadata/annotations/portolan.dev~1x", json!("y")),
            Effect::Apply {
                side: Side::Source,
                object: json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": FENCE, "namespace": "a"}}),
            },
            Effect::Call { call: Call::new(Service::Ec2, "CreateTags", json!({})), token: None },
        ];
        for effect in allowed {
            assert_eq!(permitted(&effect), Ok(()), "{effect:?}");
        }
        let refused = [
            patch("apps", "Deployment", "/spec/template/spec/containers/0/image", json!("x")),
            patch("apps", "DaemonSet", "/spec/template/spec/nodeSelector", json!({"disk": "ssd"})),
            patch("", "ConfigMap", "/data/a", json!("b")),
            patch("", "ConfigMap", "/metadata/annotations/example.com~1x", json!("y")),
            Effect::Apply {
                side: Side::Source,
                object: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FENCE, "namespace": "a"}}),
            },
            Effect::Delete {
                side: Side::Source,
                id: ResourceId::new("", "PersistentVolumeClaim", "a", "b"),
                version: "v1".into(),
                uid: "1".into(),
                resource_version: "1".into(),
            },
            Effect::Call { call: Call::new(Service::Ec2, "DeleteVolume", json!({})), token: None },
        ];
        for effect in refused {
            assert!(permitted(&effect).is_err(), "{effect:?}");
        }
    }
}
