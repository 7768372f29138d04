//! Migrations: stage by stage over two API servers, in memory and real, and back again.

mod aws;
mod bridges;
mod by_commits;
mod controllers;
mod fake_account;
mod fake_server;
mod fence;
mod ground;
mod images;
mod killer;
mod kills;
mod outside;
mod packing;
mod points;
mod real;
mod real_faults;
mod rehearsals;
mod saboteur;
mod scene;
mod sigkill;
mod stages;
mod state;
mod wire;
