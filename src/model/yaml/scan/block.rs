//! Block scalars, `|` and `>`.

use std::borrow::Cow;

use super::token::TokenKind;
use super::{Result, Scanner};
use crate::model::yaml::error::YamlError;

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn fetch_block_scalar(&mut self) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;

        let start = self.cursor.mark();
        let literal = self.cursor.peek() == b'|';
        self.cursor.advance_ascii(1);
        let (chomping, increment) = self.scan_block_header()?;
        let mut indent = match (increment, self.indent) {
            (0, _) => 0,
            (increment, current) => increment + usize::try_from(current).unwrap_or(0),
        };

        let mut out = String::new();
        let mut leading_break = "";
        let mut more_breaks = String::new();
        let mut was_indented = false;
        self.scan_block_breaks(&mut indent, &mut more_breaks)?;
        while self.cursor.column() == indent && !self.cursor.is_end() {
            let is_indented = self.cursor.is_blank(0);
            let folds = !literal && !was_indented && !is_indented && leading_break == "\n";
            if !folds {
                out.push_str(leading_break);
            } else if more_breaks.is_empty() {
                out.push(' ');
            }
            out.push_str(&more_breaks);
            more_breaks.clear();
            was_indented = is_indented;

            let begin = self.cursor.pos;
            self.cursor.skip_to_break();
            out.push_str(self.cursor.since(begin));
            leading_break = self.cursor.take_break();
            self.scan_block_breaks(&mut indent, &mut more_breaks)?;
        }
        if chomping != Chomping::Strip {
            out.push_str(leading_break);
        }
        if chomping == Chomping::Keep {
            out.push_str(&more_breaks);
        }
        self.push(TokenKind::Scalar { text: Cow::Owned(out), plain: false }, start);
        Ok(())
    }

    /// Reads the rest of the first line: chomping and indentation in either order, and a comment. An increment of 0
    /// means that the first line decides.
    fn scan_block_header(&mut self) -> Result<(Chomping, usize)> {
        let mut chomping = None;
        let mut increment = None;
        for _ in 0..2 {
            match self.cursor.peek() {
                b'+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                b'-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                b'0' if increment.is_none() => {
                    return self
                        .fail("a block scalar cannot be indented by 0; use 1 to 9 or leave the number out");
                }
                digit @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(digit - b'0')),
                _ => break,
            }
            self.cursor.advance_ascii(1);
        }
        self.cursor.skip_blanks();
        if self.cursor.peek() == b'#' {
            self.cursor.skip_to_break();
        }
        if !self.cursor.is_break_or_end(0) {
            return self.fail("only a comment can follow '|' or '>'; begin the text on the next line");
        }
        self.cursor.take_break();
        Ok((chomping.unwrap_or(Chomping::Clip), increment.unwrap_or(0)))
    }

    /// Skips indentation and empty lines; finds out the indentation if it is not known yet (0).
    fn scan_block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<()> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.column() < *indent) && self.cursor.peek() == b' ' {
                self.cursor.advance_ascii(1);
            }
            deepest = deepest.max(self.cursor.column());
            if (*indent == 0 || self.cursor.column() < *indent) && self.cursor.peek() == b'\t' {
                return Err(YamlError::syntax(
                    self.cursor.mark(),
                    "a tab stands where the indentation of a block scalar is expected; indent with spaces",
                ));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            breaks.push_str(self.cursor.take_break());
        }
        if *indent == 0 {
            let least = usize::try_from(self.indent + 1).unwrap_or(0).max(1);
            *indent = deepest.max(least);
        }
        Ok(())
    }
}
