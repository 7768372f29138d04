//! How an object runs, in Argo CD's words, filled in by kstatus's rules.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The health of one object or of a whole application.
///
/// The order of the variants is the order of badness: an application is as healthy as its worst object
/// ([`Health::worst`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Health {
    /// Runs as declared (kstatus: Current).
    Healthy,
    /// Stopped on purpose: a suspended CronJob, a paused rollout.
    Suspended,
    /// On its way; nothing says that it will not arrive (kstatus: InProgress, Terminating).
    Progressing,
    /// Declared, but not there.
    Missing,
    /// Failed, or will not arrive without help (kstatus: Failed).
    Degraded,
    /// Could not be judged.
    Unknown,
}

impl Health {
    /// The worse of two healths.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }

    /// The word as shown to people and written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A health with the sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The verdict.
    pub health: Health,
    /// Why, in one short sentence without a final full stop; empty when healthy and nothing is to say.
    pub message: String,
}

impl Assessment {
    /// An assessment with its reason.
    #[must_use]
    pub fn new(health: Health, message: impl Into<String>) -> Self {
        Self { health, message: message.into() }
    }

    /// Healthy, with nothing to add.
    #[must_use]
    pub const fn healthy() -> Self {
        Self { health: Health::Healthy, message: String::new() }
    }
}

/// Whether an application's live state is what its revision declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SyncStatus {
    /// Every desired leaf equals live, and nothing else is owned by us.
    Synced,
    /// Something differs, or waits for an approval.
    OutOfSync,
    /// Not yet compared, or could not be.
    Unknown,
}

impl fmt::Display for SyncStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Unknown => "Unknown",
        })
    }
}
