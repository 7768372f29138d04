//! Changes to the target, over every kind and field: each is found.

use super::{expected, explain};
use portolan::migrate::proof::prove;
use portolan::transform::pointer_at;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, below)| leaves(below, &pointer_at(at, key), found));
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(place, below)| leaves(below, &format!("{at}/{place}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

pub fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("{text}x")),
        Value::Number(number) => Value::from(number.as_i64().unwrap_or_default() + 1),
        Value::Bool(yes) => Value::from(!yes),
        Value::Null => json!("x"),
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": "y"}),
    }
}

/// Takes out what a pointer names. Gives back whether that was something.
pub fn cut(value: &mut Value, pointer: &str) -> bool {
    let (above, key) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(above) {
        Some(Value::Object(map)) => map.remove(&key.replace("~1", "/").replace("~0", "~")).is_some(),
        Some(Value::Array(list)) => {
            list.remove(key.parse().unwrap());
            true
        }
        _ => false,
    }
}

fn is_found(objects: &[Value], place: usize, mutant: Value) -> bool {
    let mut actual = objects.to_vec();
    actual[place] = mutant;
    !prove(objects, &actual, &explain()).equal
}

/// Of every object every leaf: changed, and taken out.
#[test]
fn every_change_of_every_field_is_found() {
    let objects = expected();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for (place, object) in objects.iter().enumerate() {
        let mut found = Vec::new();
        leaves(object, "", &mut found);
        for pointer in found {
            let mut mutants = Vec::new();
            let mut other = object.clone();
            let leaf = other.pointer_mut(&pointer).unwrap();
            // Within its bounds (2 to 5) the autoscaler decides: beyond them it is a change.
            *leaf = if object["kind"] == "Deployment" && pointer == "/spec/replicas" {
                json!(6)
            } else {
                changed(leaf)
            };
            mutants.push(("changed", other));
            let mut less = object.clone();
            if cut(&mut less, &pointer) {
                mutants.push(("removed", less));
            }
            for (how, mutant) in mutants {
                // What is stored as nothing is the same as nothing.
                if how == "removed" && is_nothing(object, &pointer) {
                    continue;
                }
                *kinds.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
                if !is_found(&objects, place, mutant) {
                    missed.push(format!("{} {pointer} {how}", object["kind"]));
                }
            }
        }
    }
    let count: usize = kinds.values().sum();
    println!("{count} mutations over {} kinds", kinds.len());
    assert!(missed.is_empty(), "{} of {count} were missed:\n{}", missed.len(), missed.join("\n"));
    assert!(count >= 600 && kinds.len() >= 25, "{count} {kinds:?}");
}

/// Null is stored as nothing, and so is a template's metadata without anything in it. Elsewhere an empty mapping says
/// something (`emptyDir: {}`, `podSelector: {}`).
fn is_nothing(object: &Value, pointer: &str) -> bool {
    let Some(value) = object.pointer(pointer) else { return false };
    value.is_null() || (pointer.ends_with("/template/metadata") && *value == json!({}))
}

/// Fields that nobody declared: in every mapping one is added, to every list an item.
#[test]
fn every_addition_is_found() {
    let objects = expected();
    let mut missed = Vec::new();
    let mut count = 0;
    for (place, object) in objects.iter().enumerate() {
        let mut holders = vec![String::new()];
        portolan_walk(object, "", &mut holders);
        for pointer in holders {
            let mut more = object.clone();
            match more.pointer_mut(&pointer).unwrap() {
                Value::Object(map) => drop(map.insert("unheardOf".into(), json!("x"))),
                Value::Array(list) => list.push(match list.first() {
                    Some(Value::Object(first)) => {
                        let mut item = first.clone();
                        item.insert("name".into(), "unheard-of".into());
                        item.insert("mountPath".into(), "/unheard-of".into());
                        Value::Object(item)
                    }
                    _ => json!("unheard-of"),
                }),
                _ => continue,
            }
            count += 1;
            if !is_found(&objects, place, more) {
                missed.push(format!("{} {pointer}", object["kind"]));
            }
        }
    }
    assert!(missed.is_empty(), "{} of {count} were missed:\n{}", missed.len(), missed.join("\n"));
    assert!(count > 200, "{count}");
}

fn portolan_walk(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: String, value: &Value| {
        if value.is_object() || value.is_array() {
            found.push(key.clone());
            portolan_walk(value, &key, found);
        }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(pointer_at(at, key), value)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(place, value)| below(format!("{at}/{place}"), value))
        }
        _ => {}
    }
}

#[test]
fn the_order_of_containers_and_missing_and_additional_objects_are_found() {
    let objects = expected();
    let place = objects.iter().position(|object| object["kind"] == "Deployment").unwrap();
    let mut two = objects.clone();
    let list =
        two[place].pointer_mut("/spec/template/spec/containers/0/env").unwrap().as_array_mut().unwrap();
    list.reverse();
    let proof = prove(&objects, &two, &explain());
    assert_eq!(proof.failures().count(), 1, "{:?}", proof.failures().collect::<Vec<_>>());

    let fewer = &objects[1..];
    let proof = prove(&objects, fewer, &explain());
    assert_eq!((proof.equal, proof.counts.missing), (false, 1));
    let proof = prove(fewer, &objects, &explain());
    assert_eq!((proof.equal, proof.counts.extra), (false, 1));
    let mut twice = objects.clone();
    twice.push(objects[1].clone());
    twice.last_mut().unwrap()["data"]["b"] = "other".into();
    assert!(!prove(&twice, &objects, &explain()).equal);
}
