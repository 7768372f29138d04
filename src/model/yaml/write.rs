//! JSON values as YAML text that means the same to every reader.
//!
//! A writer of YAML 1.2 leaves `no`, `0644`, `1e3` or `on` without quotes, for there they are text. kubectl, Helm and eksctl
//! read YAML 1.1 by go-yaml's rules, to which they are a boolean, a number, a number and a boolean: an argument or a tag
//! that is refused, or worse, one that is taken for something else. So text goes without quotes only where this module's
//! [reader](super::read_stream) takes it for text, and where those of 1.2 do.

use super::scalar::is_text;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::Number;
use std::fmt;

/// A value as one YAML document, its fields in the order in which it gives them; ends with a line break.
///
/// # Errors
/// When the value cannot be JSON: a key that is no text, or what its own `Serialize` refuses.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let node: Node = serde_json::from_str(&serde_json::to_string(value)?)?;
    let mut text = String::new();
    if node.is_nested() {
        block(&node, 0, &mut text);
    } else {
        scalar(&node, 0, &mut text);
        text.push('\n');
    }
    Ok(text)
}

/// JSON that keeps the order of its keys.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    const fn is_nested(&self) -> bool {
        match self {
            Self::Map(map) => !map.is_empty(),
            Self::List(list) => !list.is_empty(),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

/// Writes a mapping or list whose first line begins where the text ends, at this column.
fn block(value: &Node, column: usize, text: &mut String) {
    let indent = |first: bool, text: &mut String| {
        if !first {
            text.extend(std::iter::repeat_n(' ', column));
        }
    };
    match value {
        Node::Map(map) => {
            for (position, (name, value)) in map.iter().enumerate() {
                indent(position == 0, text);
                key(name, text);
                text.push(':');
                if value.is_nested() {
                    // A list below a key needs no indentation of its own.
                    let column = if matches!(value, Node::List(_)) { column } else { column + 2 };
                    text.push('\n');
                    text.extend(std::iter::repeat_n(' ', column));
                    block(value, column, text);
                } else {
                    text.push(' ');
                    scalar(value, column, text);
                    text.push('\n');
                }
            }
        }
        Node::List(list) => {
            for (position, value) in list.iter().enumerate() {
                indent(position == 0, text);
                text.push_str("- ");
                if value.is_nested() {
                    block(value, column + 2, text);
                } else {
                    scalar(value, column, text);
                    text.push('\n');
                }
            }
        }
        _ => scalar(value, column, text),
    }
}

fn scalar(value: &Node, column: usize, text: &mut String) {
    match value {
        Node::Text(words) => match literal(words, column) {
            Some(lines) => text.push_str(&lines),
            None => key(words, text),
        },
        Node::Map(_) => text.push_str("{}"),
        Node::List(_) => text.push_str("[]"),
        Node::Null => text.push_str("null"),
        Node::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Node::Number(value) => text.push_str(&value.to_string()),
    }
}

/// Text on one line: plain, in single quotes, or with escapes.
fn key(words: &str, text: &mut String) {
    if is_plain(words) {
        text.push_str(words);
    } else if words.chars().all(is_printable) {
        text.push('\'');
        text.push_str(&words.replace('\'', "''"));
        text.push('\'');
    } else {
        text.push('"');
        words.chars().for_each(|c| escape(c, text));
        text.push('"');
    }
}

/// Several lines as a block, without the last line break; `None` where a block cannot hold them.
fn literal(words: &str, column: usize) -> Option<String> {
    let fits = |c: char| is_printable(c) || c == '\n' || c == '\t';
    if !words.contains('\n') || words.trim_matches('\n').is_empty() || !words.chars().all(fits) {
        return None;
    }
    // A reader finds the indentation by the first line, which must not be one that begins with more.
    let indicator = if words.starts_with([' ', '\n', '\t']) { "2" } else { "" };
    let (body, end) = match words.strip_suffix('\n') {
        None => (words, "-"),
        Some(body) if body.ends_with('\n') => (body, "+"),
        Some(body) => (body, ""),
    };
    let mut text = format!("|{indicator}{end}");
    for line in body.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            text.extend(std::iter::repeat_n(' ', column + 2));
            text.push_str(line);
        }
    }
    Some(text)
}

