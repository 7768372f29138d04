//! The local AWS, through its one address and by our own adapter, as Portolan uses it.

mod access;
mod cli;
mod clusters;
mod command;
pub mod lab;
mod moto;
mod nodes;
mod python;
mod replace;
