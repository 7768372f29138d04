//! Traffic handed over by weighted records in Route 53, share by share, and back within one TTL.
//!
//! ```text
//! simple ─► TTL lowered ─(one old TTL)─► pair 100 : 0 ─► 95 : 5 ─► … ─► 0 : 100 ─(Decommission)─► simple, to the target
//!    ▲                                     │  each held for its time, while the target answers
//!    └──────────── as it was ◄─(one TTL)─ 100 : 0 ◄── from anywhere
//! ```
//!
//! Route 53 makes a batch of changes as a whole or not at all, and a DELETE in it names a record with all of its values.
//! So every change here takes away what was seen and puts another in its place: a batch that was made for another state
//! is refused, and a name is never without a record.
//!
//! Two weights of 0 would mean equal shares (Route 53, weighted routing): the two of a pair always add up to 100.

mod back;
mod change;
mod dns_controller;
mod forward;
mod groups;
mod input;
mod ownership;
mod pause;
mod records;
mod settle;
mod state;
mod tell;

pub use dns_controller::DnsController;
pub use groups::{Balancer, SHARED_INGRESS, SHARED_SERVICE, binding, can_share, share};
pub use input::{Endpoint, Health, Input, Made, Setting, Share, Shifted, Towards};
pub use ownership::ExternalDns;
pub use records::{Record, Zones};
pub use tell::tell;

use crate::model::migration::Outcome;

/// What is next for the names of a wave. Done when the outcome is empty.
#[must_use]
pub fn plan(input: &Input<'_>) -> Outcome {
    match input.towards {
        Towards::Target => forward::forward(input),
        Towards::Source => back::back(input),
        Towards::Settled => settle::settle(input),
    }
}
