//! The end of the server: what is in progress is finished, but not for ever.

use std::{pin::pin, time::Duration};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{limit::Limit, worker::Worker};

/// Lets the workers finish their requests and what follows the responses. What takes longer is cut: a client that does not read
/// its response, or does not send its request, would hold up the end for as long as it likes.
pub(super) async fn finish(workers: Vec<Worker>, limit: &Limit, time: Duration) {
    let deferred: Vec<_> = workers.iter().map(|worker| worker.deferred().clone()).collect();
    let mut finishing = pin!(join_all(workers.into_iter().map(Worker::finish)));
    if timeout(time, &mut finishing).await.is_err() {
        let deferred: usize = deferred.iter().map(|tasks| tasks.len()).sum();
        let connections = limit.open();
        tracing::warn!(connections, deferred, "not finished within SHUTDOWN_TIMEOUT_SECONDS: what is left is cut");
    }
}
