//! The server's own endpoints: `GET /health`, `/ready`, `/metrics` and `/dashboard`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{
    connections::Connections,
    dashboard::{Dashboard, Part},
    prometheus::Metrics,
};
use crate::http::{BasePaths, HEALTH};

const READY: &str = "/ready";
pub(super) const METRICS: &str = "/metrics";

/// The server's own endpoints at one address. Probes may come through a load balancer, which leaves its prefix in front of their paths;
/// the metrics are only at the root.
#[derive(Clone)]
pub(super) struct Endpoints {
    /// `None` if this address does not answer `/metrics`.
    pub(super) metrics: Option<Arc<Metrics>>,
    /// `None` at an address that clients can reach.
    pub(super) dashboard: Option<Arc<Dashboard>>,
    /// The prefixes below which `/health` and `/ready` are answered too.
    pub(super) base_paths: BasePaths,
    /// The API's connections, whose number is reported.
    pub(super) connections: Arc<Connections>,
    /// Whether the stop signal has arrived.
    pub(super) is_stopping: Arc<AtomicBool>,
}

enum Endpoint<'a> {
    Health,
    Ready,
    Metrics(&'a Metrics),
    Dashboard(&'a Dashboard, Part),
}

impl Endpoints {
    /// `None` if the path is not one of them.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let endpoint = self.endpoint(request.uri().path())?;
        if !is_read {
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response());
        }
        Some(match endpoint {
            Endpoint::Health => "ok\n".into_response(),
            Endpoint::Ready => self.ready(),
            Endpoint::Dashboard(dashboard, part) => dashboard.answer(part, request.headers()),
            Endpoint::Metrics(metrics) => metrics.show(self.connections.open(), request.headers()).into_response(),
        })
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
        let end = rest.iter().position(|byte| matches!(byte, b' ' | b'?'));
        let path = end.and_then(|end| str::from_utf8(&rest[..end]).ok());
        path.is_some_and(|path| self.endpoint(path).is_some())
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint<'_>> {
        match self.base_paths.strip(path) {
            HEALTH => Some(Endpoint::Health),
            READY => Some(Endpoint::Ready),
            _ if path == METRICS => self.metrics.as_deref().map(Endpoint::Metrics),
            _ => {
                let dashboard = self.dashboard.as_deref()?;
                dashboard.part(path).map(|part| Endpoint::Dashboard(dashboard, part))
            }
        }
    }
}

/// Tells the client to open another connection for its next request.
pub(super) fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
