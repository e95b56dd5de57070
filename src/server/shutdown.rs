//! Shutdown: requests in progress are finished, within a time limit.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{connections::Connections, worker::Worker};

/// Lets the workers finish their requests and deferred work. After `time`, the remaining connections are closed: a client that
/// does not read its response, or does not send its request, could delay the exit indefinitely.
pub(super) async fn finish(workers: &[Worker], connections: &Connections, time: Duration) {
    let finishing = async {
        connections.finish().await;
        join_all(workers.iter().map(async |worker| {
            worker.deferred().close();
            worker.deferred().wait().await;
        }))
        .await
    };
    if timeout(time, finishing).await.is_err() {
        let deferred: usize = workers.iter().map(|worker| worker.deferred().len()).sum();
        let connections = connections.open();
        tracing::warn!(connections, deferred, "SHUTDOWN_TIMEOUT_SECONDS elapsed: closing the remaining connections");
    }
}
