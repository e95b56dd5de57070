//! The first bytes of a connection decide which thread serves it.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Poll, ready},
};

use tokio::{io::ReadBuf, net::TcpStream};

use super::{
    app::Handler,
    connection::serve,
    connections::{Connection, Order},
    endpoints::Endpoints,
    worker::Worker,
};

/// As many bytes as tell one of the server's own endpoints from the rest, also below a prefix. Below a longer one, a worker answers.
const FIRST_BYTES: usize = 256;

/// Serves a connection whose first request is for one of the server's own endpoints on this thread, which is never busy, and passes
/// others to a worker. A connection that sends nothing never reaches one.
pub(super) async fn serve_or_pass(
    stream: TcpStream,
    connection: Connection,
    endpoints: Endpoints,
    workers: Arc<[Worker]>,
) {
    let Ok(is_own) = wait_for_first_bytes(&stream, &connection, &endpoints).await else { return };
    // Detached from this thread's runtime, so that the worker's can wait for it.
    let stream = match stream.into_std() {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "a connection was not accepted"),
    };
    if is_own {
        serve(stream, connection, Handler::Front(endpoints)).await;
    } else {
        Worker::serve_with_one_of(&workers, stream, connection);
    }
}

/// Whether the first request is for one of the server's own endpoints. The bytes remain in the socket. Most clients send a request's
/// first line at once; where one does not, a worker answers.
///
/// # Errors
///
/// If the client closes the connection, or it is told to close.
async fn wait_for_first_bytes(stream: &TcpStream, connection: &Connection, endpoints: &Endpoints) -> io::Result<bool> {
    poll_fn(|context| match connection.activity().poll_order(context) {
        Order::Continue => {
            // Not kept while the connection is idle.
            let mut first = [0; FIRST_BYTES];
            let mut first = ReadBuf::new(&mut first);
            ready!(stream.poll_peek(context, &mut first))?;
            Poll::Ready(match first.filled() {
                [] => Err(io::ErrorKind::UnexpectedEof.into()),
                first => {
                    connection.activity().received();
                    Ok(endpoints.is_request(first))
                }
            })
        }
        Order::Finish | Order::Abort => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
    })
    .await
}
