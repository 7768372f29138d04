//! What the typed client says of a request that it sent.

use super::json::ToAnswer;
use crate::aws::outcome::{Outcome, Refusal, chain};
use aws_sdk_eks::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// A request on its way.
pub(in crate::aws) type Sending = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The header in which EKS gives the id of a request.
const REQUEST_ID: &str = "x-amzn-requestid";

pub(super) fn sent<A, E>(result: Result<A, SdkError<E>>) -> Outcome
where
    A: ToAnswer,
    E: ProvideErrorMetadata + Error + 'static,
{
    match result {
        Ok(answer) => Outcome::Answered(answer.to_answer().unwrap_or_default()),
        Err(SdkError::ServiceError(refused)) => Outcome::Refused(Refusal {
            status: refused.raw().status().as_u16(),
            code: refused.err().code().unwrap_or_default().to_owned(),
            message: refused.err().message().unwrap_or_default().to_owned(),
            request_id: refused.raw().headers().get(REQUEST_ID).map(str::to_owned),
        }),
        Err(SdkError::DispatchFailure(failed)) => failed.as_connector_error().map_or_else(
            || Outcome::NotSent("the request was not sent".into()),
            |error| Outcome::of_connection(error),
        ),
        Err(failed @ SdkError::ConstructionFailure(_)) => Outcome::NotSent(chain(&failed)),
        Err(unread) => Outcome::Lost(chain(&unread)),
    }
}
