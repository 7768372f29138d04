//! The local AWS: moto for everything but EKS, and an EKS server of our own that is as strict as the service.
//!
//! ```text
//!                       ┌─► eks (our server) ─► world ─► control planes, nodes, webhooks
//! AWS_ENDPOINT_URL ─► front
//!                       └─► moto (everything else) ◄── what the service makes in the account
//! ```

pub(super) mod account;
mod addons;
mod admission;
pub(super) mod capacity;
mod checks;
mod cluster;
pub(super) mod controllers;
mod debian;
pub mod eks;
mod error;
mod fargate;
mod front;
mod identity;
mod image;
mod instance;
mod interpreter;
pub(super) mod kubernetes;
mod local_aws;
mod local_world;
mod making;
mod moto;
mod node_object;
mod nodegroups;
mod nodes;
mod observe;
mod pod_size;
mod policies;
mod python;
mod rollout;
mod template;
mod token;
mod trust;
mod webhook;
pub mod world;

pub use capacity::most_pods;
pub use cluster::Patience;
pub use error::Error;
pub(crate) use error::indent;
pub use instance::{AwsInstance, down, list, serve, up};
pub use local_aws::{ACCOUNT, Access, Connect, LocalAws, LocalAwsOptions};
pub use local_world::{LocalWorld, WorldOptions};
pub use moto::{Home, Moto, Provider, Python, service_model};
