//! The kops side of a migration, on this machine: a cluster that the kops program itself has made.
//!
//! ```text
//! kops (the real program) ─► proxy ─► local AWS: state store, groups, volumes, network, roles
//!                                        │
//!            v1.24 control plane ◄───────┴─ nodes of the groups' instances, add-ons of the state store
//! ```
//!
//! kops believes that it speaks to AWS: a proxy of ours ends its TLS and hands everything to the local AWS, so what it
//! writes down has no trace of this machine. [`KopsSource`] is a whole cluster that ends with the value; [`up`], [`down`]
//! and [`list`] are for those that stay.

mod addons;
mod build;
mod error;
mod example;
mod instance;
mod manifest;
mod nodes;
mod preview;
mod program;
mod proxy;
mod release;
mod source;
mod static_pods;

pub use build::{Installed, installed};
pub use error::Error;
pub use example::{Example, WORKLOADS};
pub use instance::{KopsInstance, Wish, down, list, serve, up};
pub use preview::UpdatePreview;
pub use program::{Kops, KopsOptions, NewCluster};
pub use release::{KOPS_RELEASES, KopsRelease, control_plane_for};
pub use source::{KopsSource, SourceOptions};
