//! What `kops delete cluster` would take, before anybody runs it.
//!
//! ```text
//! reads of AWS ─► what kops lists ─► what is not shared ─► is any of it used by the target? ─► re-tags, or cleared
//! ```
//!
//! kops takes what carries its tags, whoever uses it (`migration.md` 0.1). The rules here are those of kops'
//! `pkg/resources/aws` from 1.22 to 1.37, oddities included: the list has to be the one that the program prints.

mod access;
mod balancing;
mod guard;
mod listing;
mod machines;
mod named;
mod network;
mod reads;
mod shape;
mod spare;
mod sparing;
mod usage;

pub use guard::{Cleared, Refusal, Refused, guard};
pub use listing::{CannotTell, Cluster, Taken, listing, would_delete};
pub use reads::{AwsReads, Read, Wanted};
pub use spare::Spare;
pub use sparing::sparing;
pub use usage::{InUse, closure};

pub(in crate::migrate) use listing::LEGACY_TAG;
pub(in crate::migrate) use shape::{flag, list, member, tags, text};
