//! The model's run time on a thread, which does nothing else during a run.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::costs::LookupTime;

/// In nanoseconds: 64 bits suffice for centuries.
#[derive(Debug, Default)]
pub(in crate::service) struct RunTime(AtomicU64);

pub(in crate::service) struct Stopwatch {
    start: Instant,
    run_time: Duration,
}

impl RunTime {
    pub(in crate::service) fn add(&self, run: Duration) {
        self.0.fetch_add(run.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }

    pub(in crate::service) fn stopwatch(&self) -> Stopwatch {
        Stopwatch { start: Instant::now(), run_time: self.total() }
    }

    /// The time since `stopwatch` was started, and the model's run time in it.
    pub(in crate::service) fn since(&self, stopwatch: &Stopwatch) -> LookupTime {
        LookupTime { total: stopwatch.start.elapsed(), runs: self.total().saturating_sub(stopwatch.run_time) }
    }
}
