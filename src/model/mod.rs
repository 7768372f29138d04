//! Ring 0: the words of the domain. Data, constructors, `Display` and serde; imports nothing of ours.

pub mod application;
pub mod byte_size;
pub mod cloud;
pub mod cluster;
pub mod cluster_config;
pub mod document;
pub mod event;
pub mod health;
pub mod image;
pub mod interval;
pub mod kops;
pub mod manifest;
pub mod migration;
pub mod migration_document;
pub mod migration_journal;
pub mod object;
pub mod ownership;
pub mod packed;
pub mod permissions;
pub mod plan;
pub mod quantity;
pub mod resource;
pub mod revision;
pub mod trail;
pub mod yaml;

pub use application::{
    Adopt, ApplicationSpec, Deletion, DriftPolicy, HealthSpec, HelmSpec, IgnoreRule, Propagation, PruneGuard,
    RendererKind, SourceSpec, SyncSpec,
};
pub use byte_size::ByteSize;
pub use cluster::ClusterSpec;
pub use health::{Assessment, Health, SyncStatus};
pub use image::{EcrHome, ImageName, RegistryLogin};
pub use interval::Interval;
pub use migration_document::MigrationSpec;
pub use object::{NotAnObject, Object};
pub use permissions::{Denied, Permissions};
pub use resource::{GroupKind, Gvk, ResourceId};
pub use revision::{Refused, Revision, SourceFile};
