//! Portolan keeps clusters on their repository, and carries workloads from one cluster to the next.
//!
//! ```text
//! git ─► render ─► plan ─► apply ─► observe (health, drift) ─► report
//! ```
//!
//! | ring | modules | may use |
//! |---|---|---|
//! | 0 words | `model` | std, serde |
//! | 1 decisions, pure | `plan drift health schedule provision transform migrate` | `model` |
//! | 2 ports | `ports` | `model` |
//! | 3 adapters | `git render k8s aws host` | `model`, `ports` |
//! | 4 orchestration | `engine` | `model`, ring 1, `ports` |
//! | 5 edges | `config cli http telemetry local app` | everything below |
//!
//! ARCHITECTURE.md is the map; `tests/it/architecture.rs` holds it.

pub mod app;
pub mod aws;
pub mod cli;
pub mod config;
pub mod drift;
pub mod engine;
pub mod failure;
pub mod git;
pub mod health;
pub mod host;
pub mod http;
pub mod k8s;
pub mod local;
pub mod migrate;
pub mod model;
pub mod plan;
pub mod ports;
pub mod provision;
pub mod render;
pub mod schedule;
pub mod telemetry;
pub mod transform;
