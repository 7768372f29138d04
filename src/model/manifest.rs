//! From a document to Kubernetes objects, as kubectl's resource builder makes them.
//!
//! Rules of `k8s.io/apimachinery/pkg/apis/meta/v1/unstructured` (list detection, kinds of typed lists' items) and
//! `k8s.io/cli-runtime/pkg/resource` (flattening), tried with kubectl 1.36: whatever has a top-level `items` is a list,
//! `items: null` an empty one, an item that is a list again an error. One home for them, so that `portolan check` and the
//! daemon say the same of a file.

use super::{NotAnObject, Object, application};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Why a value is not taken as an object.
#[derive(Debug)]
pub enum Refusal {
    /// A field that every object has is missing or of another type.
    NotAnObject(NotAnObject),
    /// `items` is no list.
    ItemsNoList,
    /// An item of a list is a list.
    NestedList,
    /// A file of SOPS.
    Encrypted,
    /// A document of ours, of this kind.
    OwnDocument(String),
    /// A file of kustomize.
    Kustomization,
}

impl Refusal {
    /// Where in the object, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            Self::NotAnObject(NotAnObject::Missing(field)) => format!("/{}", field.replace('.', "/")),
            Self::NotAnObject(NotAnObject::NotAString(field)) => {
                // Only the first two dots part levels: what follows is a label's or annotation's key.
                let parts: Vec<String> =
                    field.splitn(3, '.').map(|part| part.replace('~', "~0").replace('/', "~1")).collect();
                format!("/{}", parts.join("/"))
            }
            Self::NotAnObject(NotAnObject::NotAMapping) => String::new(),
            Self::ItemsNoList | Self::NestedList => "/items".into(),
            Self::Encrypted => "/sops".into(),
            Self::OwnDocument(_) | Self::Kustomization => "/apiVersion".into(),
        }
    }

    /// What is wrong and what to do; `hint` is what to do about a file that is no manifest.
    #[must_use]
    pub fn message(&self, hint: &str) -> String {
        match self {
            Self::NotAnObject(
                reason @ (NotAnObject::NotAMapping | NotAnObject::Missing("apiVersion" | "kind")),
            ) => {
                format!("{reason}{hint}")
            }
            Self::NotAnObject(reason) => reason.to_string(),
            Self::ItemsNoList => {
                "`items` is no list; whatever has `items` at the top is a list of objects to kubectl".into()
            }
            Self::NestedList => {
                "a list inside a list is not taken, by kubectl neither; put its items into the outer list"
                    .into()
            }
            Self::Encrypted => {
                "it is encrypted with SOPS, which is not decrypted here; keep the secret in the cluster \
                                with an operator, or leave the file out"
                    .into()
            }
            Self::OwnDocument(kind) => format!(
                "a {kind} of {} is read where the daemon's file says (`path` of the repository), not as a manifest; \
                 leave it out with `spec.source.exclude`",
                application::API_VERSION
            ),
            Self::Kustomization => {
                "a kustomization file is no manifest; name its folder as the path of an application, \
                                    or leave it out with `spec.source.exclude`"
                    .into()
            }
        }
    }
}

/// What to do about a file that holds no manifest.
#[must_use]
pub fn hint(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name == "Chart.yaml" || name.starts_with("values") {
        "; it looks like a part of a Helm chart: name the chart's folder as the path of an application, or leave the \
         file out with `spec.source.exclude`"
    } else {
        "; if the file is no manifest, leave it out with `spec.source.exclude`"
    }
}

/// The objects of a document, each with its JSON pointer there.
#[must_use]
pub fn objects_of(value: Value) -> Vec<(String, Result<Object, Refusal>)> {
    match value {
        Value::Object(mut body) if body.contains_key("items") => {
            let Some(items) = body.remove("items") else {
                return Vec::new();
            };
            match items {
                Value::Null => Vec::new(),
                Value::Array(items) => {
                    let items = items.into_iter().enumerate();
                    items.map(|(index, item)| (format!("/items/{index}"), list_item(&body, item))).collect()
                }
                _ => vec![(String::new(), Err(Refusal::ItemsNoList))],
            }
        }
        value => vec![(String::new(), object(value))],
    }
}

/// Items of a typed list may leave out kind and apiVersion together; then they are the list's.
fn list_item(list: &Map<String, Value>, mut item: Value) -> Result<Object, Refusal> {
    if let Value::Object(body) = &mut item {
        if body.get("items").is_some_and(Value::is_array) {
            return Err(Refusal::NestedList);
        }
        let text = |map: &Map<String, Value>, key: &str| {
            map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        if text(body, "kind").is_empty() && text(body, "apiVersion").is_empty() {
            let kind = text(list, "kind");
            body.insert("kind".into(), kind.strip_suffix("List").unwrap_or(&kind).into());
            body.insert("apiVersion".into(), text(list, "apiVersion").into());
        }
    }
    object(item)
}

fn object(mut value: Value) -> Result<Object, Refusal> {
    let field = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (group, kind) = (field("apiVersion").split('/').next().unwrap_or_default(), field("kind"));
    if group == "portolan.dev" {
        return Err(Refusal::OwnDocument(kind.to_owned()));
    }
    if group == "kustomize.config.k8s.io" && ["Kustomization", "Component"].contains(&kind) {
        return Err(Refusal::Kustomization);
    }
    // SOPS adds its own section and leaves values that no one could use.
    if value.get("sops").is_some_and(|sops| sops.get("mac").is_some()) {
        return Err(Refusal::Encrypted);
    }
    name_generated(&mut value);
    Object::new(value).map_err(Refusal::NotAnObject)
}

/// Gives an object with `metadata.generateName` alone a makeshift name from its content, so that it has an identity.
/// It stays beside `generateName`: the plan gives hooks their final names and refuses the others.
fn name_generated(value: &mut Value) {
    let digest = Sha256::digest(value.to_string());
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(prefix) =
        metadata.get("generateName").and_then(Value::as_str).filter(|prefix| !prefix.is_empty())
    else {
        return;
    };
    if metadata.get("name").is_none_or(|name| name.is_null() || name == "") {
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{prefix}{hash}");
        metadata.insert("name".into(), name.into());
    }
}
