//! Tokens to nodes: the grammar of YAML 1.1 as libyaml has it.

mod collection;

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::{Mark, YamlError, YamlErrorKind};
use super::scan::Scanner;
use super::scan::token::{TagDirective, TagToken, TokenKind};
use super::tree::{Content, NodeId, Tag, Tree};

type Result<T> = std::result::Result<T, YamlError>;

/// One parsed document.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub tree: Tree<'a>,
    /// `None` if there are only comments.
    pub root: Option<NodeId>,
    /// Text behind the root node, which kubectl does not read and neither do we.
    pub ignored: Option<Mark>,
}

/// Which productions may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    /// A value of a block mapping, where `-` needs no deeper indentation.
    BlockOrIndentless,
    Flow,
}

/// An anchor is known from its own beginning on, so that an alias inside it is found out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// Its value is not complete. The place tells it from an anchor of the same name further in.
    Open(Mark),
    Complete(NodeId),
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    tree: Tree<'a>,
    anchors: HashMap<&'a str, Anchor>,
    directives: Vec<TagDirective>,
    max_depth: usize,
}

/// Parses the first document of the text. `first_line` is the line of the file the text begins at.
pub(super) fn parse(text: &str, first_line: u32, max_depth: usize) -> Result<Parsed<'_>> {
    let mut parser = Parser {
        scanner: Scanner::new(text, first_line, max_depth),
        tree: Tree::default(),
        anchors: HashMap::new(),
        directives: Vec::new(),
        max_depth,
    };
    let root = parser.document()?;
    // kubectl looks at one token behind the root and no further; an error there is an error, more text is not.
    let next = parser.scanner.next()?;
    let ignored = match next.kind {
        TokenKind::StreamEnd => None,
        TokenKind::DocumentEnd => rest_after(text, first_line, next.mark),
        _ => Some(next.mark),
    };
    Ok(Parsed { tree: parser.tree, root, ignored })
}

