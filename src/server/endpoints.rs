//! The server's own endpoints: `GET /health`, `/ready` and `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{connections::Connections, prometheus::Metrics};
use crate::http::HEALTH;

const READY: &str = "/ready";
pub(super) const METRICS: &str = "/metrics";

/// The server's own endpoints at one address.
#[derive(Clone)]
pub(super) struct Endpoints {
    /// `None` if this address does not answer `/metrics`.
    pub(super) metrics: Option<Arc<Metrics>>,
    /// The API's connections, whose number is reported.
    pub(super) connections: Arc<Connections>,
    /// Whether the stop signal has arrived.
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl Endpoints {
    /// `None` if the path is not one of them.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match (request.uri().path(), &self.metrics) {
            (HEALTH | READY, _) | (METRICS, Some(_)) if !is_read => {
                Some((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response())
            }
            (HEALTH, _) => Some("ok\n".into_response()),
            (READY, _) => Some(self.ready()),
            (METRICS, Some(metrics)) => Some(metrics.show(self.connections.open(), request.headers()).into_response()),
            _ => None,
        }
    }

    /// Redis does not affect readiness: without it, the model answers.
    fn ready(&self) -> Response {
        match self.is_stopping() {
            true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
            false => "ready\n".into_response(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    /// Whether the first bytes of a connection are a request for one of them.
    pub(super) fn is_request(&self, first: &[u8]) -> bool {
        let Some(rest) = first.strip_prefix(b"GET ").or_else(|| first.strip_prefix(b"HEAD ")) else { return false };
        let metrics = self.metrics.is_some().then_some(METRICS);
        [HEALTH, READY].into_iter().chain(metrics).any(|path| {
            rest.strip_prefix(path.as_bytes()).is_some_and(|after| matches!(after.first(), Some(b' ' | b'?')))
        })
    }
}

/// Tells the client to open another connection for its next request.
pub(super) fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
