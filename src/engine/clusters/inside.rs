//! The inside of a cluster before its version changes: kubelets, budgets, and what uses API versions that go.

use crate::model::{GroupKind, Gvk};
use crate::ports::{ApiFailure, Cluster, Discovery};
use crate::provision::eks::Minor;
use crate::provision::gates::{ApiUse, InCluster, Keeper, Kubelet, TightBudget};
use serde_json::Value;

/// API versions that a Kubernetes version removed: group, version, kind, and the first version without it.
/// From the Deprecated API Migration Guide (kubernetes.io/docs/reference/using-api/deprecation-guide), 1.22 and later.
const REMOVED: [(&str, &str, &str, u32); 35] = [
    ("admissionregistration.k8s.io", "v1beta1", "MutatingWebhookConfiguration", 22),
    ("admissionregistration.k8s.io", "v1beta1", "ValidatingWebhookConfiguration", 22),
    ("apiextensions.k8s.io", "v1beta1", "CustomResourceDefinition", 22),
    ("apiregistration.k8s.io", "v1beta1", "APIService", 22),
    ("authentication.k8s.io", "v1beta1", "TokenReview", 22),
    ("authorization.k8s.io", "v1beta1", "SubjectAccessReview", 22),
    ("certificates.k8s.io", "v1beta1", "CertificateSigningRequest", 22),
    ("coordination.k8s.io", "v1beta1", "Lease", 22),
    ("extensions", "v1beta1", "Ingress", 22),
    ("networking.k8s.io", "v1beta1", "Ingress", 22),
    ("networking.k8s.io", "v1beta1", "IngressClass", 22),
    ("rbac.authorization.k8s.io", "v1beta1", "ClusterRole", 22),
    ("rbac.authorization.k8s.io", "v1beta1", "ClusterRoleBinding", 22),
    ("rbac.authorization.k8s.io", "v1beta1", "Role", 22),
    ("rbac.authorization.k8s.io", "v1beta1", "RoleBinding", 22),
    ("scheduling.k8s.io", "v1beta1", "PriorityClass", 22),
    ("storage.k8s.io", "v1beta1", "CSIDriver", 22),
    ("storage.k8s.io", "v1beta1", "CSINode", 22),
    ("storage.k8s.io", "v1beta1", "StorageClass", 22),
    ("storage.k8s.io", "v1beta1", "VolumeAttachment", 22),
    ("batch", "v1beta1", "CronJob", 25),
    ("discovery.k8s.io", "v1beta1", "EndpointSlice", 25),
    ("events.k8s.io", "v1beta1", "Event", 25),
    ("autoscaling", "v2beta1", "HorizontalPodAutoscaler", 25),
    ("policy", "v1beta1", "PodDisruptionBudget", 25),
    ("policy", "v1beta1", "PodSecurityPolicy", 25),
    ("node.k8s.io", "v1beta1", "RuntimeClass", 25),
    ("autoscaling", "v2beta2", "HorizontalPodAutoscaler", 26),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", "FlowSchema", 26),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", "PriorityLevelConfiguration", 26),
    ("storage.k8s.io", "v1beta1", "CSIStorageCapacity", 27),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", "FlowSchema", 29),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", "PriorityLevelConfiguration", 29),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", "FlowSchema", 32),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", "PriorityLevelConfiguration", 32),
];

/// The first Kubernetes version without an API version, where it is known.
#[must_use]
pub fn removed_in(gvk: &Gvk) -> Option<Minor> {
    let is = |(group, version, kind, _): &&(&str, &str, &str, u32)| {
        *group == gvk.group && *version == gvk.version && *kind == gvk.kind
    };
    REMOVED.iter().find(is).map(|(_, _, _, minor)| Minor { major: 1, minor: *minor })
}

/// Looks inside. `declared` are the uses in what the repository declares for this cluster.
///
/// # Errors
/// When nodes or budgets cannot be listed: then nobody knows whether the cluster stands another version.
pub async fn look(cluster: &dyn Cluster, declared: Vec<ApiUse>) -> Result<InCluster, ApiFailure> {
    let discovery = cluster.discover().await?;
    let nodes = list(cluster, &discovery, "", "Node").await?;
    let budgets = list(cluster, &discovery, "policy", "PodDisruptionBudget").await?;
    let mut removed_apis = declared;
    removed_apis.extend(written(cluster, &discovery).await?);
    removed_apis.sort();
    removed_apis.dedup();
    Ok(InCluster {
        removed_apis,
        tight_budgets: budgets.iter().filter_map(tight).collect(),
        kubelets: nodes.iter().filter_map(kubelet).collect(),
    })
}

async fn list(
    cluster: &dyn Cluster,
    discovery: &Discovery,
    group: &str,
    kind: &str,
) -> Result<Vec<Value>, ApiFailure> {
    let Some(served) = discovery.preferred(&GroupKind::new(group, kind)) else { return Ok(Vec::new()) };
    let objects = cluster.list(served, None, "").await?;
    Ok(objects.iter().map(|object| object.body().clone()).collect())
}

