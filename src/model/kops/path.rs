//! Places in a document, and patterns of them.

use std::fmt;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// A place in a document, by the newest names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path one key further down.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// The path of an item.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// The last key, whatever items come after it.
    #[must_use]
    pub fn last_key(&self) -> &str {
        self.0
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .unwrap_or_default()
    }

    /// The index of the outermost list that the path goes through.
    #[must_use]
    pub fn first_index(&self) -> Option<usize> {
        self.0.iter().find_map(|step| match step {
            Step::Index(index) => Some(*index),
            Step::Key(_) => None,
        })
    }

    /// As a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.0 {
            pointer.push('/');
            match step {
                Step::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }
}

/// As people write it: `spec.networking.subnets[0].cidr`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '/', '[']) => write!(f, "[{key:?}]")?,
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Key(&'a str),
    AnyKey,
    Item,
    Rest,
}

/// A pattern of paths: `spec.networking.subnets[].cidr`. `*` is any key, `[]` any item, `**` all that follows, at least
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern<'a>(Vec<Part<'a>>);

impl<'a> Pattern<'a> {
    /// Reads a pattern. Every text is one.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let mut parts = Vec::new();
        for word in text.split('.') {
            let mut name = word;
            let mut items = 0;
            while let Some(less) = name.strip_suffix("[]") {
                name = less;
                items += 1;
            }
            parts.push(match name {
                "**" => Part::Rest,
                "*" => Part::AnyKey,
                name => Part::Key(name),
            });
            parts.extend(std::iter::repeat_n(Part::Item, items));
        }
        Self(parts)
    }

    /// Whether it is the pattern of a path.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        matches(&self.0, &path.0)
    }

    /// How exact it is: of two that match, the one with the greater number counts.
    #[must_use]
    pub fn exactness(&self) -> (bool, usize, usize) {
        let exact = self.0.iter().filter(|part| matches!(part, Part::Key(_) | Part::Item)).count();
        (!self.0.contains(&Part::Rest), exact, self.0.len())
    }
}

fn matches(parts: &[Part<'_>], steps: &[Step]) -> bool {
    match (parts.split_first(), steps.split_first()) {
        (Some((Part::Rest, _)), _) | (None, None) => true,
        (Some((part, parts)), Some((step, steps))) => {
            let one = match (part, step) {
                (Part::Key(name), Step::Key(key)) => name == key,
                (Part::AnyKey, Step::Key(_)) | (Part::Item, Step::Index(_)) => true,
                _ => false,
            };
            one && matches(parts, steps)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        let step = |word: &str| word.parse().map_or_else(|_| Step::Key(word.to_owned()), Step::Index);
        Path(text.split(' ').map(step).collect())
    }

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("a.b[].c", "a b 0 c", true),
            ("a.b[].c", "a b c", false),
            ("a.*", "a x.y/z", true),
            ("a.*", "a 0", false),
            ("a.**", "a", true),
            ("a.**", "a b 0 c", true),
            ("a.**", "b", false),
            ("a.*[]", "a k 1", true),
        ];
        for (pattern, at, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(&path(at)), expected, "{pattern} on {at}");
        }
        assert!(Pattern::new("a.b").exactness() > Pattern::new("a.*").exactness());
        assert!(Pattern::new("a.*").exactness() > Pattern::new("a.b.**").exactness());
    }

    #[test]
    fn paths_are_told_as_people_write_them() {
        let path = path("spec labels kops.k8s.io/x 2");
        assert_eq!(path.to_string(), "spec.labels[\"kops.k8s.io/x\"][2]");
        assert_eq!(path.pointer(), "/spec/labels/kops.k8s.io~1x/2");
    }
}
