//! The listener and its accept loop.

use std::{future::Future, io, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host},
    time::sleep,
};

use super::connections::{Connection, Connections};

/// The pause after a failed accept: the first one and the longest one. Each failure doubles it.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// The system's buffer for what a client has yet to read; Linux doubles it. Otherwise, the system buffers up to megabytes for each client
/// that reads slowly or not at all, in memory that counts as the container's.
const SEND_BUFFER: u32 = 64 * 1024;

/// The number of connections that may wait to be accepted. The system may lower it.
const BACKLOG: u32 = 1024;

/// Listens on the first of the addresses that is possible.
///
/// # Errors
///
/// If none is; the reason is the last one's.
pub async fn listen(addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(addresses).await? {
        let listening = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            // Connections inherit it.
            socket.set_send_buffer_size(SEND_BUFFER)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        match listening() {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Accepts connections until `stop`, and passes each to `dispatch`. While none can be [admitted](Connections::admit), further ones
/// wait in the system's backlog.
pub(super) async fn accept(
    listener: TcpListener,
    connections: &Connections,
    stop: impl Future<Output = ()>,
    dispatch: impl Fn(TcpStream, Connection),
) {
    let accepting = async {
        let [first, longest] = PAUSES;
        let mut pause = first;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause = first;
                    dispatch(stream, connections.admit().await);
                }
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    // Most likely out of file descriptors: pause until some are closed.
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(pause).await;
                    pause = longest.min(2 * pause);
                }
            }
        }
    };
    tokio::select! {
        never = accepting => never,
        () = stop => {}
    }
}

/// Whether the client closed its connection before it was accepted.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
