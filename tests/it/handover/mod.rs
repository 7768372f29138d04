//! What is handed over: volumes, traffic, and the guard before the old cluster goes.

mod controllers;
mod kops_list;
mod moto;
mod sparing;
mod traffic;
mod traffic_laws;
mod volumes;
mod volumes_laws;
mod world;
mod zones;
