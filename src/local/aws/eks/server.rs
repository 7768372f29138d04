//! The server: HTTP around the service, and what tests read and switch.

use super::control;
use super::faults::Fault;
use super::journal::{CallRecord, Violation};
use super::options::EksOptions;
use super::service::{Received, Reply, Service};
use super::service_model::Model;
use crate::local::aws::world::World;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Longest body of a request.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long a client may take to send its request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long answers under way are waited for at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An EKS server. It ends with the value.
pub struct EksServer {
    service: Arc<Service>,
    endpoint: String,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<()>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the EKS server cannot listen on {address}: {source}. Choose another address, or port 0 for a free one."
)]
pub struct StartError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

impl EksServer {
    /// Starts one, within a tokio runtime.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start(
        model: Arc<Model>,
        world: Arc<dyn World>,
        options: EksOptions,
    ) -> Result<Self, StartError> {
        let address = options.address;
        let refused = |source| StartError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(refused)?);
        let service = Service::new(model, world, options);
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, service.clone(), stopped));
        Ok(Self { service, endpoint, stop, serving: Some(serving) })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL_EKS`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Lets answers under way end, then ends; work under way is abandoned.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(serving) = self.serving.take() {
            // It ends by itself within its limit.
            let _ = serving.await;
        }
        self.service.abandon().await;
    }

    /// Every call since the start, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRecord> {
        self.service.journal().calls().to_vec()
    }

    /// The calls after the first so many.
    #[must_use]
    pub fn calls_after(&self, count: usize) -> Vec<CallRecord> {
        self.service.journal().calls().get(count..).unwrap_or_default().to_vec()
    }

    /// Calls that do not fit the service's model, and answers of this server that do not. A test fails on any.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.service.journal().violations().to_vec()
    }

    /// How many there are of each kind of resource.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.service.state().counts()
    }

    /// Makes calls go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.service.faults().add(fault);
    }

    /// Takes every switch away.
    pub fn clear_faults(&self) {
        self.service.faults().clear();
    }

    /// No work ends from now on: what is CREATING stays so.
    pub fn hold(&self) {
        self.service.held.send_replace(true);
    }

    /// Work ends again.
    pub fn release(&self) {
        self.service.held.send_replace(false);
    }

    /// Waits until nothing is under way.
    pub async fn settled(&self) {
        // The sender lives in the service, which this value holds.
        let _ = self.service.working.subscribe().wait_for(|working| *working == 0).await;
    }

    /// Waits until so many calls were done since the start, answered or not.
    pub async fn done(&self, calls: u64) {
        // As above.
        let _ = self.service.done.subscribe().wait_for(|done| *done >= calls).await;
    }

    /// Sets the insights of a cluster; false where there is none of that name. Each is an `Insight` of the model.
    pub fn set_insights(&self, cluster: &str, insights: Vec<Value>) -> bool {
        control::set_insights(&self.service, cluster, insights)
    }

    /// Changes a resource behind the API, as the service's own doing would (a status, a health issue, a release):
    /// `kind` is a key of [`Self::counts`], `members` are put over its description. False where there is no such resource.
    pub fn change(&self, cluster: &str, kind: &str, name: &str, members: &Value) -> bool {
        control::change(&self.service, cluster, kind, name, members)
    }
}

impl Drop for EksServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else { continue };
        let (service, mut stopped) = (service.clone(), stopped.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| respond(service.clone(), request));
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
            let connection = builder.serve_connection(TokioIo::new(stream), answer);
            tokio::pin!(connection);
            // A client that goes away, and a connection that is cut on purpose, are no failure of ours.
            let over = async { stopped.wait_for(|stopped| *stopped).await.map(drop) };
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = over => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LAST_ANSWERS, connection).await;
        });
    }
    while connections.join_next().await.is_some() {}
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

async fn respond(service: Arc<Service>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let error = Some("RequestEntityTooLargeException");
        return Ok(answer(&service, StatusCode::PAYLOAD_TOO_LARGE, error, &Value::Null));
    };
    let body = body.to_bytes();
    if head.uri.path().starts_with(control::PREFIX) {
        let (status, value) = control::answer(&service, head.method.as_str(), head.uri.path(), &body);
        return Ok(answer(&service, status, None, &value));
    }
    let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let received = Received {
        method: head.method.as_str().into(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        authorization: authorization.map(String::from),
        body,
    };
    // A task of its own: what was begun is done also when the client goes away, as in the service.
    let serving = service.clone();
    let reply = tokio::spawn(async move { serving.answer(received).await }).await;
    match reply {
        Ok(Reply::Answer { status, error, body }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(answer(&service, status, error.as_deref(), &body))
        }
        Ok(Reply::Stall) => std::future::pending().await,
        Ok(Reply::Cut) | Err(_) => Err(Cut),
    }
}

fn answer(service: &Service, status: StatusCode, error: Option<&str>, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let number = service.answers.fetch_add(1, Ordering::Relaxed);
    if let Ok(id) = HeaderValue::from_str(&format!("00000000-0000-4000-8000-{number:012}")) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(error) = error.and_then(|error| HeaderValue::from_str(error).ok()) {
        headers.insert(ERROR_TYPE, error);
    }
    response
}
