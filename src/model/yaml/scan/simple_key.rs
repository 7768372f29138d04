//! Keys without `?`: they are seen to be keys only at their `:`.

use super::cursor::Place;
use super::token::{Token, TokenKind};
use super::{Result, Scanner};
use crate::model::yaml::error::{Mark, YamlError};

/// A key without `?` must end within this many characters of its start and on the same line.
const SIMPLE_KEY_LENGTH: usize = 1024;

/// A place where a key may have begun: only the `:` behind it tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct SimpleKey {
    pub possible: bool,
    /// In block context at the indentation of the mapping, nothing but a key can stand here.
    pub required: bool,
    /// Number of the [`TokenKind::Pending`] slot.
    pub slot: usize,
    pub place: Place,
}

/// The slot of no key.
pub(super) const NO_SLOT: usize = usize::MAX;

impl SimpleKey {
    /// No key, as at the start of every level. The slot is the one of the bracket that opens the level, if it has one.
    pub fn none(place: Place, slot: usize) -> Self {
        SimpleKey { possible: false, required: false, slot, place }
    }
}

impl<'a> Scanner<'a> {
    /// Notes that a key may begin here and keeps two slots in the queue for its tokens. Gives the number of the first.
    pub(super) fn save_simple_key(&mut self) -> Result<usize> {
        if !self.simple_key_allowed {
            return Ok(NO_SLOT);
        }
        self.remove_simple_key()?;
        let place = self.cursor.place();
        let required = self.flow_level == 0 && self.indent == place.column as isize;
        let slot = self.taken + self.tokens.len();
        self.push(TokenKind::Pending(self.flow_level), place.mark);
        self.push(TokenKind::Nothing, place.mark);
        self.simple_keys[self.flow_level] = SimpleKey { possible: true, required, slot, place };
        Ok(slot)
    }

    /// No longer holds back the tokens behind a slot, though a key may still begin there.
    pub(super) fn release_slot(&mut self, number: usize) {
        if let Some(token) = self.slot(number)
            && matches!(token.kind, TokenKind::Pending(_))
        {
            token.kind = TokenKind::Nothing;
        }
    }

    /// Gives up the possible key of the current level.
    pub(super) fn remove_simple_key(&mut self) -> Result<()> {
        let key = self.simple_keys[self.flow_level];
        if !key.possible {
            return Ok(());
        }
        if key.required {
            return Err(missing_colon(key.place.mark));
        }
        self.simple_keys[self.flow_level].possible = false;
        self.clear_slot(key.slot);
        Ok(())
    }

    /// Whether `:` here would still make the saved place a key.
    pub(super) fn key_still_possible(&mut self, level: usize) -> Result<bool> {
        let key = self.simple_keys[level];
        if !key.possible {
            return Ok(false);
        }
        let here = self.cursor.index();
        if key.place.mark.line < self.cursor.line() || key.place.index + SIMPLE_KEY_LENGTH < here {
            if key.required {
                return Err(missing_colon(key.place.mark));
            }
            self.simple_keys[level].possible = false;
            self.clear_slot(key.slot);
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn slot(&mut self, number: usize) -> Option<&mut Token<'a>> {
        self.tokens.get_mut(number.checked_sub(self.taken)?)
    }

    pub(super) fn clear_slot(&mut self, number: usize) {
        if let Some(token) = self.slot(number) {
            token.kind = TokenKind::Nothing;
        }
    }
}

fn missing_colon(mark: Mark) -> YamlError {
    YamlError::syntax(mark, "this should be a key but no ':' follows it; add ': ' or mend the indentation")
}
