//! Indicators and the indentation: the tokens that give a document its structure.

use super::simple_key::SimpleKey;
use super::token::TokenKind;
use super::{Result, Scanner};
use crate::model::yaml::error::{YamlError, YamlErrorKind};

impl<'a> Scanner<'a> {
    /// Opens a block collection if the column is deeper than the current one. Says whether it did.
    pub(super) fn roll_indent(&mut self, column: usize) -> Result<bool> {
        let column = column as isize;
        if self.flow_level > 0 || self.indent >= column {
            return Ok(false);
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.check_depth()?;
        Ok(true)
    }

    /// Closes the block collections that are deeper than the column.
    pub(super) fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            let mark = self.cursor.mark();
            self.push(TokenKind::BlockEnd, mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Stops a bomb of brackets before it costs anything. The tree is measured exactly later.
    pub(super) fn check_depth(&self) -> Result<()> {
        if self.flow_level + self.indents.len() <= self.max_depth {
            return Ok(());
        }
        Err(YamlError::new(
            YamlErrorKind::Limit,
            self.cursor.mark(),
            format!("collections are nested more than {} levels deep; flatten the document", self.max_depth),
        ))
    }

    pub(super) fn fetch_stream_end(&mut self) -> Result<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.ended = true;
        self.push(TokenKind::StreamEnd, self.cursor.mark());
        Ok(())
    }

    pub(super) fn fetch_document_indicator(&mut self, kind: TokenKind<'a>) -> Result<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let mark = self.cursor.mark();
        self.cursor.advance_ascii(3);
        self.push(kind, mark);
        Ok(())
    }

    pub(super) fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<()> {
        let slot = self.save_simple_key()?;
        let place = self.cursor.place();
        self.flow_level += 1;
        self.simple_keys.push(SimpleKey::none(place, slot));
        self.check_depth()?;
        self.simple_key_allowed = true;
        self.single(kind);
        Ok(())
    }

    pub(super) fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            // Behind empty brackets this is still the slot of the opening one. go-yaml then forgets, by mistake, that
            // the brackets may be a key; so the root of `[]: a` is `[]`.
            if let Some(key) = self.simple_keys.pop() {
                self.release_slot(key.slot);
            }
        }
        self.simple_key_allowed = false;
        self.single(kind);
        Ok(())
    }

    pub(super) fn fetch_flow_entry(&mut self) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.single(TokenKind::FlowEntry);
        Ok(())
    }

    pub(super) fn fetch_block_entry(&mut self) -> Result<()> {
        // Inside brackets the parser reports it, for it knows what it is in.
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.fail("a list entry cannot begin here; put it on a line of its own");
            }
            let place = self.cursor.place();
            if self.roll_indent(place.column)? {
                self.push(TokenKind::BlockSequenceStart, place.mark);
            }
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.single(TokenKind::BlockEntry);
        Ok(())
    }

    pub(super) fn fetch_key(&mut self) -> Result<()> {
        if self.flow_level == 0 {
            self.open_mapping_here("a key cannot begin here; put it on a line of its own")?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.single(TokenKind::Key);
        Ok(())
    }

    pub(super) fn fetch_value(&mut self) -> Result<()> {
        if self.key_still_possible(self.flow_level)? {
            let key = self.simple_keys[self.flow_level];
            self.simple_keys[self.flow_level].possible = false;
            let opens = self.roll_indent(key.place.column)?;
            if let Some(token) = self.slot(key.slot + 1) {
                token.kind = TokenKind::Key;
            } else {
                self.push(TokenKind::Key, key.place.mark);
            }
            let start = if opens { TokenKind::BlockMappingStart } else { TokenKind::Nothing };
            if let Some(token) = self.slot(key.slot) {
                token.kind = start;
            } else {
                self.push(start, key.place.mark);
            }
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.open_mapping_here(
                    "a second ': ' on this line, or a key nested under a value; put the value into quotes or \
                     mend the indentation",
                )?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.single(TokenKind::Value);
        Ok(())
    }

    /// Opens a block mapping at the current column for `?` and for a `:` without a simple key.
    pub(super) fn open_mapping_here(&mut self, refusal: &str) -> Result<()> {
        if !self.simple_key_allowed {
            return self.fail(refusal);
        }
        let place = self.cursor.place();
        if self.roll_indent(place.column)? {
            self.push(TokenKind::BlockMappingStart, place.mark);
        }
        Ok(())
    }

    /// Pushes a token of one character and consumes it.
    pub(super) fn single(&mut self, kind: TokenKind<'a>) {
        let mark = self.cursor.mark();
        self.cursor.advance_ascii(1);
        self.push(kind, mark);
    }
}
