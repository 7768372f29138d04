//! Every place of an export that shows a call.

use super::mentions::{Reading, Services, base64, mentions};
use super::policies::{self, Namespaces};
use super::workloads::{self, Told};
use super::{Callee, Caller, Evidence, Graph, How};
use crate::migrate::own::references::References;
use crate::model::Object;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the places are read with.
struct World<'a> {
    services: Services,
    namespaces: Namespaces<'a>,
    config_maps: BTreeMap<(&'a str, &'a str), &'a Object>,
    secrets: BTreeMap<(&'a str, &'a str), &'a Object>,
}

pub(super) fn gather(objects: &[Object], graph: &mut Graph) {
    let references = References::among(objects);
    let world = World::of(objects);
    for object in objects {
        // What another object makes says the same as its maker.
        if references.controller(object).is_some() {
            continue;
        }
        let gvk = object.gvk();
        match (gvk.group.as_str(), gvk.kind.as_str()) {
            ("networking.k8s.io" | "extensions", "Ingress") => world.ingress(object, graph),
            ("networking.k8s.io" | "extensions", "NetworkPolicy") => {
                policies::allowed(object, &world.namespaces, graph);
            }
            ("admissionregistration.k8s.io" | "apiregistration.k8s.io" | "apiextensions.k8s.io", _) => {
                webhooks(object, graph);
            }
            ("gateway.networking.k8s.io", _) => routes(object, graph),
            ("", "Service") => world.external_name(object, graph),
            (group, _) => match workloads::pod_spec(object) {
                Some((pointer, spec)) => world.workload(object, pointer, spec, graph),
                None if is_custom(group) => world.custom(object, graph),
                None => {}
            },
        }
    }
}

/// Groups of custom resources: those of Kubernetes have no dot, or end in `.k8s.io`.
fn is_custom(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

impl<'a> World<'a> {
    fn of(objects: &'a [Object]) -> Self {
        let mut services = Services::default();
        let mut config_maps = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        for object in objects {
            let namespace = object.namespace().unwrap_or_default();
            match (object.gvk().group.as_str(), object.kind()) {
                ("", "Namespace") => services.add_namespace(object.name()),
                ("", "Service") => services.add(namespace, object.name()),
                ("", "ConfigMap") => {
                    config_maps.insert((namespace, object.name()), object);
                }
                ("", "Secret") => {
                    secrets.insert((namespace, object.name()), object);
                }
                _ => {}
            }
        }
        Self { services, namespaces: Namespaces::among(objects), config_maps, secrets }
    }

    /// Notes the Services that a text names.
    fn read(&self, text: &str, of: &Place<'_>, reading: Reading, graph: &mut Graph) {
        for (namespace, service) in mentions(text, &self.services, of.home, reading) {
            if namespace == of.home && of.own_name == Some(service.as_str()) {
                continue;
            }
            let evidence =
                Evidence { how: of.how, object: Some(of.object.id()), pointer: of.pointer.clone() };
            graph.put(of.caller.clone(), Callee { namespace, service: Some(service) }, evidence);
        }
    }

    fn workload(&self, object: &Object, pointer: &str, spec: &Value, graph: &mut Graph) {
        let home = object.namespace().unwrap_or_default();
        let caller = Caller::Object(object.id());
        let place = |object, how, pointer| Place {
            caller: caller.clone(),
            object,
            how,
            pointer,
            home,
            own_name: None,
        };
        for told in workloads::told(pointer, spec) {
            match told {
                Told::Environment(pointer, text) => {
                    self.read(text, &place(object, How::Environment, pointer), Reading::Names, graph);
                }
                Told::Argument(pointer, text) => {
                    self.read(text, &place(object, How::Argument, pointer), Reading::Names, graph);
                }
                Told::ConfigMap(name, key) => {
                    let Some(map) = self.config_maps.get(&(home, name)) else { continue };
                    for (entry, text) in entries(map, &["data"], key) {
                        let pointer = format!("/data/{}", escaped(entry));
                        self.read(text, &place(map, How::Configuration, pointer), Reading::Names, graph);
                    }
                }
                Told::Secret(name, key) => {
                    let Some(secret) = self.secrets.get(&(home, name)) else { continue };
                    for (entry, text) in entries(secret, &["data"], key) {
                        let Some(text) = base64(text).and_then(|bytes| String::from_utf8(bytes).ok()) else {
                            continue;
                        };
                        let pointer = format!("/data/{}", escaped(entry));
                        self.read(&text, &place(secret, How::Secret, pointer), Reading::QualifiedOnly, graph);
                    }
                }
            }
        }
    }

    fn ingress(&self, object: &Object, graph: &mut Graph) {
        let home = object.namespace().unwrap_or_default();
        let caller = Caller::Object(object.id());
        let mut backends = Vec::new();
        strings(&object.body()["spec"], "/spec", &mut backends);
        for (pointer, text) in backends {
            // networking.k8s.io/v1, then the older versions.
            if pointer.ends_with("/service/name") || pointer.ends_with("/serviceName") {
                let evidence = Evidence { how: How::Ingress, object: Some(object.id()), pointer };
                let to = Callee { namespace: home.into(), service: Some(text.into()) };
                graph.put(caller.clone(), to, evidence);
            }
        }
        let annotations = object.body().pointer("/metadata/annotations").and_then(Value::as_object);
        for (key, value) in annotations.into_iter().flatten() {
            if key.starts_with("kubectl.kubernetes.io/") {
                continue;
            }
            let pointer = format!("/metadata/annotations/{}", escaped(key));
            let place =
                Place { caller: caller.clone(), object, how: How::Ingress, pointer, home, own_name: None };
            self.read(value.as_str().unwrap_or_default(), &place, Reading::QualifiedOnly, graph);
        }
    }

    fn external_name(&self, object: &Object, graph: &mut Graph) {
        let Some(name) = object.body().pointer("/spec/externalName").and_then(Value::as_str) else { return };
        let place = Place {
            caller: Caller::Object(object.id()),
            object,
            how: How::ExternalName,
            pointer: "/spec/externalName".into(),
            home: object.namespace().unwrap_or_default(),
            own_name: Some(object.name()),
        };
        self.read(name, &place, Reading::Names, graph);
    }

    /// A custom resource makes its controller call: what it names with a namespace counts.
    fn custom(&self, object: &Object, graph: &mut Graph) {
        let mut texts = Vec::new();
        strings(&object.body()["spec"], "/spec", &mut texts);
        for (pointer, text) in texts {
            let place = Place {
                caller: Caller::Object(object.id()),
                object,
                how: How::Configuration,
                pointer,
                home: object.namespace().unwrap_or_default(),
                own_name: None,
            };
            self.read(text, &place, Reading::QualifiedOnly, graph);
        }
    }
}

/// Where a text stands, and for whom.
struct Place<'a> {
    caller: Caller,
    object: &'a Object,
    how: How,
    pointer: String,
    home: &'a str,
    /// A Service that names itself is no call.
    own_name: Option<&'a str>,
}

