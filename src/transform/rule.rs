//! What a rule is.

use super::work::Work;

/// One thing that is done to objects of some kinds, always for the same reason.
pub struct Rule {
    /// The stable id, such as `service.cluster-ip`. Reports, edits and recorded choices name it.
    pub id: &'static str,
    /// Kinds as `Kind.group` (core kinds bare), whatever the version; none: every kind.
    pub kinds: &'static [&'static str],
    /// Why, in words for a person.
    pub reason: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    pub(super) apply: fn(&mut Work<'_>),
}

impl Rule {
    /// Whether the rule is about a kind, told as `Kind.group`.
    #[must_use]
    pub fn is_about(&self, group_kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&group_kind)
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}
