//! Sequences and mappings, in block and in flow style.

use super::{Context, Parser, Result};
use crate::model::yaml::error::Mark;
use crate::model::yaml::scan::token::TokenKind;
use crate::model::yaml::tree::{Content, NodeId};

impl Parser<'_> {
    /// Entries with `-`: closed by the end of the indentation, or by whatever is no `-`.
    pub(super) fn block_sequence(&mut self, start: Mark, depth: usize, indented: bool) -> Result<NodeId> {
        let sequence = self.tree.add(Content::Sequence { first: None }, start);
        let mut last = None;
        loop {
            match self.scanner.peek()?.kind {
                TokenKind::BlockEntry => {}
                _ if !indented => return Ok(sequence),
                TokenKind::BlockEnd => {
                    self.scanner.skip();
                    return Ok(sequence);
                }
                _ => return Err(self.unexpected("a list entry must begin with '- '; mend the indentation")?),
            }
            let entry = self.scanner.next()?.mark;
            let is_empty = match self.scanner.peek()?.kind {
                TokenKind::BlockEntry | TokenKind::BlockEnd => true,
                TokenKind::Key | TokenKind::Value => !indented,
                _ => false,
            };
            let value = if is_empty { self.empty(entry) } else { self.node(Context::Block, depth + 1)? };
            self.tree.append(sequence, &mut last, value);
        }
    }

    pub(super) fn block_mapping(&mut self, start: Mark, depth: usize) -> Result<NodeId> {
        let mapping = self.tree.add(Content::Mapping { first: None }, start);
        let mut last = None;
        loop {
            match self.scanner.peek()?.kind {
                TokenKind::Key => {}
                TokenKind::BlockEnd => {
                    self.scanner.skip();
                    return Ok(mapping);
                }
                _ => return Err(self.unexpected("a key is expected here; mend the indentation")?),
            }
            let key = self.block_mapping_part(depth)?;
            self.tree.append(mapping, &mut last, key);
            let value = if matches!(self.scanner.peek()?.kind, TokenKind::Value) {
                self.block_mapping_part(depth)?
            } else {
                let mark = self.scanner.peek()?.mark;
                self.empty(mark)
            };
            self.tree.append(mapping, &mut last, value);
        }
    }

    /// What follows a `?` or `:` of a block mapping.
    pub(super) fn block_mapping_part(&mut self, depth: usize) -> Result<NodeId> {
        let indicator = self.scanner.next()?.mark;
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(self.empty(indicator)),
            _ => self.node(Context::BlockOrIndentless, depth + 1),
        }
    }

    pub(super) fn flow_sequence(&mut self, start: Mark, depth: usize) -> Result<NodeId> {
        let sequence = self.tree.add(Content::Sequence { first: None }, start);
        let mut last = None;
        while self.flow_continues(last.is_none(), &TokenKind::FlowSequenceEnd)? {
            let entry = if matches!(self.scanner.peek()?.kind, TokenKind::Key) {
                self.single_pair(depth + 1)?
            } else {
                self.node(Context::Flow, depth + 1)?
            };
            self.tree.append(sequence, &mut last, entry);
        }
        Ok(sequence)
    }

    /// `[a: 1]`: a mapping of one pair without braces.
    pub(super) fn single_pair(&mut self, depth: usize) -> Result<NodeId> {
        let start = self.scanner.next()?.mark;
        let mapping = self.tree.add(Content::Mapping { first: None }, start);
        let mut last = None;
        let key = match self.scanner.peek()?.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => self.empty(start),
            _ => self.node(Context::Flow, depth + 1)?,
        };
        self.tree.append(mapping, &mut last, key);
        let value = self.flow_value(depth)?;
        self.tree.append(mapping, &mut last, value);
        Ok(mapping)
    }

    pub(super) fn flow_mapping(&mut self, start: Mark, depth: usize) -> Result<NodeId> {
        let mapping = self.tree.add(Content::Mapping { first: None }, start);
        let mut last = None;
        while self.flow_continues(last.is_none(), &TokenKind::FlowMappingEnd)? {
            let (key, value) = if matches!(self.scanner.peek()?.kind, TokenKind::Key) {
                let indicator = self.scanner.next()?.mark;
                let key = match self.scanner.peek()?.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        self.empty(indicator)
                    }
                    _ => self.node(Context::Flow, depth + 1)?,
                };
                (key, self.flow_value(depth)?)
            } else {
                let key = self.node(Context::Flow, depth + 1)?;
                let mark = self.scanner.peek()?.mark;
                (key, self.empty(mark))
            };
            self.tree.append(mapping, &mut last, key);
            self.tree.append(mapping, &mut last, value);
        }
        Ok(mapping)
    }

    /// `: value` inside brackets, where both may be left out.
    pub(super) fn flow_value(&mut self, depth: usize) -> Result<NodeId> {
        if matches!(self.scanner.peek()?.kind, TokenKind::Value) {
            self.scanner.skip();
            match self.scanner.peek()?.kind {
                TokenKind::FlowEntry | TokenKind::FlowMappingEnd | TokenKind::FlowSequenceEnd => {}
                _ => return self.node(Context::Flow, depth + 1),
            }
        }
        let mark = self.scanner.peek()?.mark;
        Ok(self.empty(mark))
    }

    /// Consumes the comma between entries, or the closing bracket. Says whether an entry follows.
    pub(super) fn flow_continues(&mut self, first: bool, end: &TokenKind<'_>) -> Result<bool> {
        let is_end = |kind: &TokenKind<'_>| std::mem::discriminant(kind) == std::mem::discriminant(end);
        if !first && !is_end(&self.scanner.peek()?.kind) {
            if !matches!(self.scanner.peek()?.kind, TokenKind::FlowEntry) {
                return Err(self.unexpected("a ',' or the closing bracket is expected here")?);
            }
            self.scanner.skip();
        }
        if is_end(&self.scanner.peek()?.kind) {
            self.scanner.skip();
            return Ok(false);
        }
        Ok(true)
    }
}
