//! Every integration test, in one binary: it links once, and the control plane is shared.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod architecture;
mod aws_adapter;
mod cli;
mod cluster_config;
mod clusters;
mod config;
mod deploy;
mod deploy_aws;
mod drift;
mod eks_server;
/// The whole daemon on a real API server.
mod engine {
    mod adoption;
    mod attempts;
    mod bounds;
    mod destinations;
    mod drift;
    mod drift_cases;
    mod entries;
    mod faults;
    mod faults_approval;
    mod guard;
    mod hooks;
    mod main_job;
    mod missed;
    mod moves;
    mod order;
    mod policies;
    mod program;
    mod prune;
    mod seen;
}
mod git;
mod git_servers;
mod git_trees;
mod handover;
mod health;
mod hooks;
mod k8s;
mod k8s_http;
mod local;
mod local_aws;
mod local_kops;
mod local_programs;
mod migrate;
mod migrate_dump;
mod migrate_objects;
mod migrate_proof;
mod migrations;
mod plan;
mod provision;
mod render;
mod render_helm;
mod render_kustomize;
mod schedule;
mod state_store;
mod transform;
mod workloads;
mod yaml_fidelity;

/// Fixtures.
mod support {
    pub mod aws;
    pub mod control_plane;
    pub mod corpus;
    pub mod daemon;
    pub mod gate;
    pub mod git_repo;
    pub mod git_server;
    pub mod memory_repository;
    pub mod memory_store;
    pub mod programs;
    pub mod rendering;
}
