//! JSON pointers of ignore rules: RFC 6901, with `*` for every key or item and `name=web` for a list item.

use super::path::PathElement;
use super::scalar::Scalar;
use serde_json::Value;

/// A path of an ignore rule that is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a JSON pointer: write it like `/spec/replicas`, with `~1` for a `/` in a key and `~0` for a `~`"
)]
pub struct BadPointer(pub String);

/// A pointer, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<Segment>);

/// One segment of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// `*`: every key, every item.
    Any,
    /// A key; of a list, a place (`0`), the item with this field value (`name=web`), or of a set the item itself.
    Name(String),
}

impl Pointer {
    /// Reads a pointer.
    pub(super) fn parse(text: &str) -> Result<Self, BadPointer> {
        let bad = || BadPointer(text.into());
        let segments = text.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or_else(bad)?;
        let segment = |raw: &str| -> Result<Segment, BadPointer> {
            if raw == "*" {
                return Ok(Segment::Any);
            }
            // `~` is followed by 0 or 1, or it is a mistake.
            if raw.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
                return Err(bad());
            }
            Ok(Segment::Name(raw.replace("~1", "/").replace("~0", "~")))
        };
        segments.split('/').map(segment).collect::<Result<_, _>>().map(Self)
    }

    /// A pointer of our own.
    pub(super) fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Segment::Name((*name).into())).collect())
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl Segment {
    /// Whether it names a key of a mapping.
    pub(super) fn names_field(&self, key: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => name == key,
        }
    }

    /// Whether it names an item of a list.
    pub(super) fn names_item(&self, place: usize, item: &Value) -> bool {
        let Self::Name(name) = self else { return true };
        if name.parse() == Ok(place) {
            return true;
        }
        match (name.split_once('='), item) {
            (Some((key, wanted)), Value::Object(map)) => {
                map.get(key).is_some_and(|value| reads(value, wanted))
            }
            (_, Value::Object(_) | Value::Array(_)) => false,
            (_, scalar) => reads(scalar, name),
        }
    }

    /// Whether it names an element of a field set; `found` is what the element stands for in the live object.
    pub(super) fn names_element(&self, element: &PathElement, found: Option<(usize, &Value)>) -> bool {
        match (self, element) {
            (Self::Any, _) => true,
            (_, PathElement::Field(field)) => self.names_field(field),
            (Self::Name(name), PathElement::Index(index)) => name.parse() == Ok(*index),
            (Self::Name(name), PathElement::Key(fields)) => {
                let by_key = name.split_once('=').is_some_and(|(key, wanted)| {
                    fields.iter().any(|(field, value)| **field == *key && value.to_string() == wanted)
                });
                by_key || found.is_some_and(|(place, item)| self.names_item(place, item))
            }
            (Self::Name(name), PathElement::Value(value)) => {
                value.to_string() == *name || found.is_some_and(|(place, _)| name.parse() == Ok(place))
            }
        }
    }
}

fn reads(value: &Value, wanted: &str) -> bool {
    Scalar::from_json(value).to_string() == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_are_read_with_their_escapes() {
        let pointer = Pointer::parse("/metadata/annotations/a.b~1c~0d").unwrap();
        assert_eq!(pointer, Pointer::fields(&["metadata", "annotations", "a.b/c~d"]));
        assert_eq!(Pointer::parse("/a/*").unwrap().segments()[1], Segment::Any);
        for bad in ["", "/", "spec/replicas", "/a~2", "/a~"] {
            assert!(Pointer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn list_items_are_named_by_a_field_a_place_or_themselves() {
        let item = json!({"name": "web", "port": 80});
        let names = |text: &str, place| Segment::Name(text.into()).names_item(place, &item);
        assert!(names("name=web", 0) && names("port=80", 0) && names("2", 2));
        assert!(!names("name=api", 0) && !names("1", 2) && !names("web", 0));
        assert!(Segment::Name("x".into()).names_item(0, &json!("x")));
        let key = PathElement::key([("containerPort", &json!(80)), ("protocol", &json!("TCP"))]);
        assert!(Segment::Name("containerPort=80".into()).names_element(&key, None));
        assert!(Segment::Name("name=web".into()).names_element(&key, Some((0, &item))));
        assert!(!Segment::Name("containerPort=81".into()).names_element(&key, None));
    }
}
