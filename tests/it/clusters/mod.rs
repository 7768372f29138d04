//! Clusters that are kept in the cloud: the engine's part, on a cloud in memory.

mod approvals;
mod aws;
mod aws_scene;
mod converge;
mod drift;
mod export;
mod fake_cloud;
mod fake_kinds;
mod faults;
mod keeping;
mod kills;
mod light_world;
mod memory_store;
mod scene;
mod whole;
