//! EKS through its typed client: JSON with the API model's names in, JSON out.
//!
//! The tables (`operations`, `inputs`, `answers`) name each member once, and the compiler holds them to the client's
//! types; a test holds them to the service's model. A member that is not in them is refused, never dropped.

mod answers;
mod inputs;
mod json;
mod operations;
mod sent;
mod words;

pub use operations::OPERATIONS;
pub(super) use sent::Sending;

use crate::aws::misfit::Misfit;
use aws_sdk_eks::Client;
use serde_json::Value;

/// A request, ready to be sent.
///
/// # Errors
/// The operation is not in the table, or the input has a member that it does not take, or one of a wrong kind.
pub(super) fn prepare(client: &Client, operation: &str, input: &Value) -> Result<Sending, Misfit> {
    operations::prepare(client, operation, input).unwrap_or_else(|| {
        Err(Misfit::new(format!("`{operation}` is no operation of EKS that Portolan calls")))
    })
}
