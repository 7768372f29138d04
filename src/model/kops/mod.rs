//! What kops wrote down about a cluster: Cluster and InstanceGroup documents of every generation, and its state store.
//!
//! ```text
//! bytes ─► yaml ─► documents ─► newest names (renames, inverted booleans) ─► fields, each with the place its author wrote
//! ```
//!
//! kops names its fields anew from one version of its API to the next. Everything here speaks the newest names
//! (`kops.k8s.io/v1alpha3`); a [`Field`] remembers where its author wrote it, so that a reader is never told about a
//! field that his file does not have.

mod channel;
mod error;
mod known;
mod normal;
mod path;
mod read;
mod renames;
mod spec;
mod store;

pub use channel::{Addon, Channel};
pub use error::{Problem, ReadError};
pub use known::{is_known, known_fields, nearest_known};
pub use path::{Path, Pattern, Step};
pub use read::{Documents, Source, read_documents};
pub use spec::{Cloud, Field, Kind, Other, Role, Spec, Spelling};
pub use store::{KopsState, Presence, read_files, read_store};
