//! The `format`s of texts in our schemas, checked in words that say what is wrong.
//!
//! JSON Schema leaves `format` open. These names are ours; the `pattern` that stands beside each in the schema is
//! for editors, which know neither our names nor our sentences.

use crate::model::{ByteSize, Interval};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::net::SocketAddr;

/// Checks a text; `None` when the format is not one of ours. The error goes on after "`field` ".
#[must_use]
pub fn check(format: &str, text: &str) -> Option<Result<(), String>> {
    Some(match format {
        "interval" => text.parse::<Interval>().map(drop).map_err(|error| error.to_string()),
        "byte-size" => text.parse::<ByteSize>().map(drop).map_err(|error| error.to_string()),
        "socket-address" => sentence(
            text.parse::<SocketAddr>().is_ok(),
            "has to be an IP address with a port, such as `127.0.0.1:8080` or `[::]:8080`",
        ),
        "dns-label" => dns_label(text),
        "repository-path" => repository_path(text),
        "json-pointer-pattern" => json_pointer(text),
        "kind-name" => kind_name(text),
        "label-key" => label_key(text),
        "label-value" => label_value(text),
        "service-account" => match text.split_once('/') {
            Some((namespace, name)) => dns_label(namespace).and_then(|()| dns_subdomain(name)),
            None => dns_subdomain(text),
        }
        .map_err(|_| "has to be `namespace/name` or `name` of a ServiceAccount".into()),
        "role-arn" => sentence(
            text.starts_with("arn:") && text.split(':').count() >= 6 && text.contains(":role/"),
            "has to be the ARN of a role, such as `arn:aws:iam::111122223333:role/portolan`",
        ),
        _ => return None,
    })
}

fn sentence(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// RFC 1123 label, as Kubernetes checks names of namespaces and as label values allow.
fn dns_label(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err(format!("may have 63 characters and has {}", text.len()));
    }
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let bytes = text.as_bytes();
    let ends = |c: Option<&u8>| c.is_some_and(|c| *c != b'-');
    sentence(
        bytes.iter().all(|c| inner(*c)) && ends(bytes.first()) && ends(bytes.last()),
        "has to be made of lower-case letters, digits and `-`, with a letter or digit at both ends",
    )
}

fn dns_subdomain(text: &str) -> Result<(), String> {
    sentence(text.len() <= 253, "may have 253 characters")?;
    text.split('.').try_for_each(dns_label)
}

/// A path inside a repository: relative, with `/`, never out of it. Empty or `.` is the root.
fn repository_path(text: &str) -> Result<(), String> {
    sentence(
        !text.starts_with('/'),
        "has to be relative to the repository's root: leave out the leading `/`",
    )?;
    sentence(!text.contains('\\'), "has to be written with `/`, not `\\`")?;
    sentence(
        !text.split('/').any(|part| part == ".."),
        "may not hold `..`: it is relative to the repository's root",
    )?;
    sentence(!text.chars().any(char::is_control), "may not hold control characters")
}

/// An RFC 6901 pointer, in which a part may be `*` or `name=value`.
fn json_pointer(text: &str) -> Result<(), String> {
    sentence(
        text.len() > 1 && text.starts_with('/'),
        "has to be a JSON pointer that starts with `/`, such as `/spec/replicas`",
    )?;
    let escapes_hold = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    sentence(escapes_hold, "holds a `~` that is no escape: write `~1` for `/` and `~0` for `~` inside a name")
}

/// `Kind` or `Kind.group`; `*` alone or as a part.
fn kind_name(text: &str) -> Result<(), String> {
    let (kind, group) = text.split_once('.').unwrap_or((text, "*"));
    let kind_holds = kind.starts_with(|c: char| c.is_ascii_uppercase() || c == '*')
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?'));
    let group_holds = !group.is_empty()
        && group
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '*' | '?'));
    sentence(
        kind_holds && group_holds,
        "has to be a kind with its group, such as `ConfigMap`, `Deployment.apps` or `*` (no version)",
    )
}

