//! Text to tokens, in the grammar of go-yaml v2.
//!
//! kubectl reads YAML with go-yaml v2 (`go.yaml.in/yaml/v2`), a descendant of libyaml 0.1 with its own exceptions:
//! `\/` is no escape, `?` ends a plain scalar inside brackets, `{a:}` is the key `a:`. Parsers for newer YAML differ
//! in just such corners, and a manifest that two readers understand differently is the worst kind of bug, so the
//! scanner is written to that grammar and held to it by the differential test against kubectl.
//!
//! Tokens are produced on demand: like kubectl, the reader does not look at what follows the root node.

mod block;
mod cursor;
mod indicator;
mod plain;
mod quoted;
mod simple_key;
mod tag;
pub(super) mod token;

use std::collections::VecDeque;

use cursor::Cursor;
use simple_key::{NO_SLOT, SimpleKey};
use token::{Token, TokenKind};

use super::error::{Mark, YamlError};

type Result<T> = std::result::Result<T, YamlError>;

/// The scanner of one document.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    max_depth: usize,
    tokens: VecDeque<Token<'a>>,
    /// Tokens already taken from the queue, so that slots have stable numbers.
    taken: usize,
    /// Column of the current block collection, -1 outside of all.
    indent: isize,
    indents: Vec<isize>,
    flow_level: usize,
    simple_key_allowed: bool,
    /// One for each flow level and one for the block context.
    simple_keys: Vec<SimpleKey>,
    ended: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a document's text, which must hold neither NUL nor a byte order mark at its start.
    pub fn new(text: &'a str, first_line: u32, max_depth: usize) -> Self {
        let cursor = Cursor::new(text, first_line);
        let none = SimpleKey::none(cursor.place(), NO_SLOT);
        Scanner {
            cursor,
            max_depth,
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![none],
            ended: false,
        }
    }

    /// The next token, scanning just as far as is needed to know it.
    pub fn peek(&mut self) -> Result<&Token<'a>> {
        loop {
            match self.tokens.front().map(|token| &token.kind) {
                None => self.fetch()?,
                Some(TokenKind::Nothing) => {
                    self.tokens.pop_front();
                    self.taken += 1;
                }
                Some(&TokenKind::Pending(level)) => {
                    if self.key_still_possible(level)? {
                        self.fetch()?;
                    } else {
                        self.clear_slot(self.taken);
                    }
                }
                Some(_) => break,
            }
        }
        Ok(self.tokens.front().expect("the loop ends only with a token in front"))
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Result<Token<'a>> {
        self.peek()?;
        self.taken += 1;
        Ok(self.tokens.pop_front().expect("peek leaves a token in front"))
    }

    /// Drops the token last seen by [`Scanner::peek`].
    pub fn skip(&mut self) {
        if self.tokens.pop_front().is_some() {
            self.taken += 1;
        }
    }

    fn push(&mut self, kind: TokenKind<'a>, mark: Mark) {
        self.tokens.push_back(Token { kind, mark });
    }

    fn fail<T>(&self, message: &str) -> Result<T> {
        Err(YamlError::syntax(self.cursor.mark(), message))
    }

    /// Scans one more token, or several if the indentation closes collections.
    fn fetch(&mut self) -> Result<()> {
        if self.ended {
            return self.fail("the document ends too early");
        }
        self.skip_to_token();
        self.unroll_indent(self.cursor.column() as isize);

        let c = self.cursor.peek();
        let mark = self.cursor.mark();
        if self.cursor.is_end() {
            return self.fetch_stream_end();
        }
        if self.cursor.column() == 0 {
            if c == b'%' {
                return self.fetch_directive();
            }
            if self.cursor.at_document_indicator() {
                let kind = if c == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
                return self.fetch_document_indicator(kind);
            }
        }
        let blank_follows = self.cursor.is_blank_or_end(1);
        let in_flow = self.flow_level > 0;
        match c {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if blank_follows => self.fetch_block_entry(),
            b'?' if in_flow || blank_follows => self.fetch_key(),
            b':' if in_flow || blank_follows => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_quoted(),
            b'\t' => {
                Err(YamlError::syntax(mark, "a tab stands where YAML allows only spaces; indent with spaces"))
            }
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => Err(YamlError::syntax(
                mark,
                format!("no value can begin with {:?}; put the value into quotes", c as char),
            )),
            _ => self.fetch_plain(),
        }
    }

    /// Skips blanks, comments and line breaks. Tabs count as blanks only where no key may begin.
    fn skip_to_token(&mut self) {
        loop {
            loop {
                match self.cursor.peek() {
                    b' ' => self.cursor.advance_ascii(1),
                    b'\t' if self.flow_level > 0 || !self.simple_key_allowed => self.cursor.advance_ascii(1),
                    _ => break,
                }
            }
            if self.cursor.peek() == b'#' {
                self.cursor.skip_to_break();
            }
            if !self.cursor.is_break(0) {
                return;
            }
            self.cursor.take_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}
