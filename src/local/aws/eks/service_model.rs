//! The service's own model (`service-2.json` of botocore), read at run time: operations, routes, shapes.

use super::pattern::{Pattern, PatternError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The model of a restJson1 service.
#[derive(Debug)]
pub struct Model {
    operations: Vec<Operation>,
    shapes: BTreeMap<String, Shape>,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error(
        "the EKS service model {path} cannot be read: {source}. It is botocore's service-2.json, installed with moto."
    )]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a service model.
    #[error("{path} is not a service model: {source}")]
    Parse {
        /// File.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It speaks another protocol.
    #[error("{path} describes a service that speaks {protocol}; only rest-json can be served")]
    Protocol {
        /// File.
        path: PathBuf,
        /// Protocol.
        protocol: String,
    },
    /// A pattern that is not understood.
    #[error("{path}, shape {shape}: {source}")]
    Pattern {
        /// File.
        path: PathBuf,
        /// Shape.
        shape: String,
        /// Why.
        source: PatternError,
    },
    /// A shape that is not there.
    #[error("{path}: {user} refers to the shape {shape}, which the model does not have")]
    Dangling {
        /// File.
        path: PathBuf,
        /// Who refers to it.
        user: String,
        /// Shape.
        shape: String,
    },
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// `CreateCluster`.
    pub name: String,
    /// `POST`.
    pub method: String,
    /// The path, in parts.
    pub path: Vec<Segment>,
    /// Shape of the input.
    pub input: Option<String>,
    /// Shape of the output.
    pub output: Option<String>,
    /// Exceptions that are documented for it.
    pub errors: Vec<String>,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// As it stands.
    Literal(String),
    /// A member of the input, by its `locationName`.
    Label(String),
}

/// A shape.
#[derive(Debug, Deserialize)]
pub struct Shape {
    /// `structure`, `list`, `map`, `string`, `integer`, `boolean`, `timestamp`…
    #[serde(rename = "type")]
    pub kind: String,
    /// Members of a structure.
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
    /// Members that have to be there.
    #[serde(default)]
    pub required: Vec<String>,
    /// Elements of a list.
    pub member: Option<Member>,
    /// Keys of a map.
    pub key: Option<Member>,
    /// Values of a map.
    pub value: Option<Member>,
    /// The only values.
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
    /// Least length, count or number.
    pub min: Option<f64>,
    /// Greatest length, count or number.
    pub max: Option<f64>,
    #[serde(rename = "pattern")]
    pattern_text: Option<String>,
    /// What a string has to look like.
    #[serde(skip)]
    pub pattern: Option<Pattern>,
    /// Whether it is an exception.
    #[serde(default)]
    pub exception: bool,
    error: Option<ErrorTrait>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorTrait {
    http_status_code: u16,
}

/// A reference to a shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Name of the shape.
    pub shape: String,
    /// `uri`, `querystring`, `header`; the body otherwise.
    pub location: Option<String>,
    /// Name on the wire, where it differs.
    pub location_name: Option<String>,
    /// Whether it makes a call repeatable.
    #[serde(default)]
    pub idempotency_token: bool,
}

impl Member {
    /// Its name on the wire.
    #[must_use]
    pub fn wire_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    operations: BTreeMap<String, RawOperation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Metadata {
    protocol: String,
}

#[derive(Deserialize)]
struct RawOperation {
    http: Http,
    input: Option<Member>,
    output: Option<Member>,
    #[serde(default)]
    errors: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    request_uri: String,
}

impl Model {
    /// Reads a `service-2.json`.
    ///
    /// # Errors
    /// No such file, another format or protocol, a pattern that is not understood, a shape that is missing.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read(path).map_err(|source| ModelError::Read { path: path.into(), source })?;
        let document: Document = serde_json::from_slice(&text)
            .map_err(|source| ModelError::Parse { path: path.into(), source })?;
        if document.metadata.protocol != "rest-json" {
            return Err(ModelError::Protocol { path: path.into(), protocol: document.metadata.protocol });
        }
        let mut shapes = document.shapes;
        for (name, shape) in &mut shapes {
            let Some(text) = &shape.pattern_text else { continue };
            let pattern = Pattern::new(text).map_err(|source| ModelError::Pattern {
                path: path.into(),
                shape: name.clone(),
                source,
            })?;
            shape.pattern = Some(pattern);
        }
        let operations = document
            .operations
            .into_iter()
            .map(|(name, raw)| Operation {
                name,
                method: raw.http.method,
                path: segments(&raw.http.request_uri),
                input: raw.input.map(|reference| reference.shape),
                output: raw.output.map(|reference| reference.shape),
                errors: raw.errors.into_iter().map(|reference| reference.shape).collect(),
            })
            .collect();
        let model = Self { operations, shapes };
        match model.dangling() {
            Some((user, shape)) => Err(ModelError::Dangling { path: path.into(), user, shape }),
            None => Ok(model),
        }
    }

    fn dangling(&self) -> Option<(String, String)> {
        let of_operations = self.operations.iter().flat_map(|operation| {
            let references = operation.input.iter().chain(&operation.output).chain(&operation.errors);
            references.map(|shape| (&operation.name, shape))
        });
        let of_shapes = self.shapes.iter().flat_map(|(name, shape)| {
            let references =
                shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value);
            references.map(move |reference| (name, &reference.shape))
        });
        of_operations
            .chain(of_shapes)
            .find(|(_, shape)| !self.shapes.contains_key(*shape))
            .map(|(user, shape)| (user.clone(), shape.clone()))
    }

    /// Every operation, by name.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// An operation by its name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// A shape by its name.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// The values of an enumeration; none for another shape.
    #[must_use]
    pub fn values(&self, shape: &str) -> &[String] {
        self.shapes.get(shape).map_or(&[], |shape| &shape.values)
    }

    /// HTTP status of an exception.
    #[must_use]
    pub fn status(&self, exception: &str) -> Option<u16> {
        let shape = self.shapes.get(exception).filter(|shape| shape.exception)?;
        Some(shape.error.as_ref().map_or(400, |error| error.http_status_code))
    }

    /// The operation that a method and a path (as sent, without the query) lead to, with the labels decoded. Of several
    /// the one with most literal parts.
    #[must_use]
    pub fn route(&self, method: &str, path: &str) -> Option<(&Operation, BTreeMap<String, String>)> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let mut found: Option<(&Operation, BTreeMap<String, String>)> = None;
        for operation in self.operations.iter().filter(|operation| operation.method == method) {
            let Some(labels) = labels(&operation.path, &parts) else { continue };
            if found.as_ref().is_none_or(|(_, best)| labels.len() < best.len()) {
                found = Some((operation, labels));
            }
        }
        found
    }
}

fn segments(uri: &str) -> Vec<Segment> {
    uri.trim_start_matches('/')
        .split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(label) => Segment::Label(label.into()),
            None => Segment::Literal(part.into()),
        })
        .collect()
}

fn labels(path: &[Segment], parts: &[&str]) -> Option<BTreeMap<String, String>> {
    if path.len() != parts.len() {
        return None;
    }
    let mut labels = BTreeMap::new();
    for (segment, part) in path.iter().zip(parts) {
        match segment {
            Segment::Literal(literal) if literal == part => {}
            Segment::Label(label) if !part.is_empty() => {
                labels.insert(label.clone(), super::request::percent_decoded(part));
            }
            _ => return None,
        }
    }
    Some(labels)
}
