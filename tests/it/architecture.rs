//! The rings hold: who may import whom, which crate is used where, what the pure rings must not do, and that the
//! documents name only tests and files that exist. ARCHITECTURE.md tells why.

mod documents;
mod rules;
mod source;

use documents::{broken_references, tests_of};
use rules::{SourceFile, crate_violations, effect_violations, import_violations};
use source::{tokens, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Longest file, in lines, tests included.
const LONGEST: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, as path from its root and text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn source_files() -> Vec<SourceFile> {
    rust_files("src").iter().map(|(path, text)| SourceFile::new(path, text)).collect()
}

/// The names that Cargo.toml gives its dependencies, as code writes them.
fn dependencies() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let sections = manifest
        .split("\n[")
        .filter(|section| section.lines().next().is_some_and(|line| line.ends_with("dependencies]")));
    let lines = sections.flat_map(str::lines).filter_map(|line| line.split_once(" = "));
    lines.map(|(name, _)| name.trim().replace('-', "_")).collect()
}

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn imports_go_down() {
    let files = source_files();
    assert!(files.len() > 100, "only {} files were found", files.len());
    assert_none(files.iter().flat_map(import_violations).collect());
}

#[test]
fn crates_stay_where_they_belong() {
    let dependencies = dependencies();
    assert!(dependencies.contains("kube") && dependencies.contains("serde_yaml"), "{dependencies:?}");
    assert_none(source_files().iter().flat_map(|file| crate_violations(file, &dependencies)).collect());
}

#[test]
fn the_pure_rings_have_no_effects() {
    assert_none(source_files().iter().flat_map(effect_violations).collect());
}

#[test]
fn no_file_is_too_long() {
    let files = ["src", "tests", "benches"].into_iter().flat_map(rust_files);
    let long = files.map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    assert_none(
        long.map(|(path, lines)| format!("{path}: {lines} lines, {LONGEST} are the limit")).collect(),
    );
}

/// A file that nobody declares is compiled by nobody, and its tests never run.
#[test]
fn every_test_file_is_declared() {
    let declares = |file: &str, name: &str| {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        let tokens = tokens(&text);
        (0..tokens.len()).any(|at| words(&tokens, at, &["mod", name]))
    };
    let undeclared = rust_files("tests/it").into_iter().map(|(path, _)| path).filter(|path| {
        let (folder, name) = path.trim_end_matches(".rs").rsplit_once('/').unwrap();
        // `x/mod.rs` is the module `x` of the folder above.
        let (folder, name) = if name == "mod" { folder.rsplit_once('/').unwrap() } else { (folder, name) };
        let declared_in = [format!("{folder}.rs"), format!("{folder}/mod.rs"), "tests/it/main.rs".into()];
        name != "main" && !declared_in.iter().any(|file| declares(file, name))
    });
    assert_none(undeclared.map(|path| format!("{path}: no file has a `mod` for it")).collect());
}

#[test]
fn documents_name_only_what_exists() {
    let files = ["src", "tests"].into_iter().flat_map(rust_files);
    let tests: BTreeMap<_, _> = files.map(|(path, text)| (path, tests_of(&text))).collect();
    let mut broken = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "deploy/README.md"] {
        let document = std::fs::read_to_string(root().join(name)).unwrap();
        broken.extend(broken_references(name, &document, &tests, &root()));
    }
    assert_none(broken);
}

/// The rules above find what they are for: each text breaks one of them.
#[test]
fn each_rule_refuses_what_it_is_for() {
    let dependencies: BTreeSet<String> = ["kube", "tokio", "http", "serde", "rand"].map(String::from).into();
    let told = |path: &str, text: &str| {
        let file = SourceFile::new(path, text);
        [import_violations(&file), crate_violations(&file, &dependencies), effect_violations(&file)].concat()
    };
    let refused = [
        (
            "src/model/a.rs",
            "\n\nuse crate::{\n  ports::Clock,\n};",
            "src/model/a.rs:4: `model` uses `crate::ports::Clock`",
        ),
        ("src/plan/mod.rs", "use super::drift::Finding;", "`plan` uses `super::drift::Finding`"),
        ("src/plan/a.rs", "mod x { fn f() { super::super::super::health::assess(); } }", "`plan` uses"),
        ("src/git/a.rs", "pub(crate) fn f(a: crate::k8s::ApiServer) {}", "never another adapter"),
        ("src/engine/a.rs", "use crate::{model::Object, k8s::{self, events}};", "never through an adapter"),
        ("src/http/mod.rs", "fn f() { crate::git::open() }", "an edge reaches adapters"),
        ("src/novel/mod.rs", "", "no line in the ring table"),
        ("src/render/a.rs", "use kube::Client;", "that crate belongs to k8s"),
        ("src/drift/a.rs", "fn f() { rand::random() }", "data crates only"),
        ("src/git/a.rs", "use aws_sdk_eks as eks;", "that crate belongs to aws"),
        ("src/ports/a.rs", "fn f() { tokio::spawn(g()); }", "nothing that runs"),
        ("src/health/a.rs", "fn f() { let t = std::time::Instant::now(); }", "reads the clock"),
        ("src/drift/a.rs", "async fn f() {}", "waits for nothing"),
        ("src/engine/a.rs", "fn f() { std::env::var(\"HOME\"); }", "the environment is read at the edge"),
        ("src/engine/a.rs", "fn f() { println!(\"{}\", 1); }", "only `cli` prints"),
        ("src/cli/a.rs", "fn f() { std::process::exit(1) }", "only main ends the process"),
    ];
    for (path, text, words) in refused {
        let violations = told(path, text);
        assert!(
            violations.iter().any(|violation| violation.contains(words)),
            "{path} {text:?}: {violations:?}"
        );
    }
    let accepted = [
        (
            "src/model/a.rs",
            "/// [`crate::engine`] and crate::k8s::x\nconst A: &str = \"crate::git::x\"; // crate::git::y",
        ),
        (
            "src/plan/a.rs",
            "use super::order; use super::super::plan::guard; const R: &str = r#\"async \" kube::x\"#;",
        ),
        (
            "src/plan/a.rs",
            "#[cfg(test)]\nmod tests { use super::*; fn f() { std::fs::read(\"a\"); let t = Instant::now(); } }",
        ),
        (
            "src/cli/a.rs",
            "use crate::http::{self, Pages}; fn f<'a>(c: &'a char) { http::serve('\"', '\\''); tokio::spawn(g()); }",
        ),
        ("src/ports/a.rs", "use tokio::sync::mpsc; fn f(a: tokio::sync::mpsc::Sender<u8>) {}"),
        (
            "src/engine/a.rs",
            "/* crate::k8s /* crate::git */ crate::git */ use crate::plan::{Plan, guard::{self}};",
        ),
        ("src/main.rs", "fn main() { std::process::exit(portolan::git::run()) }"),
    ];
    for (path, text) in accepted {
        assert_eq!(told(path, text), Vec::<String>::new(), "{path} {text:?}");
    }
    let tests = BTreeMap::from([("tests/it/a.rs".to_owned(), BTreeSet::from(["holds".to_owned()]))]);
    let document =
        "`it::a::holds` and `it::a::gone`\n```\n`it::b::c`\n```\n`src/none.rs` `src/*.rs` `a.rs` `none.rs`";
    let broken = broken_references("D", document, &tests, &root());
    assert_eq!(
        broken,
        [
            "D:1: there is no test `it::a::gone`",
            "D:5: there is no file `src/none.rs`",
            "D:5: there is no file `none.rs`"
        ]
    );
}
