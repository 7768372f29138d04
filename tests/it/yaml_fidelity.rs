//! The YAML reader against kubectl itself, and what it promises beyond that.

mod cases_documents;
mod cases_scalars;
mod generate;
mod judge;
mod places;
mod properties;

use std::collections::BTreeMap;
use std::path::PathBuf;

use portolan::model::yaml::{Document, Limits, YamlError, YamlErrorKind, read_stream};

use cases_documents::{DOCUMENTS, FILES};
use cases_scalars::{KEYS, VALUES};
use judge::{Agreement, compare, judge};

/// What stands before a case that is no whole file.
const HEADER: &str = "apiVersion: example.com/v1\nkind: T\nmetadata: {name: t}\n";

/// The kubectl that judges: the one named in the environment, else the pinned one.
fn kubectl() -> PathBuf {
    std::env::var_os("PORTOLAN_KUBECTL").map_or_else(crate::support::programs::kubectl, PathBuf::from)
}

/// The table as files, each with what is expected of it.
fn table() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (text, value) in VALUES {
        files.push((format!("{HEADER}v: {text}\n"), (*value).to_owned()));
    }
    for (text, key) in KEYS {
        files.push((format!("{HEADER}v:\n  {text}: 1\n"), (*key).to_owned()));
    }
    for (text, rest) in DOCUMENTS {
        files.push((format!("{HEADER}{text}"), (*rest).to_owned()));
    }
    for (text, kinds) in FILES {
        files.push((expand(text), (*kinds).to_owned()));
    }
    files
}

/// Puts whole documents in the place of `<A>` and its like.
fn expand(text: &str) -> String {
    let mut text = text.to_owned();
    for kind in ["A", "B", "C"] {
        let block = format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\n");
        text = text.replace(&format!("<{kind}>"), &block);
    }
    for kind in ["J", "K", "L"] {
        let json = format!(r#"{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"j"}}}}"#);
        text = text.replace(&format!("<{kind}>"), &json);
    }
    text.replace("<F>", "{apiVersion: v1, kind: F, metadata: {name: f}}\n")
}

fn refusal(error: &YamlError) -> String {
    match error.kind {
        YamlErrorKind::DuplicateKey { .. } => "duplicate",
        YamlErrorKind::Encoding => "encoding",
        _ => "refused",
    }
    .to_owned()
}

fn read(text: &str) -> Vec<Result<Document, YamlError>> {
    read_stream(text.as_bytes(), &Limits::default())
}

/// The object of a document case without its header, or why there is none.
fn rest_of(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    let document = read(text).into_iter().next().expect("a document").map_err(|error| refusal(&error))?;
    let mut object = document.into_object().expect("an object");
    for header in ["apiVersion", "kind", "metadata"] {
        object.remove(header);
    }
    Ok(object)
}

#[test]
fn values_become_what_the_table_says() {
    for (text, expected) in VALUES {
        let found = rest_of(&format!("{HEADER}v: {text}\n")).map(|object| object["v"].to_string());
        assert_eq!(found.unwrap_or_else(|why| why), *expected, "v: {text}");
    }
}

#[test]
fn keys_become_what_the_table_says() {
    for (text, expected) in KEYS {
        let found = rest_of(&format!("{HEADER}v:\n  {text}: 1\n")).map(|object| {
            let keys: Vec<&str> = object["v"].as_object().unwrap().keys().map(String::as_str).collect();
            keys.join(" ")
        });
        assert_eq!(found.unwrap_or_else(|why| why), *expected, "{text}: 1");
    }
}

#[test]
fn documents_become_what_the_table_says() {
    for (text, expected) in DOCUMENTS {
        let found =
            rest_of(&format!("{HEADER}{text}")).map(|object| serde_json::Value::from(object).to_string());
        assert_eq!(found.unwrap_or_else(|why| why), *expected, "{text:?}");
    }
}

#[test]
fn files_become_what_the_table_says() {
    for (text, expected) in FILES {
        let found: Vec<String> = read(&expand(text))
            .into_iter()
            .map(|document| match document {
                Ok(document) => match document.value()["kind"].as_str() {
                    Some(kind) => kind.to_owned(),
                    None => document.value().to_string(),
                },
                Err(error) => refusal(&error),
            })
            .collect();
        assert_eq!(found.join(" "), *expected, "{text:?}");
    }
}

/// A key may take 1,024 characters, its quotes included, before its colon.
#[test]
fn long_keys_end_where_kubectls_do() {
    for (key, fits) in long_keys() {
        let document = read(&format!("{HEADER}v:\n  {key}: 1\n")).remove(0);
        assert_eq!(document.is_ok(), fits, "a key of {} characters", key.chars().count());
    }
}

fn long_keys() -> [(String, bool); 6] {
    [
        ("k".repeat(1024), true),
        ("k".repeat(1025), false),
        ("é".repeat(1024), true),
        ("é".repeat(1025), false),
        (format!("\"{}\"", "k".repeat(1022)), true),
        (format!("\"{}\"", "k".repeat(1023)), false),
    ]
}

/// Shows files to both readers and fails with all differences. Gives the number of files by agreement.
fn agree(files: &[Vec<u8>]) -> BTreeMap<&'static str, usize> {
    let verdicts = judge(&kubectl(), files);
    let mut counts = BTreeMap::new();
    let mut differences = Vec::new();
    for (file, verdict) in files.iter().zip(&verdicts) {
        let agreement = match compare(file, verdict) {
            Agreement::Different(how) => {
                differences.push(format!("{:?}\n  {how}", String::from_utf8_lossy(file)));
                continue;
            }
            Agreement::Stricter(reason) => reason,
            Agreement::Same if verdict.refused.is_some() => "both refuse",
            Agreement::Same => "both accept",
        };
        *counts.entry(agreement).or_insert(0) += 1;
    }
    differences.sort_by_key(String::len);
    differences.truncate(20);
    assert!(differences.is_empty(), "kubectl reads otherwise:\n{}", differences.join("\n"));
    counts
}

