//! Amounts of memory as Kubernetes writes them: `64Mi`, `1Gi`, `512`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An amount of bytes, more than nothing.
///
/// Written as a whole number with `Ki`, `Mi` or `Gi`, or in bytes without a suffix. Kubernetes' decimal suffixes
/// (`M`, and `m` for a thousandth!) are refused: they are a slip more often than meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Suffixes from the largest to the smallest, in bytes.
const SUFFIXES: [(&str, u64); 4] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10), ("", 1)];

/// A text is not an amount of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has to be a whole number of bytes, more than 0, such as `64Mi` or `1Gi` (suffixes Ki, Mi, Gi)")]
pub struct NotAByteSize;

impl ByteSize {
    /// An amount in MiB.
    #[must_use]
    pub const fn from_mebibytes(count: u32) -> Self {
        Self((if count == 0 { 1 } else { count } as u64) << 20)
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = NotAByteSize;

    fn from_str(text: &str) -> Result<Self, NotAByteSize> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let (_, size) = SUFFIXES.into_iter().find(|(name, _)| *name == suffix).ok_or(NotAByteSize)?;
        let bytes =
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(size)).ok_or(NotAByteSize)?;
        if bytes > 0 { Ok(Self(bytes)) } else { Err(NotAByteSize) }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (suffix, size) =
            SUFFIXES.into_iter().find(|(_, size)| self.0.is_multiple_of(*size)).unwrap_or(("", 1));
        write!(f, "{}{suffix}", self.0 / size)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "byte-size", "pattern": "^[0-9]+(Ki|Mi|Gi)?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("64Mi", 64 << 20, "64Mi"),
            ("1024Mi", 1 << 30, "1Gi"),
            ("1536", 1536, "1536"),
            ("2048", 2048, "2Ki"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
        }
        for text in ["", "0", "0Mi", "64M", "64m", "Mi", "-1Mi", "1.5Gi", "64 Mi", "99999999999Gi"] {
            assert_eq!(text.parse::<ByteSize>(), Err(NotAByteSize), "{text}");
        }
    }
}
