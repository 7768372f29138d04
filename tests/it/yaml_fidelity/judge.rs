//! kubectl as the judge: what it makes of a file, and whether we make the same of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use portolan::model::yaml::{Limits, YamlErrorKind, read_stream};
use serde_json::{Map, Value, json};

/// What kubectl made of one file.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The objects it printed, with the label of the judge added.
    pub printed: Vec<Value>,
    /// What it said when it could not read on. Objects that are read but no objects are not meant by this.
    pub refused: Option<String>,
}

/// How our reading of a file compares with kubectl's.
#[derive(Debug, PartialEq, Eq)]
pub enum Agreement {
    Same,
    /// We refuse it on purpose, for the reason named.
    Stricter(&'static str),
    Different(String),
}

/// The object shown behind every file, so that what is printed can be told apart.
fn marker() -> Value {
    json!({"apiVersion": "v1", "kind": "Marker", "metadata": {"name": "marker"}})
}

/// Shows all files to one kubectl process.
///
/// Every file is read on its own, so an error in one hides nothing of the others. `label --local` needs no server and
/// reads with the same code as `apply`.
pub fn judge(kubectl: &Path, files: &[Vec<u8>]) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("marker.json"), marker().to_string()).unwrap();
    let mut command = Command::new(kubectl);
    command
        .args(["label", "--local", "--show-managed-fields", "-o", "json", "judge=zz"])
        .current_dir(folder.path());
    for (number, file) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.yaml")), file).unwrap();
        command.arg(format!("-f={number}.yaml")).arg("-f=marker.json");
    }
    let output = command.env_clear().env("HOME", folder.path()).stdin(Stdio::null()).output().unwrap();

    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut current = Verdict::default();
    for object in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
        let object = normal(object.unwrap());
        if object == labelled(&marker()) {
            verdicts.push(std::mem::take(&mut current));
        } else {
            current.printed.push(object);
        }
    }
    assert_eq!(verdicts.len(), files.len(), "kubectl did not get through:\n{}", tail(&output.stderr));

    let messages = String::from_utf8_lossy(&output.stderr);
    for (number, message) in refusals(&messages) {
        verdicts[number].refused.get_or_insert(message);
    }
    verdicts
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rev().take(5).collect::<Vec<_>>().join("\n")
}

/// The files of which kubectl says that it cannot parse them.
fn refusals(messages: &str) -> BTreeMap<usize, String> {
    messages
        .split("error parsing ")
        .skip(1)
        .filter_map(|message| {
            let (path, reason) = message.split_once(".yaml: ")?;
            Some((path.parse().ok()?, reason.lines().next().unwrap_or_default().to_owned()))
        })
        .collect()
}

/// Compares our reading of a file with kubectl's, document by document.
///
/// kubectl stops at the first document it cannot parse, so nothing behind that is compared; nor is anything behind a
/// document that we alone refuse.
pub fn compare(file: &[u8], verdict: &Verdict) -> Agreement {
    let mut printed = verdict.printed.iter().peekable();
    for document in read_stream(file, &Limits::default()) {
        let value = match document {
            Ok(document) => document.into_value(),
            // JSON with a number out of range is parsed; kubectl fails when it decodes the object, and goes on.
            Err(error)
                if error.kind == YamlErrorKind::Number
                    && (verdict.refused.is_none() || printed.peek().is_some()) =>
            {
                continue;
            }
            Err(error) => {
                return match (error.kind, &verdict.refused, printed.peek()) {
                    (YamlErrorKind::DuplicateKey { .. }, ..) => Agreement::Stricter("duplicate key"),
                    (YamlErrorKind::Encoding, None, _) => Agreement::Stricter("encoding"),
                    (YamlErrorKind::Limit, None, _) => Agreement::Stricter("limit"),
                    (_, Some(_), None) => Agreement::Same,
                    (.., next) => Agreement::Different(format!("we say: {error}; kubectl printed {next:?}")),
                };
            }
        };
        if printed.peek().is_some_and(|printed| is_same(printed, &value)) {
            printed.next();
        } else if is_plain_object(&value) {
            return Agreement::Different(format!("we read {value}, kubectl printed {:?}", printed.peek()));
        }
        // Else kubectl failed to decode the object, or took it for a list.
        while printed.peek().is_some_and(|object| is_part_of_list(object, &value)) {
            printed.next();
        }
    }
    match (printed.next(), &verdict.refused) {
        (None, None) => Agreement::Same,
        (None, Some(reason)) => Agreement::Different(format!("we take all of it, kubectl says: {reason}")),
        (Some(object), _) => Agreement::Different(format!("kubectl printed {object}, which we did not read")),
    }
}

/// Whether kubectl made the object from an entry of a list; that is not the reader's business.
fn is_part_of_list(object: &Value, value: &Value) -> bool {
    let Some(items) = value.get("items").and_then(Value::as_array) else {
        return false;
    };
    items
        .iter()
        .any(|item| item.get("metadata").and_then(|m| m.get("name")) == object.pointer("/metadata/name"))
}

/// Whether kubectl printed a value. Metadata of the wrong type are left out: the command changes them, and not even
/// in the same way from run to run.
fn is_same(printed: &Value, value: &Value) -> bool {
    let mut expected = labelled(value);
    let mut printed = printed.clone();
    let wrong: Vec<String> = match value.get("metadata") {
        Some(Value::Object(metadata)) => {
            metadata.keys().filter(|key| !is_typed_well(metadata, key)).cloned().collect()
        }
        _ => Vec::new(),
    };
    for object in [&mut expected, &mut printed] {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !wrong.contains(key));
        }
    }
    expected == printed
}

fn is_typed_well(metadata: &Map<String, Value>, key: &str) -> bool {
    match key {
        "name" | "namespace" => metadata[key].is_string(),
        "labels" | "annotations" => is_text_map(&metadata[key]),
        _ => true,
    }
}

fn is_text_map(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.values().all(Value::is_string))
}

/// Whether kubectl is bound to take a value as one object: nothing in it is typed wrong, and it is no list.
fn is_plain_object(value: &Value) -> bool {
    let Some(metadata) = value.get("metadata").and_then(Value::as_object) else {
        return false;
    };
    let is_text =
        |key: &str, fits: fn(&str) -> bool| value.get(key).and_then(Value::as_str).is_some_and(fits);
    let known = ["name", "namespace", "labels", "annotations"];
    value.get("items").is_none()
        && is_text("kind", |kind| !kind.is_empty())
        && is_text("apiVersion", |version| version.matches('/').count() < 2)
        && metadata.keys().all(|key| known.contains(&key.as_str()) && is_typed_well(metadata, key))
}

/// The value as kubectl prints it, the label of the judge added.
fn labelled(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        let metadata = object.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            let labels = metadata.entry("labels").or_insert_with(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert("judge".to_owned(), json!("zz"));
            }
        }
    }
    value
}

/// Undoes what printing and reading JSON again does to numbers: kubectl holds only int64 and float64, and prints the
/// float -0, which any server takes for 0.
fn normal(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        Value::Number(number) if number.as_f64() == Some(0.0) => json!(0),
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => json!(number.as_f64()),
        other => other,
    }
}
