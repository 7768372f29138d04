//! One copy of equal field sets.

use super::fieldset::{FieldSet, Node};
use std::collections::HashSet;
use std::sync::Arc;

/// Folds equal sets into one, level by level: two Deployments that differ in a container's name still share
/// everything but the way to it.
#[derive(Debug, Default)]
pub struct Interner {
    known: HashSet<Arc<FieldSet>>,
}

impl Interner {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The one copy of an equal set.
    pub fn share(&mut self, set: &FieldSet) -> Arc<FieldSet> {
        if let Some(known) = self.known.get(set) {
            return Arc::clone(known);
        }
        let nodes = set.nodes().iter().map(|node| Node {
            element: node.element.clone(),
            member: node.member,
            below: node.below.as_ref().map(|below| self.share(below)),
        });
        let shared = Arc::new(FieldSet::of_nodes(nodes.collect()));
        self.known.insert(Arc::clone(&shared));
        shared
    }

    /// Forgets what nobody else holds. For after many objects are gone; cost is in proportion to what is known.
    pub fn sweep(&mut self) {
        // A set that goes sets its subtrees free, so once more until nothing goes.
        loop {
            let before = self.known.len();
            self.known.retain(|set| Arc::strong_count(set) > 1);
            if self.known.len() == before {
                return;
            }
        }
    }

    /// Number of different sets known, subtrees included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(fields: Value) -> FieldSet {
        FieldSet::from_fields_v1(&fields).unwrap()
    }

    #[test]
    fn equal_subtrees_are_kept_once_and_given_up_when_unused() {
        let mut interner = Interner::new();
        let web = interner.share(&set(json!({"k:{\"name\":\"a\"}": {"f:image": {}, "f:env": {"f:x": {}}}})));
        let known = interner.len();
        let api = interner.share(&set(json!({"k:{\"name\":\"b\"}": {"f:image": {}, "f:env": {"f:x": {}}}})));
        assert_eq!(interner.len(), known + 1);
        drop((web, api));
        interner.sweep();
        assert!(interner.is_empty());
    }
}
