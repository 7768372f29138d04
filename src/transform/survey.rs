//! What a set of objects says about single ones: who owns whom, which addresses Services have, which policies admitted
//! which pods.
//!
//! Everything in it is sorted, so the order in which objects come does not matter.

use super::psp::PodSecurity;
use crate::model::{GroupKind, Gvk, ResourceId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    uids: BTreeMap<String, ResourceId>,
    ids: BTreeSet<ResourceId>,
    addresses: BTreeMap<String, ResourceId>,
    selecting: BTreeSet<ResourceId>,
    tokens: BTreeSet<ResourceId>,
    security: BTreeMap<String, PodSecurity>,
    volumes: BTreeSet<String>,
    defined: BTreeSet<GroupKind>,
}

impl Survey {
    /// Looks at every object of a set.
    #[must_use]
    pub fn of<'v>(objects: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut survey = Self::default();
        let mut policies = BTreeMap::new();
        let mut admitted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for object in objects {
            let Some(id) = identity(object) else { continue };
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            if let Some(uid) = text("/metadata/uid") {
                survey.uids.insert(uid.into(), id.clone());
            }
            match (id.group.as_str(), id.kind.as_str()) {
                ("", "Service") => survey.service(object, &id),
                ("", "PersistentVolume") => {
                    survey.volumes.insert(id.name.clone());
                }
                ("", "ServiceAccount") => survey.account(object, &id),
                ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                    if let (Some(group), Some(kind)) = (text("/spec/group"), text("/spec/names/kind")) {
                        survey.defined.insert(GroupKind::new(group, kind));
                    }
                }
                ("", "Pod") => {
                    if let Some(policy) = text("/metadata/annotations/kubernetes.io~1psp") {
                        let namespace = id.namespace.clone().unwrap_or_default();
                        admitted.entry(namespace).or_default().insert(policy.into());
                    }
                }
                ("policy" | "extensions", "PodSecurityPolicy") => {
                    policies.insert(id.name.clone(), PodSecurity::of(object));
                }
                _ => {}
            }
            survey.ids.insert(id);
        }
        for (namespace, names) in admitted {
            let used = names.iter().filter_map(|name| policies.get(name));
            if let Some(all) = used.cloned().reduce(PodSecurity::together) {
                survey.security.insert(namespace, all);
            }
        }
        survey
    }

    fn service(&mut self, object: &Value, id: &ResourceId) {
        let Some(spec) = object.get("spec") else { return };
        if spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty()) {
            self.selecting.insert(id.clone());
        }
        let one = spec.get("clusterIP").into_iter();
        let all = spec.get("clusterIPs").and_then(Value::as_array).into_iter().flatten();
        for address in one.chain(all).filter_map(Value::as_str).filter(|a| *a != "None" && !a.is_empty()) {
            self.addresses.insert(address.into(), id.clone());
        }
    }

    fn account(&mut self, object: &Value, id: &ResourceId) {
        let namespace = id.namespace.as_deref().unwrap_or_default();
        let secrets = object.get("secrets").and_then(Value::as_array).into_iter().flatten();
        for name in secrets.filter_map(|secret| secret.get("name")?.as_str()) {
            self.tokens.insert(ResourceId::new("", "Secret", namespace, name));
        }
    }

    /// Whether an object is in the set.
    #[must_use]
    pub fn has(&self, id: &ResourceId) -> bool {
        self.ids.contains(id)
    }

    /// Whether the set is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The object of a uid.
    #[must_use]
    pub fn by_uid(&self, uid: &str) -> Option<&ResourceId> {
        self.uids.get(uid)
    }

    /// The Service that has an address.
    #[must_use]
    pub fn service_of(&self, address: &str) -> Option<&ResourceId> {
        self.addresses.get(address)
    }

    /// Whether a Service finds its endpoints by a selector.
    #[must_use]
    pub fn selects(&self, namespace: &str, service: &str) -> bool {
        self.selecting.contains(&ResourceId::new("", "Service", namespace, service))
    }

    /// Whether the account controller made a Secret: its account lists it.
    #[must_use]
    pub fn lists_token(&self, secret: &ResourceId) -> bool {
        self.tokens.contains(secret)
    }

    /// Whether a `PersistentVolume` is in the set.
    #[must_use]
    pub fn has_volume(&self, name: &str) -> bool {
        self.volumes.contains(name)
    }

    /// Whether the definition of a custom kind is in the set.
    #[must_use]
    pub fn defines(&self, kind: &GroupKind) -> bool {
        self.defined.contains(kind)
    }

    /// What the policies that admitted a namespace's pods allow and set.
    #[must_use]
    pub fn security_of(&self, namespace: &str) -> Option<&PodSecurity> {
        self.security.get(namespace)
    }
}

/// The identity of an object; `None` for what is none.
#[must_use]
pub fn identity(object: &Value) -> Option<ResourceId> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let gvk = Gvk::from_api_version(text("/apiVersion")?, text("/kind")?);
    let namespace = text("/metadata/namespace").unwrap_or_default();
    Some(ResourceId::new(&gvk.group, &gvk.kind, namespace, text("/metadata/name")?))
}
