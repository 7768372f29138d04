//! Policy documents: reading them as IAM stores them, and comparing what they mean.

use crate::provision::network::answer::text;
use serde_json::{Map, Value, json};

/// Stands at the beginning of a condition's key for the cluster's OIDC issuer, which is known only when the cluster is:
/// outputs stand for values, and keys are none.
pub const ISSUER_KEY: &str = "$issuer";

/// A document of version 2012-10-17, the only one that has policy variables.
#[must_use]
pub fn document(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// An Allow of some actions on a resource.
#[must_use]
pub fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

/// An Allow of some actions on a resource under a condition.
#[must_use]
pub fn allow_if(actions: &[&str], resource: Value, condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition})
}

/// A document from an answer: IAM gives it percent-encoded (RFC 3986). Null when it is none.
#[must_use]
pub fn read(answer: &Value, name: &str) -> Value {
    let stored = text(answer, name);
    let decoded =
        if stored.trim_start().starts_with('{') { stored.to_owned() } else { percent_decoded(stored) };
    serde_json::from_str(&decoded).unwrap_or(Value::Null)
}

/// Text whose bytes may be percent-encoded (RFC 3986).
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex =
            (first == b'%').then(|| after.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A document with [`ISSUER_KEY`] filled in.
#[must_use]
pub fn with_issuer(document: &Value, issuer: &str) -> Value {
    match document {
        Value::Object(members) => {
            let named = members.iter().map(|(name, value)| {
                let name = match name.strip_prefix(ISSUER_KEY) {
                    Some(rest) => format!("{issuer}{rest}"),
                    None => name.clone(),
                };
                (name, with_issuer(value, issuer))
            });
            Value::Object(named.collect())
        }
        Value::Array(items) => items.iter().map(|item| with_issuer(item, issuer)).collect(),
        other => other.clone(),
    }
}

/// A document in one form: whether a list of one is written as a list, and the order of lists, mean nothing to IAM.
#[must_use]
pub fn normal(document: &Value) -> Value {
    let mut normal = Map::new();
    for (name, value) in document.as_object().into_iter().flatten() {
        let value = match name.as_str() {
            "Statement" => sorted(listed(value).iter().map(statement).collect()),
            // An old document without a version means this one.
            _ => value.clone(),
        };
        normal.insert(name.clone(), value);
    }
    Value::Object(normal)
}

fn statement(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "Sid");
    Value::Object(
        members
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("Effect", _) => value.clone(),
                    ("Principal" | "NotPrincipal", Value::String(all)) if all == "*" => json!({"AWS": ["*"]}),
                    ("Principal" | "NotPrincipal", Value::Object(members)) => {
                        each(members, listed_and_sorted)
                    }
                    ("Condition", Value::Object(operators)) => each(operators, |keys| {
                        keys.as_object().map_or_else(|| keys.clone(), |keys| each(keys, listed_and_sorted))
                    }),
                    _ => listed_and_sorted(value),
                };
                (name.clone(), value)
            })
            .collect(),
    )
}

fn each(members: &Map<String, Value>, change: impl Fn(&Value) -> Value) -> Value {
    Value::Object(members.iter().map(|(name, value)| (name.clone(), change(value))).collect())
}

fn listed(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn listed_and_sorted(value: &Value) -> Value {
    // `true` and `"true"` are the same condition value.
    let text = |value: Value| match value {
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        other => other,
    };
    sorted(listed(value).into_iter().map(text).collect())
}

fn sorted(mut values: Vec<Value>) -> Value {
    values.sort_by_key(Value::to_string);
    Value::Array(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_document_is_read() {
        let answer =
            json!({"PolicyDocument": "%7B%22a%22%3A%20%22%C3%A4%22%7D", "Plain": "{\"a\": 1}", "Bad": "%7"});
        assert_eq!(read(&answer, "PolicyDocument"), json!({"a": "ä"}));
        assert_eq!(read(&answer, "Plain"), json!({"a": 1}));
        assert_eq!(read(&answer, "Bad"), Value::Null);
    }

    #[test]
    fn form_is_not_meaning() {
        let ours = document(vec![allow(&["a:B", "a:C"], "*")]);
        let theirs = json!({"Version": "2012-10-17", "Statement": {
            "Sid": "x", "Effect": "Allow", "Action": ["a:C", "a:B"], "Resource": ["*"],
        }});
        assert_eq!(normal(&ours), normal(&theirs));
        let other = document(vec![allow(&["a:B"], "*")]);
        assert_ne!(normal(&ours), normal(&other));
    }

    #[test]
    fn the_issuer_is_filled_into_keys() {
        let trust = json!({"Condition": {"StringEquals": {"$issuer:sub": "x"}}});
        assert_eq!(
            with_issuer(&trust, "oidc/id"),
            json!({"Condition": {"StringEquals": {"oidc/id:sub": "x"}}})
        );
    }
}