/// Kubernetes' qualified name: an optional DNS prefix, `/`, then up to 63 characters.
fn label_key(text: &str) -> Result<(), String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let holds = !name.is_empty()
        && label_value(name).is_ok()
        && prefix.is_none_or(|prefix| dns_subdomain(prefix).is_ok());
    sentence(
        holds,
        "is no valid key: `name` or `example.com/name`, up to 63 letters, digits, `-`, `_` and `.`",
    )
}

fn label_value(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let ends = |c: Option<&u8>| c.is_none_or(u8::is_ascii_alphanumeric);
    sentence(
        bytes.len() <= 63
            && bytes.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
            && ends(bytes.first())
            && ends(bytes.last()),
        "has to be up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
    )
}

/// Declares a type that exists only to give a field's text its format, for `#[schemars(with = "…")]`.
macro_rules! word {
    ($name:ident, $format:literal, $pattern:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format, "pattern": $pattern})
            }
        }
    };
}

word!(DnsLabel, "dns-label", "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "Schema of an RFC 1123 label.");
word!(RepositoryPath, "repository-path", "^([^/\\\\].*)?$", "Schema of a path inside a repository.");
word!(SocketAddress, "socket-address", "^.+:[0-9]{1,5}$", "Schema of an IP address with a port.");
word!(JsonPointerPattern, "json-pointer-pattern", "^/.", "Schema of a JSON pointer with wildcards.");
word!(KindName, "kind-name", "^[A-Z*][A-Za-z0-9*?]*(\\.[-a-z0-9.*?]+)?$", "Schema of a kind with its group.");
word!(
    LabelKey,
    "label-key",
    "^([-a-z0-9.]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    "Schema of a label's key."
);
word!(
    LabelValue,
    "label-value",
    "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$",
    "Schema of a label's value."
);
word!(
    ServiceAccountName,
    "service-account",
    "^([-a-z0-9]+/)?[-a-z0-9.]+$",
    "Schema of a ServiceAccount's name."
);
word!(RoleArn, "role-arn", "^arn:[^:]+:iam::[0-9]{12}:role/.+$", "Schema of an IAM role's ARN.");

/// Schema of `metadata.labels` and of selectors.
#[derive(Debug)]
pub struct Labels;

impl JsonSchema for Labels {
    fn schema_name() -> Cow<'static, str> {
        "Labels".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": LabelKey::json_schema(generator),
            "additionalProperties": LabelValue::json_schema(generator),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_format_takes_what_it_should_and_nothing_else() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        for (format, good, bad) in [
            (
                "dns-label",
                vec!["a", "shop-1", &longest],
                vec!["", "-a", "a-", "A", "a.b", "a_b", "é", &too_long],
            ),
            (
                "repository-path",
                vec!["", ".", "apps/*", "apps/shop/"],
                vec!["/apps", "../x", "a/../b", "a\\b", "a\nb"],
            ),
            (
                "json-pointer-pattern",
                vec!["/spec/replicas", "/metadata/annotations/a~1b", "/a/*/b"],
                vec!["", "/", "spec", "/a~2"],
            ),
            (
                "kind-name",
                vec!["*", "Job.batch", "ConfigMap", "*.apps"],
                vec!["", "job", "apps/v1", "Job.", "Job batch"],
            ),
            ("label-key", vec!["a", "a.b/c_d", "A"], vec!["", "/a", "a/", "a/b/c", "a b", "A_/b"]),
            ("label-value", vec!["", "a", "1.2_3"], vec!["-a", "a ", "a/b", &too_long]),
            ("service-account", vec!["deployer", "shop/deployer"], vec!["", "/a", "a/", "a/b/c", "A"]),
            (
                "role-arn",
                vec!["arn:aws:iam::111122223333:role/x"],
                vec!["", "x", "arn:aws:iam::111122223333:user/x"],
            ),
            ("interval", vec!["5m"], vec!["5"]),
            ("byte-size", vec!["5Mi"], vec!["5M"]),
            ("socket-address", vec!["[::1]:80"], vec!["localhost:80", "127.0.0.1", ":8080"]),
        ] {
            for text in good {
                assert_eq!(check(format, text), Some(Ok(())), "{format} {text}");
            }
            for text in bad {
                assert!(matches!(check(format, text), Some(Err(_))), "{format} {text}");
            }
        }
        assert_eq!(check("date-time", "x"), None);
    }
}
