//! Scalars in single and double quotes.

use std::borrow::Cow;

use super::plain::fold;
use super::token::TokenKind;
use super::{Result, Scanner};
use crate::model::yaml::error::{Mark, YamlError};

impl<'a> Scanner<'a> {
    pub(super) fn fetch_quoted(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark();
        let quote = self.cursor.peek();
        self.cursor.advance_ascii(1);
        let text = self.scan_quoted(quote, start)?;
        self.cursor.advance_ascii(1);
        self.push(TokenKind::Scalar { text, plain: false }, start);
        Ok(())
    }

    /// Scans up to the closing quote.
    fn scan_quoted(&mut self, quote: u8, start: Mark) -> Result<Cow<'a, str>> {
        let single = quote == b'\'';
        let first = self.cursor.pos;
        while !self.cursor.is_break_or_end(0) {
            let c = self.cursor.peek();
            if c == quote && !(single && self.cursor.at(1) == b'\'') {
                return Ok(Cow::Borrowed(self.cursor.since(first)));
            }
            if c == quote || (c == b'\\' && !single) {
                break;
            }
            self.cursor.advance();
        }
        // There is something to translate. Blanks before the first break would have to be taken back, so what is
        // taken over ends with the last character that is none.
        let plain = self.cursor.since(first);
        let kept = plain.trim_end_matches([' ', '\t']);
        let mut out = String::from(kept);
        let mut blanks = String::from(&plain[kept.len()..]);
        let mut leading_break = "";
        let mut more_breaks = String::new();

        // The first round may begin in the middle of a line; every further one begins behind blanks and breaks.
        loop {
            let mut after_break = false;
            if self.cursor.at_document_indicator() {
                return Err(YamlError::syntax(
                    self.cursor.mark(),
                    "the document ends within a quoted value; close the quote or indent this line",
                ));
            }
            if self.cursor.is_end() {
                return Err(YamlError::syntax(start, "this quote is never closed; add the closing quote"));
            }
            if !self.cursor.is_blank_or_end(0) {
                out.push_str(&blanks);
                blanks.clear();
            }
            while !self.cursor.is_blank_or_end(0) {
                let c = self.cursor.peek();
                if single && c == quote && self.cursor.at(1) == quote {
                    out.push('\'');
                    self.cursor.advance_ascii(2);
                } else if c == quote {
                    break;
                } else if c == b'\\' && !single {
                    self.cursor.advance_ascii(1);
                    if self.cursor.is_break(0) {
                        self.cursor.take_break();
                        after_break = true;
                        break;
                    }
                    out.push(self.scan_escape()?);
                } else {
                    let begin = self.cursor.pos;
                    self.cursor.advance();
                    out.push_str(self.cursor.since(begin));
                }
            }
            if self.cursor.peek() == quote {
                return Ok(Cow::Owned(out));
            }
            loop {
                if self.cursor.is_blank(0) {
                    if !after_break {
                        blanks.push(char::from(self.cursor.peek()));
                    }
                    self.cursor.advance_ascii(1);
                } else if self.cursor.is_break(0) {
                    if after_break {
                        more_breaks.push_str(self.cursor.take_break());
                    } else {
                        blanks.clear();
                        leading_break = self.cursor.take_break();
                        after_break = true;
                    }
                } else {
                    break;
                }
            }
            if after_break {
                fold(&mut out, leading_break, &more_breaks);
                leading_break = "";
                more_breaks.clear();
            } else {
                out.push_str(&blanks);
                blanks.clear();
            }
        }
    }

    /// Reads an escape sequence behind its backslash. `\/` is none in go-yaml v2, though JSON and YAML 1.2 have it.
    fn scan_escape(&mut self) -> Result<char> {
        let mark = self.cursor.mark();
        let digits = match self.cursor.peek() {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            simple => {
                let c = match simple {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{B}',
                    b'f' => '\u{C}',
                    b'r' => '\r',
                    b'e' => '\u{1B}',
                    b' ' => ' ',
                    b'"' => '"',
                    b'\'' => '\'',
                    b'\\' => '\\',
                    b'N' => '\u{85}',
                    b'_' => '\u{A0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => {
                        return Err(YamlError::syntax(
                            mark,
                            "unknown escape after '\\'; write '\\\\' for a backslash, or use single quotes",
                        ));
                    }
                };
                self.cursor.advance_ascii(1);
                return Ok(c);
            }
        };
        self.cursor.advance_ascii(1);
        let mut code: u32 = 0;
        for _ in 0..digits {
            let Some(digit) = char::from(self.cursor.peek()).to_digit(16) else {
                return Err(YamlError::syntax(
                    mark,
                    format!("the escape needs {digits} hexadecimal digits; complete it or write '\\\\'"),
                ));
            };
            code = (code << 4) | digit;
            self.cursor.advance_ascii(1);
        }
        char::from_u32(code).ok_or_else(|| {
            YamlError::syntax(mark, "the escape names no Unicode character; correct its number")
        })
    }
}
