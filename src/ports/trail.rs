//! A cloud's audit log, as the engine sees it.

use super::cloud::CloudFailure;
use crate::model::trail::{Change, Lookup};
use async_trait::async_trait;

/// The audit log of an account in a region. It lags: what happened a moment ago is told minutes later.
#[async_trait]
pub trait Trail: Send + Sync {
    /// The changes that a question is about, the newest first. Few are asked for at a time; a busy account's older ones may
    /// be left out.
    ///
    /// # Errors
    /// [`CloudFailure`]: not allowed (`cloudtrail:LookupEvents`), throttled, no answer.
    async fn changes(&self, lookup: &Lookup) -> Result<Vec<Change>, CloudFailure>;
}
