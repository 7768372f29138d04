//! Migrations: stage by stage over two API servers, in memory and real, and back again.

mod by_commits;
mod fake_server;
mod fence;
mod kills;
mod memory_store;
mod real;
mod real_faults;
mod rehearsals;
mod saboteur;
mod scene;
mod stages;
mod wire;
