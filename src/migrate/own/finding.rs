//! What a rule found.

use super::{Class, Whose};
use crate::model::ResourceId;

/// A rule: its stable id, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) source: &'static str,
}

pub(super) const fn rule(id: &'static str, source: &'static str) -> Rule {
    Rule { id, source }
}

/// A namespace of an add-on that users moved into.
pub(super) const INHABITED: Rule = rule("own.kops.namespace-in-use", "migration.md 2.2");

/// What a rule says about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) whose: Whose,
    pub(super) class: Class,
    pub(super) rule: Rule,
    pub(super) says: String,
    pub(super) maker: Option<ResourceId>,
}

impl Finding {
    pub(super) fn new(rule: Rule, whose: Whose, class: Class) -> Self {
        Self { whose, class, rule, says: String::new(), maker: None }
    }

    pub(super) fn drop(rule: Rule, whose: Whose, why: impl Into<String>) -> Self {
        Self::new(rule, whose, Class::Drop { why: why.into() })
    }

    pub(super) fn ask(rule: Rule, whose: Whose, why: impl Into<String>) -> Self {
        Self::new(rule, whose, Class::Ask { why: why.into() })
    }

    pub(super) fn port(rule: Rule) -> Self {
        Self::new(rule, Whose::User, Class::Port)
    }

    pub(super) fn says(mut self, says: impl Into<String>) -> Self {
        self.says = says.into();
        self
    }

    pub(super) fn maker(mut self, maker: ResourceId) -> Self {
        self.maker = Some(maker);
        self
    }
}
