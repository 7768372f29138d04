//! Ring 3: Kubernetes API servers. The only user of `kube`; imports `model` and `ports`.
//!
//! ```text
//! connect ─► ApiServer (ports::Cluster) ─► wire ─► kube client ─► HTTP
//!                 │
//!                 └─► ClusterStateStore (ports::StateStore)
//! ```

mod answer;
mod apply;
mod cluster_records;
mod connect;
mod discovery;
pub mod events;
mod evict;
mod evidence;
mod failure;
mod group_discovery;
mod kinds;
mod migration_records;
mod pruned;
mod pruned_batch;
mod read;
mod records;
mod request_delivery;
mod requests;
mod retry;
mod sensitive;
mod server;
mod store;
mod unanswered;
mod url;
mod watch;
mod watch_lines;
mod wire;
mod write;

pub use crate::ports::{ObservedRequest, RequestObserver};
pub use connect::{BearerToken, ConnectError, ConnectOptions, Source, connect};
pub use server::ApiServer;
pub use store::ClusterStateStore;
