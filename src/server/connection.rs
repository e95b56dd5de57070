//! HTTP on one connection.

use std::{convert::Infallible, net::TcpStream, time::Duration};

use futures_util::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use tokio_io_timeout::TimeoutWriter;

use super::{app::Handler, limit::Slot};

/// How long a client may take to send a request's headers, and how long its connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may read nothing of a response that exceeds the system's buffers. hyper limits the time to read a request,
/// but not the time to write a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits of a request's headers, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Serves a connection until it closes or `watcher` shuts it down.
pub(super) async fn serve(stream: TcpStream, _slot: Slot, watcher: Watcher, handler: Handler) {
    let stream = match tokio::net::TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
    };
    // Send each response at once, without waiting for the acknowledgement of the previous one.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_TIMEOUT));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let service = service_fn(move |request| handler.clone().answer(request).map(Ok::<_, Infallible>));
    // Clients may disconnect at any time, so an error here is not worth a log line.
    let _ = watcher.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await;
}
