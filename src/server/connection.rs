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
    activity.reading();
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
                Order::Abort if activity.is_reading_head() => return Poll::Ready(()),
                // All of the headers had arrived, and waited for a busy worker.
                Order::Abort => activity.spare(),
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::server::{
        connections::{Connections, Limit},
        endpoints::Endpoints,
    };

    /// Serves a connection that was told to close, while it waited to be served, because its headers had not arrived. Returns what it
    /// answers to these bytes; if `again`, it is told so until it closes.
    async fn aborted_with(request: &[u8], again: bool) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut client =
            tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        client.write_all(request).await.expect("sent");
        let (stream, _) = listener.accept().await.expect("connected");
        stream.readable().await.expect("the request is there");
        let connections = Arc::new(Connections::new(1, Limit::MaxConnections, Duration::from_secs(75)));
        let connection = connections.admit().await;
        connection.activity().received();
        connection.activity().tell(Order::Abort);
        let endpoints = Endpoints {
            metrics: None,
            dashboard: None,
            base_paths: Default::default(),
            connections,
            is_stopping: Arc::default(),
        };
        let activity = Arc::clone(connection.activity());
        let telling = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if again {
                    activity.tell(Order::Abort);
                }
            }
        };
        tokio::select! {
            () = serve(stream.into_std().expect("a socket"), connection, Handler::Front(endpoints)) => {}
            () = telling => {}
        }
        let mut answer = Vec::new();
        // Closing a socket with unread bytes resets it.
        let _ = client.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("UTF-8")
    }

    #[tokio::test]
    async fn a_request_that_waited_for_a_busy_worker_is_answered_and_half_of_one_is_not() {
        let whole = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(aborted_with(whole, false).await.starts_with("HTTP/1.1 200"));
        assert_eq!(aborted_with(b"GET /health HTTP/1.1\r\nhost: ", true).await, "");
    }
}
