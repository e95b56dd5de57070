//! The API, and the server's own endpoints: `GET /health`, `/ready` and `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{limit::Limit, prometheus::Metrics, run_to_completion::RunToCompletion};
use crate::{
    after_response,
    http::{Api, HEALTH},
};

const READY: &str = "/ready";
pub(super) const METRICS: &str = "/metrics";

/// One worker's API, with the server's own endpoints.
pub(super) struct App {
    pub(super) api: Api,
    pub(super) shared: Shared,
    pub(super) deferred: TaskTracker,
    pub(super) runtime: Handle,
}

/// The state that all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) metrics: Option<Arc<Metrics>>,
    /// `GET /metrics` on the API's address. `None` if metrics are off or have an address of their own.
    pub(super) metrics_route: Option<Arc<Metrics>>,
    pub(super) limit: Limit,
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl App {
    /// Answers a request and spawns its deferred jobs. A worker has one thread, so that task starts only when the connection's task
    /// next waits, after it has written the response to the socket.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        match (request.uri().path(), &self.shared.metrics_route) {
            (HEALTH, _) => return page(request.method(), || "ok\n"),
            (READY, _) => return page(request.method(), || self.ready()),
            (METRICS, Some(metrics)) => {
                return page(request.method(), || metrics.show(self.shared.limit.open(), request.headers()));
            }
            _ => {}
        }
        let app = Arc::clone(&self);
        let handling = async move {
            let (response, jobs) = after_response::collect(app.handle(request.map(Body::new))).await;
            app.deferred.spawn(jobs.run(None));
            response
        };
        RunToCompletion::new(handling.boxed(), self.deferred.clone(), self.runtime.clone()).await
    }

    async fn handle(&self, request: Request<Body>) -> Response {
        match &self.shared.metrics {
            Some(metrics) => metrics.count(&self.api, request).await,
            None => self.api.answer(request).await,
        }
    }

    /// Redis does not affect readiness: without it, the model answers.
    fn ready(&self) -> (StatusCode, &'static str) {
        match self.shared.is_stopping.load(Relaxed) {
            true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            false => (StatusCode::OK, "ready\n"),
        }
    }
}

/// The handler of a connection's requests.
#[derive(Clone)]
pub(super) enum Handler {
    App(Arc<App>),
    /// Metrics only, at `METRICS_ADDRESS`. The limit is the API's, whose open connections are reported.
    Metrics(Arc<Metrics>, Limit),
}

impl Handler {
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response {
        match self {
            Self::App(app) => app.answer(request).await,
            Self::Metrics(metrics, limit) if request.uri().path() == METRICS => {
                page(request.method(), || metrics.show(limit.open(), request.headers()))
            }
            Self::Metrics(..) => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// One of the server's own endpoints.
fn page<P: IntoResponse>(method: &Method, page: impl FnOnce() -> P) -> Response {
    match *method {
        Method::GET | Method::HEAD => page().into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response(),
    }
}
