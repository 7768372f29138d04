//! A whole move from kops to EKS on this machine, and how it is told: what `portolan demo --migration` and
//! `portolan migrate rehearse` share.
//!
//! ```text
//! kops (the real program) ─► state store, groups, volumes in the local AWS ─► source control plane, nodes, workloads
//! git repository ─► daemon ─► Migration: stages by commits ─► EKS of the local AWS ─► target control plane, nodes
//!                                   │
//!                        Chronicle, records, proofs ─► chapters, each checked by kubectl
//! ```

mod balancers;
mod chronicle;
mod daemon;
mod kubectl;
mod moving;
mod names;
pub mod records;
mod replay;
mod repository;
mod snapshot;
mod specification;
mod story;
mod told;
mod workloads;
mod world;

pub use chronicle::Chronicle;
pub use kubectl::Kubectl;
pub use moving::{Moving, blockers, equal};
pub use names::again as names_again;
pub use replay::{Replayed, objects as replayed_objects, replay};
pub use repository::Repository;
pub use snapshot::Snapshot;
pub use specification::{Likeness, likeness};
pub use story::{End, Surprise, report};
pub use told::{Seen, Told, chapter, expect, say, table};
pub use workloads::{Workloads, pods, ready};
pub use world::{Plot, World};
