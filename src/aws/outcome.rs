//! How one request ended, whichever way it was sent.

use serde_json::Value;
use std::error::Error;

/// How one request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The service did it.
    Answered(Value),
    /// The service said no.
    Refused(Refusal),
    /// It never left: no connection, or it could not be signed. Certainly no effect.
    NotSent(String),
    /// It left, and no answer that can be read came back. It may have had its effect.
    Lost(String),
}

/// A service's error answer.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The service's error code; empty where it gave none.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// What the service's support asks for.
    pub request_id: Option<String>,
}

impl Outcome {
    /// What a failure to send or to receive means. `error` is what the HTTP client or the SDK gave.
    pub(super) fn of_connection(error: &(dyn Error + 'static)) -> Self {
        let words = chain(error);
        // hyper tells apart whether a connection came about at all; the SDK does not hand that on.
        let connecting = causes(error).any(|cause| {
            cause
                .downcast_ref::<hyper_util::client::legacy::Error>()
                .is_some_and(hyper_util::client::legacy::Error::is_connect)
        });
        if connecting { Self::NotSent(words) } else { Self::Lost(words) }
    }
}

/// An error and what caused it, in words. Only what they display: their debug output may hold requests.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
    }
    words.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
