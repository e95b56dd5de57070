//! The limit of open connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit of open connections. Clones share it.
#[derive(Clone)]
pub(super) struct Limit {
    max: usize,
    free: Arc<Semaphore>,
}

/// The slot of one open connection; dropping it frees the slot.
pub(super) type Slot = OwnedSemaphorePermit;

impl Limit {
    pub(super) fn new(max: usize) -> Self {
        Self { max, free: Arc::new(Semaphore::new(max)) }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// The number of open connections.
    pub(super) fn open(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// Waits until a slot is free.
    pub(super) async fn wait_for_slot(&self) {
        drop(self.free.acquire().await);
    }

    /// Reserves a slot for one more connection. Call it after [`Self::wait_for_slot`].
    pub(super) fn slot(&self) -> Slot {
        Arc::clone(&self.free)
            .try_acquire_owned()
            .expect("a slot is free: only the accept loop takes slots, after waiting for one")
    }
}
