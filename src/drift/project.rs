//! Projection: an object reduced to the fields of a set, as bytes that can be compared.
//!
//! The walk over a set yields the same row of slots whatever the live object holds, so two projections over one set
//! lie side by side: a slot for each leaf, and one for the order of each keyed list (the order of containers and
//! environment variables means something; the server tracks no owner for it).

use super::fieldset::FieldSet;
use super::path::PathElement;
use super::shown::is_sensitive;
use super::trail::{Step, Trail};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Values above this many bytes of JSON are kept as a hash and their beginning: a ConfigMap of a megabyte must not
/// cost a megabyte.
const INLINE: usize = 192;
/// How much of the beginning is kept, enough to show.
const START: usize = 112;

/// Secret key of the hashes that stand for a Secret's values in memory. Not kept anywhere else.
#[derive(Clone)]
pub struct Salt(Arc<[u8; 32]>);

impl Salt {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(bytes))
    }

    fn hash(&self, bytes: &[u8]) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(*self.0);
        hasher.update(bytes);
        truncated(&hasher.finalize())
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

/// The first half of a SHA-256, which is plenty to tell values apart.
pub(super) fn truncated(digest: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// What the walk comes to.
pub(super) enum Slot<'v> {
    /// A value that is owned as a whole; `None` where the object has none.
    Leaf(Option<&'v Value>),
    /// The items of a keyed list that the set has: numbers of the set's items in the order of the live list.
    Order(Vec<u16>),
}

/// Walks an object along a set of fields.
pub(super) fn walk<'v>(
    set: &FieldSet,
    live: Option<&'v Value>,
    trail: &Trail<'_>,
    visit: &mut impl FnMut(&Trail<'_>, Slot<'v>),
) {
    let mut keyed: Vec<(usize, u16)> = Vec::new();
    let mut keys = 0u16;
    for node in set.nodes() {
        let found = live.and_then(|live| node.element.position(live));
        if matches!(node.element, PathElement::Key(_)) {
            keyed.extend(found.map(|(place, _)| (place, keys)));
            keys = keys.saturating_add(1);
        }
        let value = found.map(|(_, value)| value);
        let trail = trail.then(Step::Element(&node.element));
        match &node.below {
            None => visit(&trail, Slot::Leaf(value)),
            Some(below) => walk(below, value, &trail, visit),
        }
    }
    if keys > 1 {
        keyed.sort_unstable();
        visit(trail, Slot::Order(keyed.into_iter().map(|(_, number)| number).collect()));
    }
}

/// One slot as bytes: a tag, a length where it varies, the content. Equal values give equal bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept<'a> {
    /// Nothing there, or `null`.
    Absent,
    /// The JSON itself.
    Inline(&'a [u8]),
    /// Too long to keep.
    Long {
        /// Half a SHA-256 of the JSON.
        hash: [u8; 16],
        /// Bytes of the text, or of the JSON of what is no text.
        length: u32,
        /// The beginning of the same.
        start: &'a [u8],
        /// Whether it is a text.
        text: bool,
    },
    /// A Secret's value: only whether it is the same can be told.
    Secret([u8; 16]),
    /// See [`Slot::Order`].
    Order(&'a [u8]),
}

const ABSENT: u8 = 0;
const SHORT: u8 = 1;
const LONG: u8 = 2;
const LONG_TEXT: u8 = 3;
const SECRET: u8 = 4;
const ORDER: u8 = 5;

/// Writes one slot.
pub(super) fn keep(bytes: &mut Vec<u8>, slot: &Slot<'_>, secret: Option<&Salt>) {
    match slot {
        Slot::Leaf(None | Some(Value::Null)) => bytes.push(ABSENT),
        Slot::Leaf(Some(value)) => {
            let at = bytes.len();
            bytes.extend_from_slice(&[SHORT, 0]);
            serde_json::to_writer(&mut *bytes, value).expect("a JSON value can be written as JSON");
            let length = bytes.len() - at - 2;
            if let Some(salt) = secret {
                let hash = salt.hash(&bytes[at + 2..]);
                bytes.truncate(at);
                bytes.push(SECRET);
                bytes.extend_from_slice(&hash);
            } else if length <= INLINE {
                bytes[at + 1] = u8::try_from(length).expect("INLINE fits a byte");
            } else {
                let hash = truncated(&Sha256::digest(&bytes[at + 2..]));
                let json = bytes.split_off(at);
                let (tag, shown) = match value {
                    Value::String(text) => (LONG_TEXT, text.as_bytes()),
                    _ => (LONG, &json[2..]),
                };
                bytes.push(tag);
                bytes.extend_from_slice(&hash);
                bytes.extend_from_slice(&u32::try_from(shown.len()).unwrap_or(u32::MAX).to_le_bytes());
                // A text may be shorter than its JSON, which escapes: the start is filled up to its fixed length.
                bytes.extend(shown.iter().copied().chain(std::iter::repeat(0)).take(START));
            }
        }
        Slot::Order(numbers) => {
            bytes.push(ORDER);
            let length = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_le_bytes());
            numbers.iter().take(usize::from(length)).for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
        }
    }
}

