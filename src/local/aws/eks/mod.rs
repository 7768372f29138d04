//! An EKS server of our own, as strict as the service.
//!
//! It is driven by the service's own model ([`Model`], botocore's `service-2.json`, read at run time): routes, required
//! members, types, patterns, enumerations and limits of every request and of every answer, exceptions with their status.
//! What a model does not say (states, one update at a time, tokens, version skew, order of deletion) is written here, each
//! with its source. What happens outside of the API goes through [`crate::local::aws::world::World`].
//!
//! ```text
//! server ─► service (who calls, route, input, faults, tokens) ─► dispatch ─► one module for each kind ─► world
//! ```
//!
//! A call outside of the model or of what is done here is a [`Violation`], and a test that finds one fails.

mod absent;
mod access;
mod addon_schemas;
mod addons;
mod arn;
mod catalogue;
mod check;
mod clusters;
mod config;
mod control;
mod dispatch;
mod encryption;
mod entry_rules;
mod error;
mod fargate;
mod faults;
mod identity;
mod insights;
mod journal;
mod logging;
mod network;
mod node_rules;
mod nodegroups;
mod options;
mod paging;
mod pattern;
mod pods;
mod policies;
mod request;
mod resize;
mod schema;
mod server;
mod service;
mod service_model;
mod state;
mod still;
mod tags;
mod updates;
mod versions;

pub use check::{Misfit, Way, misfits};
pub use faults::{Effect, Fault};
pub use journal::{CallRecord, Violation, ViolationKind};
pub use options::{Callers, Clock, Delays, EksOptions, KubernetesVersion};
pub use pattern::{Pattern, PatternError};
pub use server::{EksServer, StartError};
pub use service_model::{Member, Model, ModelError, Operation, Segment, Shape};
pub use still::StillWorld;
