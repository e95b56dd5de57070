//! Accepting connections, as many as may be open.

use std::{future::Future, io, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::limit::{Limit, Slot};

/// How long nothing is accepted after an error: the first time, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// How often the log says that the limit is reached.
const REMINDER: Duration = Duration::from_secs(60);

/// Hands on each connection that comes until `stop`. Where there is no room for one, it waits in the system's backlog.
pub(super) async fn accept(
    listener: TcpListener,
    limit: &Limit,
    stop: impl Future<Output = ()>,
    hand_on: impl Fn(TcpStream, Slot),
) {
    let accepting = async {
        let [first, longest] = PAUSES;
        let (mut pause, mut said) = (first, None::<Instant>);
        loop {
            if limit.open() == limit.most() && said.is_none_or(|said| said.elapsed() > REMINDER) {
                said = Some(Instant::now());
                let most = limit.most();
                tracing::warn!("all {most} connections are open: others wait until one ends");
            }
            limit.room().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause = first;
                    hand_on(stream, limit.slot());
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Most likely out of file descriptors: others have to be closed first.
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

/// Whether the client went away before its connection was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