/// Reads one slot off the front; `None` at the end.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<Kept<'a>> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    let mut cut = |length: usize| -> Option<&'a [u8]> {
        let (head, tail) = bytes.split_at_checked(length)?;
        *bytes = tail;
        Some(head)
    };
    Some(match tag {
        SHORT => {
            let length = usize::from(*cut(1)?.first()?);
            Kept::Inline(cut(length)?)
        }
        LONG | LONG_TEXT => {
            let hash = cut(16)?.try_into().ok()?;
            let length = u32::from_le_bytes(cut(4)?.try_into().ok()?);
            let start = cut(START)?;
            let start = &start[..start.len().min(length as usize)];
            Kept::Long { hash, length, start, text: tag == LONG_TEXT }
        }
        SECRET => Kept::Secret(cut(16)?.try_into().ok()?),
        ORDER => {
            let length = u16::from_le_bytes(cut(2)?.try_into().ok()?);
            Kept::Order(cut(2 * usize::from(length))?)
        }
        _ => Kept::Absent,
    })
}

/// The numbers of an [`Kept::Order`].
pub(super) fn order(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A whole projection. A mapping of which `is_foreign` says that its content is others' stands for an empty one: that is
/// what was declared, for the server lets nobody own something below an atomic value.
pub(super) fn project(
    set: &FieldSet,
    live: &Value,
    secret: Option<&Salt>,
    is_foreign: &dyn Fn(&Trail<'_>) -> bool,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    walk(set, Some(live), &Trail::root(), &mut |trail, slot| {
        let hidden = secret.filter(|_| is_sensitive(true, trail));
        let slot = match slot {
            Slot::Leaf(Some(Value::Object(map))) if !map.is_empty() && is_foreign(trail) => Slot::Leaf(None),
            slot => slot,
        };
        keep(&mut bytes, &slot, hidden);
    });
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slots(value: &Value, secret: Option<&Salt>) -> Vec<u8> {
        let mut bytes = Vec::new();
        keep(&mut bytes, &Slot::Leaf(Some(value)), secret);
        bytes
    }

    #[test]
    fn slots_are_read_back_one_by_one() {
        let mut bytes = Vec::new();
        keep(&mut bytes, &Slot::Leaf(None), None);
        keep(&mut bytes, &Slot::Leaf(Some(&json!(3))), None);
        keep(&mut bytes, &Slot::Leaf(Some(&json!("x".repeat(1000)))), None);
        keep(&mut bytes, &Slot::Order(vec![1, 0]), None);
        let mut rest = bytes.as_slice();
        assert!(take(&mut rest) == Some(Kept::Absent));
        assert!(take(&mut rest) == Some(Kept::Inline(b"3")));
        assert!(matches!(take(&mut rest), Some(Kept::Long { length: 1000, text: true, .. })));
        assert!(matches!(take(&mut rest), Some(Kept::Order(bytes)) if order(bytes) == [1, 0]));
        assert!(take(&mut rest).is_none());
    }

    #[test]
    fn a_secret_leaves_only_a_salted_hash() {
        let (one, other) = (Salt::new([1; 32]), Salt::new([2; 32]));
        let value = json!("aHVudGVyMg==");
        let kept = slots(&value, Some(&one));
        assert_eq!(kept.len(), 17);
        assert_eq!(kept, slots(&value, Some(&one)));
        assert_ne!(kept, slots(&value, Some(&other)));
        assert_ne!(kept, slots(&json!("aHVudGVyMw=="), Some(&one)));
        assert_eq!(format!("{one:?}"), "Salt");
    }
}
