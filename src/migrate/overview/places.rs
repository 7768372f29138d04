//! Where everything would run.

use crate::migrate::assess::Facts;
use crate::migrate::assess::packing::{Demand, Packing, pack as packed, planned_groups, verdicts};
use crate::migrate::dump::Inventory;
use crate::migrate::own::{Class, Classified};
use crate::migrate::stages::fence::FENCE;
use crate::migrate::verdict::Verdict;
use crate::model::ResourceId;
use crate::model::cluster_config::ClusterConfig;
use crate::transform::{Context, rescheduled, transform};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// DaemonSets of EKS add-ons on Linux: add-on, DaemonSet, thousandths of a CPU, MiB, whether they have the node's own
/// address (manifests of amazon-vpc-cni-k8s 1.20, kube-proxy of EKS 1.34, aws-ebs-csi-driver 1.50,
/// eks-pod-identity-agent 1.3).
const OF_ADDONS: &[(&str, &str, u32, u32, bool)] = &[
    ("vpc-cni", "aws-node", 50, 0, true),
    ("kube-proxy", "kube-proxy", 100, 0, true),
    ("aws-ebs-csi-driver", "ebs-csi-node", 30, 120, false),
    ("eks-pod-identity-agent", "eks-pod-identity-agent", 0, 0, true),
    ("eks-node-monitoring-agent", "eks-node-monitoring-agent", 10, 30, true),
];

/// Labels of volumes, and terms of their affinity, that say the zone.
const ZONE: [&str; 3] = [
    "topology.kubernetes.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// A packing, and what is to be said of it.
pub(super) struct Placed {
    pub(super) packing: Option<Packing>,
    pub(super) verdicts: Vec<Verdict>,
}

/// Packs the users' pods, their DaemonSets and those of the add-ons on the groups of the config. Selectors are as the
/// rules make them.
pub(super) fn pack(
    inventory: &Inventory,
    classified: &[Classified],
    config: &ClusterConfig,
    facts: &Facts,
    rules: &Context,
) -> Placed {
    let users: BTreeSet<&ResourceId> =
        classified.iter().filter(|one| super::is_users(one)).map(|one| &one.id).collect();
    let ported: BTreeSet<&ResourceId> =
        classified.iter().filter(|one| one.class == Class::Port).map(|one| &one.id).collect();
    let pods = inventory.of_kind("", "Pod").filter(|pod| users.contains(&pod.id()));
    let sets = inventory.of_kind("apps", "DaemonSet").filter(|set| ported.contains(&set.id()));
    // The fences of a move that is under way are no quotas of anybody.
    let carried = |kind: &str| -> Vec<Value> {
        let all = inventory.of_kind("", kind).filter(|object| ported.contains(&object.id()));
        let all = all.filter(|object| object.name() != FENCE);
        all.flat_map(|object| transform(object.body(), rules).objects).collect()
    };
    let mut demand = Demand {
        pods: pods.map(|pod| rescheduled(pod.body(), rules)).collect(),
        daemon_sets: sets.map(|set| rescheduled(set.body(), rules)).collect(),
        volume_zones: volume_zones(inventory),
        limit_ranges: carried("LimitRange"),
        quotas: carried("ResourceQuota"),
    };
    if demand.pods.is_empty() {
        return Placed { packing: None, verdicts: Vec::new() };
    }
    let installed = |name: &str| config.addons.iter().any(|addon| addon.name == name);
    demand.daemon_sets.extend(
        OF_ADDONS
            .iter()
            .filter(|(addon, ..)| installed(addon))
            .map(|(_, name, cpu, memory, host)| daemon_set(name, *cpu, *memory, *host)),
    );
    let (groups, unknown) = planned_groups(config, facts);
    let packing = packed(groups, &demand, config, facts);
    Placed { verdicts: verdicts(&packing, &unknown), packing: Some(packing) }
}

fn daemon_set(name: &str, cpu: u32, memory: u32, host: bool) -> Value {
    let requests = json!({"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")});
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"metadata": {"labels": {"k8s-app": name}}, "spec": {
            "hostNetwork": host, "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": name, "resources": {"requests": requests}}],
        }}},
    })
}

/// Zones of claims, by `NAMESPACE/CLAIM`: those of the volumes that are bound to them.
fn volume_zones(inventory: &Inventory) -> BTreeMap<String, String> {
    let zones = inventory.of_kind("", "PersistentVolume").filter_map(|volume| {
        let body = volume.body();
        let claim = |field: &str| body.pointer(&format!("/spec/claimRef/{field}")).and_then(Value::as_str);
        let labelled = ZONE.iter().find_map(|key| volume.label(key)).map(str::to_owned);
        let zone = labelled.or_else(|| {
            let terms = body.pointer("/spec/nodeAffinity/required/nodeSelectorTerms")?.as_array()?;
            let mut expressions =
                terms.iter().filter_map(|term| term["matchExpressions"].as_array()).flatten();
            let zone = expressions.find(|one| ZONE.iter().any(|key| one["key"] == *key))?;
            zone["values"][0].as_str().map(str::to_owned)
        })?;
        Some((format!("{}/{}", claim("namespace")?, claim("name")?), zone))
    });
    zones.collect()
}
