//! Terraform's language, written: blocks, attributes, and strings that mean what they say.
//! (<https://developer.hashicorp.com/terraform/language/syntax/configuration>, and Strings and Templates)

use crate::provision::network::answer::is_nothing;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Expressions that stand for values, by value: the id of a subnet is the subnet's in the same file.
pub type References = BTreeMap<String, String>;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A literal; strings that are known stand as references.
    Value(Value),
    /// A literal, whatever is known.
    Plain(Value),
    /// A document that the API takes as JSON text.
    Json(Value),
    /// Names of the language itself: arguments of the same block, no strings.
    Addresses(Vec<String>),
}

/// A block: `resource "aws_vpc" "main" { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    kind: String,
    labels: Vec<String>,
    attributes: Vec<(String, Expression)>,
    blocks: Vec<Block>,
}

impl Block {
    /// An empty block.
    #[must_use]
    pub fn new(kind: &str, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { kind: kind.to_owned(), labels, ..Self::default() }
    }

    /// With an attribute; left out where the value is nothing: null, an empty string, list or object.
    #[must_use]
    pub fn with(mut self, name: &str, value: &Value) -> Self {
        if !is_nothing(value) {
            self.attributes.push((name.to_owned(), Expression::Value(value.clone())));
        }
        self
    }

    /// With an attribute that is written as it is: a resource's own name.
    #[must_use]
    pub fn plain(mut self, name: &str, value: &Value) -> Self {
        if !is_nothing(value) {
            self.attributes.push((name.to_owned(), Expression::Plain(value.clone())));
        }
        self
    }

    /// With an attribute whose text is a JSON document.
    #[must_use]
    pub fn json(mut self, name: &str, value: Value) -> Self {
        self.attributes.push((name.to_owned(), Expression::Json(value)));
        self
    }

    /// With a text that may be empty: the value of a tag.
    #[must_use]
    pub fn literal(mut self, name: &str, text: &str) -> Self {
        self.attributes.push((name.to_owned(), Expression::Plain(text.into())));
        self
    }

    /// With a list of names of the language: what `ignore_changes` takes.
    #[must_use]
    pub fn addresses(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|each| (*each).to_owned()).collect();
        self.attributes.push((name.to_owned(), Expression::Addresses(addresses)));
        self
    }

    /// With a block in it; left out where it is empty.
    #[must_use]
    pub fn block(mut self, block: Self) -> Self {
        if !(block.attributes.is_empty() && block.blocks.is_empty()) {
            self.blocks.push(block);
        }
        self
    }

    /// With blocks in it.
    #[must_use]
    pub fn blocks(self, blocks: impl IntoIterator<Item = Self>) -> Self {
        blocks.into_iter().fold(self, Self::block)
    }

    /// Whether it is a resource of this kind.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        self.labels.first().is_some_and(|label| label == kind)
    }

    /// Whether it has an argument or block of this name, at any depth.
    #[must_use]
    pub fn gives(&self, name: &str) -> bool {
        let argument = self.attributes.iter().any(|(own, _)| own == name);
        argument || self.blocks.iter().any(|block| block.kind == name || block.gives(name))
    }

    /// The text, indented by so many levels.
    pub fn write(&self, known: &References, level: usize, into: &mut String) {
        let indent = "  ".repeat(level);
        let _ = write!(into, "{indent}{}", self.kind);
        for label in &self.labels {
            let _ = write!(into, " {}", quoted(label));
        }
        into.push_str(" {\n");
        let attributes: Vec<(String, String)> = self
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.text(known, level + 1)))
            .collect();
        aligned(&attributes, &"  ".repeat(level + 1), into);
        for (at, block) in self.blocks.iter().enumerate() {
            if at > 0 || !self.attributes.is_empty() {
                into.push('\n');
            }
            block.write(known, level + 1, into);
        }
        let _ = writeln!(into, "{indent}}}");
    }
}

