//! The tokens of the YAML grammar.

use std::borrow::Cow;

use crate::model::yaml::error::Mark;

/// A token and where it begins.
#[derive(Debug)]
pub(in crate::model::yaml) struct Token<'a> {
    pub kind: TokenKind<'a>,
    pub mark: Mark,
}

/// What a token is. Collections in block style have start and end tokens made from the indentation.
#[derive(Debug)]
pub(in crate::model::yaml) enum TokenKind<'a> {
    /// A slot kept for the tokens of a simple key until it is known whether there is one. The number is the flow
    /// level the key belongs to. Never seen by the parser.
    Pending(usize),
    /// A slot that turned out to be empty. Never seen by the parser.
    Nothing,
    StreamEnd,
    VersionDirective(u32, u32),
    TagDirective(Box<TagDirective>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag(Box<TagToken>),
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
    },
}

/// `!handle!suffix`; a verbatim tag `!<...>` and the lone `!` have an empty handle. Suffixes may hold any byte,
/// since `%FF` is allowed in them.
#[derive(Debug)]
pub(in crate::model::yaml) struct TagToken {
    pub handle: String,
    pub suffix: Vec<u8>,
}

/// `%TAG !handle! prefix`.
#[derive(Debug)]
pub(in crate::model::yaml) struct TagDirective {
    pub handle: String,
    pub prefix: Vec<u8>,
}
