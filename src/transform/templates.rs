//! Where pods are described inside an object: templates of workloads, and custom objects that embed a pod.

use super::pointer::at;
use serde_json::Value;

/// Pointers to the pod templates (the mapping that has `metadata` and `spec` of the pods), a Pod itself being one at the
/// root. In custom kinds every mapping counts whose `spec` has containers.
#[must_use]
pub fn pod_templates(object: &Value) -> Vec<String> {
    let fixed = match kind_and_group(object) {
        ("Pod", "") => Some(""),
        ("Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet", "apps" | "extensions")
        | ("Job", "batch")
        | ("ReplicationController", "") => Some("/spec/template"),
        ("CronJob", "batch") => Some("/spec/jobTemplate/spec/template"),
        ("PodTemplate", "") => Some("/template"),
        _ => None,
    };
    if let Some(place) = fixed {
        let there = object.pointer(&format!("{place}/spec")).is_some_and(Value::is_object);
        return if there { vec![place.to_owned()] } else { Vec::new() };
    }
    let mut found = Vec::new();
    if is_custom(object) {
        walk(object, "", &mut |value, pointer| {
            if value.get("spec").is_some_and(|spec| has_containers(spec) && !pointer.is_empty()) {
                found.push(pointer.to_owned());
            }
        });
    }
    found
}

/// Pointers to pod specs, also those that a custom object has without a template around them.
#[must_use]
pub fn pod_specs(object: &Value) -> Vec<String> {
    if !is_custom(object) {
        return pod_templates(object).into_iter().map(|template| format!("{template}/spec")).collect();
    }
    let mut found = Vec::new();
    walk(object, "", &mut |value, pointer| {
        if has_containers(value) {
            found.push(pointer.to_owned());
        }
    });
    found
}

/// Pointers to every mapping that can say where pods run: pod specs, and in custom objects whatever has a field of that
/// name and form.
#[must_use]
pub fn scheduling_places(object: &Value) -> Vec<String> {
    if !is_custom(object) {
        return pod_specs(object);
    }
    let mut found = Vec::new();
    walk(object, "", &mut |value, pointer| {
        let Some(map) = value.as_object() else { return };
        let texts = |value: &Value| value.as_object().is_some_and(|map| map.values().all(Value::is_string));
        let selects = map.get("nodeSelector").is_some_and(texts);
        let tolerates = map.get("tolerations").is_some_and(Value::is_array);
        let spreads = map.get("topologySpreadConstraints").is_some_and(Value::is_array);
        let affine = map.get("affinity").and_then(Value::as_object).is_some_and(|affinity| {
            affinity
                .keys()
                .all(|key| ["nodeAffinity", "podAffinity", "podAntiAffinity"].contains(&key.as_str()))
        });
        if selects || tolerates || spreads || affine {
            found.push(pointer.to_owned());
        }
    });
    found
}

/// Whether an object is of a custom kind: not one of Kubernetes's own, whose pods are at known places.
#[must_use]
pub fn is_custom(object: &Value) -> bool {
    let (kind, group) = kind_and_group(object);
    let own = !group.contains('.') || group.ends_with(".k8s.io");
    !own && kind != "CustomResourceDefinition"
}

/// Visits every mapping below a value, outer ones first.
pub fn walk(value: &Value, pointer: &str, visit: &mut impl FnMut(&Value, &str)) {
    match value {
        Value::Object(map) => {
            visit(value, pointer);
            for (key, below) in map {
                if below.is_object() || below.is_array() {
                    walk(below, &at(pointer, key), visit);
                }
            }
        }
        Value::Array(list) => {
            for (place, below) in list.iter().enumerate() {
                if below.is_object() || below.is_array() {
                    walk(below, &at(pointer, place.to_string()), visit);
                }
            }
        }
        _ => {}
    }
}

fn has_containers(value: &Value) -> bool {
    let containers = value.get("containers").and_then(Value::as_array);
    containers.is_some_and(|list| {
        !list.is_empty() && list.iter().all(|one| one.get("name").is_some_and(Value::is_string))
    })
}

fn kind_and_group(object: &Value) -> (&str, &str) {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    (text("kind"), group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_are_found_where_they_are() {
        let containers = json!([{"name": "a", "image": "b"}]);
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": containers}}}}}});
        assert_eq!(pod_specs(&cron), ["/spec/jobTemplate/spec/template/spec"]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
        assert_eq!(pod_specs(&pod), ["/spec"]);
        assert_eq!(pod_templates(&pod), [""]);
        let custom = json!({"apiVersion": "example.com/v1", "kind": "Farm", "spec": {
            "nodeSelector": {"a": "b"},
            "workers": [{"template": {"spec": {"containers": containers, "tolerations": []}}}],
            "rules": {"tolerations": "none", "affinity": {"text": 1}}}});
        assert_eq!(pod_specs(&custom), ["/spec/workers/0/template/spec"]);
        assert_eq!(pod_templates(&custom), ["/spec/workers/0/template"]);
        assert_eq!(scheduling_places(&custom), ["/spec", "/spec/workers/0/template/spec"]);
        // A ConfigMap that holds such text holds text.
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"spec": "containers"}});
        assert!(pod_specs(&map).is_empty() && scheduling_places(&map).is_empty());
    }
}
