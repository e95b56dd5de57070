//! Accepting connections, and HTTP on each of them.

use std::{convert::Infallible, future::Future, pin::pin, time::Duration};

use axum_core::response::Response;
use futures_util::FutureExt;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::TcpListener;

/// How long a client may take to send the headers of a request, and how long its connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How large a request's headers may be, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Answers the requests of each connection that comes until `stop`.
pub(super) async fn accept<H, A>(
    listener: TcpListener,
    connections: &GracefulShutdown,
    stop: impl Future<Output = ()>,
    handler: H,
) where
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
