//! Shutdown: requests in progress are finished, within a time limit.

use std::{pin::pin, time::Duration};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{limit::Limit, worker::Worker};

/// Lets the workers finish their requests and deferred work. After `time`, the remaining connections are closed: a client that
/// does not read its response, or does not send its request, could delay the exit indefinitely.
pub(super) async fn finish(workers: Vec<Worker>, limit: &Limit, time: Duration) {
    let deferred: Vec<_> = workers.iter().map(|worker| worker.deferred().clone()).collect();
    let mut finishing = pin!(join_all(workers.into_iter().map(Worker::finish)));
    if timeout(time, &mut finishing).await.is_err() {
        let deferred: usize = deferred.iter().map(|tasks| tasks.len()).sum();
        let connections = limit.open();
        tracing::warn!(connections, deferred, "SHUTDOWN_TIMEOUT_SECONDS elapsed: closing the remaining connections");
    }
}
