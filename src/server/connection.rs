//! HTTP on one connection.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    net::TcpStream,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_io_timeout::TimeoutWriter;

use super::{
    app::Handler,
    connections::{Activity, Connection, Order},
};

/// How long a client may read nothing of a response that exceeds the system's buffers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits of a request's headers, in bytes and in lines; larger ones are answered with 431.
const HEAD_LIMIT: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 100;

/// Serves a connection until it closes or is told to.
pub(super) async fn serve(stream: TcpStream, connection: Connection, handler: Handler) {
    let stream = match tokio::net::TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
    };
    // Send each response at once, without waiting for the acknowledgement of the previous one.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_TIMEOUT));
    let activity = Arc::clone(connection.activity());
    let stream = Watched { stream: Box::pin(stream), activity: Arc::clone(&activity) };
    let service = service_fn(|request| {
        activity.answering();
        let answer = handler.clone().answer(request);
        let activity = &activity;
        async move {
            let answer = answer.await;
            activity.answered();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    // `Connections` enforces the time limits.
    http.header_read_timeout(None).max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let mut http = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut is_finishing = false;
    poll_fn(|context| {
        loop {
            // Clients may disconnect at any time, so an error is not worth a log line.
            if http.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            match activity.poll_order(context) {
                Order::Finish if !is_finishing => {
                    is_finishing = true;
                    http.as_mut().graceful_shutdown();
                }
                Order::Abort => return Poll::Ready(()),
                Order::Continue | Order::Finish => return Poll::Pending,
            }
        }
    })
    .await;
}

/// Tells the connection's [`Activity`] when bytes arrive and when everything is written: hyper flushes only then.
struct Watched {
    stream: Pin<Box<TimeoutWriter<tokio::net::TcpStream>>>,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.stream.as_mut().poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.as_mut().poll_flush(context))?;
        self.activity.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
