//! What a workload is told: its environment, its arguments, and what it reads.

use crate::model::Object;
use serde_json::Value;

/// The pod spec of a workload, with its pointer.
pub(super) fn pod_spec(object: &Object) -> Option<(&'static str, &Value)> {
    let pointer = match (object.gvk().group.as_str(), object.kind()) {
        ("", "Pod") => "/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        ("" | "apps" | "batch" | "extensions", _) => "/spec/template/spec",
        _ => return None,
    };
    object.body().pointer(pointer).filter(|spec| spec["containers"].is_array()).map(|spec| (pointer, spec))
}

/// One thing that a workload is told.
pub(super) enum Told<'a> {
    /// A text, with its pointer.
    Environment(String, &'a str),
    /// A text, with its pointer.
    Argument(String, &'a str),
    /// A ConfigMap, wholly or one key of it.
    ConfigMap(&'a str, Option<&'a str>),
    /// A Secret, wholly or one key of it.
    Secret(&'a str, Option<&'a str>),
}

/// Everything that a pod spec tells its containers.
pub(super) fn told<'a>(pointer: &str, spec: &'a Value) -> Vec<Told<'a>> {
    let mut told = Vec::new();
    for list in ["initContainers", "containers"] {
        for (at, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            container_told(&format!("{pointer}/{list}/{at}"), container, &mut told);
        }
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        volume_told(volume, &mut told);
    }
    told
}

fn container_told<'a>(pointer: &str, container: &'a Value, told: &mut Vec<Told<'a>>) {
    for list in ["command", "args"] {
        for (at, word) in container[list].as_array().into_iter().flatten().enumerate() {
            if let Some(text) = word.as_str() {
                told.push(Told::Argument(format!("{pointer}/{list}/{at}"), text));
            }
        }
    }
    for (at, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        if let Some(text) = variable["value"].as_str() {
            told.push(Told::Environment(format!("{pointer}/env/{at}/value"), text));
        }
        let from = &variable["valueFrom"];
        if let Some(name) = from["configMapKeyRef"]["name"].as_str() {
            told.push(Told::ConfigMap(name, from["configMapKeyRef"]["key"].as_str()));
        }
        if let Some(name) = from["secretKeyRef"]["name"].as_str() {
            told.push(Told::Secret(name, from["secretKeyRef"]["key"].as_str()));
        }
    }
    for source in container["envFrom"].as_array().into_iter().flatten() {
        told.extend(source["configMapRef"]["name"].as_str().map(|name| Told::ConfigMap(name, None)));
        told.extend(source["secretRef"]["name"].as_str().map(|name| Told::Secret(name, None)));
    }
}

fn volume_told<'a>(volume: &'a Value, told: &mut Vec<Told<'a>>) {
    told.extend(volume["configMap"]["name"].as_str().map(|name| Told::ConfigMap(name, None)));
    told.extend(volume["secret"]["secretName"].as_str().map(|name| Told::Secret(name, None)));
    for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
        told.extend(source["configMap"]["name"].as_str().map(|name| Told::ConfigMap(name, None)));
        told.extend(source["secret"]["name"].as_str().map(|name| Told::Secret(name, None)));
    }
}
