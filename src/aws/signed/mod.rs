//! The services without a typed client (`aws-sdk-ec2` alone costs gigabytes of rustc and minutes): requests made from
//! the tables of their inputs, signed, and sent through the HTTP client that the SDK brings.

mod answers;
mod api;
mod parameters;
mod shapes;
pub(super) mod sign;
pub(super) mod xml;

pub(super) use answers::{request_id, xml_refusal};
pub(super) use sign::Signing;

use super::misfit::Misfit;
use super::outcome::Outcome;
use crate::model::cloud::{Call, Service};
use api::{Api, Protocol};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use shapes::Shapes;

/// Largest answer that is read. DescribeInstanceTypes gives a few megabytes for each page.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A call as a request, without address and signature.
#[derive(Debug)]
pub(super) struct Prepared {
    service: Service,
    protocol: Protocol,
    content_type: &'static str,
    target: Option<String>,
    body: Bytes,
}

/// The operations of a service that can be called; none for EKS, S3 and Route 53.
#[must_use]
pub fn operations(service: Service) -> &'static [&'static str] {
    Shapes::of(service).map_or(&[], Shapes::operations)
}

/// Whether a call fits the tables, as [`Cloud::call`](crate::ports::Cloud::call) checks it before anything is sent.
///
/// # Errors
/// What does not fit, and where.
pub fn check(call: &Call) -> Result<(), String> {
    prepare(call).map(drop).map_err(|misfit| misfit.to_string())
}

/// Whether an operation's input has a member of this name.
pub(super) fn has_member(call: &Call, member: &str) -> bool {
    Shapes::of(call.service)
        .and_then(|shapes| shapes.operation(&call.operation).ok())
        .is_some_and(|members| members.iter().any(|known| known.name == member))
}

/// Makes a request of a call.
///
/// # Errors
/// The operation is not in the tables, or its input has a member that it does not take, or one of a wrong kind.
pub(super) fn prepare(call: &Call) -> Result<Prepared, Misfit> {
    let known = Shapes::of(call.service).zip(Api::of(call.service));
    let (shapes, api) = known.ok_or_else(|| Misfit::new("this service is not called so"))?;
    let prepared = |target, body: String| Prepared {
        service: call.service,
        protocol: api.protocol,
        content_type: api.content_type,
        target,
        body: body.into(),
    };
    if api.protocol == Protocol::Json {
        let body = parameters::body(shapes, &call.operation, &call.input)?.to_string();
        let target = format!("{}.{}", api.version, call.operation);
        return Ok(prepared(Some(target), body));
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", &call.operation).append_pair("Version", api.version);
    form.extend_pairs(parameters::parameters(api.protocol, shapes, &call.operation, &call.input)?);
    Ok(prepared(None, form.finish()))
}

impl Prepared {
    /// Signs the request, sends it, and reads the answer.
    pub(super) async fn send(
        &self,
        connector: &SharedHttpConnector,
        address: &str,
        signing: &Signing<'_>,
    ) -> Outcome {
        let request = match self.request(address, signing) {
            Ok(request) => request,
            Err(why) => return Outcome::NotSent(why),
        };
        let response = match connector.call(request).await {
            Ok(response) => response,
            Err(error) => return Outcome::of_connection(&error),
        };
        let status = response.status().as_u16();
        let request_id = answers::request_id(response.headers());
        let error_type = response.headers().get("x-amzn-errortype").map(str::to_owned);
        let body = match Limited::new(response.into_body(), LARGEST_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Outcome::Lost(format!("the answer broke off: {}", super::outcome::chain(&*error)));
            }
        };
        let read = answers::Read { service: self.service, status, request_id, error_type, body: &body };
        if self.protocol == Protocol::Json { read.json() } else { read.xml() }
    }

    fn request(&self, address: &str, signing: &Signing<'_>) -> Result<HttpRequest, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/", address.trim_end_matches('/')))
            .header(CONTENT_TYPE, self.content_type)
            .header(USER_AGENT, concat!("portolan/", env!("CARGO_PKG_VERSION")));
        if let Some(target) = &self.target {
            request = request.header("x-amz-target", target);
        }
        let request = request
            .body(self.body.clone())
            .map_err(|error| format!("{address} is no address that can be called: {error}"))?;
        HttpRequest::try_from(sign::signed(request, signing, sign::Style::Plain)?.map(SdkBody::from))
            .map_err(|error| format!("{address} is no address that can be called: {error}"))
    }
}
