//! Just enough of Rust's grammar to see which paths a source file names, where, and whether in a test.

use std::iter::Peekable;
use std::str::Chars;

/// One word or sign of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The word, or the sign; `::` is one.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
    /// Inside of an item under `#[cfg(test)]`.
    pub in_test: bool,
    /// Inline modules around it.
    pub depth: usize,
}

/// A path such as `crate::model::Object`; each name of a group is a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its segments; `*` for a glob.
    pub segments: Vec<String>,
    /// Line of its first segment.
    pub line: usize,
    /// Inside of an item under `#[cfg(test)]`.
    pub in_test: bool,
    /// Inline modules around it.
    pub depth: usize,
}

impl Named {
    /// The segments with `::` between them.
    pub fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// The tokens of a source text, without comments; a string or character is the token `""`.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = plain_tokens(source);
    place(&mut tokens);
    tokens
}

fn plain_tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = source.chars().peekable();
    while let Some(c) = rest.next() {
        let begun = line;
        let mut push = |text: String| tokens.push(Token { text, line: begun, in_test: false, depth: 0 });
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => line += block_comment(&mut rest),
            '"' => {
                line += string(&mut rest);
                push("\"\"".into());
            }
            '\'' => match character(&mut rest) {
                true => push("\"\"".into()),
                // A lifetime: its name follows and names nothing of ours.
                false => while rest.next_if(|c| is_word(*c)).is_some() {},
            },
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                let maybe_raw =
                    matches!(word.as_str(), "r" | "br" | "cr") && matches!(rest.peek(), Some('#' | '"'));
                if !maybe_raw {
                    push(word);
                } else if let Some(lines) = raw_string(&mut rest) {
                    line += lines;
                    push("\"\"".into());
                }
            }
            ':' if rest.next_if_eq(&':').is_some() => push("::".into()),
            sign => push(sign.into()),
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Skips a block comment, which may hold others; returns the lines it takes.
fn block_comment(rest: &mut Peekable<Chars<'_>>) -> usize {
    let (mut open, mut lines, mut before) = (1, 0, ' ');
    rest.next();
    for c in rest.by_ref() {
        match (before, c) {
            ('*', '/') => open -= 1,
            ('/', '*') => open += 1,
            _ => {}
        }
        lines += usize::from(c == '\n');
        if open == 0 {
            break;
        }
        // `*/*` closes once, and opens nothing with the same sign.
        before = if (before, c) == ('*', '/') { ' ' } else { c };
    }
    lines
}

/// Skips a string after its opening quote; returns the lines it takes.
fn string(rest: &mut Peekable<Chars<'_>>) -> usize {
    let mut lines = 0;
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => lines += usize::from(rest.next() == Some('\n')),
            c => lines += usize::from(c == '\n'),
        }
    }
    lines
}

/// Skips a raw string after its `r`; `None` when it is a raw identifier.
fn raw_string(rest: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    rest.next_if_eq(&'"')?;
    let mut lines = 0;
    while let Some(c) = rest.next() {
        lines += usize::from(c == '\n');
        if c == '"' {
            let mut closing = 0;
            while closing < hashes && rest.next_if_eq(&'#').is_some() {
                closing += 1;
            }
            if closing == hashes {
                break;
            }
        }
    }
    Some(lines)
}

/// Skips a character literal after its opening quote; false, and nothing is skipped, when it is a lifetime.
fn character(rest: &mut Peekable<Chars<'_>>) -> bool {
    let mut ahead = rest.clone();
    match ahead.next() {
        Some('\\') => {
            rest.next();
            rest.next();
            while rest.next().is_some_and(|c| c != '\'') {}
            true
        }
        Some(_) if ahead.next() == Some('\'') => {
            rest.next();
            rest.next();
            true
        }
        _ => false,
    }
}

/// Notes for each token which inline modules it is in.
fn place(tokens: &mut [Token]) {
    // For each open brace: whether it is a module's, and whether it is under `#[cfg(test)]`.
    let mut braces: Vec<(bool, bool)> = Vec::new();
    let mut is_test = false;
    let mut is_module = false;
    for at in 0..tokens.len() {
        let in_test = braces.iter().any(|(_, test)| *test);
        let depth = braces.iter().filter(|(module, _)| *module).count();
        tokens[at].in_test = in_test;
        tokens[at].depth = depth;
        match tokens[at].text.as_str() {
            "cfg" if words(tokens, at, &["cfg", "(", "test", ")"]) => is_test = true,
            "mod" => is_module = true,
            "{" => {
                braces.push((is_module, is_test));
                is_module = false;
                is_test = false;
            }
            "}" => {
                braces.pop();
            }
            ";" => {
                is_module = false;
                is_test = false;
            }
            _ => {}
        }
    }
}

/// Whether the tokens from `at` are these words.
pub fn words(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(n, word)| tokens.get(at + n).is_some_and(|token| token.text == *word))
}

/// Every path that the tokens name.
pub fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let after = at.checked_sub(1).map(|before| tokens[before].text.as_str());
        let begins = is_name(&tokens[at].text) && !matches!(after, Some("::" | "."));
        let goes_on = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        if begins && (goes_on || after == Some("use")) {
            at = tree(tokens, at, &mut Vec::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads `a::b`, `a::{b, c::d}` and `a::*`; returns where it ended.
fn tree(tokens: &[Token], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Named>) -> usize {
    let begun = at.min(tokens.len().saturating_sub(1));
    let outer = prefix.len();
    while let Some(token) = tokens.get(at) {
        if token.text == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text != "}") {
                // Also past what is no path, so that this ends.
                at = tree(tokens, at, prefix, found).max(at + 1);
                if tokens.get(at).is_some_and(|token| token.text == ",") {
                    at += 1;
                }
            }
            prefix.truncate(outer);
            return at + 1;
        }
        if !is_name(&token.text) && token.text != "*" {
            break;
        }
        prefix.push(token.text.clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    if prefix.len() > outer {
        let Token { line, in_test, depth, .. } = tokens[begun];
        found.push(Named { segments: prefix.clone(), line, in_test, depth });
    }
    prefix.truncate(outer);
    // `as other`
    if tokens.get(at).is_some_and(|token| token.text == "as") { at + 2 } else { at }
}
