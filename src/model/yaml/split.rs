//! A file to documents, as apimachinery's `YAMLOrJSONDecoder` cuts it before any YAML is parsed.

use super::error::{Mark, YamlError, YamlErrorKind};

const SEPARATOR: &[u8] = b"---";

/// How far kubectl looks for the opening brace of JSON.
const JSON_PEEK_BYTES: usize = 4096;

/// The text of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub bytes: &'a [u8],
    /// Line of the file the chunk begins at.
    pub line: u32,
    /// Line of a separator with something behind it, which spoils the whole chunk.
    bad_separator: Option<u32>,
}

impl Chunk<'_> {
    /// The error for a chunk that holds a bad separator.
    pub fn check(&self) -> Result<(), YamlError> {
        match self.bad_separator {
            None => Ok(()),
            Some(line) => Err(YamlError::new(
                YamlErrorKind::Separator,
                Mark { line, column: 4 },
                "only a comment can follow the separator '---' on its line, so kubectl refuses the documents on both \
                 sides; put what follows on a line of its own",
            )),
        }
    }
}

/// Whether the file is read as JSON first: its first character that is no blank is a brace.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(JSON_PEEK_BYTES)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.trim_start().starts_with('{')
}

/// Cuts at lines that begin with `---`, whatever they are in; a block scalar is cut like anything else. Each line must
/// end with a line feed. A separator belongs to the document behind it only if nothing stands before it.
#[derive(Debug)]
pub(super) struct Splitter<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> Splitter<'a> {
    pub fn new(text: &'a [u8], first_line: u32) -> Self {
        Splitter { rest: text, line: first_line }
    }
}

impl<'a> Iterator for Splitter<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let text = self.rest;
        let line = self.line;
        let mut bad_separator = None;
        let mut offset = 0;
        for content in text.split_inclusive(|byte| *byte == b'\n') {
            let number = self.line;
            self.line += 1;
            if let Some(behind) = content.strip_prefix(SEPARATOR) {
                if !only_comment(behind) {
                    bad_separator.get_or_insert(number);
                } else if offset > 0 {
                    self.rest = &text[offset + content.len()..];
                    return Some(Chunk { bytes: &text[..offset], line, bad_separator });
                }
            }
            offset += content.len();
        }
        self.rest = &[];
        Some(Chunk { bytes: text, line, bad_separator })
    }
}

fn only_comment(behind: &[u8]) -> bool {
    std::str::from_utf8(behind).is_ok_and(|text| {
        let text = text.trim();
        text.is_empty() || text.starts_with('#')
    })
}

/// Where YAML goes on behind the last JSON value: blanks up to the end of the line are skipped. `None` if kubectl gives
/// up, because fewer than four bytes are left or a character is the one that stands for invalid ones.
pub(super) fn yaml_after_json(text: &str) -> Option<usize> {
    let mut offset = 0;
    loop {
        let rest = &text[offset..];
        let c = rest.chars().next()?;
        if rest.len() < 4 || c == char::REPLACEMENT_CHARACTER {
            return None;
        }
        if !c.is_whitespace() {
            return Some(offset);
        }
        offset += c.len_utf8();
        if c == '\n' {
            return Some(offset);
        }
    }
}

/// The next separator line.
pub(super) fn next_separator(text: &str) -> Option<usize> {
    text.find("\n---").map(|at| at + 1)
}
