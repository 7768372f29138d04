//! Where things stand: errors, values, keys, and text that nobody reads.

use portolan::model::yaml::{Document, Limits, Mark, YamlErrorKind, read_stream};

fn first(text: &str) -> Document {
    read_stream(text.as_bytes(), &Limits::default()).remove(0).unwrap()
}

fn mark(line: u32, column: u32) -> Option<Mark> {
    Some(Mark { line, column })
}

#[test]
fn a_duplicate_key_is_told_with_both_places() {
    let text = "a: 1\n---\nv:\n  é: {x: 1, y: 2, x: 3}\n";
    let error = read_stream(text.as_bytes(), &Limits::default()).remove(1).unwrap_err();
    assert_eq!((error.line, error.column), (4, 19));
    assert_eq!(error.kind, YamlErrorKind::DuplicateKey { first: Mark { line: 4, column: 7 } });
    assert_eq!(
        error.to_string(),
        "line 4, column 19: the key \"x\" stands in this mapping already, at line 4, column 7; kubectl would silently \
         keep the last one, so remove one of them"
    );
}

#[test]
fn duplicates_in_json_are_told_with_both_places() {
    let error =
        read_stream(b"{\"a\": {\n  \"b\": 1,\n  \"b\": 2}}", &Limits::default()).remove(0).unwrap_err();
    assert_eq!((error.line, error.column), (3, 3));
    assert_eq!(error.kind, YamlErrorKind::DuplicateKey { first: Mark { line: 2, column: 3 } });
}

#[test]
fn every_error_names_its_line_in_the_file() {
    let cases: &[(&str, usize, u32, u32)] = &[
        ("a: 1\n---\nb: [1\n", 1, 4, 1),
        ("a: 1\n---\nb: 'x\n", 1, 3, 4),
        ("a: 1\n---\n# c\nb:\n\tc: 1\n", 1, 5, 1),
        ("a: 1\n---\nb: *x\n", 1, 3, 4),
        ("a: 1\n---foo\nb: 1\n", 0, 2, 4),
        ("a: 1\n---\nb: !!int x\n", 1, 3, 4),
        ("a: 1\n---\nb: {{ x }}\n", 1, 3, 5),
        ("a: 1\n---\nb: .inf\n", 1, 3, 4),
        ("a: 1\n---\nb: \u{1}\n", 1, 3, 4),
        ("a: 1\n---\n~: 1\n", 1, 3, 1),
        ("a: b: c\n", 0, 1, 5),
        ("a:\n  b: 1\n c: 2\n", 0, 3, 2),
        ("a: 1\r\n---\r\nb: *x\r\n", 1, 3, 4),
        ("{\"a\": 1}\n{\"b\": 2}\n{\"c\": }\n", 2, 3, 7),
        ("{\"a\": 1}\n{\"b\": 1e999}\n", 1, 2, 7),
    ];
    for &(text, index, line, column) in cases {
        let error = read_stream(text.as_bytes(), &Limits::default()).remove(index).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
    }
}

#[test]
fn values_and_keys_are_found_by_pointer() {
    let text = "# c\na: 1\n---\n# d\nspec:\n  list:\n  - x\n  - k: é\n    j/~: 2\n  base: &b {z: 9}\n  use: *b\n  merged: {<<: *b, y1: 3}\n";
    let documents = read_stream(text.as_bytes(), &Limits::default());
    let document = documents[1].as_ref().unwrap();
    assert_eq!((document.index(), document.line()), (1, 5));
    let marks = document.marks().unwrap();
    assert_eq!(marks.value(""), mark(5, 1));
    assert_eq!(marks.value("/spec"), mark(6, 3));
    assert_eq!(marks.key("/spec"), mark(5, 1));
    assert_eq!(marks.value("/spec/list/0"), mark(7, 5));
    assert_eq!(marks.key("/spec/list/1/k"), mark(8, 5));
    assert_eq!(marks.value("/spec/list/1/k"), mark(8, 8));
    assert_eq!(marks.value("/spec/list/1/j~1~0"), mark(9, 10));
    assert_eq!(marks.value("/spec/use"), mark(11, 8));
    assert_eq!(marks.value("/spec/use/z"), mark(10, 16));
    assert_eq!(marks.key("/spec/merged/z"), mark(10, 13));
    assert_eq!(marks.value("/spec/merged/y1"), mark(12, 24));
    assert_eq!(marks.value("/spec/none"), None);
    assert_eq!(marks.nearest("/spec/list/1/none/deeper"), Mark { line: 8, column: 5 });
    assert_eq!(document.mark("/spec/list/7"), None);
    assert_eq!(document.key_mark("/spec/base"), mark(10, 3));
}

#[test]
fn values_and_keys_are_found_in_json() {
    let text = "\n{\"a\": 1}\n{\n  \"spec\": {\"é\": [1, {\"b\": null}]}\n}";
    let documents = read_stream(text.as_bytes(), &Limits::default());
    let document = documents[1].as_ref().unwrap();
    assert_eq!(document.line(), 3);
    assert_eq!(document.mark("/spec/é/1/b"), mark(4, 27));
    assert_eq!(document.key_mark("/spec/é/1/b"), mark(4, 22));
}

#[test]
fn text_that_kubectl_drops_is_pointed_out() {
    let cases: &[(&str, Option<Mark>)] = &[
        ("a: 1\n", None),
        ("a: 1\n...\n# c\n", None),
        ("a: 1\n...\n\n  b: 2\n", mark(4, 3)),
        ("{a: 1}\n{b: 2}\n", mark(2, 1)),
        ("  a: 1\nb: 2\n", mark(2, 1)),
        ("---\n{\"a\": 1}\n{\"b\": 2}\n", mark(3, 1)),
    ];
    for (text, expected) in cases {
        assert_eq!(first(text).ignored(), *expected, "{text:?}");
    }
}

#[test]
fn only_objects_become_objects() {
    assert!(first("a: 1").into_object().is_ok());
    for text in ["\n- a", "\nfoo"] {
        let error = first(text).into_object().unwrap_err();
        assert_eq!((error.kind, error.line), (YamlErrorKind::NotAnObject, 2));
    }
}

#[test]
fn no_value_is_shown_by_debug_or_in_errors() {
    let document = first("kind: Secret\nstringData: {password: hunter2}\n");
    assert!(!format!("{document:?}").contains("hunter2"));
    for text in [
        "password: !!int hunter2",
        "password: [hunter2",
        "password: *hunter2",
        "password: &hunter2 [*hunter2]",
        "password: !hunter2!x y",
        "password: @hunter2",
        "password: 'hunter2",
        "a: {password: hunter2, password: hunter2}",
        "{\"password\": hunter2,,",
        "password: hunter2: x",
    ] {
        let error = read_stream(text.as_bytes(), &Limits::default()).remove(0).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