/// The first line behind a `...` that holds something else than a comment.
fn rest_after(text: &str, first_line: u32, end: Mark) -> Option<Mark> {
    let behind = (end.line - first_line) as usize + 1;
    text.lines().enumerate().skip(behind).find_map(|(number, line)| {
        let content = line.trim_start();
        let column = line.chars().count() - content.chars().count() + 1;
        (!content.is_empty() && !content.starts_with('#') && !content.starts_with("..."))
            .then_some(Mark { line: first_line + number as u32, column: column as u32 })
    })
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Option<NodeId>> {
        match self.scanner.peek()?.kind {
            TokenKind::StreamEnd => return Ok(None),
            TokenKind::VersionDirective(..) | TokenKind::TagDirective(_) | TokenKind::DocumentStart => {}
            _ => return self.node(Context::Block, 0).map(Some),
        }
        self.directives()?;
        let start = self.scanner.next()?;
        if !matches!(start.kind, TokenKind::DocumentStart) {
            return Err(YamlError::syntax(
                start.mark,
                "a directive such as %YAML must be followed by '---'; kubectl takes no directive before the first \
                 '---', so remove it",
            ));
        }
        match self.scanner.peek()?.kind {
            TokenKind::VersionDirective(..)
            | TokenKind::TagDirective(_)
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => Ok(Some(self.empty(start.mark))),
            _ => self.node(Context::Block, 0).map(Some),
        }
    }

    fn directives(&mut self) -> Result<()> {
        let mut version_seen = false;
        loop {
            if !matches!(
                self.scanner.peek()?.kind,
                TokenKind::VersionDirective(..) | TokenKind::TagDirective(_)
            ) {
                return Ok(());
            }
            let token = self.scanner.next()?;
            match token.kind {
                TokenKind::VersionDirective(1, 1) if !version_seen => version_seen = true,
                TokenKind::TagDirective(directive)
                    if self.directives.iter().all(|known| known.handle != directive.handle) =>
                {
                    self.directives.push(*directive);
                }
                TokenKind::VersionDirective(..) if !version_seen => {
                    return Err(YamlError::syntax(
                        token.mark,
                        "kubectl reads only YAML 1.1; remove the directive",
                    ));
                }
                _ => {
                    return Err(YamlError::syntax(
                        token.mark,
                        "this directive stands here twice; remove one",
                    ));
                }
            }
        }
    }

    /// A null that nothing stands for in the text.
    fn empty(&mut self, mark: Mark) -> NodeId {
        self.tree.scalar(Cow::Borrowed(""), Tag::None, true, mark)
    }

    fn node(&mut self, context: Context, depth: usize) -> Result<NodeId> {
        if depth > self.max_depth {
            let mark = self.scanner.peek()?.mark;
            return Err(too_deep(mark, self.max_depth));
        }
        let start = self.scanner.peek()?.mark;
        if let TokenKind::Alias(name) = self.scanner.peek()?.kind {
            self.scanner.skip();
            return self.alias(name, start);
        }
        let (anchor, tag) = self.properties()?;
        if let Some(name) = anchor {
            self.anchors.insert(name, Anchor::Open(start));
        }
        let has_properties = anchor.is_some() || tag.is_some();
        let tag_uri = tag;
        let tag = tag_uri.as_deref().map_or(Tag::None, Tag::from_uri);

        let id = match &self.scanner.peek()?.kind {
            TokenKind::BlockEntry if context == Context::BlockOrIndentless => {
                self.block_sequence(start, depth, false)?
            }
            TokenKind::Scalar { .. } => {
                let token = self.scanner.next()?;
                let TokenKind::Scalar { text, plain } = token.kind else {
                    unreachable!("the token was just seen to be a scalar");
                };
                let implicit = match tag_uri.as_deref() {
                    None => plain,
                    Some(uri) => uri == b"!",
                };
                self.tree.scalar(text, tag, implicit, start)
            }
            TokenKind::FlowSequenceStart => {
                self.scanner.skip();
                self.flow_sequence(start, depth)?
            }
            TokenKind::FlowMappingStart => {
                self.scanner.skip();
                self.flow_mapping(start, depth)?
            }
            TokenKind::BlockSequenceStart if context != Context::Flow => {
                self.scanner.skip();
                self.block_sequence(start, depth, true)?
            }
            TokenKind::BlockMappingStart if context != Context::Flow => {
                self.scanner.skip();
                self.block_mapping(start, depth)?
            }
            _ if has_properties => self.tree.scalar(Cow::Borrowed(""), tag, tag_uri.is_none(), start),
            _ => return Err(self.unexpected("a value is missing here")?),
        };
        if let Some(name) = anchor
            && self.anchors.get(name) == Some(&Anchor::Open(start))
        {
            self.anchors.insert(name, Anchor::Complete(id));
        }
        Ok(id)
    }

    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<NodeId> {
        match self.anchors.get(name) {
            Some(&Anchor::Complete(target)) => Ok(self.tree.add(Content::Alias { target }, mark)),
            Some(Anchor::Open(_)) => Err(YamlError::new(
                YamlErrorKind::Alias,
                mark,
                "this alias stands inside of its own anchor's value; remove it",
            )),
            None => Err(YamlError::new(
                YamlErrorKind::Alias,
                mark,
                "no anchor of this alias's name stands before it in the document (anchors do not reach over '---'); \
                 put the value into quotes if no alias is meant",
            )),
        }
    }

    /// Reads an anchor and a tag in either order. The tag comes with its handle expanded.
    fn properties(&mut self) -> Result<(Option<&'a str>, Option<Vec<u8>>)> {
        let mut anchor = None;
        let mut tag = None;
        loop {
            match self.scanner.peek()?.kind {
                TokenKind::Anchor(name) if anchor.is_none() => {
                    self.scanner.skip();
                    anchor = Some(name);
                }
                TokenKind::Tag(_) if tag.is_none() => {
                    let token = self.scanner.next()?;
                    let TokenKind::Tag(raw) = token.kind else {
                        unreachable!("the token was just seen to be a tag");
                    };
                    tag = Some(self.expand(*raw, token.mark)?);
                }
                _ => return Ok((anchor, tag)),
            }
        }
    }

    fn expand(&self, tag: TagToken, mark: Mark) -> Result<Vec<u8>> {
        if tag.handle.is_empty() {
            return Ok(tag.suffix);
        }
        let declared = self.directives.iter().find(|directive| directive.handle == tag.handle);
        let prefix = match (declared, tag.handle.as_str()) {
            (Some(directive), _) => directive.prefix.as_slice(),
            (None, "!") => b"!",
            (None, "!!") => b"tag:yaml.org,2002:",
            (None, _) => {
                return Err(YamlError::new(
                    YamlErrorKind::Tag,
                    mark,
                    "no %TAG directive declares this tag's handle; put the value into quotes if no tag is meant",
                ));
            }
        };
        Ok([prefix, tag.suffix.as_slice()].concat())
    }

    fn unexpected(&mut self, message: &str) -> Result<YamlError> {
        let token = self.scanner.peek()?;
        if matches!(token.kind, TokenKind::StreamEnd) {
            return Ok(YamlError::syntax(token.mark, format!("the document ends too early: {message}")));
        }
        Ok(YamlError::syntax(token.mark, message))
    }
}

/// The refusal of a document that nests too deep.
pub(super) fn too_deep(mark: Mark, max_depth: usize) -> YamlError {
    YamlError::new(
        YamlErrorKind::Limit,
        mark,
        format!("collections are nested more than {max_depth} levels deep; flatten the document"),
    )
}
