//! Reads a kops cluster: its state store, its API server, AWS. Only reads; what cannot be read is named and stops nothing
//! else.
//!
//! ```text
//! Files ─► state store, specs ─┐
//! Cluster ─► discovery, lists ─┼─► Inventory
//! Cloud ─► rounds of reads ────┘
//! ```

mod account;
mod bucket;
mod cluster;
mod store;

pub use account::{read_account, read_types};
pub use bucket::Bucket;
pub use cluster::read_cluster;
pub use store::{StoreFailure, read_specs, read_store};

use crate::migrate::dump::Inventory;
use crate::migrate::proof::Key;

/// How the reading goes, for a person who waits.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What a reading goes into: the inventory, and the key of its digests.
pub struct Reading {
    /// What was read so far.
    pub inventory: Inventory,
    /// Stands in no dump and no log.
    pub key: Key,
}

/// Shows no key.
impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reading").field(&self.inventory).finish()
    }
}

impl Reading {
    /// Nothing was read yet. `key` is 32 random bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { inventory: Inventory::default(), key: Key::new(key) }
    }
}
