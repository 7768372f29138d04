//! Mapping keys as JSON strings.

use super::error::{Mark, YamlError, YamlErrorKind};
use super::scalar::{Resolved, resolve};
use super::tree::{Content, NodeId, Scalar, Tag, Tree};

/// Whether a key is the merge key: `<<` without quotes, or tagged as such.
pub(super) fn is_merge(tree: &Tree<'_>, key: NodeId) -> bool {
    match &tree.node(key).content {
        Content::Scalar(scalar) => scalar.text == "<<" && (scalar.implicit || scalar.tag == Tag::Merge),
        _ => false,
    }
}

/// The string a key becomes: `1.0` is "1", `0644` is "420", `yes` is "true".
pub(super) fn print(scalar: &Scalar<'_>, mark: Mark) -> Result<String, YamlError> {
    let refuse = |message: &str| Err(YamlError::new(YamlErrorKind::Key, mark, message));
    match resolve(scalar) {
        Err(_) => Err(YamlError::new(
            YamlErrorKind::Tag,
            mark,
            format!("the key does not fit its tag {}; correct the key or remove the tag", scalar.tag.name()),
        )),
        Ok(Resolved::Null) => refuse(
            "a key cannot be empty or null; write the key, or put it into quotes if it is the word null",
        ),
        Ok(Resolved::Uint(_)) => refuse("a number beyond 64 bits signed cannot be a key; put it into quotes"),
        Ok(Resolved::Bool(value)) => Ok(value.to_string()),
        Ok(Resolved::Int(value)) => Ok(value.to_string()),
        Ok(Resolved::Float(value)) => Ok(print_float(value)),
        Ok(Resolved::Text) => Ok(scalar.text.as_ref().to_owned()),
        Ok(Resolved::Decoded(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => Err(not_text(mark)),
        },
    }
}

/// The refusal of `!!binary` data that are no text. kubectl would put U+FFFD in the place of each byte.
pub(super) fn not_text(mark: Mark) -> YamlError {
    YamlError::new(
        YamlErrorKind::Encoding,
        mark,
        "these !!binary data are no UTF-8, so no JSON string can hold them; remove the tag to keep the base64 text",
    )
}

/// The refusal of a collection as a key.
pub(super) fn not_a_key(mark: Mark) -> YamlError {
    YamlError::new(
        YamlErrorKind::Key,
        mark,
        "a mapping or list cannot be a key; if this is a template's '{{ }}', put it into quotes",
    )
}

/// The string of a key node, aliases followed.
pub(super) fn of_node(tree: &Tree<'_>, id: NodeId) -> Option<String> {
    let node = tree.node(id);
    match &node.content {
        Content::Scalar(scalar) => print(scalar, node.mark).ok(),
        Content::Alias { target } => of_node(tree, *target),
        _ => None,
    }
}

/// A float key goes through 32 bits and Go's `%g`: `1e9` is "1e+09", and `1e39` is ".inf".
fn print_float(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    // "d.ddde-x" with the fewest digits that name this float.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
