//! JSON pointers (RFC 6901), as text.

use serde_json::Value;
use std::borrow::Cow;

/// A pointer to a key or a place below a pointer.
#[must_use]
pub fn at(base: &str, key: impl AsRef<str>) -> String {
    format!("{base}/{}", escape(key.as_ref()))
}

/// A key as a pointer's segment.
#[must_use]
pub fn escape(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) {
        Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(key)
    }
}

/// A segment as the key that it stands for.
#[must_use]
pub fn unescape(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}

/// The pointer above, and the last key.
#[must_use]
pub fn split(pointer: &str) -> Option<(&str, Cow<'_, str>)> {
    let (above, last) = pointer.rsplit_once('/')?;
    Some((above, unescape(last)))
}

/// Takes out what a pointer names.
pub fn take(value: &mut Value, pointer: &str) -> Option<Value> {
    let (above, key) = split(pointer)?;
    match value.pointer_mut(above)? {
        Value::Object(map) => map.remove(key.as_ref()),
        Value::Array(list) => {
            let place = key.parse::<usize>().ok().filter(|place| *place < list.len())?;
            Some(list.remove(place))
        }
        _ => None,
    }
}

/// Puts something where a pointer points, and gives back what was there. Mappings on the way are made; a list's item has
/// to be there already, or be the next one.
pub fn put(value: &mut Value, pointer: &str, new: Value) -> Option<Value> {
    let mut here = value;
    let mut segments = pointer.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let key = unescape(segment);
        let last = segments.peek().is_none();
        if here.is_null() {
            *here = Value::Object(serde_json::Map::new());
        }
        match here {
            Value::Object(map) if last => return map.insert(key.into_owned(), new),
            Value::Object(map) => here = map.entry(key.into_owned()).or_insert(Value::Null),
            Value::Array(list) => {
                let place = key.parse::<usize>().ok()?;
                if last && place == list.len() {
                    list.push(new);
                    return None;
                }
                let item = list.get_mut(place)?;
                if last {
                    return Some(std::mem::replace(item, new));
                }
                here = item;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_put_is_found_and_taken() {
        let mut value = json!({"metadata": {"annotations": null}, "list": [1]});
        let pointer = at("/metadata/annotations", "example.com/a~b");
        assert_eq!(pointer, "/metadata/annotations/example.com~1a~0b");
        assert_eq!(put(&mut value, &pointer, json!("x")), None);
        assert_eq!(value["metadata"]["annotations"]["example.com/a~b"], "x");
        assert_eq!(put(&mut value, "/list/0", json!(2)), Some(json!(1)));
        assert_eq!(put(&mut value, "/list/1", json!(3)), None);
        assert_eq!(put(&mut value, "/list/7", json!(3)), None);
        assert_eq!(value["list"], json!([2, 3]));
        assert_eq!(take(&mut value, &pointer), Some(json!("x")));
        assert_eq!(take(&mut value, "/list/5"), None);
    }
}
