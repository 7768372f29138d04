//! Bytes to text: UTF-8, and UTF-16 where a byte order mark announces it.

use std::borrow::Cow;

use super::error::{Mark, YamlError, YamlErrorKind};

const BOM: char = '\u{FEFF}';

/// Removes a byte order mark from the start of the file and turns UTF-16 into UTF-8, as kubectl does before all else.
pub(super) fn decode_file(bytes: &[u8]) -> Result<Cow<'_, [u8]>, YamlError> {
    let (encoded, to_unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return Ok(Cow::Borrowed(rest)),
        [0xFF, 0xFE, rest @ ..] => (rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return Ok(Cow::Borrowed(bytes)),
    };
    let units = encoded.chunks_exact(2).map(|pair| to_unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(encoded.len());
    let mut valid = encoded.len() % 2 == 0;
    for c in char::decode_utf16(units) {
        match c {
            Ok(c) => text.push(c),
            Err(_) => {
                valid = false;
                break;
            }
        }
    }
    if valid {
        return Ok(Cow::Owned(text.into_bytes()));
    }
    Err(YamlError::new(
        YamlErrorKind::Encoding,
        end_of(&text, Mark::START),
        "the byte order mark says UTF-16, but half a character stands here; save the file as UTF-8",
    ))
}

/// Checks that bytes are UTF-8. The error points at the first byte that is not.
pub(super) fn decode_utf8(bytes: &[u8], first_line: u32) -> Result<&str, YamlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let mark = end_of(&valid, Mark { line: first_line, column: 1 });
        YamlError::new(YamlErrorKind::Encoding, mark, "these bytes are no UTF-8; save the file as UTF-8")
    })
}

/// Removes a byte order mark from the start of a document and refuses characters that YAML does not allow.
pub(super) fn check_characters(text: &str, first_line: u32) -> Result<&str, YamlError> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let refuse = |at: usize, message: &str| {
        let mark = end_of(&text[..at], Mark { line: first_line, column: 1 });
        Err(YamlError::new(YamlErrorKind::Encoding, mark, message))
    };
    if text.starts_with(BOM) {
        return refuse(0, "a second byte order mark stands here; remove it");
    }
    let bytes = text.as_bytes();
    let forbidden = bytes.iter().enumerate().find(|&(at, &byte)| match byte {
        b'\t' | b'\n' | b'\r' | 0x20..=0x7E => false,
        0x00..=0x1F | 0x7F => true,
        // U+0080 to U+009F but for NEL.
        0xC2 => (0x80..=0x9F).contains(&bytes[at + 1]) && bytes[at + 1] != 0x85,
        // U+FFFE and U+FFFF.
        0xEF => bytes[at + 1] == 0xBF && bytes[at + 2] >= 0xBE,
        _ => false,
    });
    match forbidden {
        None => Ok(text),
        Some((at, _)) => {
            let code = text[at..].chars().next().map_or(0, u32::from);
            refuse(
                at,
                &format!(
                    "YAML does not allow the character U+{code:04X}; in double quotes it can be written as an escape"
                ),
            )
        }
    }
}

/// Removes the carriage returns of CRLF and closes the last line, as kubectl does line by line before it parses.
pub(super) fn normalize_lines(text: &[u8]) -> Cow<'_, [u8]> {
    let closed = text.last().is_none_or(|last| *last == b'\n');
    if closed && !text.windows(2).any(|pair| pair == b"\r\n") {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 1);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
        out.extend_from_slice(content);
        out.push(b'\n');
    }
    Cow::Owned(out)
}

/// Where a text ends that starts at a place.
pub(super) fn end_of(text: &str, start: Mark) -> Mark {
    let breaks = text.bytes().filter(|byte| *byte == b'\n').count();
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let characters = last_line.chars().count() as u32;
    if breaks == 0 {
        Mark { line: start.line, column: start.column + characters }
    } else {
        Mark { line: start.line + breaks as u32, column: characters + 1 }
    }
}
