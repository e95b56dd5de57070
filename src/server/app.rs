//! The API, and what the server tells of itself: `GET /health`, `/ready` and `/metrics`.

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

use super::{limit::Limit, prometheus::Metrics, to_the_end::ToTheEnd};
use crate::{after_response, http::Api};

/// Where load balancers, orchestrators and Prometheus ask.
const HEALTH: &str = "/health";
const READY: &str = "/ready";
pub(super) const METRICS: &str = "/metrics";

/// The API, and what the server tells of itself, for one worker. What each request counts is its own: processors that write to one
/// place slow each other down.
pub(super) struct App {
    pub(super) api: Api,
    pub(super) common: Common,
    pub(super) deferred: TaskTracker,
    pub(super) runtime: Handle,
}

/// What the workers have in common.
#[derive(Clone)]
pub(super) struct Common {
    /// What requests are counted in.
    pub(super) counted: Option<Arc<Metrics>>,
    /// What is shown where the API is.
    pub(super) shown: Option<Arc<Metrics>>,
    pub(super) limit: Limit,
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl App {
    /// Answers a request and spawns what it has deferred. On the worker's only thread that task starts when the
    /// connection's task next waits, and before it does, it writes the response to the socket.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        match (request.uri().path(), &self.common.shown) {
            (HEALTH, _) => return page(request.method(), || "ok\n"),
            (READY, _) => return page(request.method(), || self.ready()),
            (METRICS, Some(metrics)) => return page(request.method(), || metrics.show(self.common.limit.open())),
            _ => {}
        }
        let app = Arc::clone(&self);
        let handling = async move {
            let (response, jobs) = after_response::collect(app.handle(request.map(Body::new))).await;
            app.deferred.spawn(jobs.run(None));
            response
        };
        ToTheEnd::new(handling.boxed(), self.deferred.clone(), self.runtime.clone()).await
    }

    async fn handle(&self, request: Request<Body>) -> Response {
        match &self.common.counted {
            Some(metrics) => metrics.count(&self.api, request).await,
            None => self.api.answer(request).await,
        }
    }

    /// Whether requests should be sent here. Redis does not matter: without it, the model answers.
    fn ready(&self) -> (StatusCode, &'static str) {
        match self.common.is_stopping.load(Relaxed) {
            true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            false => (StatusCode::OK, "ready\n"),
        }
    }
}

/// What answers the requests of a connection.
#[derive(Clone)]
pub(super) enum Answering {
    /// The service.
    Service(Arc<App>),
    /// Metrics alone, and of how many connections.
    Metrics(Arc<Metrics>, Limit),
}

impl Answering {
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response {
        match self {
            Self::Service(app) => app.answer(request).await,
            Self::Metrics(metrics, limit) if request.uri().path() == METRICS => {
                page(request.method(), || metrics.show(limit.open()))
            }
            Self::Metrics(..) => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// What the server tells of itself.
fn page<P: IntoResponse>(method: &Method, page: impl FnOnce() -> P) -> Response {
    match *method {
        Method::GET | Method::HEAD => page().into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response(),
    }
}
