//! HTTP on one connection.

use std::{convert::Infallible, net::TcpStream, time::Duration};

use futures_util::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
};

use super::{app::Answering, limit::Slot, write_timeout::WriteTimeout};

/// How long a client may take to send the headers of a request, and how long its connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may read nothing of a response that does not fit into the system's buffers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How large a request's headers may be, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Answers the requests that come on a connection, until it ends or `watcher` is told to shut down.
pub(super) async fn serve(stream: TcpStream, _slot: Slot, watcher: Watcher, answering: Answering) {
    let stream = match tokio::net::TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
    };
    // A response is written at once, without waiting for the acknowledgement of the previous one.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let handler = service_fn(move |request| answering.clone().answer(request).map(Ok::<_, Infallible>));
    let stream = WriteTimeout::new(TokioIo::new(stream), WRITE_TIMEOUT);
    // It does not matter how a connection ends.
    let _ = watcher.watch(http.serve_connection(stream, handler)).await;
}
