//! Values that only the server knows, and the conditions under which it gives them.

use super::defaults::{Form, Known, Line};
use super::digest::is_digest;
use crate::model::quantity;
use crate::transform::address_lies_in;
use serde_json::Value;
use std::net::IpAddr;

/// What a field's explanation can look at.
pub(super) struct Around<'a> {
    /// The object as it is held.
    pub object: &'a Value,
    /// The pointer to the field's parent.
    pub parent: &'a str,
    /// The field's key.
    pub key: &'a str,
    /// The range of Services' addresses, where it is known.
    pub service_range: Option<&'a str>,
}

/// Whether a line explains that a field has a value that nobody declared.
pub(super) fn explains(line: &Line, value: &Value, around: &Around<'_>) -> bool {
    let holds = |(path, wanted): (&String, &Value)| {
        let found = beside(around, path).filter(|found| !found.is_null());
        match wanted {
            Value::Null => found.is_none(),
            Value::String(any) if any == "*" => found.is_some(),
            Value::Array(list) => found.is_some_and(|found| list.contains(found)),
            wanted => found == Some(wanted),
        }
    };
    line.when.iter().all(holds)
        && match &line.known {
            Known::Value(known) => known == value,
            Known::OneOf(known) => known.contains(value),
            Known::Same(path) => {
                beside(around, path).is_some_and(|other| other == value || quantity::equal(other, value))
            }
            Known::Form(form) => has_form(*form, value, around),
        }
}

/// A field beside the one in question: `..` goes up, `.` is a field of the same name.
fn beside<'a>(around: &Around<'a>, path: &str) -> Option<&'a Value> {
    let mut pointer = around.parent.to_owned();
    for step in path.split('/') {
        match step {
            ".." => pointer.truncate(pointer.rfind('/')?),
            "." => pointer = crate::transform::pointer_at(&pointer, around.key),
            // A step is written as a segment of a pointer is.
            step => {
                pointer.push('/');
                pointer.push_str(step);
            }
        }
    }
    around.object.pointer(&pointer)
}

fn has_form(form: Form, value: &Value, around: &Around<'_>) -> bool {
    let text = value.as_str().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match form {
        Form::Ip => text.parse::<IpAddr>().is_ok_and(|ip| {
            around.service_range.is_none_or(|range| ip.is_ipv6() || address_lies_in(ip, range))
        }),
        Form::NodePort => value.as_u64().is_some_and(|port| (30_000..=32_767).contains(&port)),
        Form::Uid => {
            let sizes = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
            sizes && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
        }
        Form::Time => {
            let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
            shape.eq(b"0000-00-00T00:00:00Z".iter().copied())
        }
        Form::Number => value.is_i64() || value.is_u64() || digits(text),
        Form::NumberText => digits(text),
        Form::Generation => value.as_u64().is_some_and(|generation| generation > 0),
        Form::Text => !text.is_empty(),
        Form::Digest => is_digest(value),
        Form::PullPolicy => {
            let image = around.object.pointer(&format!("{}/image", around.parent)).and_then(Value::as_str);
            image.is_some_and(|image| text == if is_latest(image) { "Always" } else { "IfNotPresent" })
        }
        Form::AccountToken => is_account_token(value),
        Form::AccountTokenMount => {
            value["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
                && value["readOnly"] == true
                && value["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
                && value.as_object().is_some_and(|map| map.len() <= 3)
        }
        // Only who asks for it gets it.
        Form::Injected => !text.is_empty() && is_injected(around.object),
        Form::Aggregated => {
            value.is_array() && around.object.get("aggregationRule").is_some_and(Value::is_object)
        }
        Form::ListKind => named(around, "kind").is_some_and(|kind| text == format!("{kind}List")),
        Form::Singular => named(around, "kind").is_some_and(|kind| text == kind.to_lowercase()),
    }
}

fn named<'a>(around: &Around<'a>, key: &str) -> Option<&'a str> {
    around.object.pointer(&format!("{}/{key}", around.parent))?.as_str()
}

/// Whether a reference has the tag `latest` or none, which is the same (kubernetes `pkg/util/parsers`).
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        // With a digest the tag does not count, but the parser reads it: only a missing tag is `latest`, and a digest
        // alone has none that the server would add.
        let before = image.split('@').next().unwrap_or_default();
        return before
            .rsplit('/')
            .next()
            .and_then(|name| name.split_once(':'))
            .is_some_and(|(_, tag)| tag == "latest");
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn is_injected(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations.is_some_and(|annotations| {
        let ask = ["inject-ca-from", "inject-ca-from-secret", "inject-apiserver-ca"];
        annotations
            .keys()
            .any(|key| key.strip_prefix("cert-manager.io/").is_some_and(|key| ask.contains(&key)))
    })
}

/// The volume that admission gives every pod: a token, the root certificate, the namespace.
fn is_account_token(volume: &Value) -> bool {
    let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
    let known = |source: &Value| {
        let one = source.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        match one {
            Some((kind, token)) if kind == "serviceAccountToken" => token["path"] == "token",
            Some((kind, map)) if kind == "configMap" => map["name"] == "kube-root-ca.crt",
            Some((kind, files)) if kind == "downwardAPI" => {
                files.pointer("/items/0/path") == Some(&"namespace".into())
            }
            _ => false,
        }
    };
    volume["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
        && volume.as_object().is_some_and(|map| map.len() == 2)
        && sources.is_some_and(|sources| sources.len() == 3 && sources.iter().all(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_on_the_pull_policy() {
        for image in ["nginx", "nginx:latest", "a.example:5000/nginx", "a.example/b/c:latest"] {
            assert!(is_latest(image), "{image}");
        }
        for image in ["nginx:1.2", "a.example:5000/nginx:1", "nginx@sha256:00", "nginx:1@sha256:00"] {
            assert!(!is_latest(image), "{image}");
        }
    }
}
