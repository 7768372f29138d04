//! What the API server is known to make of a declared value of its own kinds, where nothing else could become of it.
//!
//! Only for the literal comparison: each line here saves a dry run at a cold start for a common manifest. A line is
//! right only if the server does this always, whatever was there before (defaulting functions in kubernetes
//! `pkg/apis/*/v1/defaults.go`; types in `k8s.io/api`).

use super::trail::Trail;
use serde_json::{Map, Value};

/// Whether a declared `false`, `0` or empty text is stored as nothing: the field is a plain value that is left out when
/// it is zero. (One with a pointer type is kept.)
pub(super) fn is_omitted(desired: &Value, trail: &Trail<'_>) -> bool {
    let (Some(field), Some(parent)) = (trail.last_field(), trail.parent().and_then(Trail::last_field)) else {
        return false;
    };
    let no = *desired == Value::Bool(false);
    let zero = desired.as_i64() == Some(0);
    match (parent, field) {
        ("volumeMounts" | "persistentVolumeClaim", "readOnly") => no,
        ("containers" | "initContainers", "stdin" | "stdinOnce" | "tty") => no,
        ("spec", "hostNetwork" | "hostPID" | "hostIPC" | "paused") => no,
        ("spec", "preserveUnknownFields" | "publishNotReadyAddresses") => no,
        ("env", "value") => desired.as_str() == Some(""),
        ("livenessProbe" | "readinessProbe" | "startupProbe", "initialDelaySeconds") => zero,
        _ => false,
    }
}

/// A declared atomic value with the server's defaults in it.
pub(super) fn filled(desired: &Value, trail: &Trail<'_>, kind: &str) -> Option<Value> {
    let mut value = desired.clone();
    match (trail.last_field()?, kind) {
        ("fieldRef", _) => default(&mut value, "apiVersion", "v1"),
        ("resourceFieldRef", _) => default(&mut value, "divisor", "0"),
        ("items", _) => items(&mut value).for_each(downward_file),
        ("sources", _) => items(&mut value).for_each(projected),
        ("volumeClaimTemplates", "StatefulSet") => items(&mut value).for_each(claim),
        ("ingress" | "egress", "NetworkPolicy") => {
            let ports = items(&mut value).filter_map(|rule| rule.get_mut("ports"));
            ports.flat_map(items).for_each(|port| default(port, "protocol", "TCP"));
        }
        ("subjects", "RoleBinding" | "ClusterRoleBinding") => items(&mut value).for_each(subject),
        ("roleRef", _) => default(&mut value, "apiGroup", "rbac.authorization.k8s.io"),
        ("rules", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
            items(&mut value).for_each(|rule| default(rule, "scope", "*"));
        }
        _ => return None,
    }
    Some(value)
}

fn subject(subject: &mut Value) {
    if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
        default(subject, "apiGroup", "rbac.authorization.k8s.io");
    } else if let Some(subject) = subject.as_object_mut()
        && subject.get("apiGroup").is_some_and(|group| group == "")
    {
        // A ServiceAccount's group is the core one, which is left out.
        subject.remove("apiGroup");
    }
}

fn projected(source: &mut Value) {
    if let Some(token) = source.get_mut("serviceAccountToken") {
        default(token, "expirationSeconds", 3600);
    }
    let files = source.get_mut("downwardAPI").and_then(|api| api.get_mut("items"));
    files.into_iter().flat_map(items).for_each(downward_file);
}

/// A file of the downward API. Other `items` have neither of the two.
fn downward_file(file: &mut Value) {
    if let Some(field) = file.get_mut("fieldRef") {
        default(field, "apiVersion", "v1");
    }
    if let Some(resource) = file.get_mut("resourceFieldRef") {
        default(resource, "divisor", "0");
    }
}

fn claim(claim: &mut Value) {
    default(claim, "apiVersion", "v1");
    default(claim, "kind", "PersistentVolumeClaim");
    default(claim, "status", Value::Object(Map::new()));
    if let Some(status) = claim.get_mut("status") {
        default(status, "phase", "Pending");
    }
    if let Some(spec) = claim.get_mut("spec") {
        default(spec, "volumeMode", "Filesystem");
    }
    if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
        // `creationTimestamp: null`, as tools print it.
        metadata.retain(|_, value| !value.is_null());
    }
}

fn items(value: &mut Value) -> std::slice::IterMut<'_, Value> {
    value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default().iter_mut()
}

/// An explicit null is filled as well: to the server it is the same as nothing.
fn default(value: &mut Value, key: &str, content: impl Into<Value>) {
    if let Some(map) = value.as_object_mut()
        && map.get(key).is_none_or(Value::is_null)
    {
        map.insert(key.into(), content.into());
    }
}
