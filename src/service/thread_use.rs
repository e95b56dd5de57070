//! The use of the threads for runs and bodies, for the metrics.

use std::iter::Sum;

/// The present use of the threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadUse {
    /// Runs in progress, and bodies that are read.
    pub running: usize,
    /// Runs and bodies that wait for a thread.
    pub waiting: usize,
    /// The requests that were refused so far because too many were waiting.
    pub refused: u64,
}

impl Sum for ThreadUse {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            running: sum.running + next.running,
            waiting: sum.waiting + next.waiting,
            refused: sum.refused + next.refused,
        })
    }
}
