//! A request as the operation's input: labels, query and body put together under the model's member names.

use super::check::{Misfit, Way, misfits};
use super::service_model::{Member, Model, Operation};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `%2F` and its like decoded; what is not valid stays as it is.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        decoded.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The query's names and values, decoded.
#[must_use]
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (percent_decoded(name), percent_decoded(&value.replace('+', " "))))
        .collect()
}

/// The input of an operation, checked.
///
/// # Errors
/// Everything that the model does not allow.
pub fn input(
    model: &Model,
    operation: &Operation,
    labels: &BTreeMap<String, String>,
    query: &[(String, String)],
    body: &[u8],
) -> Result<Value, Vec<Misfit>> {
    let mut problems = Vec::new();
    let body = match body {
        [] => Map::new(),
        body => match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(vec![misfit("", "the body is not a JSON object")]),
            Err(error) => return Err(vec![misfit("", &format!("the body is not JSON: {error}"))]),
        },
    };
    let Some(name) = &operation.input else { return Ok(Value::Object(body)) };
    let Some(shape) = model.shape(name) else { return Err(vec![misfit("", "no such input shape")]) };
    let mut input = Map::new();
    let mut of_query: Vec<&str> = Vec::new();
    let mut of_body: Vec<&str> = Vec::new();
    for (name, member) in &shape.members {
        let wire = member.wire_name(name);
        let value = match member.location.as_deref() {
            Some("uri") => labels.get(wire).map(|text| Value::String(text.clone())),
            Some("querystring") => {
                of_query.push(wire);
                let values: Vec<&str> =
                    query.iter().filter(|(key, _)| key == wire).map(|(_, value)| value.as_str()).collect();
                from_query(model, member, &values, name, &mut problems)
            }
            Some(other) => {
                problems.push(misfit(name, &format!("members in the {other} are not supported here")));
                None
            }
            None => {
                of_body.push(wire);
                body.get(wire).cloned().and_then(without_nulls)
            }
        };
        if let Some(value) = value {
            input.insert(name.clone(), value);
        }
    }
    for (key, _) in query.iter().filter(|(key, _)| !of_query.contains(&key.as_str())) {
        problems.push(misfit(key, "the model has no such member in the query"));
    }
    for key in body.keys().filter(|key| !of_body.contains(&key.as_str())) {
        problems.push(misfit(key, "the model has no such member in the body"));
    }
    let input = Value::Object(input);
    problems.extend(misfits(model, name, &input, Way::In));
    if problems.is_empty() { Ok(input) } else { Err(problems) }
}

fn misfit(path: &str, what: &str) -> Misfit {
    Misfit { path: path.into(), what: what.into() }
}

/// restJson takes a member that is null as one that is not there.
fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(members) => Some(Value::Object(
            members.into_iter().filter_map(|(key, value)| Some((key, without_nulls(value)?))).collect(),
        )),
        Value::Array(items) => Some(Value::Array(
            items.into_iter().map(|item| without_nulls(item).unwrap_or(Value::Null)).collect(),
        )),
        other => Some(other),
    }
}

fn from_query(
    model: &Model,
    member: &Member,
    values: &[&str],
    name: &str,
    problems: &mut Vec<Misfit>,
) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    let kind = model.shape(&member.shape).map_or("string", |shape| shape.kind.as_str());
    if kind == "list" {
        return Some(Value::Array(values.iter().map(|value| Value::String((*value).into())).collect()));
    }
    if !rest.is_empty() {
        problems.push(misfit(name, "given more than once"));
    }
    let value = match kind {
        "boolean" => first.parse().ok().map(Value::Bool),
        "integer" | "long" => first.parse::<i64>().ok().map(Value::from),
        _ => Some(Value::String((*first).into())),
    };
    if value.is_none() {
        problems.push(misfit(name, &format!("{first:?} is not of type {kind}")));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{percent_decoded, query_pairs};

    #[test]
    fn what_was_encoded_is_decoded_once() {
        assert_eq!(percent_decoded("arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%252Fb"), "arn:aws:iam::1:role/a%2Fb");
        assert_eq!(percent_decoded("100%"), "100%");
        let pairs = query_pairs("tagKeys=a%20b&tagKeys=c+d&e");
        let expected = [("tagKeys", "a b"), ("tagKeys", "c d"), ("e", "")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
