//! Ingress of `extensions/v1beta1` and `networking.k8s.io/v1beta1` to `networking.k8s.io/v1`.

use super::super::work::Work;
use serde_json::{Value, json};

/// Backends have another form, and a path its type: the one under which paths mean what they meant.
pub fn ingress(work: &mut Work<'_>) {
    work.rename("/spec/backend", "/spec/defaultBackend");
    backend(work, "/spec/defaultBackend");
    for rule in work.items("/spec/rules") {
        for path in work.items(&format!("{rule}/http/paths")) {
            backend(work, &format!("{path}/backend"));
            let kind = format!("{path}/pathType");
            if work.get(&kind).is_none_or(Value::is_null) {
                work.set_for(
                    &kind,
                    "ImplementationSpecific",
                    "the type is required; this one leaves paths to the controller, as before",
                );
            }
        }
    }
}

fn backend(work: &mut Work<'_>, pointer: &str) {
    let Some(old) = work.get(pointer).cloned() else { return };
    let (Some(name), port) = (old.get("serviceName"), old.get("servicePort")) else { return };
    let mut service = json!({"name": name});
    match port {
        Some(Value::Number(number)) if number.as_i64() != Some(0) => {
            service["port"] = json!({"number": number})
        }
        Some(Value::String(text)) => {
            // A number in quotes is a number: the API server read it so.
            service["port"] = match text.parse::<u16>() {
                Ok(number) => json!({"number": number}),
                Err(_) => json!({"name": text}),
            };
        }
        _ => {}
    }
    let mut new = old.clone();
    if let Some(map) = new.as_object_mut() {
        map.remove("serviceName");
        map.remove("servicePort");
        map.insert("service".into(), service);
    }
    work.set_for(pointer, new, "backends have another form in networking.k8s.io/v1");
}
