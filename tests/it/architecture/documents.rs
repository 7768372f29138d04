//! What the documents say about the project, held against it.

use super::source::{tokens, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The names of the tests that a file holds.
pub fn tests_of(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut names = BTreeSet::new();
    let mut pending = false;
    for at in 0..tokens.len() {
        let attribute =
            words(&tokens, at, &["#", "[", "test", "]"]) || words(&tokens, at, &["tokio", "::", "test"]);
        pending |= attribute;
        if pending && tokens[at].text == "fn" {
            names.extend(tokens.get(at + 1).map(|name| name.text.clone()));
            pending = false;
        }
    }
    names
}

/// The texts between backticks.
fn quoted(document: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let prose = document.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    prose.flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |text| (number + 1, text)))
}

/// What a document names and the project does not have: tests (`it::file::name`, `module::file::tests::name`), files by
/// their path, and Rust files by their name alone. `tests` has the tests of every Rust file.
pub fn broken_references(
    name: &str,
    document: &str,
    tests: &BTreeMap<String, BTreeSet<String>>,
    root: &Path,
) -> Vec<String> {
    let mut broken = Vec::new();
    for (line, text) in quoted(document) {
        let test = match (text.strip_prefix("it::"), text.split_once("::tests::")) {
            (Some(inner), _) => inner
                .rsplit_once("::")
                .map(|(file, name)| (format!("tests/it/{}", file.replace("::", "/")), name)),
            (None, Some((module, name))) => Some((format!("src/{}", module.replace("::", "/")), name)),
            (None, None) => None,
        };
        if let Some((file, test)) = test {
            let candidates = [format!("{file}.rs"), format!("{file}/mod.rs")];
            if !candidates.iter().filter_map(|path| tests.get(path)).any(|names| names.contains(test)) {
                broken.push(format!("{name}:{line}: there is no test `{text}`"));
            }
        }
        let is_path = ["src/", "tests/", "deploy/", "config/", "benches/", ".ci/"]
            .iter()
            .any(|folder| text.starts_with(folder));
        let is_literal = !text.contains(['*', '<', '{', ' ', '$']);
        let ending = format!("/{text}");
        let is_bare = is_literal && !is_path && text.ends_with(".rs");
        if is_bare && !tests.keys().any(|path| path.ends_with(&ending)) {
            broken.push(format!("{name}:{line}: there is no file `{text}`"));
        }
        if is_path && is_literal && !root.join(text).exists() {
            broken.push(format!("{name}:{line}: there is no file `{text}`"));
        }
    }
    broken
}
