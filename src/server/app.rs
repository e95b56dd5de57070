//! The handlers of a connection's requests: a worker's, which answers for the API, and the front's.

use std::sync::Arc;

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::{
    endpoints::{Endpoints, close},
    prometheus::Metrics,
    run_to_completion::RunToCompletion,
};
use crate::{after_response, http::Api};

/// One worker's API. It also answers for the server's own endpoints, where a client asks on a connection that a worker has.
pub(super) struct App {
    pub(super) api: Api,
    pub(super) endpoints: Endpoints,
    /// `None` if requests are not counted.
    pub(super) metrics: Option<Arc<Metrics>>,
    pub(super) deferred: TaskTracker,
    pub(super) runtime: Handle,
}

impl App {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        let response = match self.endpoints.answer(&request) {
            Some(response) => response,
            None => self.answer_api(request).await,
        };
        // A client that keeps its connection would lose a request when the delay ends.
        if self.endpoints.is_stopping() { close(response) } else { response }
    }

    /// Answers a request and spawns its deferred jobs. A worker has one thread, so that task starts only when the connection's task
    /// next waits, after it has written the response to the socket.
    fn answer_api(self: &Arc<Self>, request: Request<Incoming>) -> RunToCompletion {
        let app = Arc::clone(self);
        let handling = async move {
            let (response, jobs) = after_response::collect(app.handle(request.map(Body::new))).await;
            app.deferred.spawn(jobs.run(None));
            response
        };
        RunToCompletion::new(handling.boxed(), self.deferred.clone(), self.runtime.clone())
    }

    async fn handle(&self, request: Request<Body>) -> Response {
        match &self.metrics {
            Some(metrics) => metrics.count(&self.api, request).await,
            None => self.api.answer(request).await,
        }
    }
}

/// The handler of a connection's requests.
#[derive(Clone)]
pub(super) enum Handler {
    Worker(Arc<App>),
    /// The thread that accepts connections: only the server's own endpoints, and only one request on each connection, so that the
    /// next one can go to a worker.
    Front(Endpoints),
}

impl Handler {
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response {
        match self {
            Self::Worker(app) => app.answer(request).await,
            Self::Front(endpoints) => {
                let response = endpoints.answer(&request);
                close(response.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response()))
            }
        }
    }
}
