//! Registries of container images.

use crate::model::ImageName;
use async_trait::async_trait;

/// Whether an image can be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// It is there, for whoever asks.
    There,
    /// The registry says that it is not: in words.
    Absent(String),
    /// The registry does not tell: it wants credentials, or refuses. In words, which never hold any.
    Refused(String),
    /// Nothing answers where the registry should be: in words, which are the same for all of its images.
    Silent(String),
}

/// Asks registries, without credentials.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// Whether an image can be pulled by anybody.
    async fn look(&self, image: &ImageName) -> Pull;
}
