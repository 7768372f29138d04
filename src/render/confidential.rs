//! Keeps secrets out of what is told about a failed run: kustomize and Helm quote what they choke on, whole objects
//! included.

use super::path;
use super::select::KUSTOMIZATION_FILES;
use crate::model::SourceFile;
use crate::model::yaml::{Limits, read_stream};
use serde_json::Value;
use std::collections::BTreeSet;

/// Shorter texts are not masked: they stand in every sentence.
const SHORTEST: usize = 4;
/// What a key is called whose value is nobody's business.
const TELLING: [&str; 8] =
    ["password", "passwd", "secret", "token", "credential", "apikey", "privatekey", "passphrase"];

/// The texts of a source that must not be shown.
#[derive(Default)]
pub(super) struct Confidential(BTreeSet<String>);

impl Confidential {
    /// Looks for secrets in files of a folder: Secrets, what secret generators read, and values under telling keys.
    pub fn collect(&mut self, folder: &str, files: &[SourceFile]) {
        for file in files {
            let name = path::split(&file.path).1;
            let is_document = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
            if is_document || KUSTOMIZATION_FILES.contains(&name) {
                for document in read_stream(&file.content, &Limits::default()).into_iter().flatten() {
                    self.collect_values(document.value());
                    self.collect_generators(document.value(), &path::join(folder, &file.path), folder, files);
                }
            }
        }
    }

    /// Looks for secrets in values.
    pub fn collect_values(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
                for (key, entry) in map {
                    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
                    let plain = plain.to_ascii_lowercase();
                    if (is_secret && (plain == "data" || plain == "stringdata"))
                        || TELLING.iter().any(|word| plain.contains(word))
                    {
                        self.add_leaves(entry);
                    } else {
                        self.collect_values(entry);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect_values(item)),
            _ => {}
        }
    }

    fn collect_generators(&mut self, kustomization: &Value, at: &str, folder: &str, files: &[SourceFile]) {
        let generators = kustomization.get("secretGenerator").and_then(Value::as_array);
        for generator in generators.into_iter().flatten() {
            let texts = |field: &str| {
                let list = generator.get(field).and_then(Value::as_array).into_iter().flatten();
                list.filter_map(Value::as_str).map(String::from).collect::<Vec<_>>()
            };
            for literal in texts("literals") {
                self.add(literal.split_once('=').map_or(literal.as_str(), |(_, value)| value));
            }
            let single = generator.get("env").and_then(Value::as_str).map(String::from);
            for reference in texts("files").into_iter().chain(texts("envs")).chain(single) {
                let reference = reference.split_once('=').map_or(reference.as_str(), |(_, path)| path);
                let Some(target) = path::resolve(path::split(at).0, reference) else {
                    continue;
                };
                let read = files.iter().find(|file| path::join(folder, &file.path) == target);
                for line in read.into_iter().flat_map(|file| file.content.split(|byte| *byte == b'\n')) {
                    let line = String::from_utf8_lossy(line);
                    self.add(&line);
                    self.add(line.split_once('=').map_or("", |(_, value)| value));
                }
            }
        }
    }

    fn add_leaves(&mut self, value: &Value) {
        match value {
            Value::String(text) => text.lines().for_each(|line| self.add(line)),
            Value::Array(items) => items.iter().for_each(|item| self.add_leaves(item)),
            Value::Object(map) => map.values().for_each(|entry| self.add_leaves(entry)),
            Value::Number(number) => self.add(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add(&mut self, text: &str) {
        let text = text.trim().trim_matches(['"', '\'']);
        if text.len() >= SHORTEST {
            self.0.insert(text.to_owned());
        }
    }

    /// A program's words without the secrets, and without the objects that Go prints as `map[…]{…}`.
    pub fn mask(&self, words: &str) -> String {
        let mut words = match (words.find("map["), words.rfind(['}', ']'])) {
            (Some(start), Some(end)) if start < end => {
                format!("{}(object){}", &words[..start], &words[end + 1..])
            }
            _ => words.to_owned(),
        };
        // Longer texts first: a shorter one may be a part of them.
        let mut texts: Vec<&String> = self.0.iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        for text in texts {
            words = words.replace(text.as_str(), "(sensitive)");
        }
        words
    }
}

/// The lines in which a program that did its work warns all the same.
pub(super) fn warnings(words: &str) -> impl Iterator<Item = &str> {
    words.lines().map(str::trim).filter(|line| line.to_ascii_lowercase().contains("warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), content: text.as_bytes().into() }
    }

    #[test]
    fn secrets_of_every_source_are_masked() {
        let files = [
            file("a.yaml", "kind: Secret\nstringData: {k: hunter2, pem: \"first line\\nsecond line\"}\n"),
            file(
                "kustomization.yaml",
                "secretGenerator:\n- {name: a, literals: [k=literal1], files: [x=raw.txt], envs: [db.env]}\n",
            ),
            file("raw.txt", "rawcontent\n"),
            file("db.env", "KEY=envvalue\n"),
            file("values.yaml", "db: {rootPassword: swordfish, host: database}\n"),
        ];
        let mut confidential = Confidential::default();
        confidential.collect("app", &files);
        let shown = confidential.mask("hunter2 second line literal1 rawcontent envvalue swordfish database");
        assert_eq!(shown, "(sensitive) (sensitive) (sensitive) (sensitive) (sensitive) (sensitive) database");
    }

    #[test]
    fn printed_objects_are_cut_out() {
        let shown =
            Confidential::default().mask("Error: map[string]interface {}{\"a\":\"x\"}: json: bad type");
        assert_eq!(shown, "Error: (object): json: bad type");
    }
}
