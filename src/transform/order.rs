//! In which order objects are written to an empty cluster.
//!
//! Source: velero `pkg/cmd/server/config/config.go` (restore priorities), with Services before what reads their
//! addresses, and everything that can refuse other writes at the end.

use super::survey::identity;
use crate::model::{GroupKind, ResourceId};
use serde_json::Value;

/// A step of the order. Objects of one step do not need each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Definitions of custom kinds: written, then awaited until they are established.
    Definitions,
    /// Namespaces.
    Namespaces,
    /// Classes that others name: of priority, runtime, storage, Ingresses.
    Classes,
    /// Snapshots and their contents.
    Snapshots,
    /// Volumes.
    Volumes,
    /// Claims, which are bound to their volumes.
    Claims,
    /// Roles.
    Roles,
    /// Service accounts.
    Accounts,
    /// Bindings of roles.
    Bindings,
    /// Secrets and ConfigMaps.
    Settings,
    /// Defaults and limits of pods, before the pods.
    Limits,
    /// Services, and the endpoints that were written by hand.
    Services,
    /// Who may talk to whom, before anybody talks.
    NetworkPolicies,
    /// Pods and what makes them.
    Workloads,
    /// What scales and guards them.
    Scaling,
    /// Jobs.
    Jobs,
    /// Custom objects, after the workloads that answer for them (which may stand still).
    Custom,
    /// Ingresses.
    Ingresses,
    /// Quotas: what they would refuse is there already.
    Quotas,
    /// Aggregated APIs, after the workloads that serve them.
    Aggregated,
    /// What can refuse other writes.
    Admission,
}

/// The step of a kind.
#[must_use]
pub fn phase(kind: &GroupKind) -> Phase {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Phase::Definitions,
        ("", "Namespace") => Phase::Namespaces,
        ("scheduling.k8s.io", _)
        | ("node.k8s.io", _)
        | ("storage.k8s.io", _)
        | ("networking.k8s.io", "IngressClass")
        | ("gateway.networking.k8s.io", "GatewayClass")
        | ("snapshot.storage.k8s.io", "VolumeSnapshotClass") => Phase::Classes,
        ("snapshot.storage.k8s.io", _) => Phase::Snapshots,
        ("", "PersistentVolume") => Phase::Volumes,
        ("", "PersistentVolumeClaim") => Phase::Claims,
        ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => Phase::Roles,
        ("", "ServiceAccount") => Phase::Accounts,
        ("rbac.authorization.k8s.io", _) => Phase::Bindings,
        ("", "Secret" | "ConfigMap") => Phase::Settings,
        ("", "LimitRange") => Phase::Limits,
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", _) => Phase::Services,
        ("networking.k8s.io", "NetworkPolicy") => Phase::NetworkPolicies,
        ("", "Pod" | "ReplicationController" | "PodTemplate") | ("apps", _) => Phase::Workloads,
        ("autoscaling" | "policy", _) => Phase::Scaling,
        ("batch", _) => Phase::Jobs,
        ("networking.k8s.io" | "extensions", "Ingress") => Phase::Ingresses,
        ("", "ResourceQuota") => Phase::Quotas,
        ("apiregistration.k8s.io", _) => Phase::Aggregated,
        ("admissionregistration.k8s.io", _) => Phase::Admission,
        _ => Phase::Custom,
    }
}

/// The objects as they are written: by step, within a step by identity. What has no identity comes last.
#[must_use]
pub fn apply_order(objects: &[Value]) -> Vec<(Phase, &Value)> {
    let mut order: Vec<(Phase, Option<ResourceId>, &Value)> = objects
        .iter()
        .map(|object| {
            let id = identity(object);
            (id.as_ref().map_or(Phase::Admission, |id| phase(&id.group_kind())), id, object)
        })
        .collect();
    order.sort_by(|(a, a_id, _), (b, b_id, _)| {
        a.cmp(b).then_with(|| a_id.is_none().cmp(&b_id.is_none())).then_with(|| a_id.cmp(b_id))
    });
    order.into_iter().map(|(phase, _, object)| (phase, object)).collect()
}
