//! Failures of calls, in words.

use super::codes;
use super::misfit::Misfit;
use super::outcome::{Outcome, Refusal, chain};
use super::retry::reads;
use crate::model::cloud::Call;
use crate::ports::{CloudFailure, CloudFailureKind};
use aws_credential_types::provider::error::CredentialsError;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// Longest message of a service that is handed on, in bytes: EC2's encoded authorisation failures have thousands.
const LONGEST_MESSAGE: usize = 4_000;

/// Codes that are ours, where no service gave one.
pub(super) mod code {
    /// The call does not fit the API's model.
    pub(crate) const MISFIT: &str = "CallDoesNotFit";
    /// No connection.
    pub(crate) const NOT_SENT: &str = "NotSent";
    /// Sent, and no answer.
    pub(crate) const NO_ANSWER: &str = "NoAnswer";
    /// No credentials.
    pub(crate) const NO_CREDENTIALS: &str = "NoCredentials";
    /// The access cannot be opened.
    pub(crate) const BAD_ACCESS: &str = "AccessCannotBeOpened";
    /// A page names itself as the next, or there are too many.
    pub(crate) const ENDLESS: &str = "EndlessPages";
}

/// A failure that is not the service's.
pub(super) fn own(call: &Call, kind: CloudFailureKind, code: &str, message: String) -> CloudFailure {
    CloudFailure { kind, code: code.into(), message, call: call.to_string(), service: Some(call.service) }
}

/// The call does not fit the API's model: nothing was sent.
pub(super) fn misfit(call: &Call, misfit: &Misfit) -> CloudFailure {
    own(call, CloudFailureKind::Invalid, code::MISFIT, misfit.to_string())
}

/// There are no credentials: code and message.
pub(super) fn no_credentials(origin: &str, error: &CredentialsError) -> (&'static str, String) {
    (code::NO_CREDENTIALS, format!("no AWS credentials from {origin}: {}", chain(error)))
}

/// No answer within the limit.
pub(super) fn too_late(limit: Duration) -> Outcome {
    Outcome::Lost(format!("no answer within {} s", limit.as_secs()))
}

/// The answer, or the failure that it means.
///
/// # Errors
/// All but an answer.
pub(super) fn settle(call: &Call, address: &str, outcome: Outcome) -> Result<Value, CloudFailure> {
    match outcome {
        Outcome::Answered(answer) => Ok(answer),
        Outcome::Refused(refusal) => Err(refused(call, refusal)),
        Outcome::NotSent(why) => {
            let message = format!("nothing was sent to {address}: {why}");
            Err(own(call, CloudFailureKind::Unavailable, code::NOT_SENT, message))
        }
        Outcome::Lost(why) => {
            let (kind, effect) = if reads(call) {
                (CloudFailureKind::Unavailable, "")
            } else {
                (CloudFailureKind::Unanswered, "; it may have had its effect")
            };
            let message = format!("sent to {address}, without an answer: {why}{effect}");
            Err(own(call, kind, code::NO_ANSWER, message))
        }
    }
}

fn refused(call: &Call, refusal: Refusal) -> CloudFailure {
    let mut kind = codes::kind(call, refusal.status, &refusal.code, &refusal.message);
    // What broke down in the middle of a read has no effect that could be unknown.
    if kind == CloudFailureKind::Unanswered && reads(call) {
        kind = CloudFailureKind::Unavailable;
    }
    let code = if refusal.code.is_empty() { format!("HTTP{}", refusal.status) } else { refusal.code };
    let mut message = refusal.message;
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
    if message.is_empty() {
        message.push_str("the service gave no reason");
    }
    let _ = write!(message, " (HTTP {}", refusal.status);
    if let Some(id) = refusal.request_id {
        let _ = write!(message, ", request {id}");
    }
    message.push(')');
    if kind == CloudFailureKind::Credentials {
        message.push_str("; look at the credentials, and at the clock of this machine");
    }
    own(call, kind, &code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cloud::Service;
    use serde_json::json;

    #[test]
    fn a_failure_says_what_where_and_with_which_request() {
        let call = Call::new(Service::Eks, "CreateCluster", json!({}));
        let refusal = Refusal {
            status: 400,
            code: "InvalidParameterException".into(),
            message: "bad subnet".into(),
            request_id: Some("r-1".into()),
        };
        let failure = settle(&call, "https://eks", Outcome::Refused(refusal)).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "eks:CreateCluster: InvalidParameterException: bad subnet (HTTP 400, request r-1)"
        );
    }

    #[test]
    fn a_breakdown_is_unknown_for_writes_only() {
        let broken = || Outcome::Refused(Refusal { status: 500, ..Refusal::default() });
        let write = Call::new(Service::Ec2, "CreateVpc", json!({}));
        let read = Call::new(Service::Ec2, "DescribeVpcs", json!({}));
        assert_eq!(settle(&write, "", broken()).unwrap_err().kind, CloudFailureKind::Unanswered);
        assert_eq!(settle(&read, "", broken()).unwrap_err().kind, CloudFailureKind::Unavailable);
        assert_eq!(settle(&read, "", broken()).unwrap_err().code, "HTTP500");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let call = Call::new(Service::Ec2, "CreateVpc", json!({}));
        let refusal = Refusal { status: 403, message: "ä".repeat(3_000), ..Refusal::default() };
        let failure = settle(&call, "", Outcome::Refused(refusal)).unwrap_err();
        assert!(failure.message.len() < LONGEST_MESSAGE + 100);
    }
}
