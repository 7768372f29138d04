//! In which order objects are applied: sync wave, then `depends-on`, then the kinds table.

use crate::model::plan::WaveOrder;
use crate::model::{GroupKind, ResourceId};
use std::collections::BTreeMap;

/// The rank of CustomResourceDefinitions and Namespaces: what follows waits until they are ready.
pub const FOUNDATION: u8 = 1;

/// The rank of a kind. Equal ranks are applied together; lower ranks are applied first and deleted last.
///
/// The table follows the one that Helm and Argo CD share in spirit: what others refer to comes before what refers to
/// it, and what can block writes (webhooks, aggregated APIs) comes last.
#[must_use]
pub fn rank(kind: &GroupKind) -> u8 {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => FOUNDATION,
        (
            "scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io" | "policy" | "resource.k8s.io",
            "PriorityClass"
            | "StorageClass"
            | "CSIDriver"
            | "RuntimeClass"
            | "PodSecurityPolicy"
            | "DeviceClass"
            | "VolumeAttributesClass",
        )
        | ("networking.k8s.io", "IngressClass" | "NetworkPolicy")
        | ("gateway.networking.k8s.io", "GatewayClass")
        | ("", "ResourceQuota" | "LimitRange") => 2,
        ("", "ServiceAccount" | "Secret" | "ConfigMap" | "PersistentVolume" | "PersistentVolumeClaim") => 3,
        ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => 4,
        ("rbac.authorization.k8s.io", _) => 5,
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => 6,
        ("", "Pod" | "ReplicationController") | ("apps" | "batch", _) => 7,
        ("apiregistration.k8s.io", "APIService") | ("admissionregistration.k8s.io", _) => 9,
        _ => 8,
    }
}

/// What places one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Identity.
    pub id: ResourceId,
    /// Sync wave.
    pub sync_wave: i32,
    /// Objects that have to be there and healthy first.
    pub depends_on: Vec<ResourceId>,
}

/// The order of every object.
///
/// A dependency pulls the object behind its dependency: into the same sync wave at least, one level later. Names in
/// `depends_on` that are not among the objects are left to the caller.
///
/// # Errors
/// The objects of a dependency cycle, in order.
pub fn order(objects: &[Placed]) -> Result<BTreeMap<ResourceId, WaveOrder>, Vec<ResourceId>> {
    let index: BTreeMap<&ResourceId, &Placed> = objects.iter().map(|object| (&object.id, object)).collect();
    let mut placed: BTreeMap<ResourceId, WaveOrder> = BTreeMap::new();
    let mut waiting: Vec<&Placed> = index.values().copied().collect();
    // Kahn's algorithm by rounds: each round places what waits for nothing unplaced.
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut rest = Vec::new();
        for object in waiting {
            match place(object, &index, &placed) {
                Some(order) => {
                    placed.insert(object.id.clone(), order);
                }
                None => rest.push(object),
            }
        }
        if rest.len() == before {
            return Err(cycle(&rest));
        }
        waiting = rest;
    }
    Ok(placed)
}

fn place(
    object: &Placed,
    index: &BTreeMap<&ResourceId, &Placed>,
    placed: &BTreeMap<ResourceId, WaveOrder>,
) -> Option<WaveOrder> {
    let mut order = WaveOrder { sync_wave: object.sync_wave, level: 0, rank: rank(&object.id.group_kind()) };
    for dependency in object.depends_on.iter().filter(|id| index.contains_key(id)) {
        let after = placed.get(dependency)?;
        if (after.sync_wave, after.level + 1) > (order.sync_wave, order.level) {
            order.sync_wave = after.sync_wave.max(order.sync_wave);
            order.level = after.level + 1;
        }
    }
    Some(order)
}

/// One cycle among objects that all wait for one another.
fn cycle(stuck: &[&Placed]) -> Vec<ResourceId> {
    let index: BTreeMap<&ResourceId, &Placed> = stuck.iter().map(|object| (&object.id, *object)).collect();
    let mut path: Vec<ResourceId> = Vec::new();
    let mut at = &stuck[0].id;
    loop {
        if let Some(start) = path.iter().position(|id| id == at) {
            return path.split_off(start);
        }
        path.push(at.clone());
        match index.get(at).and_then(|object| object.depends_on.iter().find(|id| index.contains_key(id))) {
            Some(next) => at = next,
            None => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, sync_wave: i32, depends_on: &[&Placed]) -> Placed {
        Placed {
            id: ResourceId::new("", kind, "a", name),
            sync_wave,
            depends_on: depends_on.iter().map(|d| d.id.clone()).collect(),
        }
    }

    #[test]
    fn a_dependency_pulls_the_object_behind_it_across_waves() {
        let late = object("ConfigMap", "late", 3, &[]);
        let early = object("ConfigMap", "early", 0, &[&late]);
        let order = order(&[early.clone(), late.clone()]).unwrap();
        assert!(order[&late.id] < order[&early.id]);
        assert_eq!(order[&early.id].sync_wave, 3);
    }

    #[test]
    fn a_cycle_is_named() {
        let mut a = object("ConfigMap", "a", 0, &[]);
        let b = object("ConfigMap", "b", 0, &[&a]);
        a.depends_on.push(b.id.clone());
        let c = object("ConfigMap", "c", 0, &[&a]);
        let named = order(&[a.clone(), b.clone(), c]).unwrap_err();
        assert_eq!(named.len(), 2);
        assert!(named.contains(&a.id) && named.contains(&b.id));
    }

    #[test]
    fn what_others_need_comes_first() {
        let ranks: Vec<u8> = [
            ("", "Namespace"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("storage.k8s.io", "StorageClass"),
            ("", "ServiceAccount"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
            ("", "Service"),
            ("apps", "Deployment"),
            ("monitoring.coreos.com", "Prometheus"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ]
        .iter()
        .map(|(group, kind)| rank(&GroupKind::new(group, kind)))
        .collect();
        assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{ranks:?}");
    }
}
