//! The local server: plain HTTP, for development and for containers.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::{Pin, pin},
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

use crate::{after_response, http::Api};

/// How long a client may take to send the headers of a request, and how long its connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How large a request's headers may be, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Where a load balancer or an orchestrator asks.
const HEALTH: &str = "/health";

/// Serves `api` and `GET /health` on `listener` until `shutdown`, then finishes the requests in progress and
/// their deferred work.
///
/// # Errors
///
/// If the listener has no address.
pub async fn serve(
    api: Api,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let deferred = TaskTracker::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);

    tracing::info!("listening on http://{}", listener.local_addr()?);
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => {
                // A response is written at once, without waiting for the acknowledgement of the previous one.
                let _ = stream.set_nodelay(true);
                let (api, deferred) = (api.clone(), deferred.clone());
                let handler = service_fn(move |request| answer(api.clone(), deferred.clone(), request));
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
    drop(listener);
    connections.shutdown().await;
    deferred.close();
    deferred.wait().await;
    Ok(())
}

/// Answers a request and spawns what it has deferred. On the single thread of this process's runtime that task starts when the
/// connection's task next waits, and before it does, it writes the response to the socket.
async fn answer(api: Api, deferred: TaskTracker, request: Request<Incoming>) -> Result<Response, Infallible> {
    if request.uri().path() == HEALTH {
        return Ok(health(request.method()));
    }
    let tracker = deferred.clone();
    let handling = async move {
        let (response, jobs) = after_response::collect(api.answer(request.map(Body::new))).await;
        deferred.spawn(jobs.run(None));
        response
    };
    Ok(ToTheEnd { handling: Some(handling.boxed()), tracker, runtime: Handle::current() }.await)
}

/// The process is alive.
fn health(method: &Method) -> Response {
    match *method {
        Method::GET | Method::HEAD => "ok\n".into_response(),
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
