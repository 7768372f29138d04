//! The services that are spoken to by paths: S3 and Route 53. Requests are made from tables, signed, and sent as those of
//! the other services without a typed client are.
//!
//! Answers have the names of the services' models: lists are always arrays, every other value is a string as XML has it.
//! What S3 keeps comes as base64 (`Body` of GetObject).

mod answers;
mod buckets;
mod operations;
mod request;

pub(super) use buckets::Buckets;

use super::misfit::Misfit;
use super::outcome::{self, Outcome};
use super::region::Endpoint;
use super::signed::sign::{Style, signed};
use super::signed::{Signing, request_id};
use crate::model::cloud::{Call, Service};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http_body_util::{BodyExt as _, Limited};
use operations::Operation;
use request::Parts;

/// Largest answer that is read: files of a state store have kilobytes, add-on manifests up to two megabytes.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// S3 says in it where a bucket is, whatever it answers.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// The operations of a service that can be called; none for services that are spoken to in another way.
#[must_use]
pub fn operations(service: Service) -> Vec<&'static str> {
    operations::of(service).iter().map(|operation| operation.name).collect()
}

/// Members that an operation takes in its path and its query.
#[must_use]
pub fn members(service: Service, operation: &str) -> Vec<&'static str> {
    let Ok(operation) = operations::named(service, operation) else { return Vec::new() };
    operation.in_path().map(|(name, _)| name).chain(operation.query.iter().map(|(name, _)| *name)).collect()
}

/// Whether a service is spoken to so.
pub(super) const fn speaks(service: Service) -> bool {
    matches!(service, Service::S3 | Service::Route53)
}

/// Whether an operation's input has a member of this name.
pub(super) fn has_member(call: &Call, member: &str) -> bool {
    operations::named(call.service, &call.operation).is_ok_and(|operation| operation.has_member(member))
}

/// A call as a request, without address and signature.
#[derive(Debug)]
pub(super) struct Prepared {
    service: Service,
    operation: &'static Operation,
    parts: Parts,
}

/// Makes a request of a call.
///
/// # Errors
/// The operation is not in the tables, or its input has a member that it does not take, or one of a wrong kind.
pub(super) fn prepare(call: &Call) -> Result<Prepared, Misfit> {
    let operation = operations::named(call.service, &call.operation)?;
    let parts = request::parts(call.service, operation, &call.input)?;
    Ok(Prepared { service: call.service, operation, parts })
}

impl Prepared {
    /// Signs the request, sends it, and reads the answer. Where S3 says that the bucket lies in another region, once more
    /// there: nothing was done in the wrong one.
    pub(super) async fn send(
        &self,
        connector: &SharedHttpConnector,
        endpoint: &Endpoint,
        buckets: &Buckets,
        signing: &Signing<'_>,
    ) -> Outcome {
        let Some(bucket) = &self.parts.bucket else {
            let signing = Signing { region: &endpoint.signing_region, ..*signing };
            return self.once(connector, &endpoint.address, &signing).await.0;
        };
        let mut again = true;
        loop {
            let there = buckets.endpoint(bucket, endpoint);
            let signing = Signing { region: &there.signing_region, ..*signing };
            let (outcome, region) = self.once(connector, &buckets::address(&there, bucket), &signing).await;
            let is_elsewhere =
                matches!(&outcome, Outcome::Refused(refusal) if matches!(refusal.status, 301 | 307 | 400));
            match region {
                Some(region) if again && is_elsewhere && buckets.learn(bucket, &region, endpoint) => {
                    again = false
                }
                _ => return outcome,
            }
        }
    }

    /// One request; its outcome, and the region that S3 named.
    async fn once(
        &self,
        connector: &SharedHttpConnector,
        address: &str,
        signing: &Signing<'_>,
    ) -> (Outcome, Option<String>) {
        let request = match self.request(address, signing) {
            Ok(request) => request,
            Err(why) => return (Outcome::NotSent(why), None),
        };
        let response = match connector.call(request).await {
            Ok(response) => response,
            Err(error) => return (Outcome::of_connection(&error), None),
        };
        let status = response.status().as_u16();
        let id = request_id(response.headers());
        let region = response.headers().get(BUCKET_REGION).map(str::to_owned);
        let body = match Limited::new(response.into_body(), LARGEST_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return (Outcome::Lost(format!("the answer broke off: {}", outcome::chain(&*error))), region);
            }
        };
        let outcome = if (200..300).contains(&status) {
            answers::read(self.operation.answer, &body)
        } else {
            Outcome::Refused(answers::refused(status, &body, id))
        };
        (outcome, region)
    }

    fn request(&self, address: &str, signing: &Signing<'_>) -> Result<HttpRequest, String> {
        let Parts { path, query, content_type, body, .. } = &self.parts;
        let separator = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(self.operation.method)
            .uri(format!("{}{path}{separator}{query}", address.trim_end_matches('/')))
            .header(USER_AGENT, concat!("portolan/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, *content_type);
        }
        let request = request
            .body(Bytes::copy_from_slice(body))
            .map_err(|error| format!("{address} is no address that can be called: {error}"))?;
        let style = if self.service == Service::S3 { Style::S3 } else { Style::Plain };
        HttpRequest::try_from(signed(request, signing, style)?.map(SdkBody::from))
            .map_err(|error| format!("{address} is no address that can be called: {error}"))
    }
}
