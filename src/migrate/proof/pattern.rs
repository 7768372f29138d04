//! Patterns of JSON pointers: `containers|initContainers/*/image`.

use crate::transform::pointer_key;

/// A pattern, segment by segment.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Segment>);

#[derive(Clone, Debug)]
enum Segment {
    Any,
    OneOf(Vec<String>),
}

impl Pattern {
    /// Reads a pattern; a leading `/` does not matter.
    pub(super) fn read(text: &str) -> Self {
        let segments = text.split('/').filter(|segment| !segment.is_empty());
        let segment = |segment: &str| match segment {
            "*" => Segment::Any,
            names => Segment::OneOf(names.split('|').map(|name| pointer_key(name).into_owned()).collect()),
        };
        Self(segments.map(segment).collect())
    }

    /// Whether the keys of a pointer fit.
    pub(super) fn fits(&self, keys: &[&str]) -> bool {
        self.0.len() == keys.len()
            // The last segments differ most often.
            && self.0.iter().zip(keys).rev().all(|(segment, key)| match segment {
                Segment::Any => true,
                Segment::OneOf(names) => names.iter().any(|name| name == key),
            })
    }

    /// The names that the last segment can have; none: any.
    pub(super) fn last(&self) -> &[String] {
        match self.0.last() {
            Some(Segment::OneOf(names)) => names,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_what_they_say() {
        let pattern = Pattern::read("/spec/a|b/*/x~1y");
        assert!(pattern.fits(&["spec", "b", "7", "x/y"]));
        assert!(!pattern.fits(&["spec", "c", "7", "x/y"]) && !pattern.fits(&["spec", "a", "7"]));
        assert_eq!(pattern.last(), ["x/y"]);
    }
}
