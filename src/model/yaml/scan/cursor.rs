//! A position in the text of one document, counted as libyaml counts it.
//!
//! Indentation and the 1,024 character limit of keys are measured in characters, so the cursor remembers how many
//! continuation bytes it has passed.

use crate::model::yaml::error::Mark;

/// A place in the text in the units the grammar needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Characters since the start of the document.
    pub index: usize,
    /// Characters since the start of the line.
    pub column: usize,
    /// The same place for people.
    pub mark: Mark,
}

/// The text and how much of it is consumed. Text never holds NUL, so byte 0 stands for its end.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub text: &'a str,
    bytes: &'a [u8],
    /// Offset in bytes.
    pub pos: usize,
    /// UTF-8 continuation bytes before `pos`.
    continuation: usize,
    /// Index (in characters) at which the current line starts.
    line_start: usize,
    /// Line in the file, from 1.
    line: u32,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, first_line: u32) -> Self {
        Cursor { text, bytes: text.as_bytes(), pos: 0, continuation: 0, line_start: 0, line: first_line }
    }

    /// The byte `ahead` of the current one, 0 behind the end.
    #[inline]
    pub fn at(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    #[inline]
    pub fn peek(&self) -> u8 {
        self.at(0)
    }

    #[inline]
    pub fn index(&self) -> usize {
        self.pos - self.continuation
    }

    #[inline]
    pub fn column(&self) -> usize {
        self.index() - self.line_start
    }

    #[inline]
    pub fn line(&self) -> u32 {
        self.line
    }

    pub fn mark(&self) -> Mark {
        // Documents are at most some megabytes, so a column always fits.
        Mark { line: self.line, column: u32::try_from(self.column()).unwrap_or(u32::MAX).saturating_add(1) }
    }

    pub fn place(&self) -> Place {
        Place { index: self.index(), column: self.column(), mark: self.mark() }
    }

    /// The text from an earlier offset up to here.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.pos]
    }

    #[inline]
    pub fn is_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Space or tab.
    #[inline]
    pub fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    /// A line break of YAML 1.1: LF, CR, NEL, LS or PS.
    #[inline]
    pub fn is_break(&self, ahead: usize) -> bool {
        match self.at(ahead) {
            b'\n' | b'\r' => true,
            0xC2 => self.at(ahead + 1) == 0x85,
            0xE2 => self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    /// A line break or the end of the text.
    #[inline]
    pub fn is_break_or_end(&self, ahead: usize) -> bool {
        self.at(ahead) == 0 || self.is_break(ahead)
    }

    /// Space, tab, line break or the end of the text.
    #[inline]
    pub fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// `---` or `...` at the start of a line, which ends any scalar.
    pub fn at_document_indicator(&self) -> bool {
        self.column() == 0
            && matches!((self.at(0), self.at(1), self.at(2)), (b'-', b'-', b'-') | (b'.', b'.', b'.'))
            && self.is_blank_or_end(3)
    }

    /// Consumes one character that is no line break.
    #[inline]
    pub fn advance(&mut self) {
        let width = match self.peek() {
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        self.pos += width;
        self.continuation += width - 1;
    }

    /// Consumes `count` ASCII characters.
    #[inline]
    pub fn advance_ascii(&mut self, count: usize) {
        self.pos += count;
    }

    /// Consumes a line break and gives what stands for it in a scalar; nothing if there is none.
    pub fn take_break(&mut self) -> &'static str {
        let (width, characters, text) = match (self.at(0), self.at(1), self.at(2)) {
            (b'\r', b'\n', _) => (2, 2, "\n"),
            (b'\r' | b'\n', _, _) => (1, 1, "\n"),
            (0xC2, 0x85, _) => (2, 1, "\n"),
            (0xE2, 0x80, 0xA8) => (3, 1, "\u{2028}"),
            (0xE2, 0x80, 0xA9) => (3, 1, "\u{2029}"),
            _ => return "",
        };
        self.pos += width;
        self.continuation += width - characters;
        self.line_start = self.index();
        self.line += 1;
        text
    }

    /// Consumes spaces and tabs.
    pub fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.advance_ascii(1);
        }
    }

    /// Consumes everything up to the line break.
    pub fn skip_to_break(&mut self) {
        while !self.is_break_or_end(0) {
            self.advance();
        }
    }
}
