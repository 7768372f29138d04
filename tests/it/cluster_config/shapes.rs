//! No shape of JSON makes the reader panic, and none is taken for what it is not.

use super::{parse, smallest, with};
use portolan::model::cluster_config::{explain, read, with_defaults};
use serde_json::{Value, json};

/// Values of every shape, odd ones above all.
fn shapes() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1),
        json!(5_000_000_000_u64),
        json!(u64::MAX),
        json!(0.5),
        json!(""),
        json!("a"),
        json!("/"),
        json!("10.0.0.0/33"),
        json!("arn:aws:iam::1:role/a"),
        json!("::::::"),
        json!("ä~/\u{0}"),
        json!("*"),
        json!([]),
        json!([null]),
        json!([[]]),
        json!(["", "a", "a"]),
        json!([{}, {}]),
        json!({}),
        json!({"": {}}),
        json!({"a": null, "/~": [{"a": {}}]}),
    ]
}

#[test]
fn every_shape_in_every_field_is_read_or_told_of() {
    let mut taken = 0;
    let mut refused = 0;
    for row in explain() {
        for shape in shapes() {
            match parse(&with(&row.path, shape.clone())) {
                Ok(config) => {
                    let filled = with_defaults(config);
                    assert_eq!(with_defaults(filled.clone()), filled, "{} {shape}", row.path);
                    taken += 1;
                }
                Err(problems) => {
                    assert!(!problems.is_empty(), "{} {shape}", row.path);
                    refused += 1;
                }
            }
        }
    }
    assert!(taken > 150 && refused > 5000, "{taken} {refused}");
}

#[test]
fn any_text_is_read_or_told_of() {
    for text in [
        "",
        "\u{0}",
        "a",
        "[]",
        "---",
        "%",
        "apiVersion: eksctl.io/v1alpha5",
        "{apiVersion: eksctl.io/x, kind: []}",
    ] {
        assert!(read(text, "c.yaml").is_err(), "{text:?}");
    }
    // A file cut off anywhere, as a push of half a file leaves it.
    let whole = std::fs::read_to_string(super::golden("good/everything.yaml")).unwrap();
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)).step_by(7) {
        let _ = read(&whole[..end], "c.yaml");
    }
    assert!(parse(&smallest()).is_ok());
}

/// A pseudo-random walk over the table: several fields at once, so that rules between fields meet odd values.
#[test]
fn odd_values_together_do_not_panic() {
    let rows: Vec<_> = explain().collect();
    let shapes = shapes();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..3000 {
        let mut config = smallest();
        for _ in 0..8 {
            let row = rows[next(rows.len())];
            merge(&mut config, with(&row.path, shapes[next(shapes.len())].clone()));
        }
        if let Ok(config) = parse(&config) {
            let filled = with_defaults(config);
            assert_eq!(with_defaults(filled.clone()), filled);
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, from) in from {
                merge(into.entry(key).or_insert(Value::Null), from);
            }
        }
        (Value::Array(into), Value::Array(from)) if !into.is_empty() => {
            for (into, from) in into.iter_mut().zip(from) {
                merge(into, from);
            }
        }
        (into, from) => *into = from,
    }
}
