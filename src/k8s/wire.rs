//! One HTTP request to an API server: limits, observer, impersonation, failures.

use super::answer::Answer;
use super::connect::BearerToken;
use super::url::Query;
use super::{failure, sensitive, unanswered};
use crate::ports::{ApiFailure, ApiFailureKind, Impersonation};
use crate::ports::{ObservedRequest, RequestObserver};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the answer to a read. A page of 500 large objects takes a busy server a few seconds.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(30);
/// Longest wait for the answer to a write. The API server itself gives up on one after 34 s
/// (`requestTimeoutUpperBound`), webhooks included; waiting longer than that tells whether it had its effect.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(40);

/// A connection pool to one API server.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) client: Client,
    pub(super) address: Arc<str>,
    pub(super) observer: Option<Arc<dyn RequestObserver>>,
    pub(super) token: Option<Arc<dyn BearerToken>>,
}

/// What is asked.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Query,
    /// Media type and body.
    pub(super) content: Option<(&'static str, Bytes)>,
    pub(super) accept: &'static str,
    pub(super) impersonate: Option<&'a Impersonation>,
    pub(super) limit: Duration,
    /// Set when the object is a Secret: how messages name it. Its values are then kept out of them.
    pub(super) secret: Option<String>,
}

impl Call<'_> {
    pub(super) fn get(path: String, query: Query) -> Self {
        Self {
            method: Method::GET,
            path,
            query,
            content: None,
            accept: "application/json",
            impersonate: None,
            limit: READ_LIMIT,
            secret: None,
        }
    }
}

impl<'a> Call<'a> {
    pub(super) fn write(
        method: Method,
        path: String,
        query: Query,
        content: Option<(&'static str, Bytes)>,
    ) -> Self {
        Self { method, content, limit: WRITE_LIMIT, ..Call::get(path, query) }
    }

    pub(super) fn impersonating(mut self, who: Option<&'a Impersonation>) -> Self {
        self.impersonate = who;
        self
    }

    pub(super) fn secret(mut self, subject: Option<String>) -> Self {
        self.secret = subject;
        self
    }

    fn observed(&self) -> ObservedRequest<'_> {
        ObservedRequest { method: self.method.as_str(), path: &self.path, query: self.query.as_str() }
    }

    fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Wire {
    /// Makes the request and reads the whole answer; a status of 400 or more is a failure.
    pub(super) async fn exchange(&self, call: Call<'_>) -> Result<Answer, ApiFailure> {
        self.before(&call).await?;
        let answer = tokio::time::timeout(call.limit, async {
            let response = self.send(&call).await?;
            let (head, body) = response.into_parts();
            let body =
                body.collect().await.map_err(|error| unanswered::cut(&error, &self.address))?.to_bytes();
            Ok(Answer::new(head, body))
        });
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(unanswered::timeout(&self.address, &call.shown(), call.limit)))?;
        self.after(&call, answer.status).await?;
        if answer.status >= 400 {
            return Err(refusal(&call, &answer));
        }
        Ok(answer)
    }

    /// Opens a stream: the limit is for the head of the answer, the body is the caller's to watch over.
    pub(super) async fn open(&self, call: Call<'_>) -> Result<Response<Body>, ApiFailure> {
        self.before(&call).await?;
        let response = tokio::time::timeout(call.limit, self.send(&call)).await;
        let response = response
            .unwrap_or_else(|_| Err(unanswered::timeout(&self.address, &call.shown(), call.limit)))?;
        self.after(&call, response.status().as_u16()).await?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(call.limit, body.collect()).await;
        let body =
            body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(refusal(&call, &Answer::new(head, body)))
    }

    async fn before(&self, call: &Call<'_>) -> Result<(), ApiFailure> {
        let Some(observer) = &self.observer else {
            return Ok(());
        };
        observer.before(&call.observed()).await.map_or(Ok(()), Err)
    }

    async fn after(&self, call: &Call<'_>, status: u16) -> Result<(), ApiFailure> {
        let Some(observer) = &self.observer else {
            return Ok(());
        };
        observer.after(&call.observed(), status).await.map_or(Ok(()), Err)
    }

    async fn send(&self, call: &Call<'_>) -> Result<Response<Body>, ApiFailure> {
        let request = self.request(call).await?;
        self.client.send(request).await.map_err(|error| unanswered::from_client(&error, &self.address))
    }

    async fn request(&self, call: &Call<'_>) -> Result<Request<Body>, ApiFailure> {
        let uri = match call.query.as_str() {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        let mut request = Request::builder().method(call.method.clone()).uri(uri).header(ACCEPT, call.accept);
        if let Some((media_type, _)) = &call.content {
            request = request.header(CONTENT_TYPE, *media_type);
        }
        if let Some(who) = call.impersonate {
            // No `Impersonate-Group`: for a ServiceAccount the server adds its groups itself, and naming them
            // would need the right to impersonate groups, which is the right to become system:masters.
            request = request
                .header("Impersonate-User", format!("system:serviceaccount:{}:{}", who.namespace, who.name));
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, bearer(&token.token().await?)?);
        }
        let body = call.content.as_ref().map_or_else(Body::empty, |(_, body)| Body::from(body.clone()));
        request.body(body).map_err(|error| {
            ApiFailure::new(
                ApiFailureKind::Invalid,
                format!("no request can be made of {}: {error}", call.shown()),
            )
        })
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ApiFailure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        ApiFailure::new(
            ApiFailureKind::Forbidden,
            "the bearer token holds characters that a header cannot carry; get a new one",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn refusal(call: &Call<'_>, answer: &Answer) -> ApiFailure {
    let mut failure = failure::from_answer(answer.status, &answer.headers, &answer.body);
    if let Some(subject) = &call.secret {
        let body = call.content.as_ref().map_or(&[][..], |(_, body)| body);
        sensitive::hide(&mut failure, subject, body);
    }
    failure
}
