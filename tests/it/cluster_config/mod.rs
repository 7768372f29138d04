//! The ClusterConfig: what is read, what is refused and why, and what holds where nothing is said.

mod corpus;
mod defaults;
mod eks_block;
mod errors;
mod shapes;
mod table;

use portolan::model::cluster_config::{ClusterConfig, FieldRow, Support, read};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cluster_config").join(folder)
}

/// The files of a folder that end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names of fixtures are UTF-8")
}

/// The smallest config there is.
fn smallest() -> Value {
    json!({
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "a", "region": "eu-central-1"},
    })
}

/// The smallest config with a value at a path of the field table, and what it needs on the way there.
fn with(path: &str, value: Value) -> Value {
    let mut config = smallest();
    let mut at = &mut config;
    let parts: Vec<&str> = path.split('.').collect();
    for (index, part) in parts.iter().enumerate() {
        let (key, list) = part.strip_suffix("[]").map_or((*part, false), |key| (key, true));
        let key = if key == "*" { "eu-central-1a" } else { key };
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[key];
        if index + 1 == parts.len() {
            *at = value;
            break;
        }
        if list {
            if !at.is_array() {
                *at = json!([{}]);
            }
            at = &mut at[0];
        }
    }
    config
}

fn parse(value: &Value) -> Result<ClusterConfig, Vec<String>> {
    let read = read(&value.to_string(), "c.yaml").map(|(config, _)| config);
    read.map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

/// A value that a field of this kind takes.
fn sample(row: &FieldRow) -> Value {
    let kind = row.kind.as_str();
    match kind {
        "true or false" => json!(true),
        "number" => json!(0.5),
        "list of text" => json!(["a"]),
        "map of text" => json!({"a": "b"}),
        "list of mappings" => json!([{}]),
        "mapping of any content" | "mappings by name" | "mapping" => json!({}),
        _ if kind.starts_with("whole number") => {
            let least = kind.split([',', ' ']).find_map(|word| word.parse::<u64>().ok());
            json!(least.unwrap_or(1).max(1))
        }
        _ => match kind.strip_prefix("list of one of ").or_else(|| kind.strip_prefix("one of ")) {
            Some(choices) => {
                let first = choices.split(", ").next().unwrap_or_default();
                if kind.starts_with("list") { json!([first]) } else { json!(first) }
            }
            None => json!("a"),
        },
    }
}

fn is_refused(row: &FieldRow) -> bool {
    matches!(row.support, Support::Refused { .. })
}
