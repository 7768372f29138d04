//! The stages of a migration: what is to be done now, from what is seen.
//!
//! ```text
//! document, journal ─┐
//! source, as seen   ─┼─► look ─► known ─► plan: for each part its position, steps, gates
//! target, as seen   ─┘            │
//!                                 ├─ before: the source without the fence (the journal undone in thought)
//!                                 └─ desired: before, through the rules, at rest or running
//! ```
//!
//! | stage | forward | gate out | back |
//! |---|---|---|---|
//! | Inventory | the source is read | something was read | - |
//! | Preflight | - | no Blocker: choices, mappings, calls that waves cut, places of pods, quotas, images | - |
//! | Provision | the Cluster document's cluster is awaited | it is connected, and all that it declares is there | - (the cluster is its own document's) |
//! | Configure | definitions, access, classes; of a wave the namespaces, settings, limits, behind a fence | as desired | they go, in the reverse order |
//! | Sync | workloads at rest; the source's changes and deletions flow | as desired | they go |
//! | Verify | - | the proof of equality, and that of access | - |
//! | HandOver | load balancers have a maker there; bridges to what stays behind; fence the source, volumes, open the target, start; bridges for who stays behind | workloads are ready, bridges stand | stop, fence the target, volumes, open the source |
//! | Shift | traffic | all of it is on the target | traffic goes back |
//! | Soak | - | the time is over | - |
//! | Decommission | what the target uses is spared, objects are given to their Applications, records settled | none is kept, the guard holds | none |
//!
//! Pure: values in, values out.

mod balancers;
mod bridges;
pub mod desired;
pub mod fence;
pub mod look;
pub mod owned;
pub mod patch;
pub mod permitted;
pub mod plan;
pub mod port;
mod preflight;
pub mod room;
mod scaled;
pub mod seam;
pub mod sight;
mod surplus;
pub mod verify;
mod wave;
mod whole;

pub use bridges::{Addresses, names};
pub use look::{Found, Inquiry, Known, Look};
pub use permitted::{NotPermitted, permitted};
pub use plan::{Held, PartPlan, Plan, plan, reads};
pub use preflight::images;
pub use sight::Sight;
