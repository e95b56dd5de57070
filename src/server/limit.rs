//! How many connections may be open at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections may be open at once; a clone is the same limit.
#[derive(Clone)]
pub(super) struct Limit {
    most: usize,
    free: Arc<Semaphore>,
}

/// The place of an open connection, which is free again when this is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Limit {
    pub(super) fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)) }
    }

    /// How many connections may be open.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// Waits until one more may be open.
    pub(super) async fn room(&self) {
        drop(self.free.acquire().await);
    }

    /// The place of one more, where there is room.
    pub(super) fn slot(&self) -> Slot {
        Arc::clone(&self.free)
            .try_acquire_owned()
            .expect("whoever accepts has waited for room, and nobody else takes it")
    }
}
