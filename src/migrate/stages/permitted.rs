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
//! | claims' retention | patch `/spec/persistentVolumeClaimRetentionPolicy` of StatefulSets |
//! | tags | set on things of EC2, IAM, ELB and Auto Scaling, and taken away by key, with their value where EC2 asks for it |
//! | snapshots | taken of volumes, with the migration's tag; deleted by id, of what has that tag alone |
//! | bridges | patch `/spec/selector` of Services; apply or delete slices of a bridge, and Services `portolan-bridge-…` |
//! | records | batches in which every name that loses a record gets one |

use super::fence::{AT_REST, FENCE};
use crate::model::ResourceId;
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Side};
use serde_json::Value;
use std::collections::BTreeSet;

/// A write that is not on the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} is not among the writes that a migration may make on the source; this is a defect of Portolan: report it"
)]
pub struct NotPermitted {
    /// What was planned.
    pub what: String,
}

/// Calls of AWS that a migration makes beside those of records and tags of EC2, which are looked into: tags of what the
/// target uses, and nothing else.
const CALLS: &[(Service, &str)] = &[
    (Service::Ec2, "CreateSnapshot"),
    (Service::AutoScaling, "CreateOrUpdateTags"),
    (Service::AutoScaling, "DeleteTags"),
    (Service::Elb, "AddTags"),
    (Service::Elb, "RemoveTags"),
    (Service::ElbV2, "AddTags"),
    (Service::ElbV2, "RemoveTags"),
    (Service::Iam, "TagRole"),
    (Service::Iam, "UntagRole"),
    (Service::Iam, "TagInstanceProfile"),
    (Service::Iam, "UntagInstanceProfile"),
    (Service::Iam, "TagOpenIDConnectProvider"),
    (Service::Iam, "UntagOpenIDConnectProvider"),
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
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            is_fence(object["kind"].as_str(), name)
                || (is_of_bridge(object["kind"].as_str(), name) && super::bridges::is_bridge(object))
        }
        Effect::Delete { side: Side::Source, id, .. } => {
            let (kind, name) = (Some(id.kind.as_str()), Some(id.name.as_str()));
            is_fence(kind, name) || is_of_bridge(kind, name)
        }
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

/// Whether something is called as the parts of bridges are.
fn is_of_bridge(kind: Option<&str>, name: Option<&str>) -> bool {
    match (kind, name) {
        (Some("Service"), Some(name)) => name.starts_with(super::bridges::OPENER),
        (Some("EndpointSlice"), Some(name)) => name.contains("-bridge-ipv"),
        _ => false,
    }
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
        | ("", "Service", "/spec/selector")
        | ("batch", "CronJob" | "Job", "/spec/suspend")
        | ("argoproj.io", "Application", "/spec/syncPolicy/automated")
        | ("apps", "StatefulSet", "/spec/persistentVolumeClaimRetentionPolicy")
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
    let tags = || call.input["Tags"].as_array().map_or(&[][..], Vec::as_slice);
    match (call.service, call.operation.as_str()) {
        // Without any tag EC2 takes all of them away.
        (Service::Ec2, "CreateTags" | "DeleteTags") => {
            !tags().is_empty()
                && tags().iter().all(|tag| tag["Key"].as_str().is_some_and(|key| !key.is_empty()))
        }
        // Whose it is, the planner has read: it asks EC2 by the migration's tag.
        (Service::Ec2, "DeleteSnapshot") => {
            call.input["SnapshotId"].as_str().is_some_and(|id| id.starts_with("snap-"))
        }
        (Service::Route53, "ChangeResourceRecordSets") => is_exchange(&call.input["ChangeBatch"]["Changes"]),
        (service, operation) => CALLS.contains(&(service, operation)),
    }
}

/// Whether a batch of changes leaves no name without a record: what is deleted is made in another form, in the same batch.
fn is_exchange(changes: &Value) -> bool {
    let Some(changes) = changes.as_array().filter(|changes| !changes.is_empty()) else { return false };
    let names = |action: &str| -> BTreeSet<(&str, &str)> {
        let of = changes.iter().filter(|change| change["Action"] == action);
        of.filter_map(|change| {
            let set = &change["ResourceRecordSet"];
            Some((set["Name"].as_str()?, set["Type"].as_str()?))
        })
        .collect()
    };
    let known = |change: &Value| matches!(change["Action"].as_str(), Some("DELETE" | "CREATE"));
    changes.iter().all(known) && names("DELETE").is_subset(&names("CREATE"))
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

    fn call(service: Service, operation: &str, input: Value) -> Effect {
        Effect::Call { call: Call::new(service, operation, input), token: None }
    }

    fn records(changes: &[(&str, &str)]) -> Effect {
        let change = |(action, name): &(&str, &str)| json!({"Action": action, "ResourceRecordSet": {"Name": name, "Type": "A"}});
        let changes: Vec<Value> = changes.iter().map(change).collect();
        call(Service::Route53, "ChangeResourceRecordSets", json!({"ChangeBatch": {"Changes": changes}}))
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
            patch("", "Service", "/spec/selector", json!({"app": "web"})),
            Effect::Apply {
                side: Side::Source,
                object: json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "portolan-bridge-a",
                    "namespace": "b", "labels": {"portolan.dev/bridge": "a"}}}),
            },
            Effect::Apply {
                side: Side::Source,
                object: json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": FENCE, "namespace": "a"}}),
            },
            call(
                Service::Ec2,
                "CreateTags",
                json!({"Resources": ["vol-1"], "Tags": [{"Key": "a", "Value": "b"}]}),
            ),
            call(Service::Ec2, "CreateSnapshot", json!({"VolumeId": "vol-1"})),
            call(Service::Ec2, "DeleteSnapshot", json!({"SnapshotId": "snap-1"})),
            records(&[
                ("DELETE", "a.example.com."),
                ("CREATE", "a.example.com."),
                ("CREATE", "a.example.com."),
            ]),
        ];
        for effect in allowed {
            assert_eq!(permitted(&effect), Ok(()), "{effect:?}");
        }
        let refused = [
            patch("apps", "Deployment", "/spec/template/spec/containers/0/image", json!("x")),
            patch("apps", "DaemonSet", "/spec/template/spec/nodeSelector", json!({"disk": "ssd"})),
            patch("", "ConfigMap", "/data/a", json!("b")),
            patch("", "Service", "/spec/ports", json!([])),
            Effect::Apply {
                side: Side::Source,
                object: json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b",
                    "labels": {"portolan.dev/bridge": "a"}}}),
            },
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
            call(Service::Ec2, "DeleteVolume", json!({"VolumeId": "vol-1"})),
            call(Service::Ec2, "DeleteSnapshot", json!({})),
            call(Service::Ec2, "DeleteTags", json!({"Resources": ["vol-1"]})),
            call(Service::Ec2, "DetachVolume", json!({"VolumeId": "vol-1"})),
            call(Service::Route53, "DeleteHostedZone", json!({"Id": "Z1"})),
            records(&[("DELETE", "a.example.com.")]),
            records(&[("DELETE", "a.example.com."), ("CREATE", "b.example.com.")]),
            records(&[("UPSERT", "a.example.com.")]),
        ];
        for effect in refused {
            assert!(permitted(&effect).is_err(), "{effect:?}");
        }
    }
}
