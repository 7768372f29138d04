//! The built-in kinds that the adapter itself reads and writes.

use crate::model::Gvk;
use crate::ports::ServedKind;

/// Builds a kind with all verbs.
pub(super) fn served(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> ServedKind {
    let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    ServedKind {
        gvk: Gvk::new(group, version, kind),
        plural: plural.into(),
        namespaced,
        verbs: verbs.map(String::from).into(),
    }
}

/// `v1 ConfigMap`.
pub(super) fn config_map() -> ServedKind {
    served("", "v1", "ConfigMap", "configmaps", true)
}

/// `v1 Secret`.
pub(super) fn secret() -> ServedKind {
    served("", "v1", "Secret", "secrets", true)
}

/// `v1 Pod`.
pub(super) fn pod() -> ServedKind {
    served("", "v1", "Pod", "pods", true)
}

/// `apps/v1 ReplicaSet`.
pub(super) fn replica_set() -> ServedKind {
    served("apps", "v1", "ReplicaSet", "replicasets", true)
}
