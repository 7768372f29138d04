//! Values as YAML text that means the same to every reader.
//!
//! serde_yaml writes YAML 1.2, and leaves `no`, `0644`, `1e3` or `on` without quotes, for there they are text. kubectl, Helm
//! and eksctl read YAML 1.1 by go-yaml's rules, to which they are a boolean, a number, a number and a boolean: an argument
//! or a tag that is refused, or worse, one that is taken for something else. serde_yaml cannot be told to quote; so it gets a
//! word of ours in the place of each such text, and the text in quotes takes that word's place afterwards.

use super::scalar::is_text;
use serde::ser::Serialize;
use serde_yaml::{Error, Value, to_string, to_value};

/// Text of YAML 1.1 that this module's reader takes for text, and other readers do not: booleans of one letter, the merge
/// and the default key (yaml.org/type).
const NO_TEXT: [&str; 6] = ["y", "Y", "n", "N", "=", "<<"];

/// A value as one YAML document, its fields in the order in which it gives them; ends with a line break.
///
/// # Errors
/// When the value cannot be YAML, or its own `Serialize` refuses.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    let mut value = to_value(value)?;
    let plain = to_string(&value)?;
    let mut mark = "Quoted".to_owned();
    while plain.contains(&mark) {
        mark.push('q');
    }
    let mut quotes = Quotes { mark, texts: Vec::new() };
    quotes.take(&mut value);
    if quotes.texts.is_empty() { Ok(plain) } else { Ok(quotes.put(&to_string(&value)?)) }
}

/// Texts that need quotes, each known by the word that stands for it.
struct Quotes {
    /// Begins every such word, and stands nowhere else.
    mark: String,
    texts: Vec<String>,
}

impl Quotes {
    /// Puts words in the place of texts that need quotes.
    fn take(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if needs_quotes(text) => {
                let word = format!("{}{}z", self.mark, self.texts.len());
                self.texts.push(std::mem::replace(text, word));
            }
            Value::Sequence(items) => items.iter_mut().for_each(|item| self.take(item)),
            Value::Mapping(mapping) => {
                let entries = std::mem::take(mapping).into_iter().map(|(mut key, mut value)| {
                    self.take(&mut key);
                    self.take(&mut value);
                    (key, value)
                });
                *mapping = entries.collect();
            }
            Value::Tagged(tagged) => self.take(&mut tagged.value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Puts the texts, in quotes, in the place of their words.
    fn put(&self, text: &str) -> String {
        let mut parts = text.split(&self.mark);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (number, rest) = part.split_once('z').expect("every word of ours ends with it");
            let number: usize = number.parse().expect("every word of ours has its number");
            whole.push_str(&quoted(&self.texts[number]));
            whole.push_str(rest);
        }
        whole
    }
}

/// In double quotes. What comes here are words and numbers in ASCII.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether serde_yaml leaves it without quotes, and not every reader takes it for text.
fn needs_quotes(text: &str) -> bool {
    let sexagesimal = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || ":.+-_".contains(c));
    (!is_text(text) || sexagesimal || NO_TEXT.contains(&text))
        && to_string(text).is_ok_and(|written| written.trim_end_matches('\n') == text)
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
        let words = "yes no on Off y N true null ~ 0644 1e3 1_000 0x1F 0b1 +1 .5 1. -.inf 12:30:45 0o17 = << - --- ... \
                     @a %a *a &a !a #a [a {a 'a \"a a:";
        let odd = ["", " a", "a ", "a: b", "a #b", "- a", "a\tb", "a\rb", "\u{feff}a", "\u{85}"];
        for word in words.split_whitespace().chain(odd) {
            let text = to_text(&json!({ "k": word, word: "v" })).unwrap();
            let quoted = text.lines().filter(|line| line.contains(['\'', '"'])).count();
            assert!(quoted >= 2, "{word:?}: {text}");
            assert_eq!(read(&text), json!({ "k": word, word: "v" }), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_word_of_ours_stays_and_so_does_the_order() {
        #[derive(serde::Serialize)]
        struct Two {
            z: &'static str,
            a: &'static str,
        }
        let text = to_text(&Two { z: "Quoted0z", a: "no" }).unwrap();
        assert_eq!(text, "z: Quoted0z\na: \"no\"\n");
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
