//! Rules on fields: rows of the table, and what a row decides about one field.

use super::context::Context;
use crate::migrate::verdict::{Level, Offer};
use crate::model::kops::{Field, Kind, Spec};

/// What a rule decides about a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Ruling {
    /// Instead of the row's level.
    pub level: Option<Level>,
    /// Instead of the row's words.
    pub says: Option<String>,
    /// Instead of the row's target.
    pub becomes: Option<String>,
    /// Ways out.
    pub offers: Vec<Offer>,
}

impl Ruling {
    /// The row's own words and level.
    pub(super) fn as_written() -> Self {
        Self::default()
    }

    pub(super) fn of(level: Level, says: impl Into<String>) -> Self {
        Self { level: Some(level), says: Some(says.into()), ..Self::default() }
    }

    pub(super) fn mapped(says: impl Into<String>) -> Self {
        Self::of(Level::Mapped, says)
    }

    pub(super) fn warning(says: impl Into<String>) -> Self {
        Self::of(Level::Warning, says)
    }

    pub(super) fn irrelevant(says: impl Into<String>) -> Self {
        Self::of(Level::Irrelevant, says)
    }

    pub(super) fn choice(says: impl Into<String>, offers: Vec<Offer>) -> Self {
        Self { offers, ..Self::of(Level::Choice, says) }
    }

    pub(super) fn blocker(says: impl Into<String>, offers: Vec<Offer>) -> Self {
        Self { offers, ..Self::of(Level::Blocker, says) }
    }

    pub(super) fn to(mut self, becomes: impl Into<String>) -> Self {
        self.becomes = Some(becomes.into());
        self
    }
}

/// A way out. The first of several is the proposed one by convention of [`offers`].
pub(super) fn offer(id: &str, says: impl Into<String>) -> Offer {
    Offer { id: id.to_owned(), says: says.into(), proposed: false }
}

/// Ways out, of which the first is what Portolan would do.
pub(super) fn offers(all: impl IntoIterator<Item = Offer>) -> Vec<Offer> {
    let mut all: Vec<Offer> = all.into_iter().collect();
    if let Some(first) = all.first_mut() {
        first.proposed = true;
    }
    all
}

/// The way out of a blocker whose consequences a person takes upon himself.
pub(super) fn accepted(says: &str) -> Vec<Offer> {
    vec![offer(ACCEPT, says)]
}

/// The id of that way out.
pub(super) const ACCEPT: &str = "accept";

/// A field with the document that sets it.
pub(super) struct Set<'a> {
    /// The document.
    pub spec: &'a Spec,
    /// Whether kops wrote it as a default, and no person.
    pub by_default: bool,
    /// The field.
    pub field: &'a Field,
}

/// How a rule decides about one field.
pub(super) type Judge = fn(&Context<'_>, &Set<'_>) -> Ruling;

/// A row of the table.
pub(super) struct Rule {
    /// Its stable id.
    pub id: &'static str,
    /// Of which documents; none: of both.
    pub kind: Option<Kind>,
    /// Patterns of fields by their newest names.
    pub fields: &'static [&'static str],
    /// How much a person has to do, where nothing else is decided.
    pub level: Level,
    /// Where the rule comes from.
    pub source: &'static str,
    /// What becomes of the field, where nothing else is decided.
    pub says: &'static str,
    /// The path in the ClusterConfig, likewise.
    pub becomes: Option<&'static str>,
    /// Ways out of the row's own level.
    pub waivable: Option<&'static str>,
    /// Decides by the field's value and all else.
    pub judge: Option<Judge>,
}

impl Rule {
    const fn new(
        level: Level,
        id: &'static str,
        fields: &'static [&'static str],
        source: &'static str,
        says: &'static str,
    ) -> Self {
        Self { id, kind: None, fields, level, source, says, becomes: None, waivable: None, judge: None }
    }

    pub(super) const fn of(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    pub(super) const fn to(mut self, becomes: &'static str) -> Self {
        self.becomes = Some(becomes);
        self
    }

    pub(super) const fn by(mut self, judge: Judge) -> Self {
        self.judge = Some(judge);
        self
    }

    /// A blocker that a person may take upon himself, and what that means.
    pub(super) const fn unless(mut self, accepted: &'static str) -> Self {
        self.waivable = Some(accepted);
        self
    }
}

type Fields = &'static [&'static str];

pub(super) const fn mapped(
    id: &'static str,
    fields: Fields,
    source: &'static str,
    says: &'static str,
) -> Rule {
    Rule::new(Level::Mapped, id, fields, source, says)
}

pub(super) const fn warning(
    id: &'static str,
    fields: Fields,
    source: &'static str,
    says: &'static str,
) -> Rule {
    Rule::new(Level::Warning, id, fields, source, says)
}

pub(super) const fn choice(
    id: &'static str,
    fields: Fields,
    source: &'static str,
    says: &'static str,
) -> Rule {
    Rule::new(Level::Choice, id, fields, source, says)
}

pub(super) const fn blocker(
    id: &'static str,
    fields: Fields,
    source: &'static str,
    says: &'static str,
) -> Rule {
    Rule::new(Level::Blocker, id, fields, source, says)
}

pub(super) const fn irrelevant(
    id: &'static str,
    fields: Fields,
    source: &'static str,
    says: &'static str,
) -> Rule {
    Rule::new(Level::Irrelevant, id, fields, source, says)
}
