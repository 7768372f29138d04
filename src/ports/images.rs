//! Registries of container images.

use crate::model::{ImageName, RegistryLogin};
use async_trait::async_trait;
use std::collections::BTreeSet;

/// Whether an image can be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// It is there, for whoever asks so.
    There,
    /// The registry says that it is not: in words.
    Absent(String),
    /// The registry does not take the login that it was given: in words, which never hold any of it.
    Denied(String),
    /// The registry does not tell: it wants credentials, or refuses. In words, which never hold any.
    Refused(String),
    /// Nothing answers where the registry should be: in words, which are the same for all of its images.
    Silent(String),
}

/// Asks registries.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// Whether an image can be pulled: with a login, or by anybody.
    async fn look(&self, image: &ImageName, login: Option<&RegistryLogin>) -> Pull;

    /// The architectures that an image is built for, in Go's words (`amd64`, `arm64`); `None`: nobody can tell.
    async fn architectures(
        &self,
        _image: &ImageName,
        _login: Option<&RegistryLogin>,
    ) -> Option<BTreeSet<String>> {
        None
    }
}
