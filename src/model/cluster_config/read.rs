//! A ClusterConfig from text, or everything that is wrong with it.

use super::problems::{Positions, Problems, pointers};
use super::{API_VERSION, ClusterConfig, KIND, refuse, rules, schema, spelling};
use crate::model::document::{Placed, Problem};
use crate::model::yaml::{self, Document, Limits};
use serde_json::Value;

/// Group of eksctl's documents, of whatever version.
const GROUP: &str = "eksctl.io/";

/// Whether a document of a file is a ClusterConfig, of this version or another.
#[must_use]
pub fn is_cluster_config(value: &Value) -> bool {
    value["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP))
}

/// Reads the ClusterConfig of a file. The file may hold other documents beside it, which others read; a second
/// ClusterConfig is a mistake.
///
/// Nothing is filled in: [`super::with_defaults`] does that, so that a plan can show what the file says.
///
/// # Errors
/// Every mistake of the file: of YAML, of fields, of values, of rules between fields; and every field that is not
/// supported, with the reason and the way out.
pub fn read(text: &str, file: &str) -> Result<(ClusterConfig, Positions), Problems> {
    let mut problems = Vec::new();
    let mut configs: Vec<Document> = Vec::new();
    for document in yaml::read_stream(text.as_bytes(), &Limits::default()) {
        match document {
            Ok(document) if is_cluster_config(document.value()) => configs.push(document),
            Ok(_) => {}
            Err(error) => problems.push(Problem::of_file(file, error.message).at(error.line, error.column)),
        }
    }
    let Some(document) = configs.first() else {
        if problems.is_empty() {
            let problem = Problem::of_file(file, "there is no ClusterConfig in this file");
            problems
                .push(problem.hint(format!("begin it with `apiVersion: {API_VERSION}` and `kind: {KIND}`")));
        }
        return Err(Problems(problems));
    };
    for another in &configs[1..] {
        let problem =
            Problem::of_file(file, "there is a second ClusterConfig in this file").at(another.line(), 1);
        problems.push(problem.hint("move it to a file of its own: eksctl would read the first only"));
    }
    let placed = Placed::new(file, document);
    match one(document, &placed) {
        Ok((config, positions)) if problems.is_empty() => {
            let lookup = |pointer: String| placed.find(&pointer).map(|place| (pointer, place));
            let places = pointers(document.value()).into_iter().filter_map(lookup).collect();
            Ok((config, Positions { file: file.into(), line: document.line(), places, warnings: positions }))
        }
        Ok(_) => Err(sorted(problems)),
        Err(found) => {
            problems.extend(found);
            Err(sorted(problems))
        }
    }
}

/// One document: the config with its warnings, or its problems.
fn one(document: &Document, placed: &Placed) -> Result<(ClusterConfig, Vec<Problem>), Vec<Problem>> {
    let mut value = document.value().clone();
    let validator = schema::validator();
    validator.drop_nulls(&mut value);
    spelling::settle(&mut value);
    let mut violations = refuse::refused(&value);
    let refused: Vec<String> = violations.iter().map(|violation| violation.pointer.clone()).collect();
    // A refused value is no valid choice either, and one sentence about it is enough.
    violations.extend(validator.check(&value).into_iter().filter(|other| !refused.contains(&other.pointer)));
    let mut problems: Vec<Problem> =
        violations.into_iter().map(|violation| placed.violation(violation)).collect();
    let mut warnings: Vec<Problem> = placed.ignored().into_iter().collect();
    // Rules between fields need fields that can be read. What is refused is taken out for them, so that one run tells
    // as much as can be told.
    for pointer in &refused {
        remove(&mut value, pointer);
    }
    match serde_json::from_value::<ClusterConfig>(value) {
        Ok(config) => {
            for finding in rules::check(&config) {
                let problem = placed.violation(finding.violation);
                if finding.warning { warnings.push(problem.warning()) } else { problems.push(problem) }
            }
            if problems.is_empty() {
                warnings.sort();
                return Ok((config, warnings));
            }
        }
        // The schema comes from the types; should they ever part, the file is refused.
        Err(error) if problems.is_empty() => {
            problems.push(placed.problem("", format!("it cannot be read: {error}")))
        }
        Err(_) => {}
    }
    problems.extend(warnings);
    let name = document.value()["metadata"]["name"].as_str().map(|name| format!("{KIND} {name}"));
    Err(problems.into_iter().map(|problem| problem.about(name.clone())).collect())
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
        fields.remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}

fn sorted(mut problems: Vec<Problem>) -> Problems {
    problems.sort();
    problems.dedup();
    Problems(problems)
}
