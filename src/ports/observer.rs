//! A look at every request: for counting, for metrics, and for tests that lose requests and answers.

use super::{ApiFailure, CloudFailure};
use crate::model::cloud::Call;
use async_trait::async_trait;

/// A request as the observer sees it. No body and no header: they may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedRequest<'a> {
    /// HTTP method, such as `PATCH`.
    pub method: &'a str,
    /// Path, such as `/apis/apps/v1/namespaces/shop/deployments/web`.
    pub path: &'a str,
    /// Query without the question mark; a watch has `watch=true`, a dry run `dryRun=All`.
    pub query: &'a str,
}

impl ObservedRequest<'_> {
    /// Whether the query has this `name=value`.
    #[must_use]
    pub fn has(&self, parameter: &str) -> bool {
        self.query.split('&').any(|pair| pair == parameter)
    }
}

/// Sees every request to an API server before it leaves and after it was answered.
///
/// Returning a failure from [`before`](Self::before) stands for a request that never arrived; from
/// [`after`](Self::after) for one that had its effect and whose answer was lost. Both are `async`, so that a test
/// can hold a request back.
#[async_trait]
pub trait RequestObserver: Send + Sync + 'static {
    /// Called before the request is sent. `Some`: nothing is sent and the failure is returned in its place.
    async fn before(&self, _request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        None
    }

    /// Called when the answer is there (for a watch: when its stream opens). `Some`: the answer is thrown away.
    async fn after(&self, _request: &ObservedRequest<'_>, _status: u16) -> Option<ApiFailure> {
        None
    }
}

/// Sees every request to a cloud before it leaves and after it was answered, and every call before its answer is handed
/// on: for counting, for metrics, and for tests that lose requests and answers.
///
/// A call is several requests where its answer has pages or where it is made again. A failure that is returned takes the
/// place of the service's and is treated like it: one of kind `Throttled` is tried again.
#[async_trait]
pub trait CallObserver: Send + Sync + 'static {
    /// Called before a request is sent. `Some`: nothing is sent and the failure is returned in its place.
    async fn before(&self, _call: &Call) -> Option<CloudFailure> {
        None
    }

    /// Called when a request was answered, with the failure where it failed. `Some`: the answer is thrown away.
    async fn after(&self, _call: &Call, _failure: Option<&CloudFailure>) -> Option<CloudFailure> {
        None
    }

    /// Called when the call is over and the caller has not got its answer yet.
    async fn answered(&self, _call: &Call, _failure: Option<&CloudFailure>) {}
}
