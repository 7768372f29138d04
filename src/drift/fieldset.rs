//! A set of fields: `FieldsV1` as an ordered tree.
//!
//! Thousands of objects own the same fields (a Deployment is a Deployment), so subtrees are shared: a clone costs one
//! level, the operations copy only what they change, and [`Interner`](super::Interner) folds equal subtrees of different objects into
//! one.

use super::path::{BadFields, Path, PathElement};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// An ordered set of paths. A path may be in the set beside paths below it (`.` in `FieldsV1`).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSet {
    /// Sorted by element; no node is without both membership and content.
    nodes: Vec<Node>,
}

/// One element, and what the set has below it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// The step from the parent.
    pub(super) element: PathElement,
    /// Whether the path that ends here is in the set.
    pub(super) member: bool,
    /// Paths that go on; never empty.
    pub(super) below: Option<Arc<FieldSet>>,
}

impl Node {
    /// Whether the set has this path and nothing below it: a value that is owned as a whole.
    pub(super) const fn is_leaf(&self) -> bool {
        self.below.is_none()
    }
}

impl FieldSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Reads the `fieldsV1` of a `managedFields` entry.
    ///
    /// # Errors
    /// When a node is not a mapping or an element cannot be read.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, BadFields> {
        let map = fields.as_object().ok_or_else(|| BadFields::NotAMapping("fieldsV1".into()))?;
        let mut nodes = Vec::with_capacity(map.len());
        for (text, value) in map.iter().filter(|(text, _)| *text != ".") {
            let Some(element) = PathElement::parse(text)? else {
                continue;
            };
            let child = value.as_object().ok_or_else(|| BadFields::NotAMapping(text.clone()))?;
            let below = Self::from_fields_v1(value)?;
            // `{}` and `{".": {}}` both mean: the thing itself.
            let member = below.is_empty() || child.contains_key(".");
            nodes.push(Node { element, member, below: (!below.is_empty()).then(|| Arc::new(below)) });
        }
        nodes.sort_by(|a, b| a.element.cmp(&b.element));
        Ok(Self { nodes })
    }

    /// The `fieldsV1` of a `managedFields` entry.
    #[must_use]
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for node in &self.nodes {
            let mut value =
                node.below.as_ref().map_or_else(|| Value::Object(Map::new()), |below| below.to_fields_v1());
            if let (true, Some(_), Some(map)) = (node.member, &node.below, value.as_object_mut()) {
                map.insert(".".into(), Value::Object(Map::new()));
            }
            map.insert(node.element.to_text(), value);
        }
        Value::Object(map)
    }

    /// Whether the set has no path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a path. The empty path is nobody's and is not added.
    pub fn insert(&mut self, path: &Path) {
        self.insert_elements(&path.0);
    }

    fn insert_elements(&mut self, path: &[PathElement]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let place = match self.place(first) {
            Ok(place) => place,
            Err(place) => {
                self.nodes.insert(place, Node { element: first.clone(), member: false, below: None });
                place
            }
        };
        let node = &mut self.nodes[place];
        if rest.is_empty() {
            node.member = true;
        } else {
            Arc::make_mut(node.below.get_or_insert_default()).insert_elements(rest);
        }
    }

    /// Whether exactly this path is in the set.
    #[must_use]
    pub fn contains(&self, path: &Path) -> bool {
        let Some((last, way)) = path.0.split_last() else {
            return false;
        };
        self.descend(way).and_then(|set| set.get(last)).is_some_and(|node| node.member)
    }

    /// What the set has below a path.
    #[must_use]
    pub fn descend(&self, path: &[PathElement]) -> Option<&Self> {
        path.iter().try_fold(self, |set, element| set.get(element)?.below.as_deref())
    }

    /// Paths in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        merge(self, other, |a, b| match (a, b) {
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (Some(a), Some(b)) => {
                let below = match (&a.below, &b.below) {
                    (Some(a), Some(b)) if Arc::ptr_eq(a, b) => Some(Arc::clone(a)),
                    (Some(a), Some(b)) => Some(Arc::new(a.union(b))),
                    (one, None) | (None, one) => one.clone(),
                };
                Some(Node { element: a.element.clone(), member: a.member || b.member, below })
            }
            (None, None) => None,
        })
    }

    /// Paths of this set that the other has not. A path below one of the other's stays.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        merge(self, other, |a, b| match (a, b) {
            (Some(a), None) => Some(a.clone()),
            (Some(a), Some(b)) => {
                let below = match (&a.below, &b.below) {
                    (Some(a), Some(b)) if Arc::ptr_eq(a, b) => None,
                    (Some(a), Some(b)) => Some(Arc::new(a.difference(b))),
                    (one, None) => one.clone(),
                    (None, _) => None,
                };
                node(&a.element, a.member && !b.member, below)
            }
            (None, _) => None,
        })
    }

    /// Paths in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        merge(self, other, |a, b| {
            let (a, b) = (a?, b?);
            let below = match (&a.below, &b.below) {
                (Some(a), Some(b)) => Some(Arc::new(a.intersection(b))),
                _ => None,
            };
            node(&a.element, a.member && b.member, below)
        })
    }

    /// Paths with nothing below them, in order.
    #[must_use]
    pub fn leaves(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found, Node::is_leaf);
        found
    }

    /// Every path of the set, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found, |node| node.member);
        found
    }

    fn collect(&self, way: &mut Vec<PathElement>, found: &mut Vec<Path>, wanted: fn(&Node) -> bool) {
        for node in &self.nodes {
            way.push(node.element.clone());
            if wanted(node) {
                found.push(Path(way.clone()));
            }
            if let Some(below) = &node.below {
                below.collect(way, found, wanted);
            }
            way.pop();
        }
    }

    /// Number of paths with nothing below them.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.nodes.iter().map(|node| node.below.as_ref().map_or(1, |below| below.leaf_count())).sum()
    }

    /// Whether a `fieldsV1` says exactly this set, without building a tree from it.
    #[must_use]
    pub fn is_fields_v1(&self, fields: &Value) -> bool {
        let Some(map) = fields.as_object() else {
            return false;
        };
        let mut seen = 0;
        for (text, value) in map.iter().filter(|(text, _)| *text != ".") {
            let found = match text.strip_prefix("f:") {
                Some(name) => self.get_field(name),
                None => match PathElement::parse(text) {
                    Ok(Some(element)) => self.get(&element),
                    Ok(None) => continue,
                    Err(_) => return false,
                },
            };
            let (Some(node), Some(child)) = (found, value.as_object()) else {
                return false;
            };
            seen += 1;
            let itself = child.contains_key(".");
            let agrees = match &node.below {
                Some(below) => node.member == itself && below.is_fields_v1(value),
                None => child.len() == usize::from(itself),
            };
            if !agrees {
                return false;
            }
        }
        seen == self.nodes.len()
    }

    /// A set from its top, which has to be sorted.
    pub(super) const fn of_nodes(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    /// The top of the tree, in order.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn get(&self, element: &PathElement) -> Option<&Node> {
        self.place(element).ok().map(|place| &self.nodes[place])
    }

    pub(super) fn get_field(&self, name: &str) -> Option<&Node> {
        // Fields sort before all other kinds of element.
        let place = self.nodes.binary_search_by(|node| match &node.element {
            PathElement::Field(field) => (**field).cmp(name),
            _ => std::cmp::Ordering::Greater,
        });
        place.ok().map(|place| &self.nodes[place])
    }

    fn place(&self, element: &PathElement) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }
}

