//! Migrations: stage by stage over two API servers, in memory and real, and back again.

mod fake_server;
mod fence;
mod kills;
mod memory_store;
mod real;
mod scene;
mod stages;
mod wire;
