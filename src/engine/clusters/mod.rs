//! Clusters that are kept in the cloud: created, kept as declared, upgraded, taken away.
//!
//! ```text
//! Cluster document + ClusterConfig ─► Wanted ─► pass: look ─► plan ─► remember ─► execute ─► look again
//!                                                       │       │         │           │
//!                                                   snapshot  ring 1    store     Cloud port
//! ```
//!
//! [`pass`](pass::pass) is the story, [`keep`](keep::keep) the task around it. Nothing is carried from one pass to the
//! next but what a store keeps: whatever was going on when a daemon ended is found by describing it.

pub mod api_server;
pub mod attempts;
pub mod blueprint;
mod catalogue;
mod decide;
pub mod execute;
mod export;
mod fleet;
pub mod inside;
pub mod keep;
pub mod kept;
pub mod look;
pub mod memory;
pub mod pass;
mod preview;
pub mod progress;
mod remember;
mod report;
pub mod restart;
mod settle;
pub mod shown;
pub mod snapshot;
mod tell;
pub mod trail;

pub use crate::provision::export::Exported;
pub use crate::provision::export::terraform::Written;
pub use blueprint::{Blueprint, Described, Remembered};
pub use export::{export, export_terraform};
pub(crate) use fleet::Fleet;
pub use keep::keep_by_hand;
pub use kept::{Account, Context, Destinations, Kept, Policy, Wanted};
pub use pass::PassEnd;
pub use preview::{AS_WRITTEN, ClusterPreview, StepPreview};
pub use progress::Pace;
pub use snapshot::{Calls, Reader, Reading};
