//! The addresses that clients cannot reach: `METRICS_ADDRESS` and `HEALTH_ADDRESS`. Their connections are apart from the API's, so that not
//! even clients that take all of `MAX_CONNECTIONS` delay a probe.

use std::{future::pending, time::Duration};

use tokio::net::TcpListener;

use super::{
    accept::accept,
    app::Handler,
    connection,
    connections::{Connections, Limit},
    endpoints::Endpoints,
};

/// The limit of open connections at each of these addresses: enough for Prometheus, probes and a few people.
pub(super) const MAX_CONNECTIONS: usize = 16;

/// Answers for `endpoints` on the listener of this variable's address, until dropped.
pub(super) async fn serve(
    variable: &'static str,
    listener: Option<TcpListener>,
    endpoints: Endpoints,
    keep_alive: Duration,
) {
    let Some(listener) = listener else { return pending().await };
    let connections = Connections::new(MAX_CONNECTIONS, Limit::OfAddress(variable), keep_alive);
    let handler = Handler::Front(endpoints);
    let accepting = accept(listener, &connections, pending(), |stream, connection| {
        if let Ok(stream) = stream.into_std() {
            tokio::spawn(connection::serve(stream, connection, handler.clone()));
        }
    });
    tokio::select! {
        () = accepting => {}
        () = connections.check() => {}
    }
}
