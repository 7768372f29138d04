//! Names of hosts.

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Looks names of hosts up, as programs of this machine do.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// The addresses that a name has now: at least one. The error is a sentence for a person.
    async fn look_up(&self, name: &str) -> Result<BTreeSet<IpAddr>, String>;
}
