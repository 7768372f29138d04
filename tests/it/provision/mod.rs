//! What a ClusterConfig becomes in AWS, and in which order it is put right.

mod against_server;
mod aws_drift;
mod before_pods;
mod converge;
mod drift;
mod eks_fields;
mod examples;
mod export;
mod iam;
mod network;
mod nodes;
mod plan;
mod recorded;
mod scene;
/// The service model as the judge of calls serves other tests too.
pub mod service;
mod terraform;
mod upgrade;
