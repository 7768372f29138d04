//! The nodes of one document, in an arena.

use std::borrow::Cow;

use super::error::Mark;

/// Number of a node in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u32);

/// A node and where it begins.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub content: Content<'a>,
    pub mark: Mark,
    /// The next entry of the same collection. In a mapping keys and values take turns.
    next: Option<NodeId>,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Scalar(Scalar<'a>),
    Sequence { first: Option<NodeId> },
    Mapping { first: Option<NodeId> },
    Alias { target: NodeId },
}

/// A scalar before its type is decided.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    pub text: Cow<'a, str>,
    pub tag: Tag,
    /// Plain and without a tag, or with the lone `!`.
    pub implicit: bool,
}

/// The tags that mean something to go-yaml v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// No tag at all.
    None,
    Str,
    Bool,
    Int,
    Float,
    Null,
    Timestamp,
    Binary,
    Merge,
    /// Any other, `!` among them: the value is the text.
    Other,
}

impl Tag {
    /// The meaning of a tag with its handle expanded.
    pub fn from_uri(uri: &[u8]) -> Tag {
        match uri.strip_prefix(b"tag:yaml.org,2002:") {
            Some(b"str") => Tag::Str,
            Some(b"bool") => Tag::Bool,
            Some(b"int") => Tag::Int,
            Some(b"float") => Tag::Float,
            Some(b"null") => Tag::Null,
            Some(b"timestamp") => Tag::Timestamp,
            Some(b"binary") => Tag::Binary,
            Some(b"merge") => Tag::Merge,
            _ => Tag::Other,
        }
    }

    /// The tag as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Tag::None => "no tag",
            Tag::Str => "!!str",
            Tag::Bool => "!!bool",
            Tag::Int => "!!int",
            Tag::Float => "!!float",
            Tag::Null => "!!null",
            Tag::Timestamp => "!!timestamp",
            Tag::Binary => "!!binary",
            Tag::Merge => "!!merge",
            Tag::Other => "a tag of its own",
        }
    }
}

/// All nodes of a document.
#[derive(Debug, Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

impl<'a> Tree<'a> {
    pub fn add(&mut self, content: Content<'a>, mark: Mark) -> NodeId {
        // A node takes at least one byte of text, and documents are bounded far below 4 GiB.
        let id = NodeId(u32::try_from(self.nodes.len()).expect("a document has fewer than 2^32 nodes"));
        self.nodes.push(Node { content, mark, next: None });
        id
    }

    pub fn scalar(&mut self, text: Cow<'a, str>, tag: Tag, implicit: bool, mark: Mark) -> NodeId {
        self.add(Content::Scalar(Scalar { text, tag, implicit }), mark)
    }

    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// The entries of a collection, beginning at its first one.
    pub fn chain(&self, first: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(first, |id| self.node(*id).next)
    }

    /// The keys and values of a mapping, beginning at its first key.
    pub fn pairs(&self, first: Option<NodeId>) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut entries = self.chain(first);
        std::iter::from_fn(move || Some((entries.next()?, entries.next()?)))
    }

    /// Appends an entry to a collection.
    pub fn append(&mut self, collection: NodeId, last: &mut Option<NodeId>, entry: NodeId) {
        match *last {
            Some(previous) => self.nodes[previous.0 as usize].next = Some(entry),
            None => {
                if let Content::Sequence { first } | Content::Mapping { first } =
                    &mut self.nodes[collection.0 as usize].content
                {
                    *first = Some(entry);
                }
            }
        }
        *last = Some(entry);
    }
}
