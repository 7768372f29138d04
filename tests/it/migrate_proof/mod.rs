//! The proof of equality: it finds every change, and explains only what servers are known to do.

mod access;
mod explained;
mod mutations;
mod server;

use portolan::migrate::proof::{Explain, Key};
use portolan::transform::transform_all;
use serde_json::Value;

pub fn explain() -> Explain {
    Explain { service_range: Some("172.20.0.0/16".into()), ..Explain::with(Key::new([7; 32])) }
}

/// What the target has to hold of the fixtures.
pub fn expected() -> Vec<Value> {
    let done = transform_all(&crate::transform::everything(), &crate::transform::context());
    done.into_iter().flat_map(|one| one.objects).collect()
}
