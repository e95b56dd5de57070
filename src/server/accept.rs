//! The accept loop, which limits the number of open connections.

use std::{future::Future, io, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::limit::{Limit, Slot};

/// The pause after a failed accept: the first one and the longest one. Each failure doubles it.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// The minimum time between two warnings that the limit is reached.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Accepts connections until `stop`, and passes each to `dispatch`. When no slot is free, new connections wait in the system's
/// backlog.
pub(super) async fn accept(
    listener: TcpListener,
    limit: &Limit,
    stop: impl Future<Output = ()>,
    dispatch: impl Fn(TcpStream, Slot),
) {
    let accepting = async {
        let [first, longest] = PAUSES;
        let (mut pause, mut last_warning) = (first, None::<Instant>);
        loop {
            if limit.open() == limit.max() && last_warning.is_none_or(|last| last.elapsed() > WARNING_INTERVAL) {
                last_warning = Some(Instant::now());
                let max = limit.max();
                tracing::warn!("all {max} connections are open: others wait until one ends");
            }
            limit.wait_for_slot().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause = first;
                    dispatch(stream, limit.slot());
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
