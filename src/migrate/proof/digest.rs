//! Values that must not be seen, as digests that can be compared.

use crate::transform::{is_hidden, pointer_at};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;

/// How a digest begins, in dumps as well.
const MARK: &str = "hmac-sha256:";

/// The key of a run. Both sides of a comparison need the same one; it is kept nowhere else.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of a text. A digest stays as it is: what a dump holds was made with its key.
    #[must_use]
    pub fn digest(&self, text: &str) -> String {
        if text.starts_with(MARK) {
            return text.to_owned();
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        let mut digest = MARK.to_owned();
        for byte in mac.finalize().into_bytes() {
            write!(digest, "{byte:02x}").expect("text can be written to a String");
        }
        digest
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Whether a value is a digest.
pub(super) fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(MARK))
}

/// A Secret with digests in place of its values, `stringData` among `data`; any other object as it is.
///
/// The digest is that of the base64 text: API servers write one text for one value.
#[must_use]
pub fn digested(object: &Value, key: &Key) -> Value {
    let mut object = object.clone();
    if object["apiVersion"] != "v1" || object["kind"] != "Secret" {
        return object;
    }
    merge_string_data(&mut object);
    let Some(map) = object.as_object_mut() else { return object };
    for (name, value) in map.iter_mut() {
        let pointer = pointer_at("", name);
        if name == "metadata" {
            for (field, value) in value.as_object_mut().into_iter().flatten() {
                hide(value, &pointer_at(&pointer, field), key);
            }
        } else {
            hide(value, &pointer, key);
        }
    }
    object
}

fn hide(value: &mut Value, pointer: &str, key: &Key) {
    if is_hidden(pointer) {
        hide_all(value, key);
    }
}

fn hide_all(value: &mut Value, key: &Key) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| hide_all(value, key)),
        Value::Array(list) => list.iter_mut().for_each(|value| hide_all(value, key)),
        Value::Null => {}
        Value::String(text) => *text = key.digest(text),
        other => *other = Value::String(key.digest(&other.to_string())),
    }
}

/// `stringData` is written only: the server keeps it in `data`, as base64.
fn merge_string_data(secret: &mut Value) {
    let Some(map) = secret.as_object_mut() else { return };
    let Some(Value::Object(texts)) = map.remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Some(data) = data.as_object_mut() {
        for (name, text) in texts {
            data.insert(name, base64(text.as_str().unwrap_or_default().as_bytes()).into());
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_rfc_2104() {
        // Test case 2 of RFC 4231 has a short key; HMAC pads keys with zeros.
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            Key::new(bytes).digest("what do ya want for nothing?"),
            "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_secret_leaves_no_value() {
        let key = Key::new([7; 32]);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "a", "annotations": {"note": "hunter2"}},
            "data": {"k": "aHVudGVyMg=="}, "stringData": {"l": "hunter2"}});
        let hidden = digested(&secret, &key);
        let text = hidden.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
        assert_eq!(hidden["data"]["k"], hidden["data"]["l"]);
        assert_eq!((&hidden["type"], &hidden["metadata"]["name"]), (&json!("Opaque"), &json!("a")));
        assert_eq!(digested(&hidden, &key), hidden);
        assert_ne!(digested(&secret, &Key::new([8; 32])), hidden);
        assert_eq!(
            (base64(b"f"), base64(b"fo"), base64(b"foo")),
            ("Zg==".into(), "Zm8=".into(), "Zm9v".into())
        );
    }
}
