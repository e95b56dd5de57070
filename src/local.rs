//! The local server: plain HTTP, for development and for containers.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::task::TaskTracker;

use crate::{after_response, http::Api, prometheus::Metrics};

/// How long a client may take to send the headers of a request, and how long its connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How large a request's headers may be, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Where load balancers, orchestrators and Prometheus ask.
const HEALTH: &str = "/health";
const READY: &str = "/ready";
const METRICS: &str = "/metrics";

/// What is served, and where.
pub struct Server {
    /// The API.
    pub api: Api,
    /// Where it is.
    pub listener: TcpListener,
    /// `GET /metrics`, if it is asked for, and where it is if not there.
    pub metrics: Option<(Arc<Metrics>, Option<TcpListener>)>,
    /// How long requests are still accepted after the signal to stop.
    pub shutdown_delay: Duration,
}

impl Server {
    /// Serves the API, its metrics, `GET /health` and `GET /ready` until `shutdown`, then finishes the requests in progress and
    /// their deferred work.
    ///
    /// # Errors
    ///
    /// If a listener has no address.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { api, listener, metrics, shutdown_delay } = self;
        let (metrics, own) = metrics.unzip();
        let own = own.flatten();
        tracing::info!("listening on http://{}", listener.local_addr()?);
        if let Some(own) = &own {
            tracing::info!("metrics on http://{}{METRICS}", own.local_addr()?);
        }
        let app = App {
            api,
            shown: metrics.clone().filter(|_| own.is_none()),
            counted: metrics.clone(),
            deferred: TaskTracker::new(),
            is_stopping: Arc::default(),
        };
        let (deferred, is_stopping) = (app.deferred.clone(), Arc::clone(&app.is_stopping));
        let stop = async {
            shutdown.await;
            is_stopping.store(true, Relaxed);
            tokio::time::sleep(shutdown_delay).await;
        };
        let serving = async {
            let connections = GracefulShutdown::new();
            accept(listener, &connections, stop, move |request| app.clone().answer(request)).await;
            connections.shutdown().await;
            deferred.close();
            deferred.wait().await;
        };
        match metrics.zip(own) {
            None => serving.await,
            Some((metrics, own)) => {
                let connections = GracefulShutdown::new();
                let show = move |request| show(Arc::clone(&metrics), request);
                tokio::select! {
                    () = serving => {}
                    () = accept(own, &connections, pending(), show) => {}
                }
            }
        }
        Ok(())
    }
}

/// Answers the requests of each connection that comes until `stop`.
async fn accept<H, A>(listener: TcpListener, connections: &GracefulShutdown, stop: impl Future<Output = ()>, handler: H)
where
    H: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // A response is written at once, without waiting for the acknowledgement of the previous one.
                let _ = stream.set_nodelay(true);
                let handler = handler.clone();
                let handler = service_fn(move |request| handler(request).map(Ok::<_, Infallible>));
                let connection = connections.watch(http.serve_connection(TokioIo::new(stream), handler));
                // It does not matter how a connection ends.
                tokio::spawn(async { drop(connection.await) });
            }
            Err(error) => {
                // Most likely out of file descriptors: other connections have to end first.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The API, and what the server tells of itself.
#[derive(Clone)]
struct App {
    api: Api,
    /// What requests are counted in.
    counted: Option<Arc<Metrics>>,
    /// What is shown where the API is.
    shown: Option<Arc<Metrics>>,
    deferred: TaskTracker,
    is_stopping: Arc<AtomicBool>,
}

impl App {
    /// Answers a request and spawns what it has deferred. On the single thread of this process's runtime that task starts when
    /// the connection's task next waits, and before it does, it writes the response to the socket.
    async fn answer(self, request: Request<Incoming>) -> Response {
        match (request.uri().path(), &self.shown) {
            (HEALTH, _) => return page(request.method(), || "ok\n"),
            (READY, _) => return page(request.method(), || self.ready()),
            (METRICS, Some(metrics)) => return page(request.method(), || metrics.show()),
            _ => {}
        }
        let tracker = self.deferred.clone();
        let handling = async move {
            let (response, jobs) = after_response::collect(self.handle(request.map(Body::new))).await;
            self.deferred.spawn(jobs.run(None));
            response
        };
        ToTheEnd { handling: Some(handling.boxed()), tracker, runtime: Handle::current() }.await
    }

    async fn handle(&self, request: Request<Body>) -> Response {
        match &self.counted {
            Some(metrics) => metrics.count(&self.api, request).await,
            None => self.api.answer(request).await,
        }
    }

    /// Whether requests should be sent here. Redis does not matter: without it, the model answers.
    fn ready(&self) -> (StatusCode, &'static str) {
        match self.is_stopping.load(Relaxed) {
            true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            false => (StatusCode::OK, "ready\n"),
        }
    }
}

/// A server of metrics alone.
async fn show(metrics: Arc<Metrics>, request: Request<Incoming>) -> Response {
    match request.uri().path() {
        METRICS => page(request.method(), || metrics.show()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the server tells of itself.
fn page<P: IntoResponse>(method: &Method, page: impl FnOnce() -> P) -> Response {
    match *method {
        Method::GET | Method::HEAD => page().into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response(),
    }
}

/// The handling of a request. If its client goes away, hyper drops it; then it goes on by itself, since others may wait for the
/// same prediction, and the log counts every request.
struct ToTheEnd {
    handling: Option<BoxFuture<'static, Response>>,
    tracker: TaskTracker,
    runtime: Handle,
}

impl Future for ToTheEnd {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(handling) = &mut self.handling else { return Poll::Pending };
        let handled = handling.poll_unpin(context);
        if handled.is_ready() {
            self.handling = None;
        }
        handled
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        if let Some(handling) = self.handling.take() {
            self.tracker.spawn_on(handling.map(drop), &self.runtime);
        }
    }
}
