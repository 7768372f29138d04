//! Ring 3: AWS. The only user of the AWS SDK and of request signing; imports `model` and `ports`.
//!
//! ```text
//! AwsClouds ─► Account (ports::Cloud) ─► eks (typed client) ──┐
//!                  │                  ├► signed (tables) ─────┼─► one HTTP client ─► AWS
//!                  │                  └► rest (S3, Route 53) ─┘
//!                  └► credentials, pace, retry, pages
//! ```

mod account;
mod clouds;
mod codes;
mod connector;
mod credentials;
pub mod eks;
mod failure;
mod misfit;
mod options;
mod outcome;
mod pace;
mod pages;
mod partition;
mod region;
mod registry;
pub mod rest;
mod retry;
pub mod signed;
mod token;
mod trail;

pub use clouds::AwsClouds;
pub use options::{AwsOptions, CredentialsSource, Endpoints, Limits};
pub use pace::Pace;
pub use registry::Registries;
