//! Scalars without quotes, over one line or several.

use std::borrow::Cow;

use super::token::TokenKind;
use super::{Result, Scanner};
use crate::model::yaml::error::YamlError;

/// Bytes that always belong to a plain scalar: no blank, no break, no indicator that might end it.
const ORDINARY: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7F {
        table[byte] = !matches!(byte as u8, b':' | b'#' | b',' | b'?' | b'[' | b']' | b'{' | b'}');
        byte += 1;
    }
    table
};

impl Scanner<'_> {
    pub(super) fn fetch_plain(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;

        let start = self.cursor.mark();
        let indent = self.indent + 1;
        // What earlier lines gave; most scalars have only one line and are never copied here.
        let mut folded = String::new();
        let mut line_start = self.cursor.pos;
        let mut line_end = self.cursor.pos;
        let mut leading_break = "";
        let mut more_breaks = String::new();
        let mut after_break = false;

        while !self.cursor.at_document_indicator() && self.cursor.peek() != b'#' {
            let run_start = self.cursor.pos;
            self.skip_plain_run();
            if self.cursor.pos > run_start {
                if after_break {
                    folded.push_str(&self.cursor.text[line_start..line_end]);
                    fold(&mut folded, leading_break, &more_breaks);
                    more_breaks.clear();
                    after_break = false;
                    line_start = run_start;
                }
                line_end = self.cursor.pos;
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            loop {
                if self.cursor.is_blank(0) {
                    let too_shallow = (self.cursor.column() as isize) < indent;
                    if after_break && too_shallow && self.cursor.peek() == b'\t' {
                        return Err(YamlError::syntax(
                            self.cursor.mark(),
                            "a tab is used to indent this line; indent with spaces",
                        ));
                    }
                    self.cursor.advance_ascii(1);
                } else if self.cursor.is_break(0) {
                    if after_break {
                        more_breaks.push_str(self.cursor.take_break());
                    } else {
                        leading_break = self.cursor.take_break();
                        after_break = true;
                    }
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && (self.cursor.column() as isize) < indent {
                break;
            }
        }

        let last = &self.cursor.text[line_start..line_end];
        let text = if folded.is_empty() {
            Cow::Borrowed(last)
        } else {
            folded.push_str(last);
            Cow::Owned(folded)
        };
        self.push(TokenKind::Scalar { text, plain: true }, start);
        if after_break {
            self.simple_key_allowed = true;
        }
        Ok(())
    }

    /// Consumes characters up to a blank, a break or an indicator that ends the scalar.
    fn skip_plain_run(&mut self) {
        let in_flow = self.flow_level > 0;
        loop {
            let c = self.cursor.peek();
            if ORDINARY[c as usize] {
                self.cursor.advance_ascii(1);
                continue;
            }
            let ends = match c {
                b':' => self.cursor.is_blank_or_end(1),
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => in_flow,
                _ => self.cursor.is_blank_or_end(0),
            };
            if ends {
                return;
            }
            self.cursor.advance();
        }
    }
}

/// Joins two lines of a flow scalar: one line feed becomes a space, further ones stay, other breaks stay all.
pub(super) fn fold(out: &mut String, leading_break: &str, more_breaks: &str) {
    if leading_break != "\n" {
        out.push_str(leading_break);
        out.push_str(more_breaks);
    } else if more_breaks.is_empty() {
        out.push(' ');
    } else {
        out.push_str(more_breaks);
    }
}
