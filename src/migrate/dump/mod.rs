//! Everything that is read of a kops cluster before it moves, as one value and as a folder of files.
//!
//! ```text
//! state store, files in git ─┐
//! API server of the source  ─┼─► Inventory ◄─► files of a dump
//! AWS                       ─┘      │
//!                                   └─► assess, classify, call graph, packing, kops drift
//! ```
//!
//! An [`Inventory`] is the same whether it was read from what is live or from a dump: what would differ (values of
//! Secrets) is put out of both, by keyed digests, before anything else sees it.

mod content;
mod drift;
mod facts;
mod format;
mod identities;
mod inventory;
mod kinds;
mod kops_files;
mod redact;
mod wanted;

pub use content::{Content, Malformed, read, write};
pub use drift::{Drifted, Side, drift};
pub use facts::facts;
pub use format::{FORMAT, FileEntry, MANIFEST, Manifest};
pub use inventory::{Api, ApiKind, Inventory, SecretCall, Unread, cluster_of};
pub use kinds::{Target, versions_to_read};
pub use kops_files::{KopsFiles, Wants, wants};
pub use redact::{hidden, hidden_objects};
pub use wanted::{is_about_one, of_types, wanted};
