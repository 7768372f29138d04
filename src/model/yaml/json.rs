//! JSON text to nodes, in the grammar of Go's `encoding/json`.
//!
//! A parser of our own rather than serde_json's, for three reasons: it knows the place of every key, it sees
//! duplicates, and it takes the lone surrogates that Go takes.

use std::borrow::Cow;

use super::encoding::end_of;
use super::error::{Mark, YamlError, YamlErrorKind};
use super::parse::too_deep;
use super::tree::{Content, NodeId, Tag, Tree};

type Result<T> = std::result::Result<T, YamlError>;

/// Reads JSON values one after the other.
#[derive(Debug)]
pub(super) struct JsonReader<'a> {
    text: &'a str,
    pos: usize,
    /// A place already computed, to count lines only once.
    known: (usize, Mark),
    max_depth: usize,
    /// A number of the current value that no float can hold. That spoils the value but not the text.
    out_of_range: Option<YamlError>,
}

impl<'a> JsonReader<'a> {
    pub fn new(text: &'a str, start: Mark, max_depth: usize) -> Self {
        JsonReader { text, pos: 0, known: (0, start), max_depth, out_of_range: None }
    }

    /// Offset behind the last value.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Where the reader stands.
    pub fn mark(&mut self) -> Mark {
        let mark = end_of(&self.text[self.known.0..self.pos], self.known.1);
        self.known = (self.pos, mark);
        mark
    }

    /// Skips blanks. Says whether anything is left.
    pub fn skip_blanks(&mut self) -> bool {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
        self.pos < self.text.len()
    }

    /// Reads one value into a tree of its own. The outer error means that the text is not JSON; the inner one that it
    /// is, but its value cannot be expressed.
    pub fn value(&mut self) -> Result<Result<(Tree<'a>, NodeId)>> {
        let mut tree = Tree::default();
        let root = self.node(&mut tree, 0)?;
        Ok(match self.out_of_range.take() {
            None => Ok((tree, root)),
            Some(error) => Err(error),
        })
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.pos).copied().unwrap_or(0)
    }

    fn fail<T>(&mut self, message: &str) -> Result<T> {
        Err(YamlError::syntax(self.mark(), message))
    }

    fn node(&mut self, tree: &mut Tree<'a>, depth: usize) -> Result<NodeId> {
        self.skip_blanks();
        let mark = self.mark();
        if depth > self.max_depth {
            return Err(too_deep(mark, self.max_depth));
        }
        match self.peek() {
            b'{' => self.object(tree, mark, depth),
            b'[' => self.array(tree, mark, depth),
            b'"' => {
                let text = self.string()?;
                Ok(tree.scalar(text, Tag::None, false, mark))
            }
            b'-' | b'0'..=b'9' => {
                let text = self.number(mark)?;
                Ok(tree.scalar(Cow::Borrowed(text), Tag::None, true, mark))
            }
            _ => {
                let literal = ["true", "false", "null"]
                    .into_iter()
                    .find(|literal| self.text[self.pos..].starts_with(literal));
                let Some(literal) = literal else {
                    return self.fail("a JSON value is expected here");
                };
                self.pos += literal.len();
                Ok(tree.scalar(Cow::Borrowed(literal), Tag::None, true, mark))
            }
        }
    }

    fn object(&mut self, tree: &mut Tree<'a>, mark: Mark, depth: usize) -> Result<NodeId> {
        let object = tree.add(Content::Mapping { first: None }, mark);
        let mut last = None;
        self.pos += 1;
        self.skip_blanks();
        if self.peek() == b'}' {
            self.pos += 1;
            return Ok(object);
        }
        loop {
            self.skip_blanks();
            let key_mark = self.mark();
            if self.peek() != b'"' {
                return self.fail("a JSON key in double quotes is expected here");
            }
            let key = self.string()?;
            let key = tree.scalar(key, Tag::None, false, key_mark);
            self.skip_blanks();
            if self.peek() != b':' {
                return self.fail("a ':' is expected behind a JSON key");
            }
            self.pos += 1;
            let value = self.node(tree, depth + 1)?;
            tree.append(object, &mut last, key);
            tree.append(object, &mut last, value);
            if !self.continues(b'}')? {
                return Ok(object);
            }
        }
    }

    fn array(&mut self, tree: &mut Tree<'a>, mark: Mark, depth: usize) -> Result<NodeId> {
        let array = tree.add(Content::Sequence { first: None }, mark);
        let mut last = None;
        self.pos += 1;
        self.skip_blanks();
        if self.peek() == b']' {
            self.pos += 1;
            return Ok(array);
        }
        loop {
            let value = self.node(tree, depth + 1)?;
            tree.append(array, &mut last, value);
            if !self.continues(b']')? {
                return Ok(array);
            }
        }
    }

    /// Consumes a comma or the closing bracket. Says whether it was a comma.
    fn continues(&mut self, end: u8) -> Result<bool> {
        self.skip_blanks();
        let c = self.peek();
        if c != b',' && c != end {
            return self.fail("a ',' or the closing bracket is expected here");
        }
        self.pos += 1;
        Ok(c == b',')
    }

    fn number(&mut self, mark: Mark) -> Result<&'a str> {
        let start = self.pos;
        if self.peek() == b'-' {
            self.pos += 1;
        }
        if self.peek() == b'0' {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.pos];
        if !text.parse::<f64>().is_ok_and(f64::is_finite) {
            self.out_of_range.get_or_insert_with(|| {
                YamlError::new(
                    YamlErrorKind::Number,
                    mark,
                    "this number is out of range; put it into quotes if it is a string",
                )
            });
        }
        Ok(text)
    }

    fn digits(&mut self) -> Result<()> {
        if !self.peek().is_ascii_digit() {
            return self.fail("a digit is expected here");
        }
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.pos += 1;
        let mut start = self.pos;
        let mut out = String::new();
        loop {
            match self.peek() {
                b'"' => {
                    let rest = &self.text[start..self.pos];
                    self.pos += 1;
                    if out.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    out.push_str(rest);
                    return Ok(Cow::Owned(out));
                }
                b'\\' => {
                    out.push_str(&self.text[start..self.pos]);
                    out.push(self.escape()?);
                    start = self.pos;
                }
                // The byte 0 also stands for the end of the text.
                0..=0x1F => return self.fail("a JSON string must be closed by '\"' on the same line"),
                _ => self.pos += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let escaped = self.text.as_bytes().get(self.pos + 1).copied().unwrap_or(0);
        let c = match escaped {
            b'"' | b'\\' | b'/' => char::from(escaped),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let Some(high) = self.unit() else {
                    return self.fail("'\\u' needs four hexadecimal digits");
                };
                self.pos += 6;
                if let Some(c) = char::from_u32(high) {
                    return Ok(c);
                }
                if (0xD800..0xDC00).contains(&high)
                    && let Some(low @ 0xDC00..=0xDFFF) = self.unit()
                {
                    self.pos += 6;
                    let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                // Go replaces a lone surrogate as well.
                return Ok(char::REPLACEMENT_CHARACTER);
            }
            _ => return self.fail("JSON knows no such escape"),
        };
        self.pos += 2;
        Ok(c)
    }

    /// The code unit of a `\uXXXX` that begins here.
    fn unit(&self) -> Option<u32> {
        let escape = self.text.as_bytes().get(self.pos..self.pos + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |code, digit| Some((code << 4) | char::from(*digit).to_digit(16)?))
    }
}