/// Whether text can stand without quotes.
fn is_plain(words: &str) -> bool {
    let mut chars = words.chars();
    let (Some(first), last) = (chars.next(), words.chars().next_back()) else { return false };
    let begins = match first {
        '-' => {
            chars.next().is_some_and(|c| c != ' ' && c != '-')
                || words.starts_with("--") && !words.starts_with("---")
        }
        '.' => !words.starts_with("..."),
        '?' | ':' | ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' | '=' | '<' | ' ' => false,
        _ => true,
    };
    begins
        && last.is_none_or(|c| c != ' ' && c != ':')
        && words.chars().all(is_printable)
        && !words.contains(": ")
        && !words.contains(" #")
        && is_text(words)
        && !looks_like_a_number(words)
}

/// What is text to go-yaml v2 and a number to others: `0o17`, `12:30:45`, `1,000` and their like.
fn looks_like_a_number(words: &str) -> bool {
    let digits = words.trim_start_matches(['-', '+']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && (digits.starts_with("0o")
            || digits.chars().all(|c| c.is_ascii_digit() || [':', '_', ','].contains(&c)))
}

/// Whether a character stands as it is in YAML, on one line.
fn is_printable(c: char) -> bool {
    !c.is_control() && !['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'].contains(&c)
}

fn escape(c: char, text: &mut String) {
    match c {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        c if is_printable(c) => text.push(c),
        c => text.push_str(&format!("\\u{:04x}", u32::from(c))),
    }
}

#[cfg(test)]
mod tests {
    use super::to_text;
    use crate::model::yaml::{Limits, read_stream};
    use serde_json::{Value, json};

    fn read(text: &str) -> Value {
        let documents = read_stream(text.as_bytes(), &Limits::default());
        assert_eq!(documents.len(), 1, "{text}");
        documents.into_iter().next().unwrap().unwrap().into_value()
    }

    #[test]
    fn words_that_are_no_text_to_kubectl_are_quoted() {
        for word in [
            "yes",
            "no",
            "on",
            "Off",
            "y",
            "N",
            "true",
            "null",
            "~",
            "0644",
            "1e3",
            "1_000",
            "0x1F",
            "0b1",
            "+1",
            ".5",
            "1.",
            "-.inf",
            "12:30:45",
            "0o17",
            "=",
            "<<",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "-",
            "---",
            "...",
            "@a",
            "%a",
            "*a",
            "&a",
            "!a",
            "#a",
            "[a",
            "{a",
            "'a",
            "\"a",
            "?a",
            "a\tb",
            "a\rb",
            "\u{feff}a",
            "\u{85}",
        ] {
            let text = to_text(&json!({ "k": word, word: "v" })).unwrap();
            let quoted = text.lines().filter(|line| line.contains(['\'', '"'])).count();
            assert!(quoted >= 2, "{word:?}: {text}");
            assert_eq!(read(&text), json!({ "k": word, word: "v" }), "{text}");
        }
    }

    #[test]
    fn ordinary_words_stand_as_they_are() {
        let value = json!({"args": ["--save", "-c", "10.0.0.1", "a=b", "/etc/x", "it's", "1Gi", "{{x}}", "http://a/b#c"]});
        let text =
            "args:\n- --save\n- -c\n- 10.0.0.1\n- a=b\n- /etc/x\n- it's\n- 1Gi\n- '{{x}}'\n- http://a/b#c\n";
        assert_eq!(to_text(&value).unwrap(), text);
    }

    #[test]
    fn shapes_and_lines_are_kept() {
        let value = json!({
            "empty": {}, "none": [], "null": null, "lists": [[1, [2]], [], {"a": [{"b": 1, "c": [true]}]}],
            "lines": ["a\nb", "a\n", "a\n\n", "\na", "  a\n b\n", "\n", "\ta\n", "a \n\n  b\n---\nc\n", "a\r\nb\n"],
            "deep": {"text": "#!/bin/sh\nset -e\n\n  x\n", "- k": {"a b: c": -1}},
        });
        let text = to_text(&value).unwrap();
        assert_eq!(read(&text), value, "{text}");
    }
}