/// Entries of a ConfigMap or a Secret: one key, or all.
fn entries<'a>(
    object: &'a Object,
    sections: &'a [&'a str],
    key: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
    sections
        .iter()
        .filter_map(|section| object.body().get(*section)?.as_object())
        .flatten()
        .filter(move |(entry, _)| key.is_none_or(|key| key == entry.as_str()))
        .filter_map(|(entry, value)| Some((entry.as_str(), value.as_str()?)))
}

/// Every text below a value, with its pointer.
fn strings<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => found.push((pointer.to_owned(), text)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                strings(item, &format!("{pointer}/{at}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, inner) in fields {
                strings(inner, &format!("{pointer}/{}", escaped(key)), found);
            }
        }
        _ => {}
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Services that the API server calls: a member `service` with both names, in webhooks, aggregated APIs and conversions.
fn webhooks(object: &Object, graph: &mut Graph) {
    let mut found = Vec::new();
    named_services(&object.body()["webhooks"], "/webhooks", &mut found);
    named_services(&object.body()["spec"], "/spec", &mut found);
    for (pointer, namespace, service) in found {
        let evidence = Evidence { how: How::Webhook, object: Some(object.id()), pointer };
        let to = Callee { namespace: namespace.into(), service: Some(service.into()) };
        graph.put(Caller::ApiServer, to, evidence);
    }
}

fn named_services<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a str, &'a str)>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let pointer = format!("{pointer}/{}", escaped(key));
                if let ("service", Some(namespace), Some(name)) =
                    (key.as_str(), inner["namespace"].as_str(), inner["name"].as_str())
                {
                    found.push((pointer, namespace, name));
                // The schema of a CRD is long, and calls nobody.
                } else if key != "schema" && key != "validation" {
                    named_services(inner, &pointer, found);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                named_services(item, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// Backends of routes of the Gateway API, which may be in other namespaces.
fn routes(object: &Object, graph: &mut Graph) {
    let home = object.namespace().unwrap_or_default();
    let mut found = Vec::new();
    backends(&object.body()["spec"], "/spec", &mut found);
    for (pointer, backend) in found {
        let kind = backend["kind"].as_str().unwrap_or("Service");
        if let (Some(name), "Service") = (backend["name"].as_str(), kind) {
            let namespace = backend["namespace"].as_str().unwrap_or(home);
            let evidence = Evidence { how: How::Route, object: Some(object.id()), pointer };
            let to = Callee { namespace: namespace.into(), service: Some(name.into()) };
            graph.put(Caller::Object(object.id()), to, evidence);
        }
    }
}

fn backends<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let pointer = format!("{pointer}/{}", escaped(key));
                match (key.as_str(), inner) {
                    ("backendRefs", Value::Array(items)) => {
                        found.extend(
                            items.iter().enumerate().map(|(at, item)| (format!("{pointer}/{at}"), item)),
                        );
                    }
                    ("backendRef", backend) => found.push((pointer, backend)),
                    _ => backends(inner, &pointer, found),
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                backends(item, &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}
