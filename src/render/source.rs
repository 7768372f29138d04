//! Reading folders of the request's commit.

use super::path;
use crate::model::SourceFile;
use crate::ports::renderer::{RenderFailure, RenderRequest};

/// The content of a folder.
#[derive(Debug)]
pub(super) struct Folder {
    /// The folder.
    pub path: String,
    /// Its files, by path from the folder.
    pub files: Vec<SourceFile>,
    /// What could not be taken, by path in the repository.
    pub refused: Vec<RenderFailure>,
}

impl Folder {
    /// Reads the files below a folder whose name ends as given (empty: all).
    pub async fn read(request: &RenderRequest, path: &str, endings: &[&str]) -> Result<Self, RenderFailure> {
        let checkout = request.repository.read(&request.commit, path, endings).await;
        let checkout = checkout.map_err(|error| failure(path, error.to_string()))?;
        let refused = checkout.refused.into_iter().map(|refused| {
            // The port leaves open whether the path begins at the folder or at the root.
            let inside = match refused.path.strip_prefix(path) {
                Some(inside) if path.is_empty() || inside.starts_with('/') => inside.trim_start_matches('/'),
                _ => &refused.path,
            };
            failure(&path::join(path, inside), refused.reason)
        });
        Ok(Self { path: path.into(), refused: refused.collect(), files: checkout.files })
    }
}

/// The tree id of a folder; `None` where there is none. `origin` is where the folder is named.
pub(super) async fn tree_id(
    request: &RenderRequest,
    path: &str,
    origin: &str,
) -> Result<Option<String>, RenderFailure> {
    let id = request.repository.tree_id(&request.commit, path).await;
    id.map_err(|error| failure(origin, error.to_string()))
}

/// A failure with its place.
pub(super) fn failure(origin: &str, message: impl Into<String>) -> RenderFailure {
    RenderFailure {
        origin: if origin.is_empty() { ".".into() } else { origin.into() },
        message: message.into(),
    }
}
