//! When a store leaves a server that has become a replica.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::breaker::PROBE_INTERVAL;

/// Counts the times that a store left a server because it answered as a replica: at most one per [`PROBE_INTERVAL`].
#[derive(Default)]
pub(super) struct Failovers {
    count: AtomicU64,
    last: Mutex<Option<Instant>>,
}

impl Failovers {
    /// Whether the server may be left now.
    pub(super) fn another(&self) -> bool {
        let (mut last, now) = (self.last.lock(), Instant::now());
        let another = last.is_none_or(|last| now >= last + PROBE_INTERVAL);
        if another {
            *last = Some(now);
            self.count.fetch_add(1, Relaxed);
        }
        another
    }

    /// The number of failovers so far.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }
}
