//! Anchors, aliases, tags and directives.

use super::token::{TagDirective, TagToken, TokenKind};
use super::{Result, Scanner};
use crate::model::yaml::error::{Mark, YamlError};

impl Scanner<'_> {
    /// `&name` and `*name`.
    pub(super) fn fetch_anchor(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;

        let mark = self.cursor.mark();
        let is_alias = self.cursor.peek() == b'*';
        self.cursor.advance_ascii(1);
        let begin = self.cursor.pos;
        self.skip_word();
        let name = self.cursor.since(begin);
        let ends = self.cursor.is_blank_or_end(0)
            || matches!(self.cursor.peek(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(YamlError::syntax(
                mark,
                "the name behind '&' or '*' may hold only letters, digits, '-' and '_'; put the value into quotes \
                 if no anchor is meant",
            ));
        }
        let kind = if is_alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        self.push(kind, mark);
        Ok(())
    }

    /// `!suffix`, `!handle!suffix`, `!<verbatim>` and the lone `!`.
    pub(super) fn fetch_tag(&mut self) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;

        let mark = self.cursor.mark();
        let mut tag = TagToken { handle: String::new(), suffix: Vec::new() };
        if self.cursor.at(1) == b'<' {
            self.cursor.advance_ascii(2);
            if !self.scan_tag_uri(&mut tag.suffix, mark)? {
                return Err(unfinished_tag(mark));
            }
            if self.cursor.peek() != b'>' {
                return Err(unfinished_tag(mark));
            }
            self.cursor.advance_ascii(1);
        } else {
            let handle = self.scan_tag_handle();
            if handle.len() > 1 && handle.ends_with('!') {
                if !self.scan_tag_uri(&mut tag.suffix, mark)? {
                    return Err(unfinished_tag(mark));
                }
                tag.handle = handle;
            } else {
                // It was the beginning of a suffix, unless it is the lone '!'.
                tag.suffix.extend_from_slice(&handle.as_bytes()[1..]);
                self.scan_tag_uri(&mut tag.suffix, mark)?;
                if tag.suffix.is_empty() {
                    tag.suffix.push(b'!');
                } else {
                    tag.handle.push('!');
                }
            }
        }
        if !self.cursor.is_blank_or_end(0) {
            return Err(unfinished_tag(mark));
        }
        self.push(TokenKind::Tag(Box::new(tag)), mark);
        Ok(())
    }

    /// `%YAML 1.1` and `%TAG !x! prefix`.
    pub(super) fn fetch_directive(&mut self) -> Result<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;

        let mark = self.cursor.mark();
        self.cursor.advance_ascii(1);
        let begin = self.cursor.pos;
        self.skip_word();
        let name = self.cursor.since(begin);
        if !self.cursor.is_blank_or_end(0) {
            return Err(bad_directive(mark));
        }
        let kind = match name {
            "YAML" => {
                self.cursor.skip_blanks();
                let major = self.scan_version_number(mark)?;
                if self.cursor.peek() != b'.' {
                    return Err(bad_directive(mark));
                }
                self.cursor.advance_ascii(1);
                TokenKind::VersionDirective(major, self.scan_version_number(mark)?)
            }
            "TAG" => {
                self.cursor.skip_blanks();
                if self.cursor.peek() != b'!' {
                    return Err(bad_directive(mark));
                }
                let handle = self.scan_tag_handle();
                let is_handle = handle == "!" || handle.ends_with('!');
                if !is_handle || !self.cursor.is_blank(0) {
                    return Err(bad_directive(mark));
                }
                self.cursor.skip_blanks();
                let mut prefix = Vec::new();
                if !self.scan_tag_uri(&mut prefix, mark)? || !self.cursor.is_blank_or_end(0) {
                    return Err(bad_directive(mark));
                }
                TokenKind::TagDirective(Box::new(TagDirective { handle, prefix }))
            }
            _ => return Err(bad_directive(mark)),
        };
        self.cursor.skip_blanks();
        if self.cursor.peek() == b'#' {
            self.cursor.skip_to_break();
        }
        if !self.cursor.is_break_or_end(0) {
            return Err(bad_directive(mark));
        }
        self.cursor.take_break();
        self.push(kind, mark);
        Ok(())
    }

    /// Letters, digits, `_` and `-`.
    fn skip_word(&mut self) {
        while matches!(self.cursor.peek(), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.cursor.advance_ascii(1);
        }
    }

    fn scan_version_number(&mut self, mark: Mark) -> Result<u32> {
        let begin = self.cursor.pos;
        while self.cursor.peek().is_ascii_digit() {
            self.cursor.advance_ascii(1);
        }
        let digits = self.cursor.since(begin);
        match digits.parse() {
            Ok(number) if digits.len() <= 2 => Ok(number),
            _ => Err(bad_directive(mark)),
        }
    }

    /// `!`, `!!`, `!word!` or the beginning of something else.
    fn scan_tag_handle(&mut self) -> String {
        let begin = self.cursor.pos;
        self.cursor.advance_ascii(1);
        self.skip_word();
        if self.cursor.peek() == b'!' {
            self.cursor.advance_ascii(1);
        }
        self.cursor.since(begin).to_owned()
    }

    /// Reads the characters of a URI. Says whether there was any.
    fn scan_tag_uri(&mut self, uri: &mut Vec<u8>, mark: Mark) -> Result<bool> {
        let before = uri.len();
        loop {
            match self.cursor.peek() {
                b'%' => self.scan_uri_escape(uri, mark)?,
                c if c.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&c) => {
                    uri.push(c);
                    self.cursor.advance_ascii(1);
                }
                _ => return Ok(uri.len() > before),
            }
        }
    }

    /// Reads the `%XX` octets of one UTF-8 character.
    fn scan_uri_escape(&mut self, uri: &mut Vec<u8>, mark: Mark) -> Result<()> {
        let mut left = 1;
        let mut leading = true;
        while left > 0 {
            let digit = |c: u8| char::from(c).to_digit(16);
            let octet = match (self.cursor.peek(), digit(self.cursor.at(1)), digit(self.cursor.at(2))) {
                (b'%', Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err(unfinished_tag(mark)),
            };
            if leading {
                left = match octet {
                    0x00..=0x7F => 1,
                    0xC0..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    0xF0..=0xF7 => 4,
                    _ => return Err(unfinished_tag(mark)),
                };
                leading = false;
            } else if octet & 0xC0 != 0x80 {
                return Err(unfinished_tag(mark));
            }
            uri.push(octet);
            self.cursor.advance_ascii(3);
            left -= 1;
        }
        Ok(())
    }
}

fn unfinished_tag(mark: Mark) -> YamlError {
    YamlError::syntax(mark, "this is no complete tag; put the value into quotes if no tag is meant")
}

fn bad_directive(mark: Mark) -> YamlError {
    YamlError::syntax(
        mark,
        "a line that begins with '%' is a directive, and this is none that kubectl takes; remove the line or \
         indent it",
    )
}
