//! Migrations: a kops cluster that moves to EKS, stage by stage, as its document says.
//!
//! ```text
//! Migration document ─► Wanted ─► pass: look (both sides) ─► plan ─► journal ─► execute ─► look again
//!                                            │                │        │           │
//!                                          sights           ring 1   store, or   Cluster and Cloud ports
//!                                                                    the target
//! ```
//!
//! [`pass`](pass::pass) is the story, [`keep`](keep::keep) the task around it. What was going on when a daemon ended is
//! found by looking; what cannot be seen any more is in the journal, which is written before anything is changed.

mod access;
mod aws;
mod consider;
mod execute;
mod fleet;
mod holds;
mod images;
mod journal;
pub mod keep;
pub mod kept;
mod kops;
mod names;
mod noted;
mod packed;
mod packing;
pub mod pass;
mod report;
mod sights;

pub(crate) use fleet::Movers;
pub use kept::{Context, Mover, Sides, Target, Wanted};
pub use pass::PassEnd;