/// Objects in the cluster that somebody wrote in an API version which Kubernetes removes: their `managedFields` tell.
/// Only kinds that still are served in such a version are listed, which on a recent cluster are none.
async fn written(cluster: &dyn Cluster, discovery: &Discovery) -> Result<Vec<ApiUse>, ApiFailure> {
    let mut uses = Vec::new();
    for (gvk, served) in &discovery.kinds {
        let Some(removed) = removed_in(gvk) else { continue };
        if !served.verbs.contains("list") {
            continue;
        }
        for object in cluster.list(served, None, "").await? {
            let entries = object.body().pointer("/metadata/managedFields").and_then(Value::as_array);
            let version = gvk.api_version();
            let by = entries
                .into_iter()
                .flatten()
                .filter(|entry| entry["apiVersion"].as_str() == Some(&version))
                .filter_map(|entry| entry["manager"].as_str())
                // The control plane writes in whatever version it was built with.
                .find(|manager| {
                    !manager.starts_with("kube-")
                        && *manager != "api-priority-and-fairness-config-producer-v1"
                });
            if let Some(manager) = by {
                let place = format!("{} (written by {manager})", object.id());
                uses.push(ApiUse { api: format!("{version} {}", gvk.kind), removed_in: removed, place });
            }
        }
    }
    Ok(uses)
}

/// A budget that lets no pod go although all its pods are there. One that covers no pod hinders nothing.
fn tight(budget: &Value) -> Option<TightBudget> {
    let status = &budget["status"];
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let (allowed, expected, healthy) =
        (number("disruptionsAllowed"), number("expectedPods"), number("currentHealthy"));
    if allowed > 0 || expected == 0 || healthy < expected {
        return None;
    }
    let spec = &budget["spec"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let because = if spec["minAvailable"].is_null() {
        format!("maxUnavailable {} of {expected} pods", text(&spec["maxUnavailable"]))
    } else {
        format!("minAvailable {} of {expected} pods", text(&spec["minAvailable"]))
    };
    let named = |name: &str| budget["metadata"][name].as_str().unwrap_or_default().to_owned();
    Some(TightBudget { namespace: named("namespace"), name: named("name"), because })
}

fn kubelet(node: &Value) -> Option<Kubelet> {
    let label = |name: &str| node["metadata"]["labels"][name].as_str().map(str::to_owned);
    let keeper = if label("eks.amazonaws.com/compute-type").as_deref() == Some("fargate") {
        Keeper::Fargate
    } else if let Some(group) = label("eks.amazonaws.com/nodegroup") {
        Keeper::Nodegroup(group)
    } else if let Some(group) = label("alpha.eksctl.io/nodegroup-name") {
        Keeper::AutoScalingGroup(group)
    } else {
        Keeper::Other
    };
    let version = Minor::parse(node["status"]["nodeInfo"]["kubeletVersion"].as_str()?)?;
    Some(Kubelet { node: node["metadata"]["name"].as_str()?.to_owned(), version, keeper })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_is_tight_when_all_its_pods_are_there_and_none_may_go() {
        let budget = |allowed: u64, expected: u64, healthy: u64| {
            json!({
                "metadata": {"namespace": "shop", "name": "web"}, "spec": {"minAvailable": 2},
                "status": {"disruptionsAllowed": allowed, "expectedPods": expected, "currentHealthy": healthy},
            })
        };
        assert_eq!(tight(&budget(0, 2, 2)).unwrap().because, "minAvailable 2 of 2 pods");
        assert_eq!(tight(&budget(1, 3, 3)), None);
        assert_eq!(tight(&budget(0, 0, 0)), None, "no pod, nothing to keep");
        assert_eq!(tight(&budget(0, 2, 1)), None, "a pod that is down is another matter, and may come back");
    }

    #[test]
    fn nodes_say_whose_they_are() {
        let node = |labels: Value| {
            kubelet(&json!({
                "metadata": {"name": "n", "labels": labels}, "status": {"nodeInfo": {"kubeletVersion": "v1.35.4-eks-1"}},
            }))
            .unwrap()
        };
        assert_eq!(node(json!({"eks.amazonaws.com/nodegroup": "ng"})).keeper, Keeper::Nodegroup("ng".into()));
        assert_eq!(node(json!({"eks.amazonaws.com/compute-type": "fargate"})).keeper, Keeper::Fargate);
        assert_eq!(node(json!({})).version, Minor { major: 1, minor: 35 });
    }

    #[test]
    fn removed_versions_are_known() {
        let gvk = |group: &str, version: &str, kind: &str| Gvk::new(group, version, kind);
        assert_eq!(removed_in(&gvk("policy", "v1beta1", "PodDisruptionBudget")), Minor::parse("1.25"));
        assert_eq!(removed_in(&gvk("policy", "v1", "PodDisruptionBudget")), None);
    }
}
