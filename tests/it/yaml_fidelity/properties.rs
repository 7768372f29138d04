//! What holds for any input: no panic, bounded work, the same for both kinds of line ends.

use std::time::Duration;

use portolan::model::yaml::{Limits, YamlErrorKind, read_stream};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::Value;

use super::generate;

const HEADER: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

/// A runner whose cases are the same in every run.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None,
        ..Config::default()
    })
}

/// The values of all documents, and the kind and line of all errors.
fn summary(bytes: &[u8]) -> Vec<Result<(u32, Value), (u32, u32)>> {
    read_stream(bytes, &Limits::default())
        .into_iter()
        .map(|document| match document {
            Ok(document) => Ok((document.line(), document.into_value())),
            Err(error) => Err((error.line, error.column)),
        })
        .collect()
}

#[test]
fn arbitrary_bytes_never_panic() {
    runner(20_000)
        .run(&prop::collection::vec(any::<u8>(), 0..200), |bytes| {
            let _ = read_stream(&bytes, &Limits::default());
            Ok(())
        })
        .unwrap();
}

#[test]
fn arbitrary_text_never_panics_and_every_place_lies_in_it() {
    let text = "[ \\-a:\\[\\]{}#&*!|>'\"%@`,?\n\r\té\u{85}\u{feff}\\\\01.x~<]{0,80}";
    runner(20_000)
        .run(&text, |text| {
            let lines = text.split('\n').count() as u32 + text.matches(['\r', '\u{85}']).count() as u32 + 1;
            for document in read_stream(text.as_bytes(), &Limits::default()) {
                let line = match &document {
                    Ok(document) => document.line(),
                    Err(error) => error.line,
                };
                prop_assert!(line >= 1 && line <= lines, "line {} of {:?}", line, text);
                if let Ok(document) = document {
                    prop_assert!(document.marks().is_some());
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn line_ends_make_no_difference() {
    for (_, files) in generate::all(7) {
        for file in files {
            // A carriage return of its own is a line break already, and UTF-16 has other bytes.
            if file.contains(&b'\r') || file.starts_with(&[0xFF]) || file.starts_with(&[0xFE]) {
                continue;
            }
            let windows: Vec<u8> = file
                .iter()
                .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
                .collect();
            assert_eq!(summary(&file), summary(&windows), "{:?}", String::from_utf8_lossy(&file));
        }
    }
}

#[test]
fn documents_do_not_hide_one_another() {
    let broken =
        ["v: [", "v: 'x", "v: *x", "\tv: 1", "v: 1\nv: 2", "%YAML 1.2", "v: \u{1}", "v: !!int x", "}"];
    for text in broken {
        let file = format!("{HEADER}---\n{text}\n---\n{HEADER}---\n{text}\n---\n{HEADER}");
        let documents = read_stream(file.as_bytes(), &Limits::default());
        let read: Vec<bool> = documents.iter().map(Result::is_ok).collect();
        assert_eq!(read, [true, false, true, false, true], "{text:?}");
        assert_eq!(documents[4].as_ref().unwrap().index(), 4);
    }
}

/// Files that cost far more than their size if nobody stops them.
fn bombs() -> Vec<(&'static str, String)> {
    let mut laughs = format!("{HEADER}a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..=9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let mut merges = format!("{HEADER}a0: &a0 {{x: 1}}\n");
    for level in 1..60 {
        merges.push_str(&format!("a{level}: &a{level} {{<<: [*a{0}, *a{0}], k{level}: 1}}\n", level - 1));
    }
    let wide: String = (0..20_000).map(|key| format!("k{key}: 1, ")).collect();
    let staircase: String = (0..2_000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    vec![
        ("billion laughs", laughs),
        (
            "a big string, 20,000 times",
            format!("{HEADER}a: &a \"{}\"\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000)),
        ),
        ("merges that double", merges),
        (
            "a wide merge, 20,000 times",
            format!("{HEADER}a: &a {{{wide}}}\nb: {{<<: [{}]}}\n", "*a, ".repeat(20_000)),
        ),
        ("closed brackets", format!("{HEADER}a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000))),
        ("open brackets", "[".repeat(1_000_000)),
        ("open braces", "{a: ".repeat(300_000)),
        ("open brackets in JSON", format!("{{\"a\": {}", "[".repeat(1_000_000))),
        ("dashes", "- ".repeat(500_000)),
        ("question marks", "? ".repeat(500_000)),
        ("a staircase", staircase),
        ("a key that never ends", format!("{HEADER}{}: 1\n", "k".repeat(2_000_000))),
        ("many documents", "---\na: 1\n".repeat(500_000)),
        ("a big document", format!("{HEADER}a: |\n{}", "  line\n".repeat(1_000_000))),
        ("a big file", "# comment\n".repeat(2_000_000)),
    ]
}

/// What this thread has used, so that a busy machine spoils nothing.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn bombs_are_refused_at_once() {
    for (name, text) in bombs() {
        let start = processor_time();
        let documents = read_stream(text.as_bytes(), &Limits::default());
        let took = processor_time() - start;
        let error = documents.iter().find_map(|document| document.as_ref().err());
        let error = error.unwrap_or_else(|| panic!("{name} is accepted"));
        let wanted = name == "a key that never ends"
            || matches!(error.kind, YamlErrorKind::Limit | YamlErrorKind::Alias);
        assert!(wanted, "{name}: {error}");
        assert!(took < Duration::from_secs(1), "{name} took {took:?}");
    }
}

#[test]
fn what_people_write_with_anchors_is_accepted() {
    let list = "- *a\n".repeat(200);
    let file = format!("{HEADER}a: &a {{cpu: 100m, memory: 1Gi}}\nb:\n{list}");
    let document = read_stream(file.as_bytes(), &Limits::default()).remove(0).unwrap();
    let copies = document.value()["b"].as_array().unwrap();
    assert_eq!(copies.len(), 200);
    assert!(copies.iter().all(|copy| copy["memory"] == "1Gi"));
}

#[test]
fn limits_are_bounds_and_not_more() {
    let nested = |depth: usize| format!("{HEADER}v: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    let limits = Limits { max_depth: 10, max_documents: 2, max_document_bytes: 100, ..Limits::default() };
    let kind = |text: String| {
        read_stream(text.as_bytes(), &limits).into_iter().find_map(Result::err).map(|e| e.kind)
    };
    // The object itself is one level, the value of `v` may take nine more.
    assert_eq!(kind(nested(9)), None);
    assert_eq!(kind(nested(10)), Some(YamlErrorKind::Limit));
    assert_eq!(kind("a: 1\n---\n".repeat(2)), None);
    assert_eq!(kind("a: 1\n---\n".repeat(3)), Some(YamlErrorKind::Limit));
    assert_eq!(kind(format!("a: {}\n", "x".repeat(96))), None);
    assert_eq!(kind(format!("a: {}\n", "x".repeat(97))), Some(YamlErrorKind::Limit));
}
