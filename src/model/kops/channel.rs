//! The bootstrap channel: which add-ons kops itself installed, with the objects of each.

use super::error::Problem;
use crate::model::yaml::{self, Limits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// An add-on of the channel.
#[derive(Clone, Default, PartialEq)]
pub struct Addon {
    /// Its name: `coredns.addons.k8s.io`.
    pub name: String,
    /// Which of its variants: `k8s-1.12`. Empty where there is one only.
    pub id: String,
    /// Where its manifest is: a path beside the channel, or a URL.
    pub manifest: String,
    /// SHA-256 of the manifest, as kops wrote it.
    pub manifest_hash: Option<String>,
    /// Labels of its objects.
    pub selector: BTreeMap<String, String>,
    /// Its objects; none where the manifest is not in the state store.
    pub objects: Option<Vec<Value>>,
}

/// Without the objects.
impl fmt::Debug for Addon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addon")
            .field("name", &self.name)
            .field("id", &self.id)
            .field("objects", &self.objects.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// `addons/bootstrap-channel.yaml` with the manifests that it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// Add-ons, in the channel's order.
    pub addons: Vec<Addon>,
}

impl Channel {
    /// Reads a channel. `manifest` gives the text of a manifest by the path that the channel names it by.
    pub(super) fn read<'a>(
        origin: &str,
        bytes: &[u8],
        manifest: impl Fn(&str) -> Option<(String, &'a [u8])>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut addons = Vec::new();
        for document in objects(origin, bytes, problems) {
            for row in document["spec"]["addons"].as_array().into_iter().flatten() {
                let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
                let path = text("manifest");
                let objects = manifest(&path).map(|(key, bytes)| objects(&key, bytes, problems));
                addons.push(Addon {
                    name: text("name"),
                    id: text("id"),
                    manifest_hash: row["manifestHash"].as_str().map(str::to_owned),
                    selector: labels(&row["selector"]),
                    manifest: path,
                    objects,
                });
            }
        }
        Self { addons }
    }
}

fn labels(selector: &Value) -> BTreeMap<String, String> {
    let pairs = selector.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The objects of a manifest, lists taken apart.
fn objects(origin: &str, bytes: &[u8], problems: &mut Vec<Problem>) -> Vec<Value> {
    let mut objects = Vec::new();
    for document in yaml::read_stream(bytes, &Limits::default()) {
        match document {
            Ok(document) => match document.into_value() {
                Value::Object(fields) if fields.get("kind").is_some_and(|kind| *kind == "List") => {
                    objects
                        .extend(fields.get("items").and_then(Value::as_array).into_iter().flatten().cloned());
                }
                object @ Value::Object(_) => objects.push(object),
                _ => {}
            },
            Err(error) => {
                problems.push(Problem { origin: origin.to_owned(), line: error.line, message: error.message })
            }
        }
    }
    objects
}
