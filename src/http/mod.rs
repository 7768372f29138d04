//! The daemon's HTTP server: probes, metrics and the applications' status. It only reads.

use crate::engine::View;
use crate::telemetry::Metrics;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a client may take to send its request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Connections at once: probes and a scraper need a handful.
const CONNECTIONS: usize = 64;

/// Pause after a connection that could not be taken.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What the server shows. The engine behind it changes when the configuration is reloaded.
#[derive(Clone)]
pub struct Pages {
    view: Arc<Mutex<Option<View>>>,
    metrics: Arc<Metrics>,
}

impl Pages {
    /// Pages without an engine yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { view: Arc::default(), metrics }
    }

    /// Shows another engine from now on.
    pub fn show(&self, view: View) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    fn view(&self) -> Option<View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, method: &Method, path: &str) -> (StatusCode, &'static str, String) {
        const TEXT: &str = "text/plain; charset=utf-8";
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".into());
        }
        let view = self.view();
        match path {
            "/healthz" => (StatusCode::OK, TEXT, "ok\n".into()),
            "/readyz" => match view {
                Some(view) if view.is_ready() => (StatusCode::OK, TEXT, "ok\n".into()),
                _ => {
                    (StatusCode::SERVICE_UNAVAILABLE, TEXT, "not every repository has been read yet\n".into())
                }
            },
            "/metrics" => {
                let applications = view.map(|view| view.applications()).unwrap_or_default();
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                (StatusCode::OK, kind, self.metrics.text(&applications))
            }
            "/api/v1/applications" => {
                let applications = view.map(|view| view.applications()).unwrap_or_default();
                let text = serde_json::to_string(&applications).unwrap_or_else(|_| "[]".into());
                (StatusCode::OK, "application/json", text)
            }
            _ => (
                StatusCode::NOT_FOUND,
                TEXT,
                "there are /healthz, /readyz, /metrics and /api/v1/applications\n".into(),
            ),
        }
    }
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, pages: Pages, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Without a free descriptor every attempt fails at once (accept(2), EMFILE).
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let pages = pages.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (status, kind, text) = pages.answer(request.method(), request.uri().path());
                async move {
                    let mut response = Response::new(Full::new(Bytes::from(text)));
                    *response.status_mut() = status;
                    response
                        .headers_mut()
                        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
                    Ok::<_, Infallible>(response)
                }
            });
            // A client that goes away is not our failure.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_LIMIT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}
