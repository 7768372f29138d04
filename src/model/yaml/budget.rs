//! What aliases may make of a document.

use super::error::{Mark, YamlError, YamlErrorKind};
use super::limits::Limits;
use super::tree::Scalar;

/// Counts what is built, and how much of it aliases repeat.
#[derive(Debug)]
pub(super) struct Budget {
    max_alias_nodes: u64,
    max_alias_bytes: usize,
    /// Nodes visited, counted as go-yaml v2 counts them.
    decoded: u64,
    /// Those visited inside of aliases.
    aliased: u64,
    alias_depth: usize,
    alias_bytes: usize,
}

impl Budget {
    pub fn new(limits: &Limits) -> Self {
        Budget {
            max_alias_nodes: limits.max_alias_nodes as u64,
            max_alias_bytes: limits.max_alias_bytes,
            // go-yaml counts the document itself, too.
            decoded: 1,
            aliased: 0,
            alias_depth: 0,
            alias_bytes: 0,
        }
    }

    /// What follows comes out of an alias.
    pub fn enter_alias(&mut self) {
        self.alias_depth += 1;
    }

    /// The end of an alias.
    pub fn leave_alias(&mut self) {
        self.alias_depth -= 1;
    }

    /// Counts a node and stops where go-yaml v2 stops: when nearly all of a big document comes from aliases.
    pub fn count(&mut self, mark: Mark) -> Result<(), YamlError> {
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.aliased += 1;
        }
        let share = self.aliased as f64 / self.decoded as f64;
        let excessive =
            self.aliased > 100 && self.decoded > 1000 && share > allowed_alias_share(self.decoded);
        if excessive || self.aliased > self.max_alias_nodes {
            return Err(too_many_aliases(mark));
        }
        Ok(())
    }

    /// Counts the text of a scalar if an alias repeats it.
    pub fn charge(&mut self, scalar: &Scalar<'_>, mark: Mark) -> Result<(), YamlError> {
        if self.alias_depth > 0 {
            self.alias_bytes += scalar.text.len();
            if self.alias_bytes > self.max_alias_bytes {
                return Err(too_many_aliases(mark));
            }
        }
        Ok(())
    }
}

/// The share of nodes that may come from aliases: 99 % in documents of up to 400,000 nodes, falling to 10 % at
/// 4,000,000 (go-yaml v2, `allowedAliasRatio`).
fn allowed_alias_share(decoded: u64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let position = ((decoded as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    0.99 - 0.89 * position
}

fn too_many_aliases(mark: Mark) -> YamlError {
    YamlError::new(
        YamlErrorKind::Alias,
        mark,
        "aliases expand this document far beyond its size; write the repeated parts out or split the document",
    )
}
