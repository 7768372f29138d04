//! Clusters that are kept in the cloud: the engine's part, on a cloud in memory.

mod api_server;
mod approvals;
mod auto_mode;
mod aws;
mod aws_scene;
mod by_tags;
mod commands;
mod console;
mod converge;
mod drift;
mod export;
mod fake_cloud;
mod fake_kinds;
mod faults;
mod keeping;
mod kills;
mod leftovers;
mod light_world;
mod memory_store;
mod reads;
mod real_api;
mod sabotage;
mod scene;
mod service_accounts;
mod trail;
mod whole;
