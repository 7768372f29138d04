//! Where a field is: the path elements of `FieldsV1`, which is how the API server writes down who owns what.
//!
//! The format is structured-merge-diff's: `f:<field>`, `k:{"key": value}` for an item of a keyed list, `v:<value>`
//! for an item of a set, `i:<index>` for an item of a plain list, `.` for the thing itself
//! (meta/v1 `FieldsV1`; sigs.k8s.io/structured-merge-diff, package `fieldpath`).

use super::scalar::Scalar;
use serde_json::{Map, Value};
use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathElement {
    /// A field of a mapping.
    Field(Box<str>),
    /// The item of a keyed list whose fields have these values, sorted by field. May hold defaults that the
    /// applied manifest does not name (`protocol: TCP` of a port).
    Key(Box<[(Box<str>, Scalar)]>),
    /// The item of a set.
    Value(Scalar),
    /// The item of a plain list. The API server writes none of these today.
    Index(u64),
}

/// Why a text is not a path element, or a JSON value not a `FieldsV1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFields {
    /// A node of the tree is not a mapping.
    #[error("managedFields: the node `{0}` is not a mapping")]
    NotAMapping(String),
    /// The text after `k:`, `v:` or `i:` cannot be read.
    #[error("managedFields: `{0}` is not a path element")]
    NotAnElement(String),
}

impl PathElement {
    /// A field of a mapping.
    #[must_use]
    pub fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// The item of a keyed list, from its key fields in any order.
    #[must_use]
    pub fn key<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        let mut key: Vec<_> =
            fields.into_iter().map(|(name, v)| (name.into(), Scalar::from_json(v))).collect();
        key.sort();
        Self::Key(key.into())
    }

    /// Reads one key of a `FieldsV1` mapping other than `.`. `None` for a kind of element that this version of the
    /// format does not have: upstream's own reader skips those.
    ///
    /// # Errors
    /// When the text after the kind cannot be read.
    pub fn parse(text: &str) -> Result<Option<Self>, BadFields> {
        let bad = || BadFields::NotAnElement(text.into());
        let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
        Ok(Some(match kind {
            "f" => Self::field(rest),
            "k" => {
                let fields: Map<String, Value> = serde_json::from_str(rest).map_err(|_| bad())?;
                Self::key(fields.iter().map(|(name, value)| (name.as_str(), value)))
            }
            "v" => Self::Value(Scalar::from_json(&serde_json::from_str(rest).map_err(|_| bad())?)),
            "i" => Self::Index(rest.parse().map_err(|_| bad())?),
            _ => return Ok(None),
        }))
    }

    /// The key of a `FieldsV1` mapping.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => {
                let map: Map<String, Value> =
                    fields.iter().map(|(name, value)| (name.to_string(), value.to_json())).collect();
                format!("k:{}", Value::Object(map))
            }
            Self::Value(value) => format!("v:{}", value.to_json()),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Finds what this element names in a live value. Of a keyed list's items, one that has all key fields is
    /// preferred; else the only one whose named key fields agree (the server has defaults for the others).
    #[must_use]
    pub fn find<'v>(&self, parent: &'v Value) -> Option<&'v Value> {
        self.position(parent).map(|(_, value)| value)
    }

    /// As [`find`](Self::find), with the place in the list (0 for a field).
    #[must_use]
    pub fn position<'v>(&self, parent: &'v Value) -> Option<(usize, &'v Value)> {
        match self {
            Self::Field(name) => parent.as_object()?.get(&**name).map(|value| (0, value)),
            Self::Value(wanted) => parent.as_array()?.iter().enumerate().find(|(_, item)| wanted.is(item)),
            Self::Index(index) => {
                let index = usize::try_from(*index).ok()?;
                parent.as_array()?.get(index).map(|value| (index, value))
            }
            Self::Key(fields) => {
                let items = parent.as_array()?;
                let exact = |item: &Value| {
                    fields.iter().all(|(name, value)| item.get(&**name).is_some_and(|live| value.is(live)))
                };
                if let Some(found) = items.iter().enumerate().find(|(_, item)| exact(item)) {
                    return Some(found);
                }
                let mut loose = items.iter().enumerate().filter(|(_, item)| agrees(fields, item));
                loose.next().filter(|_| loose.next().is_none())
            }
        }
    }
}

/// Whether an item has at least one of the key's fields and contradicts none.
pub(super) fn agrees(fields: &[(Box<str>, Scalar)], item: &Value) -> bool {
    let mut named = 0;
    for (name, value) in fields {
        match item.get(&**name) {
            Some(live) if value.is(live) => named += 1,
            Some(_) => return false,
            None => {}
        }
    }
    named > 0
}

/// A field of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<PathElement>);

impl Path {
    /// A path of field names only, such as `["spec", "replicas"]`.
    #[must_use]
    pub fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| PathElement::field(name)).collect())
    }
}

/// `spec.template.spec.containers[name=web].image`, `metadata.labels["app.kubernetes.io/name"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(place, element)| write_element(f, element, place == 0))
    }
}

pub(super) fn write_element(f: &mut impl fmt::Write, element: &PathElement, first: bool) -> fmt::Result {
    match element {
        PathElement::Field(name) => write_field(f, name, first),
        PathElement::Key(fields) => {
            for (place, (name, value)) in fields.iter().enumerate() {
                write!(f, "{}{name}={value}", if place == 0 { '[' } else { ',' })?;
            }
            f.write_char(']')
        }
        PathElement::Value(value) => write!(f, "[={value}]"),
        PathElement::Index(index) => write!(f, "[{index}]"),
    }
}

/// A name with a character that would read as a path is quoted.
pub(super) fn write_field(f: &mut impl fmt::Write, name: &str, first: bool) -> fmt::Result {
    if name.is_empty() || name.contains(['.', '/', '[', ']', ' ', '"']) {
        write!(f, "[{name:?}]")
    } else if first {
        f.write_str(name)
    } else {
        write!(f, ".{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_survive_the_round_trip() {
        for text in [
            "f:spec",
            "f:app.kubernetes.io/name",
            r#"k:{"containerPort":80,"protocol":"TCP"}"#,
            r#"v:"portolan.dev/x""#,
            "v:1.5",
            "i:3",
        ] {
            assert_eq!(PathElement::parse(text).unwrap().unwrap().to_text(), text);
        }
        assert_eq!(PathElement::parse("x:later"), Ok(None));
        assert!(PathElement::parse("k:{").is_err());
    }

    #[test]
    fn paths_read_as_people_write_them() {
        let path = Path(vec![
            PathElement::field("spec"),
            PathElement::key([("name", &json!("web"))]),
            PathElement::field("image"),
            PathElement::field("a.b/c"),
            PathElement::Value(Scalar::Text("x".into())),
        ]);
        assert_eq!(path.to_string(), r#"spec[name=web].image["a.b/c"][=x]"#);
    }

    #[test]
    fn a_defaulted_key_field_is_not_needed_in_the_live_item() {
        let key = PathElement::key([("port", &json!(53)), ("protocol", &json!("TCP"))]);
        let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "n": 1}]);
        assert_eq!(key.find(&ports), Some(&json!({"port": 53, "n": 1})));
        assert_eq!(key.find(&json!([{"port": 53, "protocol": "UDP"}])), None);
        assert_eq!(key.find(&json!([{"port": 53, "a": 1}, {"port": 53, "a": 2}])), None);
    }
}
