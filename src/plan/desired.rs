//! From rendered objects to desired ones: what can be settled without asking a server, and where each one belongs.

use crate::model::{GroupKind, Gvk, NotAnObject, Object, ResourceId};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// An object that a source declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The object.
    pub object: Object,
    /// Where it comes from: `file:line`.
    pub origin: String,
    /// JSON pointers to fields that are sent when the object is created and left alone afterwards.
    pub create_only: Vec<String>,
}

/// Makes an object what the server would store of it, as far as that is plain without asking:
/// - `stringData` of a Secret becomes `data`, and wins there, as the API documents it. Left as it is, a key that is
///   dropped later would stay and an edit of `data` would not be seen;
/// - line breaks inside base64 `data`, which the server does not keep, go;
/// - metadata that only the server sets goes (`kubectl get -o yaml` in a repository): a stale `resourceVersion` or
///   `uid` would make every apply a conflict, and `managedFields` is refused in an apply;
/// - `status` goes from the built-in kinds, where the server ignores it.
///
/// # Errors
/// When `data` or `stringData` of a Secret is not a mapping to strings. The value itself is not shown.
pub fn normalize(object: &mut Object) -> Result<(), NotAnObject> {
    let metadata = object.metadata_mut();
    for field in [
        "creationTimestamp",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        metadata.remove(field);
    }
    if is_built_in(&object.gvk().group)
        && let Some(body) = object.body_mut().as_object_mut()
    {
        body.remove("status");
    }
    if object.is_secret() { normalize_secret(object) } else { Ok(()) }
}

fn normalize_secret(object: &mut Object) -> Result<(), NotAnObject> {
    let Some(body) = object.body_mut().as_object_mut() else {
        return Ok(());
    };
    let texts = secret_entries(body, "stringData")?;
    let mut data = secret_entries(body, "data")?;
    body.remove("stringData");
    for value in data.values_mut() {
        if let Value::String(text) = value {
            text.retain(|c| c != '\n' && c != '\r');
        }
    }
    for (key, value) in texts {
        // A null is an empty text in Go's JSON, and that is what the server would store.
        data.insert(key, Value::String(base64(value.as_str().unwrap_or_default().as_bytes())));
    }
    if !data.is_empty() || body.contains_key("data") {
        body.insert("data".into(), Value::Object(data));
    }
    Ok(())
}

/// A section of a Secret, whose values have to be text.
fn secret_entries(
    body: &Map<String, Value>,
    section: &'static str,
) -> Result<Map<String, Value>, NotAnObject> {
    match body.get(section) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(entries)) => {
            match entries.iter().find(|(_, value)| !value.is_string() && !value.is_null()) {
                Some((key, _)) => Err(NotAnObject::NotAString(format!("{section}.{key}"))),
                None => Ok(entries.clone()),
            }
        }
        Some(_) => Err(NotAnObject::NotAString(section.into())),
    }
}

/// Base64 of RFC 4648 section 4, with padding, as Go's `[]byte` in JSON has it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let sextet = (word >> (18 - 6 * position)) & 63;
            text.push(if position <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

/// Gives namespaced objects without a namespace the default one and takes it from cluster-scoped ones, as the API
/// server does with what `kubectl` sends it.
///
/// `scope` answers whether a kind is namespaced, `None` when the destination does not serve it. Then a
/// CustomResourceDefinition among the objects answers. Kinds that neither knows are returned, and their objects left
/// as they are: they wait until their CRD is served.
pub fn fill_namespaces(
    objects: &mut [Declared],
    default_namespace: &str,
    scope: &dyn Fn(&Gvk) -> Option<bool>,
) -> BTreeSet<GroupKind> {
    let declared = declared_scopes(objects);
    let mut known: BTreeMap<Gvk, Option<bool>> = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for entry in objects {
        let gvk = entry.object.gvk();
        let kind = gvk.group_kind();
        // What is served counts first: it is what the object will be sent to.
        match known.entry(gvk).or_insert_with_key(|gvk| scope(gvk).or_else(|| declared.get(&kind).copied())) {
            Some(true) if entry.object.namespace().is_none() => entry.object.set_namespace(default_namespace),
            Some(true) => {}
            Some(false) => entry.object.clear_namespace(),
            None => {
                unknown.insert(kind);
            }
        }
    }
    unknown
}

/// Scopes of the kinds that CustomResourceDefinitions among the objects define: `true` is namespaced.
fn declared_scopes(objects: &[Declared]) -> BTreeMap<GroupKind, bool> {
    objects
        .iter()
        .filter(|entry| {
            entry.object.kind() == "CustomResourceDefinition"
                && entry.object.gvk().group == "apiextensions.k8s.io"
        })
        .filter_map(|entry| {
            let spec = entry.object.body().get("spec")?;
            let kind =
                GroupKind::new(spec.get("group")?.as_str()?, spec.get("names")?.get("kind")?.as_str()?);
            Some((kind, spec.get("scope")?.as_str()? == "Namespaced"))
        })
        .collect()
}

/// Whether a built-in kind is namespaced; `None` for kinds of other groups. For use without a server at hand.
#[must_use]
pub fn builtin_scope(gvk: &Gvk) -> Option<bool> {
    const CLUSTER_SCOPED: [&str; 34] = [
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "DeviceTaintRule",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersion",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    ];
    is_built_in(&gvk.group).then(|| !CLUSTER_SCOPED.contains(&gvk.kind.as_str()))
}

/// The groups that Kubernetes itself serves. Other `*.k8s.io` groups (gateway.networking, metrics, snapshot.storage)
/// belong to projects beside it.
fn is_built_in(group: &str) -> bool {
    const GROUPS: [&str; 21] = [
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    GROUPS.contains(&group)
}

/// Two documents that declare one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id} is declared twice: {first} and {second}; keep it in one place")]
pub struct Duplicate {
    /// The object.
    pub id: ResourceId,
    /// Where it stands first.
    pub first: String,
    /// Where it stands again.
    pub second: String,
}

/// Finds objects that are declared more than once. Namespaces have to be filled in before.
///
/// Which of the two is meant cannot be known, so a rendering with one counts as incomplete and prunes nothing.
#[must_use]
pub fn duplicates(objects: &[Declared]) -> Vec<Duplicate> {
    let mut seen: BTreeMap<ResourceId, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in objects {
        let id = entry.object.id();
        match seen.get(&id) {
            Some(first) => found.push(Duplicate { id, first: (*first).into(), second: entry.origin.clone() }),
            None => {
                seen.insert(id, &entry.origin);
            }
        }
    }
    found
}