impl Expression {
    fn text(&self, known: &References, level: usize) -> String {
        match self {
            Self::Value(value) => literal(value, known, level),
            Self::Plain(value) => literal(value, &References::new(), level),
            Self::Addresses(addresses) => {
                let inner = "  ".repeat(level + 1);
                let lines: String = addresses.iter().map(|each| format!("{inner}{each},\n")).collect();
                format!("[\n{lines}{}]", "  ".repeat(level))
            }
            Self::Json(value) => format!("jsonencode({})", literal(value, &References::new(), level)),
        }
    }
}

/// As `terraform fmt` lays it out: the signs of neighbours that take one line each stand below each other; what takes several
/// lines stands alone.
fn aligned(members: &[(String, String)], indent: &str, into: &mut String) {
    let mut rest = members;
    while !rest.is_empty() {
        let run = rest.iter().take_while(|(_, text)| !text.contains('\n')).count();
        let width = rest[..run].iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let (now, later) = rest.split_at(run.max(1));
        for (name, text) in now {
            // Writing to a String cannot fail.
            let _ = writeln!(into, "{indent}{name:width$} = {text}");
        }
        rest = later;
    }
}

fn literal(value: &Value, known: &References, level: usize) -> String {
    let (inner, outer) = ("  ".repeat(level + 1), "  ".repeat(level));
    match value {
        Value::String(text) => known.get(text).cloned().unwrap_or_else(|| quoted(text)),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| format!("{inner}{},\n", literal(item, known, level + 1))).collect();
            format!("[\n{}{outer}]", items.concat())
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<(String, String)> = members
                .iter()
                .map(|(name, value)| (quoted(name), literal(value, known, level + 1)))
                .collect();
            let mut lines = String::new();
            aligned(&members, &inner, &mut lines);
            format!("{{\n{lines}{outer}}}")
        }
        other => other.to_string(),
    }
}

/// A quoted string: nothing in it is taken for an escape, an interpolation or a directive.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            // Doubled, the sign stands for itself.
            '$' | '%' if characters.peek() == Some(&'{') => {
                written.push(character);
                written.push(character);
            }
            control if control.is_control() => {
                let _ = write!(written, "\\u{:04X}", u32::from(control));
            }
            other => written.push(other),
        }
    }
    written.push('"');
    written
}

/// A name that the language takes: letters, digits, `_` and `-`, no digit or sign at first.
#[must_use]
pub fn identifier(text: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let name: String = text.chars().map(|character| if fits(character) { character } else { '_' }).collect();
    if name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        name
    } else {
        format!("_{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_mean_what_they_say() {
        for (text, written) in [
            ("plain", r#""plain""#),
            ("a \"b\" \\c", r#""a \"b\" \\c""#),
            ("${var.x} %{if}", r#""$${var.x} %%{if}""#),
            ("$5 100% $", r#""$5 100% $""#),
            ("a\nb\tc\u{1}", "\"a\\nb\\tc\\u0001\""),
            ("grüße", r#""grüße""#),
        ] {
            assert_eq!(quoted(text), written);
        }
        assert_eq!(identifier("1.shop/web"), "_1_shop_web");
    }

    #[test]
    fn blocks_are_laid_out_and_what_is_known_is_referred_to() {
        let known = References::from([("vpc-1".to_owned(), "aws_vpc.main.id".to_owned())]);
        let block = Block::new("resource", &["aws_subnet", "a"])
            .with("vpc_id", &json!("vpc-1"))
            .plain("name", &json!("vpc-1"))
            .with("none", &Value::Null)
            .with("tags", &json!({"a b": "c", "d": ["e"]}))
            .block(Block::new("timeouts", &[]).with("create", &json!("5m")))
            .block(Block::new("empty", &[]));
        let mut text = String::new();
        block.write(&known, 0, &mut text);
        assert_eq!(
            text,
            "resource \"aws_subnet\" \"a\" {\n  vpc_id = aws_vpc.main.id\n  name   = \"vpc-1\"\n  tags = {\n    \
             \"a b\" = \"c\"\n    \"d\" = [\n      \"e\",\n    ]\n  }\n\n  timeouts {\n    create = \"5m\"\n  }\n}\n"
        );
    }
}