#[test]
fn the_table_agrees_with_kubectl() {
    let (files, expected): (Vec<_>, Vec<_>) = table().into_iter().unzip();
    let mut files: Vec<Vec<u8>> = files.into_iter().map(String::into_bytes).collect();
    files.extend(long_keys().map(|(key, _)| format!("{HEADER}v:\n  {key}: 1\n").into_bytes()));
    let verdicts = judge(&kubectl(), &files);
    for (expected, (file, verdict)) in expected.iter().zip(files.iter().zip(&verdicts)) {
        // What we refuse for a reason of our own, kubectl takes; all else it refuses, too.
        if expected == "duplicate" {
            assert_eq!(verdict.refused, None, "{:?}", String::from_utf8_lossy(file));
        }
    }
    let counts = agree(&files);
    assert!(counts["both accept"] > 400 && counts["both refuse"] > 100, "{counts:?}");
}

#[test]
fn generated_files_agree_with_kubectl() {
    let mut total = 0;
    for (name, files) in generate::all(seed()) {
        let counts = agree(&files);
        // A generator that makes only broken files, or only good ones, tests nothing.
        let enough = files.len() / 10;
        assert!(counts["both accept"] > enough && counts["both refuse"] > enough, "{name}: {counts:?}");
        total += files.len();
    }
    assert!(total >= 10_000);
}

/// The seed is fixed, so that a failure can be repeated; another one can be tried by hand.
fn seed() -> u64 {
    std::env::var("PORTOLAN_SEED").map_or(1, |seed| seed.parse().expect("PORTOLAN_SEED is a number"))
}

/// kubectl puts U+FFFD in the place of bytes that are no UTF-8. A manifest is no place for that.
#[test]
fn bytes_that_are_no_utf8_are_refused_with_their_place() {
    let files =
        [b"apiVersion: v1\nkind: A\nmetadata: {name: a}\nv: \xFFx\n".to_vec(), b"{\"a\": \"\xC3\"}".to_vec()];
    let counts = agree(&files[..1]);
    assert_eq!(counts["encoding"], 1);
    let places = files.map(|file| {
        let error = read_stream(&file, &Limits::default()).remove(0).unwrap_err();
        assert_eq!(error.kind, YamlErrorKind::Encoding);
        (error.line, error.column)
    });
    assert_eq!(places, [(4, 4), (1, 8)]);
}

/// serde_json is off by one in the last digit of many floats unless its feature `float_roundtrip` is on. What the API
/// server sends back would then differ from what we read here.
#[test]
fn json_floats_are_read_exactly() {
    for text in ["1.8446744073709548e+38", "0.19223372036854777", "1.0000000000000001e+23"] {
        let exact: f64 = text.parse().unwrap();
        let ours = rest_of(&format!("{HEADER}v: {text}\n")).unwrap()["v"].as_f64();
        let json = serde_json::from_str::<serde_json::Value>(text).unwrap().as_f64();
        assert_eq!((ours, json), (Some(exact), Some(exact)), "is float_roundtrip on?");
    }
}
