//! The object stage: documents become objects, as kubectl's resource builder makes them.
//!
//! Rules of `k8s.io/apimachinery/pkg/apis/meta/v1/unstructured` (list detection, kinds of typed lists' items) and
//! `k8s.io/cli-runtime/pkg/resource` (flattening), tried with kubectl 1.36: whatever has a top-level `items` is a list,
//! `items: null` an empty one, an item that is a list again an error.

use crate::model::yaml::{Limits, Mark, read_stream};
use crate::model::{NotAnObject, Object, application};
use crate::ports::renderer::{RenderFailure, RenderedObject};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What a file, or the output of a program, holds.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Objects in the order of the text.
    pub objects: Vec<RenderedObject>,
    /// Documents and list items that could not be taken.
    pub problems: Vec<RenderFailure>,
    /// Text that kubectl drops without a word.
    pub warnings: Vec<RenderFailure>,
}

/// Reads all objects of a text. `origin` turns a line into the place that people are told, such as `file:line`;
/// `hint` is what to do about a document that is no manifest.
pub(super) fn take(text: &[u8], limits: &Limits, origin: &dyn Fn(u32) -> String, hint: &str) -> Taken {
    let mut taken = Taken::default();
    for (position, document) in read_stream(text, limits).into_iter().enumerate() {
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                let origin = format!("{}:{}", origin(error.line), error.column);
                taken.problems.push(RenderFailure { origin, message: error.message });
                continue;
            }
        };
        let line = document.line();
        if let Some(mark) = document.ignored() {
            let message = "kubectl drops the text from here to the next `---`; correct or remove it".into();
            taken.warnings.push(RenderFailure { origin: exact(origin, mark), message });
        }
        let mut refused = Vec::new();
        for (pointer, object) in objects_of(document.into_value()) {
            match object {
                Ok(object) if pointer.is_empty() => {
                    taken.objects.push(RenderedObject {
                        object,
                        origin: origin(line),
                        create_only: Vec::new(),
                    });
                }
                Ok(object) => {
                    let origin = format!("{} {pointer}", origin(line));
                    taken.objects.push(RenderedObject { object, origin, create_only: Vec::new() });
                }
                Err(refusal) => refused.push((pointer, refusal)),
            }
        }
        if !refused.is_empty() {
            // Only now is it worth finding where the field stands: the text is parsed once more.
            let again = read_stream(text, limits).into_iter().nth(position);
            let again = again.and_then(Result::ok);
            let marks = again.as_ref().and_then(|document| document.marks());
            for (pointer, refusal) in refused {
                let field = format!("{pointer}{}", refusal.pointer());
                let mark = marks.as_ref().map_or(Mark { line, column: 1 }, |marks| marks.nearest(&field));
                let message = refusal.message(hint);
                taken.problems.push(RenderFailure { origin: exact(origin, mark), message });
            }
        }
    }
    taken
}

fn exact(origin: &dyn Fn(u32) -> String, mark: Mark) -> String {
    format!("{}:{}", origin(mark.line), mark.column)
}

/// Why a value is not taken as an object.
#[derive(Debug)]
enum Refusal {
    NotAnObject(NotAnObject),
    ItemsNoList,
    NestedList,
    Encrypted,
    OwnDocument(String),
    Kustomization,
}

impl Refusal {
    /// Where in the object, as a JSON pointer.
    fn pointer(&self) -> String {
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

    fn message(&self, hint: &str) -> String {
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

/// The objects of a document, each with its JSON pointer there.
fn objects_of(value: Value) -> Vec<(String, Result<Object, Refusal>)> {
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