/// The paths, for tests and traces; paths are no secrets, but set items (`v:`) may be long.
impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths().iter().map(ToString::to_string)).finish()
    }
}

impl FromIterator<Path> for FieldSet {
    fn from_iter<T: IntoIterator<Item = Path>>(paths: T) -> Self {
        let mut set = Self::new();
        paths.into_iter().for_each(|path| set.insert(&path));
        set
    }
}

fn node(element: &PathElement, member: bool, below: Option<Arc<FieldSet>>) -> Option<Node> {
    let below = below.filter(|below| !below.is_empty());
    (member || below.is_some()).then(|| Node { element: element.clone(), member, below })
}

/// Walks two sets side by side.
fn merge(
    a: &FieldSet,
    b: &FieldSet,
    choose: impl Fn(Option<&Node>, Option<&Node>) -> Option<Node>,
) -> FieldSet {
    let (mut left, mut right) = (a.nodes.iter().peekable(), b.nodes.iter().peekable());
    let mut nodes = Vec::with_capacity(a.nodes.len().max(b.nodes.len()));
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.element.cmp(&b.element),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return FieldSet { nodes },
        };
        let a = if order.is_le() { left.next() } else { None };
        let b = if order.is_ge() { right.next() } else { None };
        nodes.extend(choose(a, b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(fields: Value) -> FieldSet {
        FieldSet::from_fields_v1(&fields).unwrap()
    }

    #[test]
    fn the_tree_survives_the_round_trip() {
        let fields = json!({
            "f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}, "f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:x": {}},
        });
        assert_eq!(set(fields.clone()).to_fields_v1(), fields);
        assert!(set(fields.clone()).is_fields_v1(&fields));
        assert!(!set(fields).is_fields_v1(&json!({"f:spec": {}})));
        let itself = json!({"f:a": {".": {}, "f:b": {}}});
        assert!(!set(itself.clone()).is_fields_v1(&json!({"f:a": {"f:b": {}}})));
        assert!(!set(json!({"f:a": {"f:b": {}}})).is_fields_v1(&itself));
        assert_eq!(set(json!({"f:a": {".": {}}})), set(json!({"f:a": {}})));
    }

    #[test]
    fn operations_are_those_of_sets_of_paths() {
        let a = set(json!({"f:a": {".": {}, "f:x": {}, "f:y": {}}, "f:b": {}}));
        let b = set(json!({"f:a": {"f:x": {}, "f:z": {}}}));
        assert_eq!(a.union(&b), set(json!({"f:a": {".": {}, "f:x": {}, "f:y": {}, "f:z": {}}, "f:b": {}})));
        assert_eq!(a.difference(&b), set(json!({"f:a": {".": {}, "f:y": {}}, "f:b": {}})));
        assert_eq!(a.intersection(&b), set(json!({"f:a": {"f:x": {}}})));
        assert!(a.difference(&a).is_empty());
    }
}
