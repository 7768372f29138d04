//! Every integration test, in one binary: it links once, and the control plane is shared.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod architecture;
mod cli;
mod config;
mod deploy;
mod drift;
/// The whole daemon on a real API server.
mod engine {
    mod adoption;
    mod bounds;
    mod drift;
    mod drift_cases;
    mod faults;
    mod guard;
    mod hooks;
    mod main_job;
    mod moves;
    mod order;
    mod policies;
    mod prune;
    mod seen;
}
mod git;
mod git_servers;
mod git_trees;
mod health;
mod hooks;
mod k8s;
mod k8s_http;
mod local;
mod local_programs;
mod plan;
mod render;
mod render_helm;
mod render_kustomize;
mod schedule;
mod state_store;
mod workloads;
mod yaml_fidelity;

/// Fixtures.
mod support {
    pub mod control_plane;
    pub mod daemon;
    pub mod git_repo;
    pub mod git_server;
    pub mod memory_repository;
    pub mod programs;
    pub mod rendering;
}
