//! Ring 2: the seams. Traits that the engine calls and the adapters implement; imports `model` only.

pub mod clock;
pub mod cloud;
pub mod cluster;
pub mod cluster_record;
pub mod files;
pub mod images;
pub mod migration_record;
pub mod names;
pub mod observer;
pub mod renderer;
pub mod repository;
pub mod sink;
pub mod state;
pub mod trail;

pub use clock::Clock;
pub use cloud::{Cloud, CloudAccess, CloudFailure, CloudFailureKind, Clouds, KubernetesToken};
pub use cluster::{
    Announcement, ApiCause, ApiFailure, ApiFailureKind, Applied, ApplyRequest, Cluster, DeleteRequest,
    Discovery, Evidence, Impersonation, ServedKind, WatchEvent, WatchGuard,
};
pub use cluster_record::{ClusterMemory, ClusterRecord, DriftedField, UnderWay};
pub use files::{Files, FilesFailure, Folders};
pub use images::{Images, Pull};
pub use migration_record::{MigrationRecord, PartRecord, Stored};
pub use names::Names;
pub use observer::{CallObserver, ObservedRequest, RequestObserver};
pub use renderer::{RenderFailure, RenderRequest, Rendered, Renderer};
pub use repository::{Checkout, Repository, RepositoryFailure, Tip};
pub use sink::Sink;
pub use state::{
    ApplicationRecord, Approval, Asked, Pruned, StateFailure, StateStore, StateUpdate, UserRequest, Waiting,
};
pub use trail::Trail;
