//! Where the value or key of a JSON pointer stands in the file.

use super::error::Mark;
use super::key;
use super::tree::{Content, NodeId, Tree};

/// The places of a document's nodes, for error messages.
///
/// A pointer is a JSON pointer (RFC 6901) into the document's value: `/spec/source/path`, `/items/0`. What comes out
/// of an alias is found at its anchor, what comes out of a merge in the merged mapping.
#[derive(Debug)]
pub struct Marks<'d> {
    pub(super) tree: Tree<'d>,
    pub(super) root: NodeId,
}

impl Marks<'_> {
    /// Where the value begins. `None` if the document has no such value.
    pub fn value(&self, pointer: &str) -> Option<Mark> {
        let (_, node) = self.find(pointer)?;
        Some(self.tree.node(node).mark)
    }

    /// Where the key of the value begins; for an entry of a list, where the entry begins. `None` if the document has
    /// no such value; the whole document has no key either.
    pub fn key(&self, pointer: &str) -> Option<Mark> {
        let (key, _) = self.find(pointer)?;
        Some(self.tree.node(key?).mark)
    }

    /// Where the value begins, or the nearest one around it that exists. For fields that are missing.
    pub fn nearest(&self, pointer: &str) -> Mark {
        let mut pointer = pointer;
        loop {
            if let Some(mark) = self.value(pointer) {
                return mark;
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return self.tree.node(self.root).mark,
            }
        }
    }

    fn find(&self, pointer: &str) -> Option<(Option<NodeId>, NodeId)> {
        let mut found = (None, self.root);
        if pointer.is_empty() {
            return Some(found);
        }
        for segment in pointer.strip_prefix('/')?.split('/') {
            let name = segment.replace("~1", "/").replace("~0", "~");
            found = match &self.tree.node(self.resolve(found.1)).content {
                Content::Mapping { first } => {
                    let (key, value) = self.entry(*first, &name)?;
                    (Some(key), value)
                }
                Content::Sequence { first } => {
                    let entry = self.tree.chain(*first).nth(name.parse().ok()?)?;
                    (Some(entry), entry)
                }
                Content::Scalar(_) | Content::Alias { .. } => return None,
            };
        }
        Some(found)
    }

    /// The pair that gives a key its value: the last one, merges counted where they stand.
    fn entry(&self, first: Option<NodeId>, name: &str) -> Option<(NodeId, NodeId)> {
        let mut found = None;
        for (key, value) in self.tree.pairs(first) {
            if !key::is_merge(&self.tree, key) {
                if key::of_node(&self.tree, key).as_deref() == Some(name) {
                    found = Some((key, value));
                }
                continue;
            }
            let sources = match &self.tree.node(value).content {
                Content::Sequence { first } => self.tree.chain(*first).collect(),
                _ => vec![value],
            };
            let merged =
                sources.into_iter().find_map(|source| match &self.tree.node(self.resolve(source)).content {
                    Content::Mapping { first } => self.entry(*first, name),
                    _ => None,
                });
            found = merged.or(found);
        }
        found
    }

    fn resolve(&self, id: NodeId) -> NodeId {
        match &self.tree.node(id).content {
            Content::Alias { target } => self.resolve(*target),
            _ => id,
        }
    }
}
