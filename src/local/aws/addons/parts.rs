//! The parts that add-ons are made of.

use serde_json::{Value, json};

use super::Setting;

/// Labels of an object of an add-on.
pub(super) fn labels(app: &str, setting: &Setting<'_>) -> Value {
    json!({
        "k8s-app": app,
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/managed-by": "eks",
        "app.kubernetes.io/version": setting.version,
    })
}

/// A service account, with the role where one was given and the add-on takes it.
pub(super) fn account(name: &str, app: &str, setting: &Setting<'_>, takes_role: bool) -> Value {
    let mut metadata = json!({"name": name, "namespace": setting.namespace, "labels": labels(app, setting)});
    if let Some(role) = setting.role.as_ref().filter(|_| takes_role) {
        metadata["annotations"] = json!({"eks.amazonaws.com/role-arn": role});
    }
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
}

/// A cluster role and its binding to the service account.
pub(super) fn role(name: &str, account: &str, setting: &Setting<'_>, rules: &Value) -> [Value; 2] {
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name}, "rules": rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": setting.namespace}],
        }),
    ]
}

/// A rule of a cluster role.
pub(super) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// A container with its requests.
pub(super) fn container(name: &str, image: &str, setting: &Setting<'_>, cpu: &str, memory: &str) -> Value {
    let mut requests = json!({"cpu": cpu});
    if !memory.is_empty() {
        requests["memory"] = memory.into();
    }
    json!({
        "name": name, "image": format!("eks/{image}:{}", setting.version), "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": requests},
    })
}

/// Tolerates everything, as what belongs on every node does.
pub(super) fn everywhere() -> Value {
    json!([{"operator": "Exists"}])
}

/// Keeps pods of DaemonSets away from nodes that the service runs by other means.
fn on_instances() -> Value {
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{
        "matchExpressions": [
            {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
            {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate", "hybrid", "auto"]},
        ],
    }]}}})
}

/// A DaemonSet.
pub(super) fn daemon_set(name: &str, app: &str, setting: &Setting<'_>, mut pod: Value) -> Value {
    pod["affinity"] = on_instances();
    pod["priorityClassName"] = "system-node-critical".into();
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": setting.namespace, "labels": labels(app, setting)},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": app}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {"metadata": {"labels": labels(app, setting)}, "spec": pod},
        },
    })
}

/// A Deployment.
pub(super) fn deployment(
    name: &str,
    app: &str,
    setting: &Setting<'_>,
    replicas: u64,
    mut pod: Value,
) -> Value {
    pod["priorityClassName"] = "system-cluster-critical".into();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": setting.namespace, "labels": labels(app, setting)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"k8s-app": app}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": labels(app, setting)}, "spec": pod},
        },
    })
}

/// A budget that lets one pod go at a time.
pub(super) fn budget(name: &str, app: &str, setting: &Setting<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": setting.namespace, "labels": labels(app, setting)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"k8s-app": app}}},
    })
}

/// Puts what was asked for into a workload: placement, labels and annotations of its pods, replicas, and resources and
/// environment of its first container.
pub(super) fn configure(workload: &mut Value, asked: &Value) {
    if !asked.is_object() {
        return;
    }
    for member in ["replicaCount", "replicas"] {
        if asked[member].is_number() && workload["kind"] == "Deployment" {
            workload["spec"]["replicas"] = asked[member].clone();
        }
    }
    let template = &mut workload["spec"]["template"];
    for (member, place) in [("podLabels", "labels"), ("podAnnotations", "annotations")] {
        for (key, value) in asked[member].as_object().into_iter().flatten() {
            template["metadata"][place][key] = value.clone();
        }
    }
    let pod = &mut template["spec"];
    for member in ["tolerations", "nodeSelector", "affinity", "topologySpreadConstraints"] {
        if !asked[member].is_null() {
            pod[member] = asked[member].clone();
        }
    }
    let first = &mut pod["containers"][0];
    if !asked["resources"].is_null() {
        first["resources"] = asked["resources"].clone();
    }
    if let Some(variables) = asked["env"].as_object() {
        let mut list = first["env"].as_array().cloned().unwrap_or_default();
        for (name, value) in variables {
            list.retain(|known| known["name"] != *name);
            list.push(json!({"name": name, "value": value}));
        }
        first["env"] = list.into();
    }
    if let Some(more) = asked["additionalArgs"].as_array() {
        let mut arguments = first["args"].as_array().cloned().unwrap_or_default();
        arguments.extend(more.clone());
        first["args"] = arguments.into();
    }
}
