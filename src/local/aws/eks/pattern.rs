//! The regular expressions that service models and add-on schemas use: literals, escapes, `.`, classes, groups,
//! alternatives, `?`, `*`, `+`, `{m,n}`, anchors. A pattern has to match the whole text, as the service's own check does
//! (several patterns of the model lack their `$`, and `my.cluster` is refused all the same).

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    node: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// One after the other.
    All(Vec<Node>),
    /// One of them.
    Any(Vec<Node>),
    /// A character of these ranges (or of none of them).
    Class { ranges: Vec<(char, char)>, negated: bool },
    /// So many times.
    Repeat { node: Box<Node>, least: usize, most: usize },
}

/// A pattern that uses what is not supported here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` cannot be read at character {at}: {what}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// Character, from 0.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Pattern {
    /// Compiles one.
    ///
    /// # Errors
    /// A construct that is not supported: look-around, back references, lazy quantifiers.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let mut reader = Reader { characters: text.chars().collect(), at: 0 };
        let node = reader.alternatives();
        let node = match node {
            Ok(node) if reader.at == reader.characters.len() => node,
            Ok(_) => return Err(reader.error(text, "a parenthesis that was never opened")),
            Err(what) => return Err(reader.error(text, what)),
        };
        Ok(Self { text: text.into(), node })
    }

    /// Whether it matches all of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let characters: Vec<char> = text.chars().collect();
        ends(&self.node, &characters, 0).contains(&characters.len())
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Where a match of `node` that starts at `from` may end. Sets of positions instead of backtracking: no input is slow.
fn ends(node: &Node, text: &[char], from: usize) -> Vec<usize> {
    match node {
        Node::All(nodes) => {
            let mut at = vec![from];
            for node in nodes {
                let mut next: Vec<usize> =
                    at.iter().flat_map(|position| ends(node, text, *position)).collect();
                next.sort_unstable();
                next.dedup();
                at = next;
            }
            at
        }
        Node::Any(nodes) => nodes.iter().flat_map(|node| ends(node, text, from)).collect(),
        Node::Class { ranges, negated } => match text.get(from) {
            Some(c) if ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated => vec![from + 1],
            _ => Vec::new(),
        },
        Node::Repeat { node, least, most } => {
            let mut found = if *least == 0 { vec![from] } else { Vec::new() };
            let mut at = vec![from];
            for count in 1..=*most {
                let mut next: Vec<usize> =
                    at.iter().flat_map(|position| ends(node, text, *position)).collect();
                next.sort_unstable();
                next.dedup();
                if count > *least {
                    next.retain(|position| !found.contains(position));
                }
                if next.is_empty() {
                    break;
                }
                if count >= *least {
                    found.extend(&next);
                }
                at = next;
            }
            found
        }
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

impl Reader {
    fn error(&self, pattern: &str, what: &'static str) -> PatternError {
        PatternError { pattern: pattern.into(), at: self.at, what }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn alternatives(&mut self) -> Result<Node, &'static str> {
        let mut nodes = vec![self.sequence()?];
        while self.take('|') {
            nodes.push(self.sequence()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn sequence(&mut self) -> Result<Node, &'static str> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '|' | ')' => break,
                // The whole text is matched anyway.
                '^' | '$' => self.at += 1,
                _ => {
                    let node = self.atom()?;
                    nodes.push(self.quantified(node)?);
                }
            }
        }
        Ok(Node::All(nodes))
    }

    fn atom(&mut self) -> Result<Node, &'static str> {
        let c = self.peek().ok_or("it ends too early")?;
        self.at += 1;
        match c {
            '(' => {
                if self.take('?') && !self.take(':') {
                    return Err("a group of this kind is not supported");
                }
                let inner = self.alternatives()?;
                if self.take(')') { Ok(inner) } else { Err("a parenthesis is not closed") }
            }
            '[' => self.class(),
            '.' => Ok(Node::Class { ranges: vec![('\n', '\n')], negated: true }),
            '\\' => Ok(Node::Class { ranges: self.escape()?, negated: false }),
            '*' | '+' | '?' => Err("a quantifier with nothing before it"),
            c => Ok(Node::Class { ranges: vec![(c, c)], negated: false }),
        }
    }

    fn escape(&mut self) -> Result<Vec<(char, char)>, &'static str> {
        let c = self.peek().ok_or("it ends with a backslash")?;
        self.at += 1;
        match c {
            'd' => Ok(vec![('0', '9')]),
            'w' => Ok(vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')]),
            's' => Ok(vec![(' ', ' '), ('\t', '\r')]),
            'n' => Ok(vec![('\n', '\n')]),
            't' => Ok(vec![('\t', '\t')]),
            c if c.is_ascii_alphanumeric() => Err("this escape is not supported"),
            c => Ok(vec![(c, c)]),
        }
    }

    fn class(&mut self) -> Result<Node, &'static str> {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            let c = self.peek().ok_or("a class is not closed")?;
            self.at += 1;
            let low = match c {
                ']' if !ranges.is_empty() => break,
                '\\' => self.escape()?,
                c => vec![(c, c)],
            };
            let next = self.characters.get(self.at + 1).copied();
            if let [(low, high)] = low[..]
                && low == high
                && self.peek() == Some('-')
                && next.is_some_and(|next| next != ']')
            {
                self.at += 1;
                let c = self.peek().ok_or("a class is not closed")?;
                self.at += 1;
                let high = if c == '\\' { self.escape()?[0].1 } else { c };
                ranges.push((low, high));
            } else {
                ranges.extend(low);
            }
        }
        Ok(Node::Class { ranges, negated })
    }

    fn quantified(&mut self, node: Node) -> Result<Node, &'static str> {
        let (least, most) = match self.peek() {
            Some('?') => (0, 1),
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('{') => {
                let end = self.characters[self.at..].iter().position(|c| *c == '}');
                let end = self.at + end.ok_or("a brace is not closed")?;
                let inner: String = self.characters[self.at + 1..end].iter().collect();
                self.at = end;
                let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
                let least = least.parse().map_err(|_| "a count is not a number")?;
                let most = if most.is_empty() { Ok(usize::MAX) } else { most.parse() };
                (least, most.map_err(|_| "a count is not a number")?)
            }
            _ => return Ok(node),
        };
        self.at += 1;
        if matches!(self.peek(), Some('?' | '+')) {
            return Err("lazy and possessive quantifiers are not supported");
        }
        Ok(Node::Repeat { node: Box::new(node), least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_whole_texts() {
        let cases = [
            (r"^[0-9A-Za-z][A-Za-z0-9\-_]*", "prod-1_a", true),
            (r"^[0-9A-Za-z][A-Za-z0-9\-_]*", "prod.1", false),
            (r"^[0-9A-Za-z][A-Za-z0-9\-_]*", "", false),
            (r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "a-b", true),
            (r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "a-", false),
            (r"^(true|false)$", "true", true),
            (r"^(true|false)$", "truefalse", false),
            (r"^\d{2,3}(?:\.x)?$", "12", true),
            (r"^\d{2,3}(?:\.x)?$", "1234", false),
            (r"^\d{2,3}(?:\.x)?$", "123.x", true),
            (r"[^/]+", "a/b", false),
            (r"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::new(pattern).unwrap().matches(text), expected, "{pattern} on {text:?}");
        }
        for wrong in ["(a", "a)", "[a", "(?=a)", "a{2", "*a", r"\k"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }
}
