//! From a request that got no answer to an [`ApiFailure`].

use crate::ports::{ApiFailure, ApiFailureKind};
use std::error::Error as StdError;
use std::time::Duration;

/// A request that got no answer: no connection, or one that broke.
pub(super) fn from_client(error: &kube::Error, server: &str) -> ApiFailure {
    if let kube::Error::Auth(auth) = error {
        return ApiFailure::new(ApiFailureKind::Unreachable, credentials(auth, server));
    }
    let kind = if timed_out(error) { ApiFailureKind::Timeout } else { ApiFailureKind::Unreachable };
    ApiFailure::new(kind, format!("the API server {server} cannot be reached: {}", chain(error)))
}

/// Why a client cannot be made of connection settings.
pub(super) fn settings(error: &kube::Error, server: &str) -> String {
    match error {
        kube::Error::Auth(auth) => credentials(auth, server),
        other => chain(other),
    }
}

/// A connection that broke in the middle of an answer.
pub(super) fn cut(error: &(dyn StdError + 'static), server: &str) -> ApiFailure {
    ApiFailure::new(
        ApiFailureKind::Unreachable,
        format!("the connection to the API server {server} was cut: {}", chain(error)),
    )
}

/// No answer within the limit.
pub(super) fn timeout(server: &str, what: &str, limit: Duration) -> ApiFailure {
    ApiFailure::new(
        ApiFailureKind::Timeout,
        format!("no answer from the API server {server} within {} s: {what}", limit.as_secs()),
    )
}

/// The credential plugin's output may hold a token, so only its exit is told.
fn credentials(error: &kube::client::AuthError, server: &str) -> String {
    let why = match error {
        kube::client::AuthError::AuthExecRun { out, .. } => {
            format!("the kubeconfig's credential plugin ended with {}", out.status)
        }
        kube::client::AuthError::AuthExecParse(_) => {
            "the kubeconfig's credential plugin printed no ExecCredential".into()
        }
        other => other.to_string(),
    };
    format!("no credentials for the API server {server}: {why}")
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

fn timed_out(error: &(dyn StdError + 'static)) -> bool {
    sources(error)
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::TimedOut)
}

/// The reasons, without the wrappers' names and repetitions.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let all: Vec<String> = sources(error).map(ToString::to_string).collect();
    let mut parts: Vec<&str> = Vec::new();
    for (at, text) in all.iter().enumerate() {
        let wraps_the_next = all.get(at + 1).is_some_and(|next| text.ends_with(next.as_str()));
        let names_a_layer = text.starts_with("client error (") || text == "ServiceError: client error";
        let says_nothing = wraps_the_next || (names_a_layer && at + 1 < all.len());
        if !says_nothing && !parts.contains(&text.as_str()) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
