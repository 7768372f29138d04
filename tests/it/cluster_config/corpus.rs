//! eksctl's schema and examples, where they lie beside the project: no field without a row, no example without an
//! answer. Without them these tests have nothing to do; what they found is held by the other tests.

use super::{files, name};
use portolan::model::cluster_config::{FieldRow, explain, fields, read, with_defaults};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/eksctl");
    folder.join("schema.json").exists().then_some(folder)
}

/// Paths of every field, written as the field table writes them.
fn paths(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = resolve(root, schema);
    if let Some(items) = schema.get("items") {
        paths(root, items, &format!("{path}[]"), found);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        paths(root, values, &format!("{path}.*"), found);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        paths(root, one, path, found);
    }
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        paths(root, schema, &path, found);
        found.insert(path);
    }
}

fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    while let Some(target) = schema["$ref"].as_str() {
        schema = &root["definitions"][target.trim_start_matches("#/definitions/")];
    }
    schema
}

#[test]
fn every_field_of_eksctls_schema_has_a_row_and_every_row_a_field() {
    let Some(folder) = corpus() else { return };
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("schema.json")).unwrap()).unwrap();
    let mut theirs = BTreeSet::new();
    paths(&schema, &schema, "", &mut theirs);
    let ours: BTreeSet<String> = explain().map(|row| row.path.clone()).collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && invented.is_empty(), "no row: {missing:#?}\nno field: {invented:#?}");
    assert!(ours.len() > 500, "{}", ours.len());
}

/// Our closed lists of values are eksctl's, less the refused ones.
#[test]
fn every_value_of_eksctls_schema_is_taken_or_refused() {
    let Some(folder) = corpus() else { return };
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("schema.json")).unwrap()).unwrap();
    let families = schema["definitions"]["NodeGroup"]["properties"]["amiFamily"]["enum"].as_array().unwrap();
    for family in families.iter().filter_map(Value::as_str) {
        let mut config = super::smallest();
        config["managedNodeGroups"] = serde_json::json!([{"name": "a", "amiFamily": family}]);
        let problems = super::parse(&config).err().unwrap_or_default();
        assert!(problems.iter().all(|problem| problem.contains("is not supported")), "{problems:?}");
    }
}

/// The refused fields that a file uses, as people write their paths.
fn refused(text: &str) -> Vec<String> {
    let document =
        portolan::model::yaml::read_stream(text.as_bytes(), &Default::default()).remove(0).expect("YAML");
    let mut found = Vec::new();
    let mut open = vec![(String::new(), String::new(), document.value().clone())];
    while let Some((row, shown, value)) = open.pop() {
        if fields::by_path(&row).is_some_and(FieldRow::is_refused)
            && !matches!(value, Value::Null | Value::Bool(false))
        {
            found.push(shown);
            continue;
        }
        let below =
            |path: &str, name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(inner) => {
                open.extend(
                    inner.into_iter().map(|(name, value)| (below(&row, &name), below(&shown, &name), value)),
                );
            }
            Value::Array(items) => {
                open.extend(
                    items
                        .into_iter()
                        .enumerate()
                        .map(|(nth, item)| (format!("{row}[]"), format!("{shown}[{nth}]"), item)),
                );
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_example_gives_a_config_or_clear_refusals() {
    let Some(folder) = corpus() else { return };
    let mut taken = Vec::new();
    for file in files(&folder.join("examples"), "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        match read(&text, name(&file)) {
            Ok((config, _)) => {
                assert_eq!(refused(&text), Vec::<String>::new(), "{} is taken", file.display());
                let _ = with_defaults(config);
                taken.push(name(&file).to_owned());
            }
            Err(problems) => {
                for field in refused(&text) {
                    let named =
                        |problem: &str| problem.contains(&format!("`{field}` is not supported, because"));
                    let told = problems.0.iter().filter(|problem| named(&problem.message)).count();
                    assert_eq!(told, 1, "{field} in {problems}");
                }
                for problem in &problems.0 {
                    assert!(problem.line > 0, "{problem}");
                    assert!(problem.hint.is_some() || !problem.is_error(), "no way out: {problem}");
                }
            }
        }
    }
    assert!(taken.len() >= 10, "{taken:?}");
}
