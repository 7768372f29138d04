//! The type of a scalar, as go-yaml v2 decides it (its `resolve.go`).
//!
//! YAML 1.1 with exceptions: `y` and `off` are booleans, `0644` and `1_000` are integers, `190:20:30` is a string,
//! and so is every timestamp.

use super::timestamp::is_timestamp;
use super::tree::{Scalar, Tag};

/// A scalar with its type decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    Uint(u64),
    Float(f64),
    /// The text as it stands.
    Text,
    /// Decoded from `!!binary`.
    Decoded(Vec<u8>),
}

/// An explicit tag that does not fit the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TagMismatch;

/// Decides the type of a scalar.
pub(super) fn resolve(scalar: &Scalar<'_>) -> Result<Resolved, TagMismatch> {
    let text = scalar.text.as_ref();
    match scalar.tag {
        Tag::None if scalar.implicit => Ok(guess(text)),
        Tag::None | Tag::Str | Tag::Merge | Tag::Other => Ok(Resolved::Text),
        Tag::Binary => decode_base64(text.as_bytes()).map(Resolved::Decoded).ok_or(TagMismatch),
        Tag::Timestamp if is_timestamp(text) => Ok(Resolved::Text),
        Tag::Timestamp => Err(TagMismatch),
        tag => match (tag, guess(text)) {
            (Tag::Null, Resolved::Null) => Ok(Resolved::Null),
            (Tag::Bool, value @ Resolved::Bool(_)) => Ok(value),
            (Tag::Int, value @ (Resolved::Int(_) | Resolved::Uint(_))) => Ok(value),
            (Tag::Float, value @ Resolved::Float(_)) => Ok(value),
            (Tag::Float, Resolved::Int(number)) => Ok(Resolved::Float(number as f64)),
            _ => Err(TagMismatch),
        },
    }
}

/// Whether plain text is text, and neither a number, a boolean nor null.
pub(super) fn is_text(text: &str) -> bool {
    guess(text) == Resolved::Text
}

/// The type of plain text.
fn guess(text: &str) -> Resolved {
    let Some(&first) = text.as_bytes().first() else {
        return Resolved::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => dotted(text),
        b'0'..=b'9' | b'+' | b'-' => number(text),
        _ => Resolved::Text,
    }
}

/// Booleans and null. Other spellings, `yEs` or `t`, are text.
fn word(text: &str) -> Resolved {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        _ => Resolved::Text,
    }
}

/// Text that begins with a point: a special number or a float in Go's own notation, underscores between digits.
fn dotted(text: &str) -> Resolved {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" => return Resolved::Float(f64::INFINITY),
        _ => {}
    }
    let bytes = text.as_bytes();
    let underscores_fit = bytes.iter().enumerate().all(|(i, c)| {
        *c != b'_'
            || (bytes[i - 1].is_ascii_digit() && bytes.get(i + 1).is_some_and(|next| next.is_ascii_digit()))
    });
    if !underscores_fit {
        return Resolved::Text;
    }
    float(&text.replace('_', "")).map_or(Resolved::Text, Resolved::Float)
}

/// Text that begins with a digit or a sign. Underscores mean nothing anywhere.
fn number(text: &str) -> Resolved {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let without_underscores;
    let plain = if text.contains('_') {
        without_underscores = text.replace('_', "");
        without_underscores.as_str()
    } else {
        text
    };
    let (negative, unsigned) = match plain.as_bytes().first() {
        Some(b'-') => (true, &plain[1..]),
        Some(b'+') => (false, &plain[1..]),
        _ => (false, plain),
    };
    if let Some(magnitude) = integer(unsigned) {
        match signed(negative, magnitude) {
            Some(value) => return Resolved::Int(value),
            // Go tries the unsigned type next, which takes no sign at all.
            None if unsigned.len() == plain.len() => {
                if let Ok(value) = u64::try_from(magnitude) {
                    return Resolved::Uint(value);
                }
            }
            None => {}
        }
    }
    if let Some(value) = float(plain) {
        return Resolved::Float(value);
    }
    signed_binary(plain)
}

/// `0b-101` and its like: go-yaml cuts the prefix off and reads the rest, its sign included.
fn signed_binary(plain: &str) -> Resolved {
    let rest = match (plain.strip_prefix("0b"), plain.strip_prefix("-0b")) {
        (Some(rest), _) => rest,
        // Here a second sign makes no number.
        _ => return Resolved::Text,
    };
    let (negative, digits) = match rest.as_bytes().first() {
        Some(b'-') => (true, &rest[1..]),
        Some(b'+') => (false, &rest[1..]),
        _ => return Resolved::Text,
    };
    digits_of(digits, 2)
        .and_then(|magnitude| signed(negative, magnitude))
        .map_or(Resolved::Text, Resolved::Int)
}

/// An integer without a sign: decimal, `0x`, `0o`, `0b`, or octal after a lone zero.
fn integer(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let (radix, digits) = match (bytes.first()?, bytes.get(1)) {
        (b'0', Some(b'x' | b'X')) => (16, &text[2..]),
        (b'0', Some(b'o' | b'O')) => (8, &text[2..]),
        (b'0', Some(b'b' | b'B')) => (2, &text[2..]),
        (b'0', Some(_)) => (8, &text[1..]),
        _ => (10, text),
    };
    digits_of(digits, radix)
}

/// Digits alone. More than fit into 127 bits are no integer for anyone.
fn digits_of(digits: &str, radix: u32) -> Option<u128> {
    let mut value: u128 = 0;
    if digits.is_empty() {
        return None;
    }
    for c in digits.chars() {
        value = value.checked_mul(u128::from(radix))?.checked_add(u128::from(c.to_digit(radix)?))?;
    }
    (value <= i128::MAX as u128).then_some(value)
}

fn signed(negative: bool, magnitude: u128) -> Option<i64> {
    let value = i128::try_from(magnitude).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// A decimal float: digits with at most one point and an exponent. What overflows is none.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
    let mantissa_fits = is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Padded base64 (RFC 4648, section 4); line breaks are skipped, bits left over are not checked.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut symbols = text.iter().copied().filter(|c| !matches!(c, b'\n' | b'\r')).peekable();
    while symbols.peek().is_some() {
        let mut bits: u32 = 0;
        let mut count = 0;
        for position in 0..4 {
            let symbol = symbols.next()?;
            let value = match symbol {
                b'A'..=b'Z' => symbol - b'A',
                b'a'..=b'z' => symbol - b'a' + 26,
                b'0'..=b'9' => symbol - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' if position == 2 && symbols.next() == Some(b'=') && symbols.peek().is_none() => break,
                b'=' if position == 3 && symbols.peek().is_none() => break,
                _ => return None,
            };
            bits |= u32::from(value) << (18 - 6 * position);
            count += 1;
        }
        let octets = bits.to_be_bytes();
        out.extend_from_slice(&octets[1..count]);
    }
    Some(out)
}
